-- The revision at which it changed over to the built-in model the last time: vectors of that one are in
-- memory, and an index that was begun before it is loaded anew.
ALTER TABLE project ADD COLUMN embedded bigint NOT NULL DEFAULT 0;
