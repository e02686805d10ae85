-- The words of everybody's names in lower case: who begins with what somebody types is found by their range.
CREATE TABLE user_word (
    app_id INTEGER NOT NULL,
    word   TEXT NOT NULL,
    user   BLOB NOT NULL,
    PRIMARY KEY (app_id, word, user)
) STRICT, WITHOUT ROWID;
