-- Whether the memo's title changed since the version was made: its vectors, or some of them, were
-- made with another title than the memo has. Of versions that are there already nobody knows.
ALTER TABLE version ADD COLUMN retitled INTEGER NOT NULL DEFAULT 0;
UPDATE version SET retitled = 1;
