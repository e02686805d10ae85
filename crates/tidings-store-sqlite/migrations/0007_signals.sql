-- What others see of somebody at this moment, unless they would rather not.
ALTER TABLE users ADD COLUMN shows_typing INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN shows_presence INTEGER NOT NULL DEFAULT 1;
-- Those who would rather not: every node remembers them.
CREATE INDEX users_hidden ON users (id, shows_typing, shows_presence) WHERE shows_typing = 0 OR shows_presence = 0;
