/* actors/store/postgres/put_chunks.c: the fenced commit of a part.
 *
 *   [number of the project] → term vectors, lengths of vectors (pool) → [new words] → one trip:
 *   BEGIN, fence with all rows and the count, the title must be what the terms were made with, what
 *   completes a version, COMMIT */

#include "actors/store/postgres/store.h"
#include "actors/store/postgres/versions.h"
#include "actors/store/postgres/words.h"
#include "actors/store/rows.h"
#include "proto/fault_point.h"

struct put {
    int64_t project;
    struct edda_text title;    /* the terms were made with */
    struct edda_bytes *terms;  /* one a chunk */
    struct edda_bytes *halves; /* one a chunk, of length 1; absent when it has none */
    struct edda_word_list words;
};

/* The columns of PUT_CHUNKS. */
enum { HELD, FITS, PASSED, OPEN };

static const struct edda_chunks *chunks_of(const struct edda_pg_call *call) {
    return call->request.input;
}

/* ---- on a pool thread ---- */

static int make(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    const struct edda_chunks *chunks = chunks_of(call);
    struct put *put = call->state;
    size_t count = chunks->chunks.count;
    put->terms = edda_arena_take(&call->arena, (count + 1) * sizeof *put->terms);
    int error = put->terms ? edda_pg_worker_need_terms(worker) : EDDA_E_MEMORY;
    if (!error) {
        error = edda_pg_unit_vectors(call, chunks, &put->halves);
    }
    for (size_t i = 0; i < count && !error; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        struct edda_worded worded = {put->title, chunk->heading, chunk->text};
        error =
            edda_words_gather(&worker->terms, worker->analyser, &call->arena, &call->store->known,
                              (uint64_t)put->project, &worded, &put->words, &put->terms[i]);
    }
    if (!error) {
        edda_words_sort(&put->words);
    }
    return error;
}

/* ---- the transaction ---- */

static int on_put(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_stored *stored = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    stored->stale = true;
    if (edda_pg_rows(result) == 0) {
        return 0;
    }
    bool held = edda_pg_boolean(&row, HELD);
    bool fits = edda_pg_boolean(&row, FITS);
    stored->stale = edda_pg_bigint(&row, PASSED) == 0;
    stored->complete = !stored->stale && edda_pg_bigint(&row, OPEN) == 0;
    if (row.error) {
        return row.error;
    }
    return held && !fits ? edda_pg_call_fail(call, EDDA_E_INVALID, "the job is another part's") : 0;
}

struct columns {
    struct edda_pg_built texts;
    struct edda_pg_built headings;
    struct edda_pg_built starts;
    struct edda_pg_built ends;
    struct edda_pg_built terms;
    struct edda_pg_built vectors;
};

static void build_columns(struct edda_pg_call *call, struct columns *columns) {
    const struct edda_chunk_list *chunks = &chunks_of(call)->chunks;
    const struct put *put = call->state;
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&columns->texts, &call->buffer, EDDA_PG_TEXT);
    for (size_t i = 0; i < chunks->count; i++) {
        edda_pg_array_text(&columns->texts, edda_text_or_empty(chunks->items[i].text));
    }
    edda_pg_build_array(&columns->headings, &call->buffer, EDDA_PG_TEXT);
    for (size_t i = 0; i < chunks->count; i++) {
        edda_pg_array_text(&columns->headings, chunks->items[i].heading);
    }
    edda_pg_build_array(&columns->starts, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < chunks->count; i++) {
        edda_pg_array_bigint(&columns->starts, chunks->items[i].start);
    }
    edda_pg_build_array(&columns->ends, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < chunks->count; i++) {
        edda_pg_array_bigint(&columns->ends, chunks->items[i].end);
    }
    edda_pg_build_array(&columns->terms, &call->buffer, EDDA_PG_BYTEA);
    for (size_t i = 0; i < chunks->count; i++) {
        edda_pg_array_bytea(&columns->terms, put->terms[i]);
    }
    edda_pg_build_halves(call, put->halves, chunks->count, &columns->vectors);
}

static int on_begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    const struct edda_chunks *chunks = chunks_of(call);
    const struct put *put = call->state;
    int64_t version = edda_row_version_of((int64_t)arguments->job);
    bool modelled = chunks->dimension && chunks->chunks.count;
    struct edda_text model = modelled ? chunks->model : (struct edda_text){NULL, 0};
    struct columns columns;
    (void)none;
    build_columns(call, &columns);
    if (call->buffer.error) {
        return call->buffer.error;
    }
    if (modelled) {
        edda_pg_call_say(call, EDDA_PGSQL_MODEL_NEED,
                         VALUES(TEXT(model), BIGINT(chunks->dimension)), NULL);
    }
    edda_pg_call_say(call, EDDA_PGSQL_PUT_CHUNKS,
                     VALUES(BIGINT(arguments->job), BIGINT(call->request.fence),
                            TEXT(call->request.project), UUID(&arguments->memo),
                            BIGINT(arguments->version), BIGINT(arguments->part),
                            BIGINT(chunks->chunks.count), TEXT(model), BIGINT(chunks->dimension),
                            BUILT(&columns.texts), BUILT(&columns.headings), BUILT(&columns.starts),
                            BUILT(&columns.ends), BUILT(&columns.terms), BUILT(&columns.vectors)),
                     on_put);
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_MUST_HAVE_TITLE,
                     VALUES(BIGINT(version), TEXT(edda_text_or_empty(put->title))), NULL);
    edda_pg_say_complete(call, version);
    EDDA_FAULT_POINT("store.put_chunks.before_commit");
    edda_pg_call_commit(call);
    return 0;
}

static int begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    return edda_pg_call_begin(call, on_begin, NULL);
}

/* ---- before it ---- */

static int after_make(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct put *put = call->state;
    (void)none;
    return edda_pg_put_words(call, put->project, &put->words, begin);
}

/* The title is the input's at first, and the memo's when that turned out to be another. */
static int on_project(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct put *put = call->state;
    struct edda_store_stored *stored = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_rows(result) == 0) {
        stored->stale = true; /* a job goes before its version */
        return 0;
    }
    put->project = edda_pg_bigint(&row, 0);
    put->title = edda_arena_text(&call->arena, edda_pg_text(&row, 1));
    struct edda_text name = edda_pg_text(&row, 2);
    if (row.error || !put->title.data) {
        return row.error ? row.error : EDDA_E_MEMORY;
    }
    edda_pg_projects_put(&call->store->projects, name, put->project);
    return edda_pg_call_work(call, make, after_make);
}

int edda_postgres_put_chunks(struct edda_pg_call *call) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    const struct edda_chunks *chunks = chunks_of(call);
    struct put *put = edda_pg_call_need_state(call, sizeof *put);
    if (!put) {
        return EDDA_E_MEMORY;
    }
    if (!chunks) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    if (chunks->chunks.count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_pg_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    if (edda_row_kind_of((int64_t)arguments->job) != EDDA_JOB_CHUNK) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "the job is of another kind");
    }
    put->title = chunks->title;
    put->project = edda_pg_projects_get(&call->store->projects, call->request.project);
    if (put->project == 0 || call->tries > 0) {
        return edda_pg_call_run(call, EDDA_PGSQL_VERSION_PROJECT,
                                VALUES(BIGINT(edda_row_version_of((int64_t)arguments->job))),
                                on_project);
    }
    return edda_pg_call_work(call, make, after_make);
}
