-- How many are in a conversation after each joining and each leaving: at any position the number is read from the last
-- of them, however many have come and gone. Facts of a position, never changed again.
ALTER TABLE membership ADD COLUMN count_at_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE membership ADD COLUMN count_at_to INTEGER;

CREATE TEMP TABLE counted (conversation BLOB, pos INTEGER, count INTEGER, PRIMARY KEY (conversation, pos)) WITHOUT ROWID;
INSERT INTO temp.counted
    SELECT DISTINCT conversation, pos, sum(change) OVER (PARTITION BY conversation ORDER BY pos)
    FROM (SELECT conversation, from_pos AS pos, 1 AS change FROM membership
          UNION ALL
          SELECT conversation, to_pos, -1 FROM membership WHERE to_pos IS NOT NULL);
UPDATE membership SET
    count_at_from = (SELECT count FROM temp.counted AS c WHERE c.conversation = membership.conversation AND c.pos = from_pos),
    count_at_to = (SELECT count FROM temp.counted AS c WHERE c.conversation = membership.conversation AND c.pos = to_pos);
DROP TABLE temp.counted;

-- The last leaving before a position.
CREATE INDEX membership_left ON membership (conversation, to_pos, count_at_to) WHERE to_pos IS NOT NULL;
