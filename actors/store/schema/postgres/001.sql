-- What the store keeps. Times are Unix milliseconds; 0 is "never" or "not yet".
-- Row ids are composed as in SQLite's schema, so that everything of a version is one range of rows and
-- lies in reading order:
--   part and job = version << 12 | part        chunk = (version << 12 | part) << 10 | number
--   a job that embeds a part anew = 1 << 52 | part        message = chat << 20 | number
-- Identities are never used twice; they are not in the order of their commits.
-- Whoever locks rows of several tables locks job, then version, then memo, then project.

-- Vectors are halfvec: pgvector 0.8 or later. It may be there already, made by somebody who may.
CREATE EXTENSION IF NOT EXISTS vector;

-- What a transaction was built on still holds, or it is rolled back as one that met another: the
-- store begins it anew.
CREATE FUNCTION edda_must(condition boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF condition IS NOT TRUE THEN
        RAISE EXCEPTION 'out of date' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

CREATE TABLE probe (id bigint PRIMARY KEY CHECK (id = 1), at_ms bigint NOT NULL);
INSERT INTO probe (id, at_ms) VALUES (1, 0);

CREATE TABLE model (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    dimension bigint NOT NULL CHECK (dimension BETWEEN 1 AND 16000),
    UNIQUE (name, dimension)
);

-- revision: one more by each commit that changes what searches find, and that commit's memos have it
-- (memo.revision). The row stays locked until the commit, so revisions are seen in their order: who
-- holds an index of revision r needs the memos above r, and nothing else. forgotten: the highest
-- revision of a memo whose row is gone; who holds less loads the project anew.
CREATE TABLE project (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    chunks bigint NOT NULL DEFAULT 0 CHECK (chunks >= 0), -- of current versions
    revision bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0,
    model bigint REFERENCES model (id),      -- that serves; NULL: no vectors
    next_model bigint REFERENCES model (id), -- its parts are embedded with; NULL: none
    settled_chunk bigint                     -- up to it a sweep has dropped vectors of models that neither
                                             -- serve nor are next; NULL: nothing is to be done
) WITH (fillfactor = 50);
CREATE INDEX project_settling ON project (id) WHERE settled_chunk IS NOT NULL;

-- How many of a project there are is the sum of its slots: a connection counts in slot
-- pg_backend_pid() % 16, so that accepts of one project do not wait for each other's commits. A slot
-- alone may be below 0.
CREATE TABLE project_count (
    project bigint NOT NULL REFERENCES project (id),
    slot bigint NOT NULL,
    memos bigint NOT NULL DEFAULT 0,
    chats bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (project, slot)
) WITH (fillfactor = 50);

CREATE TABLE memo (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project bigint NOT NULL REFERENCES project (id),
    uuid uuid NOT NULL,
    title text NOT NULL,
    source text,
    reference_id text,
    metadata text,
    scopes text,
    type text NOT NULL,
    format text,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    expires_ms bigint NOT NULL DEFAULT 0,
    archived bigint NOT NULL DEFAULT 0,
    deleted_ms bigint NOT NULL DEFAULT 0,
    current_version bigint NOT NULL DEFAULT 0, -- what readers see; 0: nothing yet
    latest_version bigint NOT NULL,
    revision bigint NOT NULL DEFAULT 0, -- of the project, at the last change that searches see; 0: never seen
    UNIQUE (project, uuid)
);
CREATE INDEX memo_listed ON memo (project, id) WHERE deleted_ms = 0;
CREATE INDEX memo_changed ON memo (project, revision, id) WHERE revision > 0;
CREATE INDEX memo_reference ON memo (project, reference_id, id)
    WHERE reference_id IS NOT NULL AND deleted_ms = 0;
CREATE INDEX memo_expiring ON memo (expires_ms) WHERE expires_ms > 0 AND deleted_ms = 0;
CREATE INDEX memo_deleted ON memo (deleted_ms) WHERE deleted_ms > 0;

CREATE TABLE tag (
    memo bigint NOT NULL,
    position bigint NOT NULL,
    uuid uuid NOT NULL,
    tag text NOT NULL,
    PRIMARY KEY (memo, position)
);

-- One content of a memo. states: memos.h, enum edda_version_state.
CREATE TABLE version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    memo bigint NOT NULL, -- 0 while staged
    number bigint NOT NULL,
    state bigint NOT NULL,
    open_jobs bigint NOT NULL DEFAULT 0 CHECK (open_jobs >= 0),
    parts bigint NOT NULL DEFAULT 0,
    chunks bigint NOT NULL DEFAULT 0,
    content_bytes bigint NOT NULL DEFAULT 0,
    content_length bigint NOT NULL DEFAULT 0, -- code points
    content_sha bytea,                        -- sha256 of the parts' sha256s
    snippet text NOT NULL DEFAULT '',
    created_ms bigint NOT NULL,
    started_ms bigint NOT NULL DEFAULT 0,
    completed_ms bigint NOT NULL DEFAULT 0,
    changed_ms bigint NOT NULL,
    error text,
    retitled bigint NOT NULL DEFAULT 0 -- the memo's title changed since the version was made
) WITH (fillfactor = 80);
CREATE INDEX version_memo ON version (memo, number);
CREATE INDEX version_unsettled ON version (state, changed_ms) WHERE state <> 1;

-- Where put_part stages: kept after accept or patch took the version, so that a repeat is known.
CREATE TABLE staging (
    project bigint NOT NULL,
    uuid uuid NOT NULL,
    version bigint NOT NULL,
    created_ms bigint NOT NULL,
    PRIMARY KEY (project, uuid)
);
CREATE INDEX staging_created ON staging (created_ms);

CREATE TABLE part (
    id bigint PRIMARY KEY,
    first_byte bigint NOT NULL,
    bytes bigint NOT NULL,
    length bigint NOT NULL, -- code points
    sha bytea NOT NULL,
    heading text,           -- path in force at its beginning
    chunks bigint NOT NULL DEFAULT 0,
    first_number bigint NOT NULL DEFAULT 0 -- its first chunk's number in the memo, once complete
);
CREATE TABLE part_text (id bigint PRIMARY KEY, text text NOT NULL);

-- The models a part was embedded with, whole: a chunk without a vector has none in that model. A part
-- lacks a model when it has chunks and is not here.
CREATE TABLE part_model (
    part bigint NOT NULL,
    model bigint NOT NULL,
    PRIMARY KEY (part, model)
);

-- Durable jobs. states and kinds: jobs.h. Done jobs stay until their version goes.
CREATE TABLE job (
    id bigint PRIMARY KEY,
    project bigint NOT NULL,
    kind bigint NOT NULL DEFAULT 0,
    model bigint, -- wanted by a job that embeds
    state bigint NOT NULL DEFAULT 0,
    priority bigint NOT NULL,
    run_at_ms bigint NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    deaths bigint NOT NULL DEFAULT 0,
    delays bigint NOT NULL DEFAULT 0,
    solo bigint NOT NULL DEFAULT 0,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until_ms bigint NOT NULL DEFAULT 0,
    leased_by bigint NOT NULL DEFAULT 0, -- the life of the store's process
    last_error text
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX job_ready ON job (priority, run_at_ms, id) WHERE state = 0;
CREATE INDEX job_leased ON job (kind, lease_until_ms) WHERE state = 1;
CREATE INDEX job_dead ON job (id) WHERE state = 3;
CREATE INDEX job_embedding ON job (project) WHERE kind = 1 AND state <> 2;

CREATE TABLE chunk (
    id bigint PRIMARY KEY,
    text text NOT NULL,
    heading text,
    start_byte bigint NOT NULL,
    end_byte bigint NOT NULL
);

-- What the lexical index is loaded from; apart from the text, so that both tables stay dense.
CREATE TABLE chunk_terms (
    id bigint PRIMARY KEY,
    terms bytea NOT NULL -- index/terms.h
);

-- The words of a project's term vectors.
CREATE TABLE term (
    project bigint NOT NULL,
    hash bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (project, hash)
);

-- Vectors of length 1, by model; those of the project's serving model are searched. Another model's
-- wait beside them until the project changes over. The column has no dimension: an index over one
-- model's casts it (edda index makes it, one per model). Rows up to a page stay in it and longer ones
-- go out uncompressed: what STORAGE PLAIN gives, which takes no more than a page.
CREATE TABLE chunk_vector (
    project bigint NOT NULL,
    chunk bigint NOT NULL,
    model bigint NOT NULL,
    vector halfvec NOT NULL,
    PRIMARY KEY (project, chunk, model)
) WITH (toast_tuple_target = 8160);
ALTER TABLE chunk_vector ALTER COLUMN vector SET STORAGE EXTERNAL;

-- A project's nearest chunks by the index of a model, which a statement cannot name: both its condition
-- and its cast must be there as constants. What the scan gives in about the right order is put in order.
CREATE FUNCTION nearest_chunks(project bigint, model bigint, dimension bigint, query halfvec, most bigint)
    RETURNS TABLE (chunk bigint, similarity double precision) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', greatest(200, least(most, 1000))::text, true),
        set_config('hnsw.iterative_scan', 'relaxed_order', true),
        set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('enable_sort', 'off', true);
    RETURN QUERY EXECUTE format(
        'WITH near AS MATERIALIZED (SELECT v.chunk, v.vector::halfvec(%1$s) <#> $2 AS distance'
        ' FROM chunk_vector v WHERE v.model = %2$s AND v.project = $1'
        ' ORDER BY v.vector::halfvec(%1$s) <#> $2 LIMIT $3)'
        ' SELECT n.chunk, -n.distance FROM near n ORDER BY n.distance, n.chunk', dimension, model)
        USING project, query, most;
END $$;

CREATE TABLE idempotency (
    project bigint NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    memo uuid NOT NULL,
    created_ms bigint NOT NULL,
    PRIMARY KEY (project, key)
);
CREATE INDEX idempotency_created ON idempotency (created_ms);

-- A question and its answer a turn, two messages.
CREATE TABLE chat (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project bigint NOT NULL REFERENCES project (id),
    uuid uuid NOT NULL UNIQUE,
    title text NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    created_ms bigint NOT NULL,
    last_ms bigint NOT NULL -- of its last message
);
CREATE INDEX chat_listed ON chat (project, last_ms, id);

CREATE TABLE chat_message (
    id bigint PRIMARY KEY,
    uuid uuid NOT NULL,
    sender bigint NOT NULL, -- chats.h, enum edda_chat_sender
    content text NOT NULL,
    system_prompt text,
    error text,
    sent_ms bigint NOT NULL
);
-- A turn that is sent again is known by its question.
CREATE INDEX chat_question ON chat_message (uuid) WHERE sender = 0;

CREATE TABLE api_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,
    project text NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    prefix text NOT NULL,
    created_ms bigint NOT NULL,
    revoked_ms bigint NOT NULL DEFAULT 0
);
