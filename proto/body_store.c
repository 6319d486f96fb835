/* proto/body_store.c: the fields of what the store takes and gives. */
#include "proto/body_store.h"

#include "proto/schema.h"

#define MAX_TITLE_BYTES  (4 * EDDA_MAX_TITLE + 4) /* also of sources and reference ids */
#define MAX_TAG_BYTES    1024
#define MAX_VALUE_BYTES  4096
#define MAX_KEY_BYTES    256
#define MAX_HASH_BYTES   64
#define MAX_REASON_BYTES 2048
#define MAX_PARTS        1024
#define MAX_PAGE_CHUNKS  8192
#define MAX_PAGE_MEMOS   100
#define MAX_LISTED       1000
#define MAX_CANDIDATES   1024

static const struct edda_field edda_store_pong_fields[] = {
    FIELD(1, edda_store_pong, database),
    FIELD_UP_TO(2, edda_store_pong, backend, EDDA_MAX_NAME),
    FIELD_UP_TO(3, edda_store_pong, uptime_ms, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_pong, STORE_PONG);

static const struct edda_field edda_store_accept_fields[] = {
    FIELD_REQUIRED(1, edda_store_accept, memo, 0),
    FIELD_UP_TO(2, edda_store_accept, title, MAX_TITLE_BYTES),
    FIELD_TEXTS(3, edda_store_accept, parts, MAX_PARTS, EDDA_PART_BYTES),
    FIELD_UP_TO(4, edda_store_accept, staged_parts, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_store_accept, content_bytes, EDDA_MAX_CONTENT_BYTES),
    FIELD_UP_TO(6, edda_store_accept, source, MAX_TITLE_BYTES),
    FIELD_UP_TO(7, edda_store_accept, reference_id, MAX_TITLE_BYTES),
    FIELD_TEXTS(8, edda_store_accept, tags, EDDA_MAX_TAGS, MAX_TAG_BYTES),
    FIELD_UP_TO(9, edda_store_accept, metadata, EDDA_MAX_METADATA_BYTES),
    FIELD_UP_TO(10, edda_store_accept, scopes, EDDA_MAX_METADATA_BYTES),
    FIELD(11, edda_store_accept, expires_wall_ms),
    FIELD_UP_TO(12, edda_store_accept, type, EDDA_MAX_NAME),
    FIELD_UP_TO(13, edda_store_accept, format, EDDA_MAX_NAME),
    FIELD_UP_TO(14, edda_store_accept, idempotency_key, MAX_KEY_BYTES),
    FIELD_UP_TO(15, edda_store_accept, fingerprint, MAX_HASH_BYTES),
};
BODY_SCHEMA(edda_store_accept, STORE_ACCEPT);

static const struct edda_field edda_store_accepted_fields[] = {
    FIELD(1, edda_store_accepted, memo),
    FIELD_UP_TO(2, edda_store_accepted, version, EDDA_ANY_NUMBER),
    FIELD(3, edda_store_accepted, replayed),
};
BODY_SCHEMA(edda_store_accepted, STORE_ACCEPTED);

static const struct edda_field edda_store_put_part_fields[] = {
    FIELD_REQUIRED(1, edda_store_put_part, memo, 0),
    FIELD_UP_TO(2, edda_store_put_part, first, EDDA_ANY_NUMBER),
    FIELD_TEXTS(3, edda_store_put_part, parts, MAX_PARTS, EDDA_PART_BYTES),
};
BODY_SCHEMA(edda_store_put_part, STORE_PUT_PART);

static const struct edda_field edda_store_patch_fields[] = {
    FIELD_REQUIRED(1, edda_store_patch, id, MAX_TITLE_BYTES),
    FIELD(2, edda_store_patch, by_reference),
    FIELD_UP_TO(3, edda_store_patch, set, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_store_patch, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(5, edda_store_patch, metadata, EDDA_MAX_METADATA_BYTES),
    FIELD_UP_TO(6, edda_store_patch, reference_id, MAX_TITLE_BYTES),
    FIELD_UP_TO(7, edda_store_patch, source, MAX_TITLE_BYTES),
    FIELD(8, edda_store_patch, expires_wall_ms),
    FIELD_UP_TO(9, edda_store_patch, scopes, EDDA_MAX_METADATA_BYTES),
    FIELD_TEXTS(10, edda_store_patch, tags, EDDA_MAX_TAGS, MAX_TAG_BYTES),
    FIELD_TEXTS(11, edda_store_patch, parts, MAX_PARTS, EDDA_PART_BYTES),
    FIELD(12, edda_store_patch, staged),
    FIELD_UP_TO(13, edda_store_patch, staged_parts, EDDA_ANY_NUMBER),
    FIELD_UP_TO(14, edda_store_patch, content_bytes, EDDA_MAX_CONTENT_BYTES),
};
BODY_SCHEMA(edda_store_patch, STORE_PATCH);

static const struct edda_field edda_store_select_fields[] = {
    FIELD_REQUIRED(1, edda_store_select, id, MAX_TITLE_BYTES),
    FIELD(2, edda_store_select, by_reference),
    FIELD_UP_TO(3, edda_store_select, from_part, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_store_select, from_chunk, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_store_select, version, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_select, STORE_SELECT);

static const struct edda_field edda_store_tag_fields[] = {
    FIELD(1, edda_store_tag, uuid),
    FIELD_UP_TO(2, edda_store_tag, tag, MAX_TAG_BYTES),
};
RECORD_SCHEMA(edda_store_tag);

static const struct edda_field edda_store_memo_chunk_fields[] = {
    FIELD(1, edda_store_memo_chunk, uuid),
    FIELD_UP_TO(2, edda_store_memo_chunk, text, EDDA_PART_BYTES),
    FIELD_UP_TO(3, edda_store_memo_chunk, number, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_store_memo_chunk, start, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_store_memo_chunk, end, EDDA_ANY_NUMBER),
};
RECORD_SCHEMA(edda_store_memo_chunk);

static const struct edda_field edda_store_memo_fields[] = {
    FIELD(1, edda_store_memo, uuid),
    FIELD(2, edda_store_memo, created_wall_ms),
    FIELD(3, edda_store_memo, updated_wall_ms),
    FIELD_UP_TO(4, edda_store_memo, title, MAX_TITLE_BYTES),
    FIELD_TEXTS(5, edda_store_memo, parts, MAX_PARTS, EDDA_PART_BYTES),
    FIELD_UP_TO(6, edda_store_memo, metadata, EDDA_MAX_METADATA_BYTES),
    FIELD_UP_TO(7, edda_store_memo, scopes, EDDA_MAX_METADATA_BYTES),
    FIELD_UP_TO(8, edda_store_memo, reference_id, MAX_TITLE_BYTES),
    FIELD_UP_TO(9, edda_store_memo, source, MAX_TITLE_BYTES),
    FIELD_UP_TO(10, edda_store_memo, type, EDDA_MAX_NAME),
    FIELD(11, edda_store_memo, expires_wall_ms),
    FIELD(12, edda_store_memo, archived),
    FIELD_UP_TO(13, edda_store_memo, status, EDDA_MAX_NAME),
    FIELD_UP_TO(14, edda_store_memo, error, MAX_REASON_BYTES),
    FIELD_LIST(15, edda_store_memo, tags, edda_store_tag, EDDA_MAX_TAGS),
    FIELD_UP_TO(16, edda_store_memo, content_bytes, EDDA_ANY_NUMBER),
    FIELD_UP_TO(17, edda_store_memo, content_length, EDDA_ANY_NUMBER),
    FIELD_UP_TO(18, edda_store_memo, version, EDDA_ANY_NUMBER),
    FIELD_LIST(19, edda_store_memo, chunks, edda_store_memo_chunk, MAX_PAGE_CHUNKS),
    FIELD_UP_TO(20, edda_store_memo, next_part, EDDA_ANY_NUMBER),
    FIELD_UP_TO(21, edda_store_memo, next_chunk, EDDA_ANY_NUMBER),
    FIELD(22, edda_store_memo, more),
};
BODY_SCHEMA(edda_store_memo, STORE_MEMO);

static const struct edda_field edda_store_status_fields[] = {
    FIELD(1, edda_store_status, uuid),
    FIELD_UP_TO(2, edda_store_status, status, EDDA_MAX_NAME),
    FIELD(3, edda_store_status, started_wall_ms),
    FIELD(4, edda_store_status, completed_wall_ms),
    FIELD_UP_TO(5, edda_store_status, error, MAX_REASON_BYTES),
    FIELD_UP_TO(6, edda_store_status, version, EDDA_ANY_NUMBER),
    FIELD_UP_TO(7, edda_store_status, open_jobs, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_status, STORE_STATUS);

static const struct edda_field edda_store_page_fields[] = {
    FIELD_UP_TO(1, edda_store_page, page, EDDA_ANY_NUMBER),
    FIELD_UP_TO(2, edda_store_page, page_size, MAX_PAGE_MEMOS),
};
BODY_SCHEMA(edda_store_page, STORE_PAGE);

static const struct edda_field edda_store_memo_row_fields[] = {
    FIELD(1, edda_store_memo_row, uuid),
    FIELD(2, edda_store_memo_row, created_wall_ms),
    FIELD(3, edda_store_memo_row, updated_wall_ms),
    FIELD_UP_TO(4, edda_store_memo_row, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(5, edda_store_memo_row, content_length, EDDA_ANY_NUMBER),
    FIELD_UP_TO(6, edda_store_memo_row, metadata, EDDA_MAX_METADATA_BYTES),
    FIELD_UP_TO(7, edda_store_memo_row, reference_id, MAX_TITLE_BYTES),
    FIELD_UP_TO(8, edda_store_memo_row, status, EDDA_MAX_NAME),
};
RECORD_SCHEMA(edda_store_memo_row);

static const struct edda_field edda_store_memos_fields[] = {
    FIELD_LIST(1, edda_store_memos, memos, edda_store_memo_row, MAX_PAGE_MEMOS),
    FIELD_UP_TO(2, edda_store_memos, count, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_memos, STORE_MEMOS);

static const struct edda_field edda_store_filter_fields[] = {
    FIELD_REQUIRED(1, edda_store_filter, field, MAX_TAG_BYTES),
    FIELD_REQUIRED(2, edda_store_filter, operator_name, EDDA_MAX_NAME),
    FIELD_REQUIRED(3, edda_store_filter, filter_type, EDDA_MAX_NAME),
    FIELD_TEXTS(4, edda_store_filter, values, EDDA_MAX_FILTER_VALUES, MAX_VALUE_BYTES),
};
RECORD_SCHEMA(edda_store_filter);

static const struct edda_field edda_store_search_fields[] = {
    FIELD_UP_TO(1, edda_store_search, query, EDDA_MAX_QUERY_BYTES),
    FIELD_UP_TO(2, edda_store_search, limit, MAX_CANDIDATES),
    FIELD_LIST(3, edda_store_search, filters, edda_store_filter, EDDA_MAX_FILTERS),
    FIELD(4, edda_store_search, minimum_cosine),
    FIELD_UP_TO(5, edda_store_search, without, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_search, STORE_SEARCH);

static const struct edda_field edda_store_put_chunks_fields[] = {
    FIELD_UP_TO(1, edda_store_put_chunks, job, EDDA_ANY_NUMBER),
    FIELD_REQUIRED(2, edda_store_put_chunks, memo, 0),
    FIELD_UP_TO(3, edda_store_put_chunks, version, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_store_put_chunks, part, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_put_chunks, STORE_PUT_CHUNKS);

static const struct edda_field edda_store_stored_fields[] = {
    FIELD(1, edda_store_stored, stale),
    FIELD(2, edda_store_stored, complete),
};
BODY_SCHEMA(edda_store_stored, STORE_STORED);

static const struct edda_field edda_store_key_fields[] = {
    FIELD(1, edda_store_key, uuid),
    FIELD_UP_TO(2, edda_store_key, project, EDDA_MAX_NAME),
    FIELD_UP_TO(3, edda_store_key, name, MAX_TITLE_BYTES),
    FIELD_UP_TO(4, edda_store_key, hash, MAX_HASH_BYTES),
    FIELD_UP_TO(5, edda_store_key, prefix, EDDA_MAX_NAME),
    FIELD(6, edda_store_key, created_wall_ms),
    FIELD(7, edda_store_key, revoked),
    FIELD_UP_TO(8, edda_store_key, rate, EDDA_ANY_NUMBER),
    FIELD_UP_TO(9, edda_store_key, concurrency, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_key, STORE_KEY);

static const struct edda_field edda_store_keys_fields[] = {
    FIELD_LIST(1, edda_store_keys, keys, edda_store_key, MAX_LISTED),
};
BODY_SCHEMA(edda_store_keys, STORE_KEYS);

static const struct edda_field edda_store_jobs_query_fields[] = {
    FIELD(1, edda_store_jobs_query, dead),
    FIELD_UP_TO(2, edda_store_jobs_query, after, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_store_jobs_query, limit, MAX_LISTED),
};
BODY_SCHEMA(edda_store_jobs_query, STORE_JOBS_QUERY);

static const struct edda_field edda_store_job_fields[] = {
    FIELD_UP_TO(1, edda_store_job, id, EDDA_ANY_NUMBER),
    FIELD(2, edda_store_job, memo),
    FIELD_UP_TO(3, edda_store_job, project, EDDA_MAX_NAME),
    FIELD_UP_TO(4, edda_store_job, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(5, edda_store_job, version, EDDA_ANY_NUMBER),
    FIELD_UP_TO(6, edda_store_job, part, EDDA_ANY_NUMBER),
    FIELD_UP_TO(7, edda_store_job, state, EDDA_MAX_NAME),
    FIELD_UP_TO(8, edda_store_job, attempts, EDDA_ANY_NUMBER),
    FIELD_UP_TO(9, edda_store_job, deaths, EDDA_ANY_NUMBER),
    FIELD_UP_TO(10, edda_store_job, error, MAX_REASON_BYTES),
    FIELD(11, edda_store_job, run_at_wall_ms),
};
RECORD_SCHEMA(edda_store_job);

static const struct edda_field edda_store_jobs_fields[] = {
    FIELD_LIST(1, edda_store_jobs, jobs, edda_store_job, MAX_LISTED),
    FIELD_UP_TO(2, edda_store_jobs, total, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_jobs, STORE_JOBS);

static const struct edda_field edda_store_redrive_fields[] = {
    FIELD_UP_TO(1, edda_store_redrive, id, EDDA_ANY_NUMBER),
    FIELD(2, edda_store_redrive, all),
};
BODY_SCHEMA(edda_store_redrive, STORE_REDRIVE);

static const struct edda_field edda_store_count_fields[] = {
    FIELD_UP_TO(1, edda_store_count, count, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_count, STORE_COUNT);

static const struct edda_field edda_store_statistics_fields[] = {
    FIELD_UP_TO(1, edda_store_statistics, projects, EDDA_ANY_NUMBER),
    FIELD_UP_TO(2, edda_store_statistics, memos, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_store_statistics, memos_processing, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_store_statistics, memos_error, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_store_statistics, chunks, EDDA_ANY_NUMBER),
    FIELD_UP_TO(6, edda_store_statistics, jobs_ready, EDDA_ANY_NUMBER),
    FIELD_UP_TO(7, edda_store_statistics, jobs_leased, EDDA_ANY_NUMBER),
    FIELD_UP_TO(8, edda_store_statistics, jobs_dead, EDDA_ANY_NUMBER),
    FIELD_UP_TO(9, edda_store_statistics, oldest_ready_ms, EDDA_ANY_NUMBER),
    FIELD_UP_TO(10, edda_store_statistics, database_bytes, EDDA_ANY_NUMBER),
    FIELD_UP_TO(11, edda_store_statistics, index_bytes, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_statistics, STORE_STATISTICS);

static const struct edda_field edda_store_reembed_fields[] = {
    FIELD_REQUIRED(1, edda_store_reembed, model, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_store_reembed, dimension, EDDA_MAX_DIMENSION),
    FIELD(3, edda_store_reembed, look),
};
BODY_SCHEMA(edda_store_reembed, STORE_REEMBED);

static const struct edda_field edda_store_reembedded_fields[] = {
    FIELD_UP_TO(1, edda_store_reembedded, chunks, EDDA_ANY_NUMBER),
    FIELD_UP_TO(2, edda_store_reembedded, missing, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_store_reembedded, queued, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_store_reembedded, open, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_store_reembedded, dead, EDDA_ANY_NUMBER),
    FIELD_UP_TO(6, edda_store_reembedded, projects, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_reembedded, STORE_REEMBEDDED);

static const struct edda_field edda_store_turn_fields[] = {
    FIELD_REQUIRED(1, edda_store_turn, chat, 0),
    FIELD_REQUIRED(2, edda_store_turn, question, 0),
    FIELD_REQUIRED(3, edda_store_turn, answer, 0),
    FIELD_REQUIRED(4, edda_store_turn, query, EDDA_MAX_QUERY_BYTES),
    FIELD_UP_TO(5, edda_store_turn, system_prompt, EDDA_MAX_PROMPT_BYTES),
    FIELD(6, edda_store_turn, asked_wall_ms),
    FIELD_UP_TO(7, edda_store_turn, text, EDDA_MAX_ANSWER_BYTES),
    FIELD_UP_TO(8, edda_store_turn, error, MAX_REASON_BYTES),
};
BODY_SCHEMA(edda_store_turn, STORE_TURN);

static const struct edda_field edda_store_chat_select_fields[] = {
    FIELD_REQUIRED(1, edda_store_chat_select, id, MAX_TITLE_BYTES),
    FIELD_UP_TO(2, edda_store_chat_select, from, EDDA_ANY_NUMBER),
    FIELD(3, edda_store_chat_select, latest),
    FIELD_UP_TO(4, edda_store_chat_select, history_bytes, EDDA_MAX_HISTORY_BYTES),
};
BODY_SCHEMA(edda_store_chat_select, STORE_CHAT_SELECT);

static const struct edda_field edda_store_message_fields[] = {
    FIELD(1, edda_store_message, uuid),
    FIELD_UP_TO(2, edda_store_message, content, EDDA_MAX_ANSWER_BYTES),
    FIELD_UP_TO(3, edda_store_message, sent_by, EDDA_MAX_NAME),
    FIELD(4, edda_store_message, sent_wall_ms),
    FIELD_UP_TO(5, edda_store_message, system_prompt, EDDA_MAX_PROMPT_BYTES),
    FIELD_UP_TO(6, edda_store_message, error, MAX_REASON_BYTES),
};
RECORD_SCHEMA(edda_store_message);

static const struct edda_field edda_store_chat_fields[] = {
    FIELD(1, edda_store_chat, uuid),
    FIELD(2, edda_store_chat, created_wall_ms),
    FIELD_LIST(3, edda_store_chat, messages, edda_store_message, MAX_LISTED),
    FIELD_UP_TO(4, edda_store_chat, next, EDDA_ANY_NUMBER),
    FIELD(5, edda_store_chat, more),
};
BODY_SCHEMA(edda_store_chat, STORE_CHAT);

static const struct edda_field edda_store_chat_row_fields[] = {
    FIELD(1, edda_store_chat_row, uuid),
    FIELD(2, edda_store_chat_row, created_wall_ms),
    FIELD_UP_TO(3, edda_store_chat_row, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(4, edda_store_chat_row, messages, EDDA_ANY_NUMBER),
    FIELD(5, edda_store_chat_row, last_wall_ms),
};
RECORD_SCHEMA(edda_store_chat_row);

static const struct edda_field edda_store_chats_fields[] = {
    FIELD_LIST(1, edda_store_chats, chats, edda_store_chat_row, MAX_PAGE_MEMOS),
    FIELD_UP_TO(2, edda_store_chats, count, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_store_chats, STORE_CHATS);
