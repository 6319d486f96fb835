/* proto/body_store.h: what the store takes and gives. The project is in the envelope, always. */
#ifndef EDDA_PROTO_BODY_STORE_H
#define EDDA_PROTO_BODY_STORE_H

#include "proto/types.h"

struct edda_store_pong {
    bool database;            /* the database answered its last check, at most 2 s ago */
    struct edda_text backend; /* "sqlite" */
    uint64_t uptime_ms;
};

/* store.accept: idempotent by memo. Text of up to EDDA_INLINE_CONTENT_BYTES travels in parts;
 * larger text was staged before by store.put_part under the same uuid. */
struct edda_store_accept {
    struct edda_uuid memo; /* UUIDv7, made by the gateway */
    struct edda_text title;
    struct edda_texts parts; /* each at most EDDA_PART_BYTES, cut at paragraph ends */
    uint32_t staged_parts;   /* > 0: this many were staged; parts is empty */
    uint64_t content_bytes;  /* sum over parts, checked */
    struct edda_text source;
    struct edda_text reference_id;
    struct edda_texts tags;
    struct edda_text metadata;        /* JSON object as text, or absent for {} */
    struct edda_text scopes;          /* JSON object of strings as text, or absent for null */
    int64_t expires_wall_ms;          /* 0: never */
    struct edda_text type;            /* "plaintext" or "document" */
    struct edda_text format;          /* as edda_chunk_arguments.format */
    struct edda_text idempotency_key; /* or absent */
    struct edda_bytes fingerprint;    /* sha256 of the request, with idempotency_key */
};

/* EDDA_E_MISMATCH: the idempotency key was used with another fingerprint. */
struct edda_store_accepted {
    struct edda_uuid memo; /* of the first request when replayed */
    uint64_t version;      /* of the content, from 1 */
    bool replayed;
};

/* store.put_part: idempotent by (memo, first + i). Forgotten after 24 h without accept or patch. */
struct edda_store_put_part {
    struct edda_uuid memo; /* accept's memo, or patch's `staged` */
    uint32_t first;        /* number of parts.items[0], from 0 */
    struct edda_texts parts;
};

#define EDDA_PATCH_TITLE        1u
#define EDDA_PATCH_METADATA     2u
#define EDDA_PATCH_REFERENCE_ID 4u
#define EDDA_PATCH_SOURCE       8u
#define EDDA_PATCH_EXPIRES      16u
#define EDDA_PATCH_SCOPES       32u
#define EDDA_PATCH_TAGS         64u
#define EDDA_PATCH_CONTENT      128u

/* store.patch: only fields in `set` change. New content becomes a new version: readers see the old
 * chunks until the new are complete. Content equal to the latest version's is no change. */
struct edda_store_patch {
    struct edda_text id; /* as edda_store_select */
    bool by_reference;
    uint32_t set; /* EDDA_PATCH_ bits */
    struct edda_text title;
    struct edda_text metadata;
    struct edda_text reference_id;
    struct edda_text source;
    int64_t expires_wall_ms;
    struct edda_text scopes;
    struct edda_texts tags;
    struct edda_texts parts;
    struct edda_uuid staged; /* where put_part staged, with staged_parts > 0 */
    uint32_t staged_parts;
    uint64_t content_bytes;
};

/* store.get, store.status, store.delete. EDDA_E_NOT_FOUND: no such memo in this project. */
struct edda_store_select {
    struct edda_text id; /* uuid text, or reference id with by_reference (the newest memo wins) */
    bool by_reference;
    /* store.get of a large memo: continue where the last answer's `next_` fields say. */
    uint32_t from_part;
    uint32_t from_chunk;
    uint64_t version; /* of the first answer; EDDA_E_CONFLICT when it is gone: start over */
};

struct edda_store_tag {
    struct edda_uuid uuid;
    struct edda_text tag;
};

struct edda_store_tags {
    struct edda_store_tag *items;
    size_t count;
};

struct edda_store_memo_chunk {
    struct edda_uuid uuid;
    struct edda_text text;
    uint32_t number; /* from 0 across the whole memo */
    uint32_t start;
    uint32_t end;
};

struct edda_store_memo_chunks {
    struct edda_store_memo_chunk *items;
    size_t count;
};

/* One page of a memo: every field on the first page, parts and chunks on each until `more` is
 * false. Content first, then chunks. A page carries at most 512 KiB of text. */
struct edda_store_memo {
    struct edda_uuid uuid;
    int64_t created_wall_ms;
    int64_t updated_wall_ms;
    struct edda_text title;
    struct edda_texts parts;
    struct edda_text metadata; /* JSON object */
    struct edda_text scopes;   /* JSON object or absent */
    struct edda_text reference_id;
    struct edda_text source;
    struct edda_text type;
    int64_t expires_wall_ms;
    bool archived;
    struct edda_text status; /* "processing", "processed", "error" */
    struct edda_text error;
    struct edda_store_tags tags;
    uint64_t content_bytes;
    uint64_t content_length; /* code points */
    uint64_t version;        /* of the parts and chunks on this page */
    struct edda_store_memo_chunks chunks;
    uint32_t next_part;
    uint32_t next_chunk;
    bool more;
};

struct edda_store_status {
    struct edda_uuid uuid;
    struct edda_text status; /* as edda_store_memo.status */
    int64_t started_wall_ms; /* 0: not yet */
    int64_t completed_wall_ms;
    struct edda_text error; /* why it failed; while it is processed: why a try of it did */
    uint64_t version;
    uint32_t open_jobs; /* of its parts that are not processed */
};

struct edda_store_page {
    uint32_t page;      /* from 1 */
    uint32_t page_size; /* 1..100 */
};

struct edda_store_memo_row {
    struct edda_uuid uuid;
    int64_t created_wall_ms;
    int64_t updated_wall_ms;
    struct edda_text title;
    uint64_t content_length;
    struct edda_text metadata;
    struct edda_text reference_id;
    struct edda_text status;
};

struct edda_store_memo_rows {
    struct edda_store_memo_row *items;
    size_t count;
};

struct edda_store_memos {
    struct edda_store_memo_rows memos;
    uint64_t count; /* of all pages */
};

/* One condition; all must hold. Names and rules as the contract's filters, already validated by the
 * gateway, checked again by the store. */
struct edda_store_filter {
    struct edda_text field;
    struct edda_text operator_name; /* eq neq contains startswith endswith in not_in */
    struct edda_text filter_type;   /* native_field custom_metadata scope */
    struct edda_texts values;       /* one for the scalar operators */
};

struct edda_store_filters {
    struct edda_store_filter *items;
    size_t count;
};

#define EDDA_WITHOUT_EXPANSION 1u /* the query's words as they are */
#define EDDA_WITHOUT_GRAMS     2u /* no rescoring by character 4-grams */
#define EDDA_WITHOUT_VECTOR    4u

struct edda_store_search {
    struct edda_text query;
    uint32_t limit; /* candidates to return: 50 when a reranker follows */
    struct edda_store_filters filters;
    double minimum_cosine; /* of the vector leg's hits; 0: none */
    uint32_t without;      /* EDDA_WITHOUT_ bits: parts left out, to measure what each is worth */
};

/* store.put_chunks, store.put_vectors: input CHUNKS, envelope.fence the lease token. store.reuse:
 * input CHUNKS. store.part_chunks: none. */
struct edda_store_put_chunks {
    uint64_t job;
    struct edda_uuid memo;
    uint64_t version;
    uint32_t part;
};

struct edda_store_stored {
    bool stale;    /* the token was not the holder's: nothing changed */
    bool complete; /* this was the version's last part: readers see it now */
};

/* key_create: project, name, hash, prefix, rate, concurrency. key_check: hash. key_revoke: uuid,
 * prefix or hash. key_list: project or absent for all (the envelope's project does not restrict
 * keys). */
struct edda_store_key {
    struct edda_uuid uuid;
    struct edda_text project;
    struct edda_text name;
    struct edda_bytes hash;  /* sha256 of the whole key; never listed */
    struct edda_text prefix; /* the key's first 12 characters, for people */
    int64_t created_wall_ms;
    bool revoked;
    uint32_t rate;        /* requests a minute; 0: the gateway's limit holds */
    uint32_t concurrency; /* requests at once; 0: the gateway's */
};

struct edda_store_key_list {
    struct edda_store_key *items;
    size_t count;
};

struct edda_store_keys {
    struct edda_store_key_list keys;
};

struct edda_store_jobs_query {
    bool dead;      /* only dead ones; else all that are not done */
    uint64_t after; /* job id to continue after */
    uint32_t limit; /* 1..1000, 0: 100 */
};

struct edda_store_job {
    uint64_t id;
    struct edda_uuid memo;
    struct edda_text project;
    struct edda_text title;
    uint64_t version;
    uint32_t part;
    struct edda_text state; /* "ready", "leased", "dead" */
    uint32_t attempts;
    uint32_t deaths;
    struct edda_text error;
    int64_t run_at_wall_ms;
};

struct edda_store_job_list {
    struct edda_store_job *items;
    size_t count;
};

struct edda_store_jobs {
    struct edda_store_job_list jobs;
    uint64_t total;
};

struct edda_store_redrive {
    uint64_t id; /* one dead job, or */
    bool all;
};

struct edda_store_count {
    uint64_t count;
};

struct edda_store_statistics {
    uint64_t projects;
    uint64_t memos;
    uint64_t memos_processing;
    uint64_t memos_error;
    uint64_t chunks;
    uint64_t jobs_ready;
    uint64_t jobs_leased;
    uint64_t jobs_dead;
    uint64_t oldest_ready_ms;
    uint64_t database_bytes;
    uint64_t index_bytes;
};

/* ---- another model's vectors ---- */

/* Of the envelope's project, or of all when it is absent. A part is queued when it is current and
 * one of its chunks has no vector of this model; asking again queues only what is new. The old
 * vectors serve until a project's new ones are complete; then the project changes over at once. */
struct edda_store_reembed {
    struct edda_text model;
    uint32_t dimension;
    bool look; /* only count */
};

struct edda_store_reembedded {
    uint64_t chunks;   /* current ones */
    uint64_t missing;  /* of them without a vector of this model */
    uint64_t queued;   /* parts, by this call */
    uint64_t open;     /* parts queued and not done yet */
    uint64_t dead;     /* parts given up: see jobs */
    uint64_t projects; /* that search with another model still */
};

/* ---- chats ---- */

/* store.chat_save: idempotent by `question`. A chat is made by its first turn. EDDA_E_NOT_FOUND:
 * `chat` is another project's. */
struct edda_store_turn {
    struct edda_uuid chat;     /* UUIDv7, made by the gateway for a new chat */
    struct edda_uuid question; /* UUIDv7 of the user's message */
    struct edda_uuid answer;   /* and of the model's */
    struct edda_text query;
    struct edda_text system_prompt; /* or absent */
    int64_t asked_wall_ms;
    struct edda_text text;  /* of the answer; may be cut short when there is an error */
    struct edda_text error; /* why the answer broke off; absent: it did not */
};

/* store.chat_get. EDDA_E_NOT_FOUND: no such chat in this project. */
struct edda_store_chat_select {
    struct edda_text id; /* uuid text */
    uint32_t from;       /* first message wanted, from 0 */
    bool latest; /* instead: the last messages, as many as fit history_bytes; at least one */
    uint32_t history_bytes;
};

struct edda_store_message {
    struct edda_uuid uuid;
    struct edda_text content;
    struct edda_text sent_by; /* "user" or "model" */
    int64_t sent_wall_ms;
    struct edda_text system_prompt; /* of the user's message, or absent */
    struct edda_text error;         /* of the model's, or absent */
};

struct edda_store_messages {
    struct edda_store_message *items; /* oldest first */
    size_t count;
};

/* One page: at most 512 KiB of text. */
struct edda_store_chat {
    struct edda_uuid uuid;
    int64_t created_wall_ms;
    struct edda_store_messages messages;
    uint32_t next; /* `from` of the page after */
    bool more;
};

struct edda_store_chat_row {
    struct edda_uuid uuid;
    int64_t created_wall_ms;
    struct edda_text title; /* the first question, at most 255 code points */
    uint64_t messages;
    int64_t last_wall_ms; /* when its last message was sent */
};

struct edda_store_chat_rows {
    struct edda_store_chat_row *items;
    size_t count;
};

struct edda_store_chats {
    struct edda_store_chat_rows chats;
    uint64_t count; /* of all pages */
};

#endif
