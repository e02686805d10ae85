-- What all refresh tokens of a session have in common, hashed: an old one is known as the session's, however often it was
-- used since. Sessions from before get theirs with their next use.
ALTER TABLE session ADD COLUMN family_hash BLOB;
CREATE UNIQUE INDEX session_family ON session (family_hash) WHERE family_hash IS NOT NULL;
