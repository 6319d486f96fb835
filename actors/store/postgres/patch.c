/* actors/store/postgres/patch.c: changes of a memo: its fields at once, its content as a new
 * version.
 *
 *   the memo as it is → its new content measured, or read from where it was staged → with another
 *   title the term vectors of all its chunks (pool) → one trip, in which the memo must still be
 *   what it was: jobs, versions, memo, project are locked in that order */
#include "actors/store/postgres/backlog.h"
#include "actors/store/postgres/heads.h"
#include "actors/store/postgres/store.h"
#include "actors/store/postgres/versions.h"
#include "actors/store/postgres/words.h"

struct patch {
    struct edda_pg_memo_head head;
    struct edda_content content;
    struct edda_pg_staged staged;
    bool has_content; /* that differs from the latest version's */
    bool has_title;   /* that differs from the memo's */
    edda_pg_result_t *chunks;
    struct edda_bytes *terms; /* one a row of chunks */
    struct edda_word_list words;
};

static const struct edda_store_patch *patch_of(const struct edda_pg_call *call) {
    return call->request.arguments;
}

static int check_patch(struct edda_pg_call *call, const struct edda_store_patch *patch) {
    const char *text = NULL;
    int error = edda_store_check_patch(patch, &text);
    return error ? edda_pg_call_fail(call, error, text) : 0;
}

/* ---- the transaction ---- */

static int on_empty_version(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_AGAIN;
    }
    edda_pg_say_complete(call, edda_pg_bigint(&row, 0));
    edda_pg_call_commit(call);
    return row.error;
}

static void say_locks(struct edda_pg_call *call) {
    const struct patch *state = call->state;
    const struct edda_pg_memo_head *head = &state->head;
    bool supersedes = state->has_content && head->latest != head->current;
    if (supersedes) {
        edda_pg_call_say(call, EDDA_PGSQL_VERSION_JOBS_DROP, VALUES(BIGINT(head->latest)), NULL);
    }
    if (state->has_title) {
        edda_pg_call_say(call, EDDA_PGSQL_VERSIONS_RETITLE, VALUES(BIGINT(head->id)), NULL);
    }
    if (supersedes) {
        edda_pg_call_say(call, EDDA_PGSQL_VERSION_SUPERSEDE, VALUES(BIGINT(head->latest)), NULL);
    }
    edda_pg_call_say(call, EDDA_PGSQL_MEMO_LOCK, VALUES(BIGINT(head->id)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_MEMO_MUST_BE,
                     VALUES(BIGINT(head->id), BIGINT(head->current), BIGINT(head->latest),
                            TEXT(head->title), BIGINT(head->chunks),
                            BOOLEAN(state->has_title || state->has_content)),
                     NULL);
}

static int say_terms(struct edda_pg_call *call) {
    const struct patch *state = call->state;
    struct edda_pg_built chunks;
    struct edda_pg_built terms;
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&chunks, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < edda_pg_rows(state->chunks); i++) {
        struct edda_pg_row row = edda_pg_row(state->chunks, i);
        edda_pg_array_bigint(&chunks, edda_pg_bigint(&row, 0));
    }
    edda_pg_build_array(&terms, &call->buffer, EDDA_PG_BYTEA);
    for (size_t i = 0; i < edda_pg_rows(state->chunks); i++) {
        edda_pg_array_bytea(&terms, state->terms[i]);
    }
    if (!call->buffer.error) {
        edda_pg_call_say(call, EDDA_PGSQL_TERMS_SET, VALUES(BUILT(&chunks), BUILT(&terms)), NULL);
    }
    return call->buffer.error;
}

static int say_fields(struct edda_pg_call *call) {
    const struct patch *state = call->state;
    const struct edda_store_patch *patch = patch_of(call);
    struct edda_pg_built tags;
    edda_pg_call_say(call, EDDA_PGSQL_MEMO_PATCH,
                     VALUES(BIGINT(state->head.id), BIGINT(patch->set),
                            TEXT(edda_text_or_empty(patch->title)), TEXT(patch->metadata),
                            TEXT(patch->reference_id), TEXT(patch->source),
                            BIGINT(patch->expires_wall_ms), TEXT(patch->scopes)),
                     NULL);
    if (patch->set & EDDA_PATCH_TAGS) {
        edda_buffer_reset(&call->buffer);
        edda_pg_build_array(&tags, &call->buffer, EDDA_PG_TEXT);
        for (size_t i = 0; i < patch->tags.count; i++) {
            edda_pg_array_text(&tags, edda_text_or_empty(patch->tags.items[i]));
        }
        if (call->buffer.error) {
            return call->buffer.error;
        }
        edda_pg_call_say(call, EDDA_PGSQL_TAGS_DROP, VALUES(BIGINT(state->head.id)), NULL);
        edda_pg_call_say(call, EDDA_PGSQL_TAGS_PUT, VALUES(BIGINT(state->head.id), BUILT(&tags)),
                         NULL);
    }
    if (patch->set & ~EDDA_PATCH_CONTENT) {
        edda_pg_call_say(call, EDDA_PGSQL_PROJECT_LOCK, VALUES(BIGINT(state->head.project)), NULL);
        edda_pg_call_say(call, EDDA_PGSQL_MEMO_REVISE,
                         VALUES(BIGINT(state->head.id), BIGINT(state->head.project)), NULL);
    }
    return 0;
}

static int say_content(struct edda_pg_call *call) {
    const struct patch *state = call->state;
    struct edda_text project = call->request.project;
    struct edda_pg_version version = {.project = project,
                                      .memo = state->head.uuid,
                                      .before = state->head.latest,
                                      .number = state->head.number + 1,
                                      .content = &state->content};
    bool is_empty = state->content.count == 0;
    int error = edda_pg_say_version(call, &version, is_empty ? on_empty_version : NULL);
    if (!error && !is_empty) {
        edda_pg_call_say(call, EDDA_PGSQL_VERSION_MUST_FOLLOW,
                         VALUES(TEXT(project), UUID(&state->head.uuid), BIGINT(state->head.latest)),
                         NULL);
        edda_pg_call_commit(call);
    }
    return error;
}

static int on_begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct patch *state = call->state;
    (void)none;
    say_locks(call);
    int error = state->has_title ? say_terms(call) : 0;
    if (!error && patch_of(call)->set) {
        error = say_fields(call);
    }
    if (!error && state->has_content) {
        call->jobs_ready = state->content.count > 0;
        return say_content(call);
    }
    edda_pg_call_commit(call);
    return error;
}

static int begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct patch *state = call->state;
    (void)none;
    *(struct edda_store_accepted *)call->record = (struct edda_store_accepted){
        state->head.uuid, (uint64_t)(state->head.number + state->has_content), false};
    return edda_pg_call_begin(call, on_begin, NULL);
}

/* ---- the title, which is in every chunk's term vector ---- */

/* On a pool thread. */
static int make_terms(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct patch *state = call->state;
    size_t count = edda_pg_rows(state->chunks);
    state->terms = edda_arena_take(&call->arena, (count + 1) * sizeof *state->terms);
    int error = state->terms ? edda_pg_worker_need_terms(worker) : EDDA_E_MEMORY;
    for (size_t i = 0; i < count && !error; i++) {
        struct edda_pg_row row = edda_pg_row(state->chunks, i);
        struct edda_worded worded = {patch_of(call)->title, edda_pg_text(&row, 2),
                                     edda_pg_text(&row, 1)};
        error = row.error ? row.error
                          : edda_words_gather(&worker->terms, worker->analyser, &call->arena,
                                              &call->store->known, (uint64_t)state->head.project,
                                              &worded, &state->words, &state->terms[i]);
    }
    if (!error) {
        edda_words_sort(&state->words);
    }
    return error;
}

static int after_terms(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct patch *state = call->state;
    (void)none;
    return edda_pg_put_words(call, state->head.project, &state->words, begin);
}

static int on_chunks(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct patch *state = call->state;
    edda_pg_call_keep(call);
    state->chunks = result;
    /* A part was committed since: what is there now is looked at again. */
    return edda_pg_rows(result) == (size_t)state->head.chunks
               ? edda_pg_call_work(call, make_terms, after_terms)
               : EDDA_E_AGAIN;
}

static int take_title(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct patch *state = call->state;
    const struct edda_store_patch *patch = patch_of(call);
    (void)none;
    state->has_title =
        patch->set & EDDA_PATCH_TITLE &&
        !edda_text_equal(edda_text_or_empty(patch->title), edda_text_or_empty(state->head.title));
    if (!state->has_title) {
        return begin(call, NULL);
    }
    return edda_pg_call_run(call, EDDA_PGSQL_VERSIONS_CHUNKS,
                            VALUES(BIGINT(state->head.current), BIGINT(state->head.latest)),
                            on_chunks);
}

/* ---- the content ---- */

/* A repeated patch whose staged parts this memo has taken already, or one that comes too late. */
static int on_owner(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct patch *state = call->state;
    struct edda_pg_row row = edda_pg_row(result, 0);
    bool adopted = edda_pg_rows(result) > 0 && edda_pg_bigint(&row, 0) == state->head.id;
    return adopted ? take_title(call, NULL)
                   : edda_pg_call_fail(call, EDDA_E_NOT_FOUND, "no parts are staged there");
}

static int after_backlog(struct edda_pg_call *call, edda_pg_result_t *none) {
    int error = edda_pg_backlog_refused(call);
    return error ? error : take_title(call, none);
}

static int take_content(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct patch *state = call->state;
    const struct edda_store_patch *patch = patch_of(call);
    (void)none;
    if (patch->staged_parts > 0 && !state->content.staged) {
        return edda_pg_call_run(call, EDDA_PGSQL_STAGING_OWNER,
                                VALUES(TEXT(call->request.project), UUID(&patch->staged)),
                                on_owner);
    }
    state->has_content = memcmp(state->content.sha, state->head.sha, EDDA_SHA_BYTES) != 0;
    return state->has_content ? edda_pg_backlog_ask(call, state->content.count, after_backlog)
                              : take_title(call, NULL);
}

static int measure(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct patch *state = call->state;
    (void)worker;
    return edda_content_measure(&call->arena, &patch_of(call)->parts, state->head.format,
                                &state->content);
}

static int on_head(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct patch *state = call->state;
    const struct edda_store_patch *patch = patch_of(call);
    int error = edda_pg_read_head(call, result, &state->head);
    if (error) {
        return error;
    }
    if (!(patch->set & EDDA_PATCH_CONTENT)) {
        return take_title(call, NULL);
    }
    if (patch->staged_parts == 0) {
        return edda_pg_call_work(call, measure, take_content);
    }
    state->staged = (struct edda_pg_staged){.uuid = patch->staged,
                                            .parts = patch->staged_parts,
                                            .bytes = patch->content_bytes,
                                            .format = state->head.format,
                                            .content = &state->content,
                                            .then = take_content};
    return edda_pg_read_staged(call, &state->staged);
}

int edda_postgres_patch(struct edda_pg_call *call) {
    const struct edda_store_patch *patch = patch_of(call);
    int error = check_patch(call, patch);
    if (error || !edda_pg_call_need_state(call, sizeof(struct patch))) {
        return error ? error : EDDA_E_MEMORY;
    }
    return edda_pg_find_head(call, patch->id, patch->by_reference, on_head);
}
