/* actors/store/postgres/versions.c: versions, their parts and jobs. */
#include "actors/store/postgres/versions.h"

#include "actors/store/postgres/store.h"
#include "actors/store/rows.h"

int edda_pg_check_project(const struct edda_pg_call *call) {
    size_t size = call->request.project.size;
    return size == 0 || size > EDDA_MAX_NAME ? EDDA_E_INVALID : 0;
}

/* ---- making ---- */

/* One a column of the parts. */
struct columns {
    struct edda_pg_built first_bytes;
    struct edda_pg_built headings;
    struct edda_pg_built bytes;
    struct edda_pg_built lengths;
    struct edda_pg_built shas;
    struct edda_pg_built texts;
};

/* Where each part lies in the content. */
static void build_places(struct edda_buffer *buffer, const struct edda_content *content,
                         struct columns *columns) {
    uint64_t first_byte = 0;
    edda_pg_build_array(&columns->first_bytes, buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < content->count; i++) {
        edda_pg_array_bigint(&columns->first_bytes, (int64_t)first_byte);
        first_byte += content->parts[i].bytes;
    }
    edda_pg_build_array(&columns->headings, buffer, EDDA_PG_TEXT);
    for (size_t i = 0; i < content->count; i++) {
        edda_pg_array_text(&columns->headings, content->parts[i].heading);
    }
}

static void build_parts(struct edda_buffer *buffer, const struct edda_content *content,
                        struct columns *columns) {
    edda_pg_build_array(&columns->bytes, buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < content->count; i++) {
        edda_pg_array_bigint(&columns->bytes, (int64_t)content->parts[i].bytes);
    }
    edda_pg_build_array(&columns->lengths, buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < content->count; i++) {
        edda_pg_array_bigint(&columns->lengths, (int64_t)content->parts[i].length);
    }
    edda_pg_build_array(&columns->shas, buffer, EDDA_PG_BYTEA);
    for (size_t i = 0; i < content->count; i++) {
        edda_pg_array_bytea(&columns->shas,
                            (struct edda_bytes){content->parts[i].sha, EDDA_SHA_BYTES});
    }
    edda_pg_build_array(&columns->texts, buffer, EDDA_PG_TEXT);
    for (size_t i = 0; i < content->count; i++) {
        edda_pg_array_text(&columns->texts, edda_text_or_empty(content->texts->items[i]));
    }
}

int edda_pg_say_version(struct edda_pg_call *call, const struct edda_pg_version *version,
                        edda_pg_step_fn on_rows) {
    const struct edda_content *content = version->content;
    struct edda_bytes sha = {content->sha, EDDA_SHA_BYTES};
    struct columns columns;
    edda_buffer_reset(&call->buffer);
    build_places(&call->buffer, content, &columns);
    if (!content->staged) {
        build_parts(&call->buffer, content, &columns);
    }
    if (call->buffer.error) {
        return call->buffer.error;
    }
    if (content->staged) {
        edda_pg_call_say(call, EDDA_PGSQL_VERSION_ADOPT,
                         VALUES(TEXT(version->project), UUID(&version->memo),
                                BIGINT(version->before), BIGINT(version->number),
                                BIGINT(content->count), BIGINT(content->bytes),
                                BIGINT(content->length), BYTEA(sha), TEXT(content->snippet),
                                BIGINT(EDDA_JOB_PRIORITY_STAGED), BUILT(&columns.first_bytes),
                                BUILT(&columns.headings), BIGINT(content->staged)),
                         on_rows);
        return 0;
    }
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_MAKE,
                     VALUES(TEXT(version->project), UUID(&version->memo), BIGINT(version->before),
                            BIGINT(version->number), BIGINT(content->count), BIGINT(content->bytes),
                            BIGINT(content->length), BYTEA(sha), TEXT(content->snippet),
                            BIGINT(EDDA_JOB_PRIORITY_INLINE), BUILT(&columns.first_bytes),
                            BUILT(&columns.headings), BUILT(&columns.bytes),
                            BUILT(&columns.lengths), BUILT(&columns.shas), BUILT(&columns.texts)),
                     on_rows);
    return 0;
}

int edda_pg_say_staged(struct edda_pg_call *call, const struct edda_uuid *uuid, uint32_t first,
                       const struct edda_content *content) {
    struct columns columns;
    edda_buffer_reset(&call->buffer);
    build_parts(&call->buffer, content, &columns);
    if (!call->buffer.error) {
        edda_pg_call_say(call, EDDA_PGSQL_PARTS_STAGE,
                         VALUES(TEXT(call->request.project), UUID(uuid), BIGINT(first),
                                BUILT(&columns.bytes), BUILT(&columns.lengths),
                                BUILT(&columns.shas), BUILT(&columns.texts)),
                         NULL);
    }
    return call->buffer.error;
}

/* ---- completing ---- */

static int on_queued(struct edda_pg_call *call, edda_pg_result_t *result) {
    call->jobs_ready = call->jobs_ready || edda_pg_changed(result) > 0;
    return 0;
}

/* Locks are taken by statements of their own: the statement behind sees what others committed while
 * it waited. */
void edda_pg_say_complete(struct edda_pg_call *call, int64_t version) {
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_COMPLETE, VALUES(BIGINT(version)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_LOCK_OWNERS, VALUES(BIGINT(version)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_SHOW, VALUES(BIGINT(version)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_EMBED_QUEUE_VERSION,
                     VALUES(BIGINT(version), BIGINT(EDDA_JOB_PRIORITY_EMBED)), on_queued);
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_LOOK, VALUES(BIGINT(version)), NULL);
}

/* ---- staged parts ---- */

#define STAGED_AT_ONCE 32 /* parts of up to 64 KiB are read together */

static struct edda_pg_staged *staged_of(const struct edda_pg_call *call) {
    return call->staged;
}

static int on_staged_rows(struct edda_pg_call *call, edda_pg_result_t *result);

static int read_more(struct edda_pg_call *call) {
    const struct edda_pg_staged *staged = staged_of(call);
    return edda_pg_call_run(call, EDDA_PGSQL_PARTS_WITH_TEXT,
                            VALUES(BIGINT(staged->next),
                                   BIGINT(edda_row_last_part(staged->content->staged)),
                                   BIGINT(STAGED_AT_ONCE)),
                            on_staged_rows);
}

static int refuse_staged(struct edda_pg_call *call, int error) {
    return error == EDDA_E_INVALID
               ? edda_pg_call_fail(call, error, "staged parts are missing or do not add up")
               : error;
}

/* On a pool thread. */
static int add_rows(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct edda_pg_staged *staged = staged_of(call);
    struct edda_content *content = staged->content;
    int error = 0;
    (void)worker;
    for (size_t i = 0; i < edda_pg_rows(staged->result) && !error; i++) {
        struct edda_pg_row row = edda_pg_row(staged->result, i);
        int64_t id = edda_pg_bigint(&row, 0);
        struct edda_text text = edda_pg_text(&row, 3);
        struct edda_bytes sha = edda_pg_bytea(&row, 2);
        uint64_t length = (uint64_t)edda_pg_bigint(&row, 1);
        error = row.error ? row.error
                : edda_row_part_of(id) == content->count
                    ? edda_content_add(&call->arena, staged->format, text, sha, length,
                                       staged->parts, content)
                    : EDDA_E_INVALID;
        staged->next = id + 1;
    }
    return refuse_staged(call, error);
}

static int after_rows(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct edda_pg_staged *staged = staged_of(call);
    (void)none;
    if (edda_pg_rows(staged->result) == STAGED_AT_ONCE) {
        return read_more(call);
    }
    int error = edda_content_end(staged->parts, staged->bytes, staged->content);
    return error ? refuse_staged(call, error) : staged->then(call, NULL);
}

static int on_staged_rows(struct edda_pg_call *call, edda_pg_result_t *result) {
    edda_pg_call_keep(call);
    staged_of(call)->result = result;
    return edda_pg_call_work(call, add_rows, after_rows);
}

static int on_staging(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_staged *staged = staged_of(call);
    if (edda_pg_rows(result) == 0) {
        return staged->then(call, NULL);
    }
    struct edda_pg_row row = edda_pg_row(result, 0);
    staged->content->staged = edda_pg_bigint(&row, 0);
    staged->next = edda_row_part(staged->content->staged, 0);
    return row.error ? row.error : read_more(call);
}

int edda_pg_read_staged(struct edda_pg_call *call, struct edda_pg_staged *staged) {
    call->staged = staged;
    int error = edda_content_begin(&call->arena, staged->parts, staged->content);
    return error ? error
                 : edda_pg_call_run(call, EDDA_PGSQL_STAGING_OPEN,
                                    VALUES(TEXT(call->request.project), UUID(&staged->uuid)),
                                    on_staging);
}
