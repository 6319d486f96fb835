/* actors/store/postgres/vectors.c: a part's chunks as they are stored, and the fenced commit of
 * their vectors of another model. */
#include "actors/store/part_vectors.h"
#include "actors/store/postgres/store.h"
#include "actors/store/postgres/versions.h"
#include "actors/store/postgres/words.h"
#include "actors/store/rows.h"
#include "proto/uuid.h"

/* ---- store.part_chunks ---- */

enum { CHUNKS_FIT, CHUNKS_TITLE, CHUNKS_ID, CHUNKS_TEXT, CHUNKS_HEADING, CHUNKS_START, CHUNKS_END };

static int on_part_chunks(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_chunks *chunks = call->record;
    size_t rows = edda_pg_rows(result);
    struct edda_pg_row first = edda_pg_row(result, 0);
    if (rows == 0) {
        return EDDA_E_NOT_FOUND;
    }
    if (!edda_pg_boolean(&first, CHUNKS_FIT)) {
        return first.error ? first.error
                           : edda_pg_call_fail(call, EDDA_E_INVALID, "the job is another part's");
    }
    struct edda_chunk *items = edda_arena_take(&call->arena, rows * sizeof *items);
    if (!items) {
        return EDDA_E_MEMORY;
    }
    edda_pg_call_keep(call);
    chunks->title = edda_pg_text(&first, CHUNKS_TITLE);
    chunks->chunks.items = items;
    for (size_t i = 0; i < rows && !edda_pg_is_absent(&first, CHUNKS_ID); i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        items[i] = (struct edda_chunk){
            .number = edda_row_number_of(edda_pg_bigint(&row, CHUNKS_ID)),
            .text = edda_pg_text(&row, CHUNKS_TEXT),
            .heading = edda_pg_text(&row, CHUNKS_HEADING),
            .start = (uint32_t)edda_pg_bigint(&row, CHUNKS_START),
            .end = (uint32_t)edda_pg_bigint(&row, CHUNKS_END),
        };
        chunks->chunks.count++;
        if (row.error) {
            return row.error;
        }
    }
    return first.error;
}

int edda_postgres_part_chunks(struct edda_pg_call *call) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    int64_t part = edda_row_part_row_of_job((int64_t)arguments->job);
    return edda_pg_call_run(call, EDDA_PGSQL_PART_CHUNKS,
                            VALUES(BIGINT(part), TEXT(call->request.project),
                                   UUID(&arguments->memo), BIGINT(arguments->version),
                                   BIGINT(arguments->part)),
                            on_part_chunks);
}

/* ---- store.put_vectors ---- */

enum { HELD, FITS, RIGHT_MODEL, WHOLE, WANTED, WANTED_DIMENSION, PASSED };

static int on_put(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_stored *stored = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    stored->stale = true;
    if (edda_pg_rows(result) == 0) {
        return 0;
    }
    bool held = edda_pg_boolean(&row, HELD);
    bool fits = edda_pg_boolean(&row, FITS);
    bool right = edda_pg_boolean(&row, RIGHT_MODEL);
    bool whole = edda_pg_boolean(&row, WHOLE);
    struct edda_text wanted = edda_pg_text(&row, WANTED);
    int64_t dimension = edda_pg_bigint(&row, WANTED_DIMENSION);
    stored->stale = edda_pg_bigint(&row, PASSED) == 0;
    if (row.error || !held) {
        return row.error;
    }
    return !fits    ? edda_pg_call_fail(call, EDDA_E_INVALID, "the job is another part's")
           : !right ? edda_pg_call_fail(call, EDDA_E_INVALID,
                                        edda_part_vectors_refuse(&call->arena, call->request.input,
                                                                 wanted, (uint32_t)dimension))
           : !whole ? edda_pg_call_fail(call, EDDA_E_INVALID, "these are not the part's chunks")
                    : 0;
}

static int on_looked(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_stored *stored = call->record;
    stored->complete = !stored->stale && edda_pg_changed(result) > 0;
    return 0;
}

static int on_begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    const struct edda_chunks *chunks = call->request.input;
    int64_t version = edda_row_version_of(edda_row_part_row_of_job((int64_t)arguments->job));
    struct edda_pg_built vectors;
    (void)none;
    edda_buffer_reset(&call->buffer);
    edda_pg_build_halves(call, call->state, chunks->chunks.count, &vectors);
    if (call->buffer.error) {
        return call->buffer.error;
    }
    edda_pg_call_say(call, EDDA_PGSQL_PUT_VECTORS,
                     VALUES(BIGINT(arguments->job), BIGINT(call->request.fence),
                            TEXT(call->request.project), UUID(&arguments->memo),
                            BIGINT(arguments->version), BIGINT(arguments->part),
                            BIGINT(chunks->chunks.count), TEXT(edda_text_or_empty(chunks->model)),
                            BIGINT(chunks->dimension), BUILT(&vectors)),
                     on_put);
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_LOCK_PROJECT, VALUES(BIGINT(version)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_VERSION_LOOK, VALUES(BIGINT(version)), on_looked);
    edda_pg_call_say(call, EDDA_PGSQL_EMBED_SHOW, VALUES(BIGINT(version)), NULL);
    edda_pg_call_commit(call);
    return 0;
}

static int make(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct edda_bytes *halves = NULL;
    int error = edda_pg_unit_vectors(call, call->request.input, &halves);
    (void)worker;
    call->state = halves;
    return error;
}

static int begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    return edda_pg_call_begin(call, on_begin, NULL);
}

int edda_postgres_put_vectors(struct edda_pg_call *call) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    const struct edda_chunks *chunks = call->request.input;
    if (!chunks) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    if (chunks->chunks.count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_pg_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    if (edda_row_kind_of((int64_t)arguments->job) != EDDA_JOB_EMBED) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "the job is of another kind");
    }
    return edda_pg_call_work(call, make, begin);
}
