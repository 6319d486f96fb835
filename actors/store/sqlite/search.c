/* actors/store/sqlite/search.c: the index's candidates, their texts, the order of the texts, the
 * hits. */
#include "actors/runtime/clock.h"
#include "actors/store/sqlite/rows.h"
#include "actors/store/sqlite/shelf.h"
#include "actors/store/sqlite/store.h"
#include "actors/store/sqlite/versions.h"
#include "proto/uuid.h"

#define DEFAULT_LIMIT 10

/* One candidate: first what the index and the memo's card say, then its row. */
struct candidate {
    int64_t row;
    struct edda_uuid memo;
    struct edda_text title;
    struct edda_text reference_id;
    struct edda_index_text text; /* into the call's arena */
    uint32_t start;
    uint32_t end;
};

struct search {
    struct edda_reader *reader;
    struct edda_sqlite_call *call;
    const struct edda_store_search *arguments;
    struct edda_index_query query;
    size_t limit;
    struct candidate *candidates;
    struct edda_index_text *texts; /* in the index's order */
    size_t count;
    bool vector_degraded;
};

/* What the embedder gave, when it gave one vector of the size it says. */
static void use_vector(struct search *search) {
    const struct edda_embeddings *embeddings = search->call->request.input;
    if (search->call->request.operation != EDDA_BACKEND_SEARCH) {
        return;
    }
    size_t bytes = embeddings ? (size_t)embeddings->dimension * sizeof(float) : 0;
    if (bytes == 0 || embeddings->vectors.size < bytes || embeddings->model.size == 0) {
        search->vector_degraded = true;
        return;
    }
    search->query.model = embeddings->model;
    search->query.dimension = embeddings->dimension;
    search->query.vector = (struct edda_floats){embeddings->vectors.data, bytes};
}

/* Under the shelf's lock: keeps of each candidate what does not outlive the lock. */
static int keep_candidates(struct search *search, const struct edda_shelf *shelf,
                           const struct edda_index_result *result) {
    struct edda_arena *arena = &search->call->arena;
    search->count = result->count;
    search->candidates = edda_arena_take(arena, (result->count + 1) * sizeof(*search->candidates));
    search->texts = edda_arena_take(arena, (result->count + 1) * sizeof(*search->texts));
    if (!search->candidates || !search->texts) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < result->count; i++) {
        struct candidate *candidate = &search->candidates[i];
        const struct edda_card *card = edda_row_map_get(&shelf->by_key, result->items[i].memo);
        candidate->row = edda_row_named(&result->items[i].chunk);
        if (!card) {
            candidate->row = 0;
            continue;
        }
        candidate->memo = card->uuid;
        candidate->title = edda_arena_text(arena, card->title);
        candidate->reference_id = edda_arena_text(arena, card->reference_id);
    }
    return 0;
}

/* The hits name the model that serves the project when the query's vector is of another. One that
 * nothing is left of is not worth asking for. */
static int name_serving(struct search *search, const struct edda_shelf *shelf) {
    struct edda_hits *hits = search->call->record;
    const struct edda_index_query *query = &search->query;
    struct edda_text serving = edda_text_of(shelf->serving_name);
    if (query->model.size == 0 || serving.size == 0 ||
        (edda_text_equal(query->model, serving) && query->dimension == shelf->serving_dimension) ||
        !edda_index_has_vectors(shelf->index, serving, shelf->serving_dimension)) {
        return 0;
    }
    hits->model = edda_arena_text(&search->call->arena, serving);
    hits->dimension = shelf->serving_dimension;
    return hits->model.data ? 0 : EDDA_E_MEMORY;
}

static int find_candidates(struct search *search, struct edda_shelf *shelf) {
    struct edda_index_result result;
    pthread_rwlock_rdlock(&shelf->lock);
    int error = edda_index_search(shelf->index, search->reader->scratch, &search->query, &result);
    if (!error) {
        search->vector_degraded = search->vector_degraded || result.vector_degraded;
        error = keep_candidates(search, shelf, &result);
    }
    if (!error) {
        error = name_serving(search, shelf);
    }
    pthread_rwlock_unlock(&shelf->lock);
    return error;
}

/* Rows that are gone since stay without text, and the index leaves them out. */
static int fetch_texts(struct search *search) {
    edda_database_t *database = search->reader->database;
    struct edda_arena *arena = &search->call->arena;
    for (size_t i = 0; i < search->count; i++) {
        struct candidate *candidate = &search->candidates[i];
        sqlite3_stmt *row = NULL;
        int found =
            edda_query_one(database, EDDA_SQL_CHUNK_READ, VALUES(INTEGER(candidate->row)), &row);
        if (found == 1) {
            candidate->start = (uint32_t)sqlite3_column_int64(row, 2);
            candidate->end = (uint32_t)sqlite3_column_int64(row, 3);
            candidate->text.title = candidate->title;
            found = edda_column_copy(row, 0, arena, &candidate->text.text);
            if (!found) {
                found = edda_column_copy(row, 1, arena, &candidate->text.heading);
            }
            edda_query_end(row);
        }
        if (found < 0) {
            return found;
        }
        search->texts[i] = candidate->text;
    }
    return 0;
}

/* The memo's snippet, the chunk's uuid and its number in the memo. */
static int complete_hit(struct search *search, const struct candidate *candidate,
                        struct edda_hit *hit) {
    edda_database_t *database = search->reader->database;
    int64_t part_row = edda_row_part_row_of(candidate->row);
    sqlite3_stmt *row = NULL;
    int64_t first_number = 0;
    int found = edda_query_one(database, EDDA_SQL_HIT_VERSION,
                               VALUES(INTEGER(edda_row_version_of(part_row))), &row);
    if (found == 1) {
        hit->chunk =
            edda_uuid_chunk(&candidate->memo, (uint64_t)sqlite3_column_int64(row, 0),
                            edda_row_part_of(part_row), edda_row_number_of(candidate->row));
        found = edda_column_copy(row, 1, &search->call->arena, &hit->snippet);
        edda_query_end(row);
    }
    if (!found && edda_row_part_of(part_row) > 0) {
        found = edda_query_integer(database, EDDA_SQL_PART_FIRST_NUMBER, VALUES(INTEGER(part_row)),
                                   0, &first_number);
    }
    hit->number = (uint32_t)first_number + edda_row_number_of(candidate->row);
    return found;
}

static int make_hits(struct search *search, const struct edda_index_result *result) {
    struct edda_hits *hits = search->call->record;
    struct edda_arena *arena = &search->call->arena;
    hits->hits.items = edda_arena_take(arena, (result->count + 1) * sizeof(*hits->hits.items));
    hits->terms.items =
        edda_arena_take(arena, (result->term_count + 1) * sizeof(*hits->terms.items));
    if (!hits->hits.items || !hits->terms.items) {
        return EDDA_E_MEMORY;
    }
    if (result->term_count) {
        memcpy(hits->terms.items, result->terms, result->term_count * sizeof(*result->terms));
        hits->terms.count = result->term_count;
    }
    for (size_t i = 0; i < result->count; i++) {
        const struct edda_index_hit *found = &result->items[i];
        const struct candidate *candidate = &search->candidates[found->candidate];
        struct edda_hit *hit = &hits->hits.items[hits->hits.count++];
        *hit = (struct edda_hit){
            .memo = candidate->memo,
            .score = (double)found->score,
            .first_score = (double)found->score,
            .word_score = (double)found->words,
            .gram_score = (double)found->grams,
            .vector_score = (double)found->vector,
            .text = candidate->text.text,
            .title = candidate->title,
            .heading = candidate->text.heading,
            .reference_id = candidate->reference_id,
            .start = candidate->start,
            .end = candidate->end,
        };
        int error = complete_hit(search, candidate, hit);
        if (error) {
            return error;
        }
    }
    return 0;
}

/* Texts, order and hits from one snapshot of the database. */
static int order(struct search *search, struct edda_shelf *shelf) {
    struct edda_index_result result;
    int error = fetch_texts(search);
    if (!error) {
        pthread_rwlock_rdlock(&shelf->lock);
        error = edda_index_rescore(shelf->index, search->reader->scratch, search->texts,
                                   search->limit, &result);
        pthread_rwlock_unlock(&shelf->lock);
    }
    return error ? error : make_hits(search, &result);
}

static int search_shelf(struct search *search, struct edda_shelf *shelf) {
    edda_database_t *database = search->reader->database;
    int error = find_candidates(search, shelf);
    if (error) {
        return error;
    }
    error = edda_database_begin_read(database);
    if (!error) {
        error = order(search, shelf);
        int ended = edda_database_end_read(database);
        error = error ? error : ended;
    }
    return error;
}

/* In the project's shelf; parks the call when it is not there yet. */
static int search_project(struct search *search) {
    struct edda_sqlite_call *call = search->call;
    struct edda_sqlite *store = search->reader->store;
    struct edda_shelf *shelf = NULL;
    edda_filter_t *filter = NULL;
    int64_t project = 0;
    int result = edda_project_find(search->reader->database, call->request.project, &project);
    if (result != 1) {
        return result;
    }
    result = edda_filter_new(&search->arguments->filters, &filter);
    if (result) {
        return edda_sqlite_call_fail(call, result, "a filter is not allowed");
    }
    search->query.filter = filter;
    result = edda_catalogue_borrow(store->catalogue, (uint64_t)project, call, &shelf);
    if (result == 0) {
        result = edda_reader_need_scratch(search->reader);
        if (!result) {
            result = search_shelf(search, shelf);
        }
        edda_catalogue_return(store->catalogue, shelf);
    }
    edda_filter_destroy(&filter);
    return result;
}

int edda_search_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    static struct edda_text vector_leg[] = {{"vector", 6}};
    const struct edda_store_search *arguments = call->request.arguments;
    struct search search = {
        .reader = reader,
        .call = call,
        .arguments = arguments,
        .limit = arguments->limit ? arguments->limit : DEFAULT_LIMIT,
        .query = {.text = arguments->query,
                  .minimum_cosine = (float)arguments->minimum_cosine,
                  .without = arguments->without,
                  .now_wall_ms = edda_clock_wall_ms()},
    };
    use_vector(&search);
    int result = search_project(&search);
    /* A parked call belongs to another thread by now. */
    if (result == 0 && search.vector_degraded) {
        struct edda_hits *hits = call->record;
        hits->degraded = (struct edda_texts){vector_leg, 1};
    }
    return result;
}
