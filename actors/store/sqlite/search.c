/* actors/store/sqlite/search.c: the index's candidates, their texts, the order of the texts, the
 * hits. */
#include "actors/runtime/clock.h"
#include "actors/store/finding.h"
#include "actors/store/rows.h"
#include "actors/store/sqlite/shelf.h"
#include "actors/store/sqlite/store.h"
#include "actors/store/sqlite/versions.h"
#include "proto/uuid.h"

#define DEFAULT_LIMIT 10

struct search {
    struct edda_reader *reader;
    struct edda_sqlite_call *call;
    const struct edda_store_search *arguments;
    struct edda_index_query query;
    size_t limit;
    struct edda_finding finding;
};

/* One that nothing is left of is not worth asking for. */
static int name_serving(struct search *search, const struct edda_shelf *shelf) {
    struct edda_text serving = edda_text_of(shelf->serving_name);
    if (serving.size == 0 ||
        !edda_index_has_vectors(shelf->index, serving, shelf->serving_dimension)) {
        return 0;
    }
    return edda_finding_name_serving(&search->finding, &search->query, serving,
                                     shelf->serving_dimension, search->call->record);
}

static int find_candidates(struct search *search, struct edda_shelf *shelf) {
    struct edda_index_result result;
    pthread_rwlock_rdlock(&shelf->lock);
    int error = edda_index_search(shelf->index, search->reader->scratch, &search->query, &result);
    if (!error) {
        error = edda_finding_keep(&search->finding, &shelf->cards, &result);
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
    for (size_t i = 0; i < search->finding.count; i++) {
        struct edda_found *item = &search->finding.items[i];
        sqlite3_stmt *row = NULL;
        int found = edda_query_one(database, EDDA_SQL_CHUNK_READ, VALUES(INTEGER(item->row)), &row);
        if (found == 1) {
            item->start = (uint32_t)sqlite3_column_int64(row, 2);
            item->end = (uint32_t)sqlite3_column_int64(row, 3);
            item->text.title = item->title;
            found = edda_column_copy(row, 0, arena, &item->text.text);
            if (!found) {
                found = edda_column_copy(row, 1, arena, &item->text.heading);
            }
            edda_query_end(row);
        }
        if (found < 0) {
            return found;
        }
    }
    return 0;
}

/* The number of the part's first chunk, which is 0 for the first part. */
static int complete(struct search *search, struct edda_found *item) {
    int64_t part_row = edda_row_part_row_of(item->row);
    int64_t first_number = 0;
    int error = 0;
    if (edda_row_part_of(part_row) > 0) {
        error = edda_query_integer(search->reader->database, EDDA_SQL_PART_FIRST_NUMBER,
                                   VALUES(INTEGER(part_row)), 0, &first_number);
    }
    item->first_number = (uint32_t)first_number;
    return error;
}

/* Texts, order and hits from one snapshot of the database. */
static int order(struct search *search, struct edda_shelf *shelf) {
    struct edda_index_result result;
    int error = fetch_texts(search);
    const struct edda_index_text *texts = error ? NULL : edda_finding_texts(&search->finding);
    if (!texts) {
        return error ? error : EDDA_E_MEMORY;
    }
    pthread_rwlock_rdlock(&shelf->lock);
    error =
        edda_index_rescore(shelf->index, search->reader->scratch, texts, search->limit, &result);
    pthread_rwlock_unlock(&shelf->lock);
    for (size_t i = 0; !error && i < result.count; i++) {
        error = complete(search, &search->finding.items[result.items[i].candidate]);
    }
    return error ? error : edda_finding_hits(&search->finding, &result, search->call->record);
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
    const struct edda_store_search *arguments = call->request.arguments;
    struct search search = {
        .reader = reader,
        .call = call,
        .arguments = arguments,
        .limit = arguments->limit ? arguments->limit : DEFAULT_LIMIT,
        .query = {.text = arguments->query,
                  .limit = arguments->limit,
                  .minimum_cosine = (float)arguments->minimum_cosine,
                  .without = arguments->without,
                  .now_wall_ms = edda_clock_wall_ms()},
        .finding = {.arena = &call->arena},
    };
    if (call->request.operation == EDDA_BACKEND_SEARCH) {
        search.finding.vector_degraded = !edda_finding_vector(call->request.input, &search.query);
    }
    int result = search_project(&search);
    /* A parked call belongs to another thread by now. */
    if (result == 0) {
        edda_finding_say_degraded(&search.finding, call->record);
    }
    return result;
}
