/* actors/store/sqlite/part_vectors.c: a part's vectors for a call, and the row of their model. */
#include "actors/store/sqlite/part_vectors.h"

int edda_part_vectors(struct edda_sqlite_call *call, const struct edda_chunks *chunks,
                      struct edda_bytes **ret_vectors) {
    const char *text = NULL;
    int error = edda_part_vectors_look(&call->arena, chunks, ret_vectors, &text);
    return error ? edda_sqlite_call_fail(call, error, text) : 0;
}

int edda_model_need(struct edda_turn *turn, struct edda_text name, uint32_t dimension,
                    int64_t *ret_model) {
    int64_t model = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_MODEL_FIND,
                                   VALUES(TEXT(name), INTEGER(dimension)), 0, &model);
    if (!error && !model) {
        error = edda_query_run(turn->database, EDDA_SQL_MODEL_INSERT,
                               VALUES(TEXT(name), INTEGER(dimension)), NULL);
        model = sqlite3_last_insert_rowid(edda_database_handle(turn->database));
    }
    *ret_model = model;
    return error;
}
