-- Who left keeps what they could see: what a message said and what others might do until then.

-- The edit that replaced this version.
ALTER TABLE message_version ADD COLUMN replaced_pos INTEGER NOT NULL DEFAULT 0;
UPDATE message_version SET replaced_pos = edit.pos
    FROM (SELECT substr(stream, 2) AS conversation, ref AS seq, pos,
                 row_number() OVER (PARTITION BY stream, ref ORDER BY pos) AS version
          FROM event WHERE kind = 6) AS edit
    WHERE edit.conversation = message_version.conversation AND edit.seq = message_version.seq
      AND edit.version = message_version.version;

-- The role that somebody in a group had until this event.
CREATE TABLE former_role (
    conversation BLOB NOT NULL,
    user         BLOB NOT NULL,
    from_pos     INTEGER NOT NULL,
    until_pos    INTEGER NOT NULL,
    role         TEXT NOT NULL,
    PRIMARY KEY (conversation, user, from_pos, until_pos)
) STRICT, WITHOUT ROWID;
