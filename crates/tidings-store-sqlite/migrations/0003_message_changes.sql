-- What happens to a message after it was sent.
ALTER TABLE message ADD COLUMN edited_at INTEGER;
ALTER TABLE message ADD COLUMN deleted_at INTEGER;
ALTER TABLE message ADD COLUMN deleted_by BLOB;
-- How many different emoji are on it: most have none, and then nothing more is read.
ALTER TABLE message ADD COLUMN emoji INTEGER NOT NULL DEFAULT 0;

-- What a message said before its edits; what it says now stands in its own row.
CREATE TABLE message_version (
    conversation BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    body         TEXT NOT NULL,
    written_at   INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE reaction (
    conversation BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    user         BLOB NOT NULL,
    emoji        TEXT NOT NULL,
    log_id       INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq, user, emoji)
) STRICT, WITHOUT ROWID;
-- The first who have put an emoji there.
CREATE INDEX reaction_first ON reaction (conversation, seq, emoji, log_id, user);

-- Each emoji of a message, with the event that brought it.
CREATE TABLE reaction_count (
    conversation BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    emoji        TEXT NOT NULL,
    count        INTEGER NOT NULL,
    first_log    INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq, emoji)
) STRICT, WITHOUT ROWID;
