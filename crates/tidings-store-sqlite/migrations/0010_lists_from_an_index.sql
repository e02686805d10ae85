-- A list of a thousand conversations is read from the index alone; the rows lie in a thousand places.
DROP INDEX membership_user;
CREATE INDEX membership_user ON membership (user, conversation, from_log, to_log, preferences);
