-- Vectors are halfvec: pgvector 0.8 or later. It may be there already, made by somebody who may.
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE probe (id bigint PRIMARY KEY CHECK (id = 1), at_ms bigint NOT NULL);
INSERT INTO probe (id, at_ms) VALUES (1, 0);
