-- A user's logins are looked through with every new one: those that have ended, which may be many, are not among them.
DROP INDEX session_user;
CREATE INDEX session_user ON session (user) WHERE ended_at IS NULL;
