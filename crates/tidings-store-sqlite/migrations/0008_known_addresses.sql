-- From where somebody has logged in before, as keyed hashes: from there they are let in while strangers try their
-- password.
CREATE TABLE known_address (
    user    BLOB NOT NULL,
    address BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (user, address)
) STRICT, WITHOUT ROWID;
