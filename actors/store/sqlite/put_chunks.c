/* actors/store/sqlite/put_chunks.c: the fenced commit of a part, with its term vectors made before.
 */
#include "actors/store/rows.h"
#include "actors/store/sqlite/fence.h"
#include "actors/store/sqlite/part_vectors.h"
#include "actors/store/sqlite/terms_of.h"
#include "actors/store/sqlite/versions.h"
#include "proto/fault_point.h"

/* What prepare leaves for write. */
struct put {
    struct edda_text title;     /* the vectors were made with */
    struct edda_bytes *terms;   /* one a chunk */
    struct edda_bytes *vectors; /* one a chunk, absent when it has none */
};

static int make_terms(struct edda_reader *reader, struct edda_sqlite_call *call, struct put *put,
                      struct edda_text title) {
    const struct edda_chunks *chunks = call->request.input;
    struct edda_word_list words = {0};
    int64_t project = 0;
    int found = edda_project_find(reader->database, call->request.project, &project);
    int error = found < 0 ? found : 0;
    for (size_t i = 0; i < chunks->chunks.count && !error; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        struct edda_worded worded = {title, chunk->heading, chunk->text};
        error = edda_terms_of(reader, call, (uint64_t)project, &worded, &words, &put->terms[i]);
    }
    put->title = title;
    edda_words_settle(call, &words);
    return error;
}

int edda_put_chunks_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_chunks *chunks = call->request.input;
    if (!chunks) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    size_t count = chunks->chunks.count;
    if (count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_sqlite_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    struct put *put = edda_arena_take(&call->arena, sizeof(*put));
    if (!put) {
        return EDDA_E_MEMORY;
    }
    put->terms = edda_arena_take(&call->arena, (count + 1) * sizeof(*put->terms));
    if (!put->terms) {
        return EDDA_E_MEMORY;
    }
    call->prepared = put;
    int error = edda_part_vectors(call, chunks, &put->vectors);
    return error ? error : make_terms(reader, call, put, chunks->title);
}

static int insert_chunks(struct edda_turn *turn, const struct edda_sqlite_call *call,
                         const struct edda_target *target, int64_t model) {
    const struct edda_chunks *chunks = call->request.input;
    const struct put *put = call->prepared;
    int error = 0;
    for (size_t i = 0; i < chunks->chunks.count && !error; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        int64_t row = edda_row_chunk(target->part, (uint32_t)i);
        error =
            edda_query_run(turn->database, EDDA_SQL_CHUNK_INSERT,
                           VALUES(INTEGER(row), TEXT(edda_text_or_empty(chunk->text)),
                                  TEXT(chunk->heading), INTEGER(chunk->start), INTEGER(chunk->end)),
                           NULL);
        if (!error) {
            bool has = put->vectors[i].data != NULL;
            error = edda_query_run(turn->database, EDDA_SQL_CHUNK_INDEX_INSERT,
                                   VALUES(INTEGER(row), BLOB(put->terms[i]),
                                          has ? INTEGER(model) : BLOB(put->vectors[i]),
                                          BLOB(put->vectors[i])),
                                   NULL);
        }
    }
    return error;
}

/* Counts the part as done; completes the version when it was the last. */
static int count_down(struct edda_turn *turn, struct edda_sqlite_call *call,
                      const struct edda_target *target, int64_t model) {
    const struct edda_chunks *chunks = call->request.input;
    struct edda_store_stored *stored = call->record;
    int64_t count = (int64_t)chunks->chunks.count;
    int64_t open = 0;
    int error =
        edda_query_run(turn->database, EDDA_SQL_PART_COUNT,
                       VALUES(INTEGER(count), INTEGER_OR_NULL(model), INTEGER(target->part)), NULL);
    if (!error) {
        error = edda_query_integer(turn->database, EDDA_SQL_VERSION_COUNT_DOWN,
                                   VALUES(INTEGER(count), INTEGER(target->version)), -1, &open);
    }
    if (!error && open < 0) {
        error = EDDA_E_INTERNAL; /* a superseded version has no jobs that could be finished */
    }
    if (!error && open == 0) {
        stored->complete = true;
        error = edda_version_complete(turn, call, target->project, target->memo, target->version);
    }
    return error;
}

int edda_put_chunks_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    struct edda_store_stored *stored = call->record;
    const struct edda_chunks *chunks = call->request.input;
    struct put *put = call->prepared;
    struct edda_target target;
    int64_t model = 0;
    int passed = edda_fence_pass(turn, call, EDDA_JOB_CHUNK, &target);
    if (passed <= 0) {
        stored->stale = passed == 0;
        call->word_count = 0;
        return passed;
    }
    int error = 0;
    if (chunks->dimension && chunks->chunks.count) {
        error = edda_model_need(turn, chunks->model, chunks->dimension, &model);
    }
    /* The memo was given another title while its parts were on their way. */
    if (!error && !edda_text_equal(target.title, put->title)) {
        error = make_terms(turn->reader, call, put, target.title);
    }
    if (!error) {
        error = edda_words_write(turn, call, (uint64_t)target.project);
    }
    if (!error) {
        error = insert_chunks(turn, call, &target, model);
    }
    if (!error) {
        error = count_down(turn, call, &target, model);
    }
    EDDA_FAULT_POINT("store.put_chunks.before_commit");
    return error;
}
