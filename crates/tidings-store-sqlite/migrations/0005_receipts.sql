-- Whether others see how far somebody has read.
ALTER TABLE users ADD COLUMN shows_receipts INTEGER NOT NULL DEFAULT 1;
