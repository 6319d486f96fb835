/* actors/store/postgres/accept.c: new memos, and the parts of large ones before them. */
#include "actors/store/postgres/backlog.h"
#include "actors/store/postgres/store.h"
#include "actors/store/postgres/versions.h"
#include "actors/store/rows.h"
#include "proto/fault_point.h"
#include "proto/uuid.h"

#define LIGHT_CONTENT_BYTES (16u * 1024u) /* hashed on the loop: cheaper than a hop */

struct accept {
    struct edda_content content;
    struct edda_pg_staged staged;
    struct edda_pg_built tags;
};

/* The columns of ACCEPT and ACCEPT_EARLIER. */
enum { MADE, FINGERPRINT, REPLAYED_MEMO, KNOWN };

static const struct edda_store_accept *arguments_of(const struct edda_pg_call *call) {
    return call->request.arguments;
}

static int check_accept(struct edda_pg_call *call) {
    const struct edda_store_accept *accept = arguments_of(call);
    const char *text = NULL;
    int error = edda_store_check_accept(accept, &text);
    return error ? edda_pg_call_fail(call, error, text) : edda_pg_check_project(call);
}

/* ---- what was accepted before ---- */

/* 1: this request was answered before, with the record filled; 0: it is new. */
static int take_earlier(struct edda_pg_call *call, struct edda_pg_row *row) {
    const struct edda_store_accept *accept = arguments_of(call);
    struct edda_store_accepted *accepted = call->record;
    if (edda_pg_is_absent(row, REPLAYED_MEMO)) {
        *accepted = (struct edda_store_accepted){accept->memo, 1, true};
        return edda_pg_boolean(row, KNOWN);
    }
    struct edda_bytes fingerprint = edda_pg_bytea(row, FINGERPRINT);
    bool same = fingerprint.size == accept->fingerprint.size &&
                (fingerprint.size == 0 ||
                 memcmp(fingerprint.data, accept->fingerprint.data, fingerprint.size) == 0);
    *accepted = (struct edda_store_accepted){edda_pg_uuid(row, REPLAYED_MEMO), 1, true};
    return same ? 1 : EDDA_E_MISMATCH;
}

/* Nothing is staged (any more), or there is no room: a repeat, or one that is refused. */
static int on_earlier(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    bool there = edda_pg_rows(result) > 0;
    int found = there ? take_earlier(call, &row) : 0;
    if (there && row.error) {
        return row.error;
    }
    if (found == 0 && call->backlog.refused) {
        return edda_pg_backlog_refused(call);
    }
    return found == 1 ? 0
           : found < 0
               ? found
               : edda_pg_call_fail(call, EDDA_E_NOT_FOUND, "no parts are staged for this memo");
}

static int find_earlier(struct edda_pg_call *call) {
    const struct edda_store_accept *accept = arguments_of(call);
    return edda_pg_call_run(
        call, EDDA_PGSQL_ACCEPT_EARLIER,
        VALUES(TEXT(call->request.project), UUID(&accept->memo), TEXT(accept->idempotency_key)),
        on_earlier);
}

/* ---- the transaction ---- */

static int on_accepted(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct edda_store_accept *accept = arguments_of(call);
    const struct accept *state = call->state;
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_AGAIN; /* somebody else makes the project right now */
    }
    if (edda_pg_boolean(&row, MADE)) {
        *(struct edda_store_accepted *)call->record =
            (struct edda_store_accepted){accept->memo, 1, false};
        call->jobs_ready = state->content.count > 0;
        return row.error;
    }
    int found = take_earlier(call, &row);
    if (row.error) {
        return row.error;
    }
    return found == 1 ? 0 : found < 0 ? found : EDDA_E_AGAIN; /* or the memo, or the key */
}

/* Of a content without a part, which is complete as it is made. */
static int on_empty_version(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_rows(result) > 0) {
        edda_pg_say_complete(call, edda_pg_bigint(&row, 0));
    }
    edda_pg_call_commit(call);
    return edda_pg_rows(result) > 0 ? row.error : 0;
}

static int on_begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_accept *accept = arguments_of(call);
    struct accept *state = call->state;
    struct edda_text type = accept->type.size ? accept->type : EDDA_TEXT("plaintext");
    struct edda_bytes fingerprint = accept->fingerprint;
    struct edda_text key = accept->idempotency_key;
    struct edda_text project = call->request.project;
    (void)none;
    fingerprint.data = fingerprint.data ? fingerprint.data : (const uint8_t *)"";
    key = key.size ? key : (struct edda_text){NULL, 0};
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&state->tags, &call->buffer, EDDA_PG_TEXT);
    for (size_t i = 0; i < accept->tags.count; i++) {
        edda_pg_array_text(&state->tags, edda_text_or_empty(accept->tags.items[i]));
    }
    if (call->buffer.error) {
        return call->buffer.error;
    }
    edda_pg_call_say(
        call, EDDA_PGSQL_ACCEPT,
        VALUES(TEXT(project), UUID(&accept->memo), TEXT(edda_text_or_empty(accept->title)),
               TEXT(accept->source), TEXT(accept->reference_id), TEXT(accept->metadata),
               TEXT(accept->scopes), TEXT(type), TEXT(accept->format),
               BIGINT(accept->expires_wall_ms), TEXT(key), BYTEA(fingerprint), BUILT(&state->tags)),
        on_accepted);
    struct edda_pg_version version = {
        .project = project, .memo = accept->memo, .number = 1, .content = &state->content};
    bool is_empty = state->content.count == 0;
    int error = edda_pg_say_version(call, &version, is_empty ? on_empty_version : NULL);
    if (!error && !is_empty) {
        edda_pg_call_say(call, EDDA_PGSQL_VERSION_MUST_FOLLOW,
                         VALUES(TEXT(project), UUID(&accept->memo), BIGINT(0)), NULL);
        EDDA_FAULT_POINT("store.accept.before_commit");
        edda_pg_call_commit(call);
    }
    return error;
}

/* What was accepted is answered also when nothing more is. */
static int after_backlog(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    return call->backlog.refused ? find_earlier(call) : edda_pg_call_begin(call, on_begin, NULL);
}

static int begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_accept *accept = arguments_of(call);
    const struct accept *state = call->state;
    (void)none;
    if (accept->staged_parts > 0 && !state->content.staged) {
        return find_earlier(call);
    }
    return edda_pg_backlog_ask(call, state->content.count, after_backlog);
}

/* ---- measuring ---- */

static int measure(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    const struct edda_store_accept *accept = arguments_of(call);
    struct accept *state = call->state;
    (void)worker;
    return edda_content_measure(&call->arena, &accept->parts, accept->format, &state->content);
}

int edda_postgres_accept(struct edda_pg_call *call) {
    const struct edda_store_accept *accept = arguments_of(call);
    struct accept *state = edda_pg_call_need_state(call, sizeof *state);
    int error = check_accept(call);
    if (error || !state) {
        return error ? error : EDDA_E_MEMORY;
    }
    if (accept->staged_parts > 0) {
        state->staged = (struct edda_pg_staged){.uuid = accept->memo,
                                                .parts = accept->staged_parts,
                                                .bytes = accept->content_bytes,
                                                .format = accept->format,
                                                .content = &state->content,
                                                .then = begin};
        return edda_pg_read_staged(call, &state->staged);
    }
    if (accept->content_bytes > LIGHT_CONTENT_BYTES) {
        return edda_pg_call_work(call, measure, begin);
    }
    error = measure(NULL, call);
    return error ? error : begin(call, NULL);
}

/* ---- staging ---- */

static int check_put(struct edda_pg_call *call, const struct edda_store_put_part *put) {
    const char *text = NULL;
    int error = edda_store_check_put_part(put, &text);
    return error ? edda_pg_call_fail(call, error, text) : edda_pg_check_project(call);
}

static int measure_staged(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    const struct edda_store_put_part *put = call->request.arguments;
    (void)worker;
    return edda_content_measure(&call->arena, &put->parts, EDDA_TEXT("plain"), call->state);
}

static int on_stage(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_put_part *put = call->request.arguments;
    struct edda_text project = call->request.project;
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_PROJECT_NEED, VALUES(TEXT(project)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_STAGING_NEED, VALUES(TEXT(project), UUID(&put->memo)), NULL);
    int error = edda_pg_say_staged(call, &put->memo, put->first, call->state);
    edda_pg_call_commit(call);
    return error;
}

static int stage(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    return edda_pg_call_begin(call, on_stage, NULL);
}

int edda_postgres_put_part(struct edda_pg_call *call) {
    struct edda_content *content = edda_pg_call_need_state(call, sizeof *content);
    int error = check_put(call, call->request.arguments);
    if (error || !content) {
        return error ? error : EDDA_E_MEMORY;
    }
    return edda_pg_call_work(call, measure_staged, stage);
}
