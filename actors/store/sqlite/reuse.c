/* actors/store/sqlite/reuse.c: which chunks of a new content the memo has already, with the vectors
 * they got then. A hint: what is not found is embedded again. */
#include "actors/store/reuse.h"
#include "actors/store/rows.h"
#include "actors/store/sqlite/versions.h"

struct reuse {
    struct edda_reader *reader;
    struct edda_sqlite_call *call;
    const struct edda_chunks *input;
    struct edda_reuse found;
    int64_t model; /* of the project: the one its vectors are to be of, or are */
};

/* The memo's current version, or 0 when nothing of it can be reused. */
static int find_version(struct reuse *reuse, int64_t *ret_version) {
    const struct edda_store_put_chunks *arguments = reuse->call->request.arguments;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(reuse->reader->database, EDDA_SQL_REUSE_VERSION,
                       VALUES(TEXT(reuse->call->request.project), UUID(&arguments->memo)), &row);
    *ret_version = 0;
    if (found != 1) {
        return found;
    }
    bool usable = sqlite3_column_int64(row, 1) <= EDDA_REUSE_MOST_CHUNKS &&
                  edda_text_equal(edda_column_text(row, 2), reuse->input->title);
    *ret_version = usable ? sqlite3_column_int64(row, 0) : 0;
    reuse->model = sqlite3_column_int64(row, 3);
    edda_query_end(row);
    return 0;
}

static int match(struct reuse *reuse, int64_t version) {
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_begin(reuse->reader->database, EDDA_SQL_REUSE_CHUNKS,
                         VALUES(INTEGER(edda_row_first_chunk(version)),
                                INTEGER(edda_row_last_chunk(version)), INTEGER(reuse->model)),
                         &row);
    while (!found && (found = edda_query_next(reuse->reader->database, row)) == 1) {
        edda_reuse_offer(&reuse->found, sqlite3_column_int64(row, 0), edda_column_text(row, 1),
                         edda_column_text(row, 2), sqlite3_column_int64(row, 3));
        found = 0;
    }
    edda_query_end(row);
    return found;
}

/* Fills the rows that were found; the others stay zero. */
static int fill(struct reuse *reuse, int64_t model) {
    struct edda_chunks *output = reuse->call->record;
    for (size_t i = 0; i < output->chunks.count; i++) {
        sqlite3_stmt *row = NULL;
        if (reuse->found.places[i].model != model) {
            continue;
        }
        int found =
            edda_query_one(reuse->reader->database, EDDA_SQL_REUSE_VECTOR,
                           VALUES(INTEGER(reuse->found.places[i].row), INTEGER(model)), &row);
        if (found != 1) {
            return found < 0 ? found : EDDA_E_INTERNAL;
        }
        struct edda_bytes vector = edda_column_blob(row, 0);
        if (vector.size == output->dimension * sizeof(float)) {
            edda_reuse_fill(output, i, vector.data);
        }
        edda_query_end(row);
    }
    return 0;
}

/* The vectors of one model into the output, in the form that fits. */
static int give_vectors(struct reuse *reuse, int64_t model) {
    struct edda_chunks *output = reuse->call->record;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(reuse->reader->database, EDDA_SQL_MODEL_READ, VALUES(INTEGER(model)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    int error = edda_column_copy(row, 0, &reuse->call->arena, &output->model);
    output->dimension = (uint32_t)sqlite3_column_int64(row, 1);
    edda_query_end(row);
    if (!error) {
        error = edda_reuse_make_room(&reuse->call->arena, output);
    }
    return error || output->dimension == 0 ? error : fill(reuse, model);
}

static int look(struct reuse *reuse) {
    int64_t version = 0;
    int error = find_version(reuse, &version);
    if (error || version == 0) {
        return error;
    }
    error = edda_reuse_begin(&reuse->found, &reuse->call->arena, reuse->input);
    if (!error) {
        error = match(reuse, version);
    }
    int64_t model = error ? 0 : edda_reuse_choose(&reuse->found, reuse->model);
    return model ? give_vectors(reuse, model) : error;
}

int edda_reuse_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_chunks *input = call->request.input;
    struct edda_chunks *output = call->record;
    struct reuse reuse = {.reader = reader, .call = call, .input = input};
    if (!input) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    if (input->chunks.count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_sqlite_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    *output = (struct edda_chunks){.chunks = input->chunks, .title = input->title};
    int error = edda_database_begin_read(reader->database);
    if (error) {
        return error;
    }
    error = look(&reuse);
    int ended = edda_database_end_read(reader->database);
    return error ? error : ended;
}
