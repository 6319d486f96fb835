-- Which store this is, wherever its directory is moved to: what a copy of it is known by.
CREATE TABLE store (id INTEGER PRIMARY KEY CHECK (id = 1), uuid BLOB NOT NULL CHECK (length(uuid) = 16)) STRICT;
INSERT INTO store (id, uuid) VALUES (1, randomblob(16));
