-- Another model's vectors. A project serves searches with one model. While its chunks are embedded
-- anew, the new vectors wait in vector_next; when no current chunk lacks one the project changes over
-- at once, and a sweep moves them to chunk_index. Until then a row of vector_next whose model is the
-- one that serves counts, and the row of chunk_index does not.

ALTER TABLE project ADD COLUMN model INTEGER;        -- that serves; NULL: no vectors
ALTER TABLE project ADD COLUMN next_model INTEGER;   -- its parts are embedded with; NULL: none
ALTER TABLE project ADD COLUMN settled_memo INTEGER; -- up to it a sweep has moved or dropped what is
                                                     -- in vector_next; NULL: nothing is to be done
CREATE INDEX project_settling ON project (id) WHERE settled_memo IS NOT NULL;

-- A part is embedded whole, so its chunks' models are its own; one whose texts have no vector in a
-- model was still embedded with it.
ALTER TABLE part ADD COLUMN model INTEGER;      -- of its rows in chunk_index
ALTER TABLE part ADD COLUMN next_model INTEGER; -- of its rows in vector_next

CREATE TABLE vector_next (
    id INTEGER PRIMARY KEY, -- chunk
    model INTEGER NOT NULL,
    vector BLOB             -- as in chunk_index; NULL: the model has none for this text
) STRICT;

-- The job that embeds a part anew is kind << 52 | part.
ALTER TABLE job ADD COLUMN kind INTEGER NOT NULL DEFAULT 0; -- jobs.h, enum edda_job_kind
ALTER TABLE job ADD COLUMN model INTEGER;                   -- wanted by it
CREATE INDEX job_embedding ON job (project) WHERE kind = 1 AND state <> 2;

UPDATE part SET model = (SELECT i.model FROM chunk_index i
    WHERE i.id BETWEEN part.id << 10 AND (part.id << 10) + 1023 AND i.model IS NOT NULL LIMIT 1)
    WHERE chunks > 0;
UPDATE project SET model = (SELECT p.model FROM memo m JOIN part p
    ON p.id BETWEEN m.current_version << 12 AND (m.current_version << 12) + 4095
    WHERE m.project = project.id AND m.deleted_ms = 0 AND m.current_version > 0 AND p.model IS NOT NULL
    GROUP BY p.model ORDER BY sum(p.chunks) DESC LIMIT 1);
