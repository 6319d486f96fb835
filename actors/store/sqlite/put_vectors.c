/* actors/store/sqlite/put_vectors.c: a part's chunks as they are stored, and the fenced commit of
 * their vectors of another model. */
#include "actors/store/rows.h"
#include "actors/store/sqlite/fence.h"
#include "actors/store/sqlite/part_vectors.h"
#include "actors/store/sqlite/reembed.h"

/* ---- store.part_chunks ---- */

static int read_chunks(struct edda_reader *reader, struct edda_sqlite_call *call, int64_t part) {
    struct edda_chunks *chunks = call->record;
    sqlite3_stmt *row = NULL;
    struct edda_chunk *items =
        edda_arena_take(&call->arena, EDDA_MAX_CHUNKS_PER_PART * sizeof(*items));
    if (!items) {
        return EDDA_E_MEMORY;
    }
    chunks->chunks.items = items;
    int found =
        edda_query_begin(reader->database, EDDA_SQL_CHUNKS,
                         VALUES(INTEGER(edda_row_chunk(part, 0)),
                                INTEGER(edda_row_chunk(part, EDDA_MAX_CHUNKS_PER_PART - 1))),
                         &row);
    while (!found && (found = edda_query_next(reader->database, row)) == 1) {
        struct edda_chunk *chunk = &items[chunks->chunks.count++];
        chunk->number = edda_row_number_of(sqlite3_column_int64(row, 0));
        chunk->start = (uint32_t)sqlite3_column_int64(row, 3);
        chunk->end = (uint32_t)sqlite3_column_int64(row, 4);
        found = edda_column_copy(row, 1, &call->arena, &chunk->text);
        if (!found) {
            found = edda_column_copy(row, 2, &call->arena, &chunk->heading);
        }
    }
    edda_query_end(row);
    return found;
}

int edda_part_chunks_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    struct edda_chunks *chunks = call->record;
    struct edda_target target;
    int error = edda_database_begin_read(reader->database);
    if (error) {
        return error;
    }
    int found = edda_fence_find(reader->database, call, &target);
    if (found == 1) {
        chunks->title = target.title;
        error = read_chunks(reader, call, target.part);
    } else {
        error = found ? found : EDDA_E_NOT_FOUND;
    }
    int ended = edda_database_end_read(reader->database);
    return error ? error : ended;
}

/* ---- store.put_vectors ---- */

int edda_put_vectors_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_chunks *chunks = call->request.input;
    struct edda_bytes *vectors = NULL;
    (void)reader;
    if (!chunks) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    if (chunks->chunks.count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_sqlite_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    int error = edda_part_vectors(call, chunks, &vectors);
    call->prepared = vectors;
    return error;
}

/* The model that the job is for, if that is what has come. */
static int find_wanted(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t *ret_model) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    const struct edda_chunks *chunks = call->request.input;
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(turn->database, EDDA_SQL_EMBED_WANTED,
                               VALUES(INTEGER(arguments->job)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    struct edda_text name = edda_column_text(row, 1);
    uint32_t dimension = (uint32_t)sqlite3_column_int64(row, 2);
    *ret_model = sqlite3_column_int64(row, 0);
    int error = edda_text_equal(name, chunks->model) && dimension == chunks->dimension
                    ? 0
                    : edda_sqlite_call_fail(
                          call, EDDA_E_INVALID,
                          edda_part_vectors_refuse(&call->arena, chunks, name, dimension));
    edda_query_end(row);
    return error;
}

/* What waits of an earlier model gives way; what counts already goes where it belongs first. */
static int make_room(struct edda_turn *turn, struct edda_sqlite_call *call,
                     const struct edda_target *target) {
    const struct edda_chunks *chunks = call->request.input;
    struct edda_project_models models;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(turn->database, EDDA_SQL_PART_MODELS, VALUES(INTEGER(target->part)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    bool all = (size_t)sqlite3_column_int64(row, 0) == chunks->chunks.count;
    int64_t part_next = sqlite3_column_int64(row, 1);
    edda_query_end(row);
    if (!all) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "these are not the part's chunks");
    }
    int error = edda_reembed_models(turn, target->project, &models);
    return error ? error : edda_reembed_settle(turn, &models, target->part, part_next);
}

static int put_rows(struct edda_turn *turn, const struct edda_sqlite_call *call, int64_t part,
                    int64_t model) {
    const struct edda_chunks *chunks = call->request.input;
    const struct edda_bytes *vectors = call->prepared;
    int error = 0;
    for (size_t i = 0; i < chunks->chunks.count && !error; i++) {
        error = edda_query_run(
            turn->database, EDDA_SQL_NEXT_PUT,
            VALUES(INTEGER(edda_row_chunk(part, (uint32_t)i)), INTEGER(model), BLOB(vectors[i])),
            NULL);
    }
    return error ? error
                 : edda_query_run(turn->database, EDDA_SQL_PART_NEXT,
                                  VALUES(INTEGER(model), INTEGER(part)), NULL);
}

int edda_put_vectors_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    struct edda_store_stored *stored = call->record;
    struct edda_target target;
    int64_t model = 0;
    int passed = edda_fence_pass(turn, call, EDDA_JOB_EMBED, &target);
    if (passed <= 0) {
        stored->stale = passed == 0;
        return passed;
    }
    int error = find_wanted(turn, call, &model);
    if (!error) {
        error = make_room(turn, call, &target);
    }
    if (!error) {
        error = put_rows(turn, call, target.part, model);
    }
    if (!error) {
        error = edda_reembed_look(turn, call, target.project, &stored->complete);
    }
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    return error ? error : edda_reembed_show(turn, call, (int64_t)arguments->job);
}
