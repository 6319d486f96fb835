/* actors/store/postgres/search.c: words and built-in vectors from the index in memory, vectors of a
 * model from the database, fused and ordered as with any other.
 *
 *   project -> shelf, followed to the project's revision -+-> find -> texts -> order -> hits
 *                                                         |    ^
 *                          with a model's vectors: admitted --+    |
 *                                (when filtered) -> nearest ---+
 *
 * The nearest are looked for exactly among the chunks that may be found, as long as these are not
 * more than exact_chunks; of more the index of the vectors is asked, when there is one and the
 * project is not too small a part of it (SEARCH_PROJECT). When it gives fewer than there are, all
 * are looked at after all. */
#include <math.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "actors/store/damage.h"
#include "actors/store/finding.h"
#include "actors/store/index/fusion.h"
#include "actors/store/postgres/catalogue.h"
#include "actors/store/postgres/store.h"
#include "actors/store/rows.h"

#define DEFAULT_LIMIT 10
#define NEAR_SOME                                                                                  \
    200 /* of a project's index: those that searches do not see are left out later                 \
         */

struct search {
    struct edda_pg_wanted project;
    uint64_t chunks; /* of the project */
    int64_t model;   /* that serves it; 0: none */
    struct edda_text serving;
    uint32_t dimension;
    bool has_index; /* of the model's vectors */
    bool by_index;  /* the last statement of the nearest asked it */
    bool of_all;    /* it was NEAR_OF_ALL, and there may be more than it gave */
    bool looked;    /* it was not the first */
    bool fitting;   /* one in the database cannot be compared: those that can */
    bool near_wanted;
    size_t limit;
    struct edda_index_query query;
    edda_filter_t *filter;
    struct edda_pg_shelf *shelf;
    edda_index_scratch_t *scratch;
    struct edda_buffer values;
    struct edda_index_near *near;
    size_t admitted;     /* chunks that may be found */
    size_t vector_found; /* of them by the last look for the nearest */
    int64_t *versions;   /* of them, when there is a filter */
    size_t version_count;
    struct edda_finding finding;
};

static int on_shelf(struct edda_pg_call *call, edda_pg_result_t *result);
static int ask_near(struct edda_pg_call *call, bool by_index);
static int on_damaged(struct edda_pg_call *call, edda_pg_result_t *result);
static int begin_find(struct edda_pg_call *call, edda_pg_result_t *result);

static void give_back(struct edda_pg_call *call) {
    struct search *search = call->state;
    struct edda_postgres *store = call->store;
    if (search->shelf) {
        edda_pg_catalogue_return(store->catalogue, search->shelf);
    }
    if (search->scratch) {
        edda_pg_catalogue_return_scratch(store->catalogue, search->scratch);
    }
    edda_filter_destroy(&search->filter);
    edda_buffer_done(&search->values);
}

/* ---- the project, and its index ---- */

/* Whether a vector is what this project's are, and can be near something. */
static bool is_usable(const struct search *search) {
    const struct edda_index_query *query = &search->query;
    if (!search->model || query->dimension != search->dimension ||
        !edda_text_equal(query->model, search->serving)) {
        return false;
    }
    return true;
}

static int read_project(struct search *search, const edda_pg_result_t *result) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    search->project.project = edda_pg_bigint(&row, 0);
    search->project.revision = edda_pg_bigint(&row, 1);
    search->project.forgotten = edda_pg_bigint(&row, 2);
    search->chunks = (uint64_t)edda_pg_bigint(&row, 3);
    search->model = edda_pg_bigint_or(&row, 4, 0);
    search->serving = edda_pg_text(&row, 5);
    search->dimension = (uint32_t)edda_pg_bigint_or(&row, 6, 0);
    search->has_index = edda_pg_boolean(&row, 7);
    search->project.embedded = edda_pg_bigint(&row, 8);
    return row.error;
}

static int on_project(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    const struct edda_store_search *arguments = call->request.arguments;
    if (edda_pg_rows(result) == 0) {
        edda_finding_say_degraded(&search->finding, call->record);
        return 0;
    }
    edda_pg_call_keep(call); /* the model's name */
    int error = read_project(search, result);
    if (!error) {
        error = edda_filter_new(&arguments->filters, &search->filter);
        if (error) {
            return edda_pg_call_fail(call, error, "a filter is not allowed");
        }
    }
    search->query.filter = search->filter;
    if (!error && search->query.model.size) {
        bool wanted = !(arguments->without & EDDA_WITHOUT_VECTOR);
        bool in_memory = is_usable(search) && edda_fusion_is_builtin(search->serving);
        search->query.near_given = !in_memory;
        search->near_wanted = is_usable(search) && !in_memory && wanted;
        search->finding.vector_degraded = !is_usable(search) && search->chunks > 0 && wanted;
    }
    return error ? error : on_shelf(call, NULL);
}

/* ---- the nearest ---- */

/* On a pool thread: which versions a filter leaves, and how many chunks they have. */
static int find_admitted(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct search *search = call->state;
    struct edda_pg_shelf *shelf = search->shelf;
    int error = 0;
    (void)worker;
    pthread_rwlock_rdlock(&shelf->lock);
    size_t most = edda_index_memos(shelf->index);
    uint64_t *keys = edda_arena_take(&call->arena, (most + 1) * sizeof *keys);
    search->versions = edda_arena_take(&call->arena, (most + 1) * sizeof *search->versions);
    if (keys && search->versions) {
        size_t count =
            edda_index_admitted(shelf->index, &search->query, keys, most, &search->admitted);
        for (size_t i = 0; i < count; i++) {
            const struct edda_card *card = edda_cards_of_key(&shelf->cards, keys[i]);
            if (card) {
                search->versions[search->version_count++] = card->version;
            }
        }
    } else {
        error = EDDA_E_MEMORY;
    }
    pthread_rwlock_unlock(&shelf->lock);
    return error;
}

static int on_admitted(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    (void)result;
    if (search->version_count == 0) {
        return begin_find(call, NULL);
    }
    return ask_near(call, search->has_index && search->admitted > call->store->exact_chunks);
}

static int on_shelf(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    (void)result;
    int found = edda_pg_catalogue_borrow(call->store->catalogue, call, &search->project, on_shelf,
                                         &search->shelf);
    if (found != 1) {
        return found;
    }
    if (!search->near_wanted) {
        return begin_find(call, NULL);
    }
    if (search->filter) {
        return edda_pg_call_work(call, find_admitted, on_admitted);
    }
    search->admitted = search->chunks;
    return ask_near(call, search->has_index);
}

/* The query's vector at length 1, as those of the chunks are. False: it is near to nothing. */
static bool build_vector(struct search *search, struct edda_arena *arena,
                         struct edda_pg_built *vector) {
    size_t dimension = search->query.dimension;
    float *values = edda_arena_take(arena, dimension * sizeof *values);
    double sum = 0;
    if (!values) {
        return false;
    }
    memcpy(values, search->query.vector.data, dimension * sizeof *values);
    for (size_t i = 0; i < dimension; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    if (!(sum > 0) || !isfinite(sum)) {
        return false;
    }
    for (size_t i = 0; i < dimension; i++) {
        values[i] = (float)(values[i] / sqrt(sum));
    }
    edda_pg_build_halfvec(
        vector, &search->values,
        (struct edda_floats){(const uint8_t *)values, dimension * sizeof *values});
    return search->values.error == 0;
}

static int on_near(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    size_t rows = edda_pg_rows(result);
    search->near = edda_arena_take(&call->arena, (rows + 1) * sizeof *search->near);
    if (!search->near) {
        return EDDA_E_MEMORY;
    }
    search->query.near = search->near;
    search->query.near_count = 0;
    for (size_t i = 0; i < rows && i < EDDA_INDEX_NEAR; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        search->near[search->query.near_count++] = (struct edda_index_near){
            .chunk = edda_row_name(edda_pg_bigint(&row, 0)),
            .cosine = (float)edda_pg_double(&row, 1),
        };
        if (row.error) {
            return row.error;
        }
    }
    /* Rows come nearest first: after fewer than asked for, or one that is not near, comes nothing.
     */
    if (rows < NEAR_SOME || search->near[rows - 1].cosine <= 0 ||
        search->near[rows - 1].cosine < search->query.minimum_cosine) {
        search->of_all = false;
    }
    return begin_find(call, NULL);
}

static int run_near(struct edda_pg_call *call, struct edda_pg_built vector) {
    struct search *search = call->state;
    struct edda_pg_built versions;
    if (search->by_index) {
        return edda_pg_call_run(call, EDDA_PGSQL_NEAR_BY_INDEX,
                                VALUES(BIGINT(search->project.project), BIGINT(search->model),
                                       BUILT(&vector), BIGINT(search->dimension),
                                       BIGINT(search->filter ? EDDA_INDEX_NEAR : NEAR_SOME)),
                                on_near);
    }
    if (search->of_all) {
        return edda_pg_call_run(call, EDDA_PGSQL_NEAR_OF_ALL,
                                VALUES(BIGINT(search->project.project), BIGINT(search->model),
                                       BUILT(&vector), BIGINT(NEAR_SOME)),
                                on_near);
    }
    if (!search->filter) {
        return edda_pg_call_run(
            call, search->fitting ? EDDA_PGSQL_NEAR_FITTING_IN_PROJECT : EDDA_PGSQL_NEAR_IN_PROJECT,
            VALUES(BIGINT(search->project.project), BIGINT(search->model), BUILT(&vector),
                   BIGINT(search->query.now_wall_ms), BIGINT(EDDA_INDEX_LEG)),
            on_near);
    }
    edda_pg_build_array(&versions, &search->values, EDDA_PG_BIGINT);
    for (size_t i = 0; i < search->version_count; i++) {
        edda_pg_array_bigint(&versions, search->versions[i]);
    }
    return edda_pg_call_run(
        call, search->fitting ? EDDA_PGSQL_NEAR_FITTING_IN_VERSIONS : EDDA_PGSQL_NEAR_IN_VERSIONS,
        VALUES(BIGINT(search->project.project), BIGINT(search->model), BUILT(&vector),
               BUILT(&versions), BIGINT(EDDA_INDEX_LEG)),
        on_near);
}

static int ask_near(struct edda_pg_call *call, bool by_index) {
    struct search *search = call->state;
    struct edda_pg_built vector;
    edda_buffer_reset(&search->values);
    search->by_index = by_index;
    search->of_all = !by_index && !search->filter && !search->looked;
    search->looked = true;
    if (!build_vector(search, &call->arena, &vector)) {
        return begin_find(call, NULL);
    }
    int error = run_near(call, vector);
    call->otherwise = search->fitting ? NULL : on_damaged;
    return error;
}

/* The server compares none when one of them is of another dimension. */
static int on_damaged(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct search *search = call->state;
    (void)none;
    edda_damage_note(&search->shelf->said_near, search->project.project, 0);
    search->fitting = true;
    return ask_near(call, false);
}

/* ---- candidates, their texts, their order ---- */

static int find_candidates(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct search *search = call->state;
    struct edda_pg_shelf *shelf = search->shelf;
    struct edda_index_result result;
    (void)worker;
    pthread_rwlock_rdlock(&shelf->lock);
    int error = edda_index_search(shelf->index, search->scratch, &search->query, &result);
    if (!error) {
        search->vector_found = result.vector_count;
        error = edda_finding_keep(&search->finding, &shelf->cards, &result);
    }
    pthread_rwlock_unlock(&shelf->lock);
    return error ? error
                 : edda_finding_name_serving(&search->finding, &search->query,
                                             search->chunks ? search->serving
                                                            : (struct edda_text){NULL, 0},
                                             search->dimension, call->record);
}

static int order_candidates(struct edda_pg_worker *worker, struct edda_pg_call *call) {
    struct search *search = call->state;
    struct edda_pg_shelf *shelf = search->shelf;
    struct edda_index_result result;
    const struct edda_index_text *texts = edda_finding_texts(&search->finding);
    (void)worker;
    if (!texts) {
        return EDDA_E_MEMORY;
    }
    pthread_rwlock_rdlock(&shelf->lock);
    int error = edda_index_rescore(shelf->index, search->scratch, texts, search->limit, &result);
    pthread_rwlock_unlock(&shelf->lock);
    if (!error) {
        error = edda_finding_hits(&search->finding, &result, call->record);
    }
    edda_finding_say_degraded(&search->finding, call->record);
    return error;
}

static struct edda_found *item_of_row(struct search *search, int64_t row) {
    for (size_t i = 0; i < search->finding.count; i++) {
        if (search->finding.items[i].row == row) {
            return &search->finding.items[i];
        }
    }
    return NULL;
}

/* Rows that are gone since stay without text, and the index leaves them out. */
static int on_texts(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    size_t rows = edda_pg_rows(result);
    edda_pg_call_keep(call);
    for (size_t i = 0; i < rows; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        struct edda_found *item = item_of_row(search, edda_pg_bigint(&row, 0));
        if (item) {
            item->text = (struct edda_index_text){.title = item->title,
                                                  .text = edda_pg_text(&row, 1),
                                                  .heading = edda_pg_text(&row, 2)};
            item->start = (uint32_t)edda_pg_bigint(&row, 3);
            item->end = (uint32_t)edda_pg_bigint(&row, 4);
            item->version = (uint64_t)edda_pg_bigint(&row, 5);
            item->snippet = edda_pg_text(&row, 6);
            item->first_number = (uint32_t)edda_pg_bigint(&row, 7);
        }
        if (row.error) {
            return row.error;
        }
    }
    return edda_pg_call_work(call, order_candidates, NULL);
}

/* The index of the vectors gave fewer than there are: what was found is not all there is to find.
 */
static bool is_short(const struct search *search) {
    size_t most = search->admitted < EDDA_INDEX_LEG ? search->admitted : EDDA_INDEX_LEG;
    return (search->by_index || search->of_all) && search->vector_found < most;
}

static int on_found(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    struct edda_pg_built rows;
    (void)result;
    if (is_short(search)) {
        edda_cell_add(call->store->exact_cell, search->by_index ? 1 : 0);
        return ask_near(call, false);
    }
    if (search->finding.count == 0) {
        return edda_pg_call_work(call, order_candidates, NULL);
    }
    edda_buffer_reset(&search->values);
    edda_pg_build_array(&rows, &search->values, EDDA_PG_BIGINT);
    for (size_t i = 0; i < search->finding.count; i++) {
        edda_pg_array_bigint(&rows, search->finding.items[i].row);
    }
    return edda_pg_call_run(call, EDDA_PGSQL_HIT_CHUNKS, VALUES(BUILT(&rows)), on_texts);
}

static int begin_find(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct search *search = call->state;
    (void)result;
    if (!search->scratch) {
        int found = edda_pg_catalogue_borrow_scratch(call->store->catalogue, call, begin_find,
                                                     &search->scratch);
        if (found != 1) {
            return found;
        }
    }
    return edda_pg_call_work(call, find_candidates, on_found);
}

int edda_postgres_search(struct edda_pg_call *call) {
    const struct edda_store_search *arguments = call->request.arguments;
    struct search *search = edda_pg_call_need_state(call, sizeof *search);
    if (!search) {
        return EDDA_E_MEMORY;
    }
    call->release = give_back;
    edda_buffer_init(&search->values, EDDA_PG_VALUE_BYTES);
    search->project.doubts = edda_pg_catalogue_doubts(call->store->catalogue);
    search->limit = arguments->limit ? arguments->limit : DEFAULT_LIMIT;
    search->finding.arena = &call->arena;
    search->query = (struct edda_index_query){
        .text = arguments->query,
        .limit = arguments->limit,
        .minimum_cosine = (float)arguments->minimum_cosine,
        .without = arguments->without,
        .now_wall_ms = edda_clock_wall_ms(),
    };
    if (call->request.operation == EDDA_BACKEND_SEARCH) {
        search->finding.vector_degraded = !edda_finding_vector(call->request.input, &search->query);
    }
    return edda_pg_call_run(call, EDDA_PGSQL_SEARCH_PROJECT,
                            VALUES(TEXT(call->request.project), BIGINT(call->store->exact_chunks)),
                            on_project);
}
