/* actors/store/postgres/reuse.c: which chunks of a new content the memo has already, with the
 * vectors they got then. A hint: what is not found is embedded again. */
#include "actors/store/reuse.h"
#include "actors/store/postgres/store.h"

struct reuse {
    struct edda_reuse found;
    edda_pg_result_t *result;
    int64_t project;
    int64_t preferred;
    int64_t model;
    float *floats; /* of one vector */
};

/* The columns of REUSE_CHUNKS, and of REUSE_VECTORS. */
enum { PROJECT, PREFERRED, CHUNK, TEXT_, HEADING, MODEL };
enum { NAME, DIMENSION, OF_CHUNK, VECTOR };

/* On a pool thread. */
static int match(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct reuse *reuse = call->state;
    int error = edda_reuse_begin(&reuse->found, &call->arena, call->request.input);
    (void)worker;
    for (size_t i = 0; i < edda_pg_rows(reuse->result) && !error; i++) {
        struct edda_pg_row row = edda_pg_row(reuse->result, i);
        reuse->project = edda_pg_bigint(&row, PROJECT);
        reuse->preferred = edda_pg_bigint_or(&row, PREFERRED, 0);
        edda_reuse_offer(&reuse->found, edda_pg_bigint(&row, CHUNK), edda_pg_text(&row, TEXT_),
                         edda_pg_text(&row, HEADING), edda_pg_bigint(&row, MODEL));
        error = row.error;
    }
    reuse->model = error ? 0 : edda_reuse_choose(&reuse->found, reuse->preferred);
    return error;
}

/* The row of chunk: equal chunks of the input share one. */
static void fill_all(struct edda_pg_call *call, int64_t chunk) {
    const struct reuse *reuse = call->state;
    struct edda_chunks *output = call->record;
    for (size_t i = 0; i < output->chunks.count; i++) {
        if (reuse->found.places[i].row == chunk && reuse->found.places[i].model == reuse->model) {
            edda_reuse_fill(output, i, (const uint8_t *)reuse->floats);
        }
    }
}

/* On a pool thread. */
static int fill(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct reuse *reuse = call->state;
    struct edda_chunks *output = call->record;
    struct edda_pg_row row = edda_pg_row(reuse->result, 0);
    (void)worker;
    output->model = edda_pg_text(&row, NAME);
    output->dimension = (uint32_t)edda_pg_bigint(&row, DIMENSION);
    int error = row.error ? row.error : edda_reuse_make_room(&call->arena, output);
    if (error || output->dimension == 0) {
        return error;
    }
    reuse->floats = edda_arena_take(&call->arena, output->dimension * sizeof *reuse->floats);
    if (!reuse->floats) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < edda_pg_rows(reuse->result) && !error; i++) {
        row = edda_pg_row(reuse->result, i);
        struct edda_pg_halves halves = edda_pg_halfvec(&row, VECTOR);
        int64_t chunk = edda_pg_bigint(&row, OF_CHUNK);
        error = row.error;
        if (!error && halves.dimension == output->dimension) {
            edda_pg_halves_to_floats(halves, reuse->floats);
            fill_all(call, chunk);
        }
    }
    return error;
}

static int on_vectors(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct reuse *reuse = call->state;
    if (edda_pg_rows(result) == 0) {
        return 0;
    }
    edda_pg_call_keep(call);
    reuse->result = result;
    return edda_pg_call_work(call, fill, NULL);
}

static int after_match(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct reuse *reuse = call->state;
    const struct edda_chunks *input = call->request.input;
    struct edda_pg_built chunks;
    (void)none;
    if (reuse->model == 0) {
        return 0;
    }
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&chunks, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < input->chunks.count; i++) {
        if (reuse->found.places[i].model == reuse->model) {
            edda_pg_array_bigint(&chunks, reuse->found.places[i].row);
        }
    }
    return call->buffer.error ? call->buffer.error
                              : edda_pg_call_run(call, EDDA_PGSQL_REUSE_VECTORS,
                                                 VALUES(BIGINT(reuse->project),
                                                        BIGINT(reuse->model), BUILT(&chunks)),
                                                 on_vectors);
}

static int on_chunks(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct reuse *reuse = call->state;
    if (edda_pg_rows(result) == 0) {
        return 0;
    }
    edda_pg_call_keep(call);
    reuse->result = result;
    return edda_pg_call_work(call, match, after_match);
}

int edda_postgres_reuse(struct edda_pg_call *call) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    const struct edda_chunks *input = call->request.input;
    struct edda_chunks *output = call->record;
    if (!input) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    if (input->chunks.count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_pg_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    if (!edda_pg_call_need_state(call, sizeof(struct reuse))) {
        return EDDA_E_MEMORY;
    }
    *output = (struct edda_chunks){.chunks = input->chunks, .title = input->title};
    return edda_pg_call_run(call, EDDA_PGSQL_REUSE_CHUNKS,
                            VALUES(TEXT(call->request.project), UUID(&arguments->memo),
                                   TEXT(input->title), BIGINT(EDDA_REUSE_MOST_CHUNKS)),
                            on_chunks);
}
