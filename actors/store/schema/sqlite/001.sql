-- What the store keeps. Times are Unix milliseconds of the store's host; 0 is "never" or "not yet".
-- Row ids are composed, so that everything of a version lies together and in reading order:
--   part and job = version << 12 | part        chunk = (version << 12 | part) << 10 | number

CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), at_ms INTEGER NOT NULL) STRICT;
INSERT INTO probe (id, at_ms) VALUES (1, 0);

CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    memos INTEGER NOT NULL DEFAULT 0 CHECK (memos >= 0),
    chunks INTEGER NOT NULL DEFAULT 0 CHECK (chunks >= 0),
    revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE memo (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES project (id),
    uuid BLOB NOT NULL CHECK (length(uuid) = 16),
    title TEXT NOT NULL,
    source TEXT,
    reference_id TEXT,
    metadata TEXT,
    scopes TEXT,
    type TEXT NOT NULL,
    format TEXT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    deleted_ms INTEGER NOT NULL DEFAULT 0,
    current_version INTEGER NOT NULL DEFAULT 0, -- what readers see; 0: nothing yet
    latest_version INTEGER NOT NULL,
    UNIQUE (project, uuid)
) STRICT;
CREATE INDEX memo_listed ON memo (project, id) WHERE deleted_ms = 0;
CREATE INDEX memo_reference ON memo (project, reference_id, id)
    WHERE reference_id IS NOT NULL AND deleted_ms = 0;
CREATE INDEX memo_expiring ON memo (expires_ms) WHERE expires_ms > 0 AND deleted_ms = 0;
CREATE INDEX memo_deleted ON memo (deleted_ms) WHERE deleted_ms > 0;

CREATE TABLE tag (
    memo INTEGER NOT NULL,
    position INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (memo, position)
) STRICT, WITHOUT ROWID;

-- One content of a memo. states: memos.h, enum edda_version_state.
CREATE TABLE version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    memo INTEGER NOT NULL, -- 0 while staged
    number INTEGER NOT NULL,
    state INTEGER NOT NULL,
    open_jobs INTEGER NOT NULL DEFAULT 0 CHECK (open_jobs >= 0),
    parts INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0,
    content_bytes INTEGER NOT NULL DEFAULT 0,
    content_length INTEGER NOT NULL DEFAULT 0, -- code points
    content_sha BLOB,                          -- sha256 of the parts' sha256s
    snippet TEXT NOT NULL DEFAULT '',
    created_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL DEFAULT 0,
    completed_ms INTEGER NOT NULL DEFAULT 0,
    changed_ms INTEGER NOT NULL,
    error TEXT
) STRICT;
CREATE INDEX version_memo ON version (memo, number);
CREATE INDEX version_unsettled ON version (state, changed_ms) WHERE state <> 1;

-- Where put_part stages: kept after accept or patch took the version, so that a repeat is known.
CREATE TABLE staging (
    project INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, uuid)
) STRICT, WITHOUT ROWID;
CREATE INDEX staging_created ON staging (created_ms);

CREATE TABLE part (
    id INTEGER PRIMARY KEY,
    first_byte INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    length INTEGER NOT NULL, -- code points
    sha BLOB NOT NULL,
    heading TEXT,            -- path in force at its beginning
    chunks INTEGER NOT NULL DEFAULT 0,
    first_number INTEGER NOT NULL DEFAULT 0 -- its first chunk's number in the memo, once complete
) STRICT;
CREATE TABLE part_text (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;

-- One durable job a part. states: jobs.h, enum edda_job_state.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL,
    run_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    delays INTEGER NOT NULL DEFAULT 0,
    solo INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER NOT NULL DEFAULT 0,
    lease_until_ms INTEGER NOT NULL DEFAULT 0,
    leased_by INTEGER NOT NULL DEFAULT 0, -- the life of the store's process
    last_error TEXT
) STRICT;
CREATE INDEX job_ready ON job (priority, run_at_ms, id) WHERE state = 0;
CREATE INDEX job_leased ON job (lease_until_ms) WHERE state = 1;
CREATE INDEX job_dead ON job (id) WHERE state = 3;

CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    heading TEXT,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL
) STRICT;

CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    UNIQUE (name, dimension)
) STRICT;

-- What the search index is loaded from; apart from the text, so that both tables stay dense.
CREATE TABLE chunk_index (
    id INTEGER PRIMARY KEY,
    terms BLOB NOT NULL, -- index/terms.h
    model INTEGER,       -- of vector
    vector BLOB          -- float32, little-endian
) STRICT;

CREATE TABLE term (
    project INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (project, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    project INTEGER NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    memo BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created_ms);

CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
