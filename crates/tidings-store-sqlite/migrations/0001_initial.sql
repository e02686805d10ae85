-- Ids are blobs of 16 bytes, a stream is a byte of kind and the id, times are milliseconds
-- since 1970. Columns that no verb fills yet stand here so that a later one needs no rewrite of everybody's data.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- One row per conversation and per user, never deleted: an id that comes back goes on counting.
CREATE TABLE head (
    stream        BLOB PRIMARY KEY,
    kind          INTEGER NOT NULL,
    last_pos      INTEGER NOT NULL,
    last_seq      INTEGER NOT NULL,
    last_ord      INTEGER NOT NULL,
    last_all      INTEGER NOT NULL,
    last_log      INTEGER NOT NULL,
    last_sent_log INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id            BLOB PRIMARY KEY,
    app_id        INTEGER NOT NULL,
    external_id   TEXT,
    username      TEXT NOT NULL,
    email         TEXT,
    first_name    TEXT,
    last_name     TEXT,
    display_name  TEXT NOT NULL,
    avatar_url    TEXT,
    password_hash TEXT,
    created_at    INTEGER NOT NULL,
    last_seen_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_username ON users (app_id, username);
CREATE UNIQUE INDEX users_email ON users (app_id, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX users_external_id ON users (app_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE conversation (
    id         BLOB PRIMARY KEY,
    app_id     INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    title      TEXT,
    avatar_url TEXT,
    settings   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Being in a conversation is an interval of positions; both ends are inclusive.
CREATE TABLE membership (
    conversation     BLOB NOT NULL,
    user             BLOB NOT NULL,
    from_pos         INTEGER NOT NULL,
    to_pos           INTEGER,
    from_seq         INTEGER NOT NULL,
    to_seq           INTEGER,
    history_from_seq INTEGER NOT NULL,
    from_log         INTEGER NOT NULL,
    to_log           INTEGER,
    joined_at        INTEGER NOT NULL,
    role             TEXT NOT NULL,
    state            TEXT NOT NULL,
    read_seq         INTEGER NOT NULL,
    read_ord         INTEGER NOT NULL,
    read_all         INTEGER NOT NULL,
    public_read_seq  INTEGER NOT NULL,
    delivered_seq    INTEGER NOT NULL,
    marks_log        INTEGER NOT NULL DEFAULT 0,
    preferences      TEXT,
    PRIMARY KEY (conversation, user, from_pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_user ON membership (user);
-- The order in which participants are listed and counted; rosters are read from it without touching the rows.
CREATE INDEX membership_joined ON membership (conversation, from_pos, user, to_pos, to_log);
-- Who owns a conversation now, however many have come and gone.
CREATE INDEX membership_owner ON membership (conversation) WHERE role = 'owner' AND to_pos IS NULL;

CREATE TABLE message (
    conversation BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    pos          INTEGER NOT NULL,
    log_id       INTEGER NOT NULL,
    ord          INTEGER NOT NULL,
    sender       BLOB NOT NULL,
    client_id    BLOB NOT NULL,
    request_mac  BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    thread_root  INTEGER,
    type         TEXT NOT NULL,
    body         TEXT NOT NULL,
    metadata     TEXT,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;
-- client_id first: clients make UUIDv7, so the index appends instead of scattering.
CREATE UNIQUE INDEX message_client ON message (client_id, conversation, sender);

-- References only, never a person's text. Sent events (kind 0) are found through message.
CREATE TABLE event (
    log_id INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    pos    INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    actor  BLOB NOT NULL,
    at     INTEGER NOT NULL,
    ref    ANY,
    data   BLOB CHECK (data IS NULL OR length(data) <= 256)
) STRICT;
CREATE UNIQUE INDEX event_stream ON event (stream, pos) WHERE kind <> 0;

CREATE TABLE idempotency (
    app_id INTEGER NOT NULL,
    user   BLOB NOT NULL,
    key    TEXT NOT NULL,
    mac    BLOB NOT NULL,
    status INTEGER NOT NULL,
    ref    BLOB,
    at     INTEGER NOT NULL,
    PRIMARY KEY (app_id, user, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

-- A login. The hashes of its refresh token and of the one before.
CREATE TABLE session (
    id            BLOB PRIMARY KEY,
    app_id        INTEGER NOT NULL,
    user          BLOB NOT NULL,
    device        TEXT,
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    token_hash    BLOB NOT NULL,
    previous_hash BLOB,
    rotated_at    INTEGER,
    ended_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX session_token ON session (token_hash);
CREATE UNIQUE INDEX session_previous ON session (previous_hash) WHERE previous_hash IS NOT NULL;
CREATE INDEX session_user ON session (user);
-- Sessions that expired long ago, to be deleted.
CREATE INDEX session_expires ON session (expires_at);

-- What is refused although its access token verifies. The subject is a byte of kind (1: a session) and the id.
CREATE TABLE revocation (
    subject       BLOB PRIMARY KEY,
    issued_before INTEGER NOT NULL,
    until         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revocation_until ON revocation (until);
