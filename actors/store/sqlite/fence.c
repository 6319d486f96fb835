/* actors/store/sqlite/fence.c: a job's token, then what the job is about. */
#include "actors/store/sqlite/fence.h"

#include "actors/store/rows.h"

int edda_fence_find(edda_database_t *database, struct edda_sqlite_call *call,
                    struct edda_target *ret_target) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    int64_t part = edda_row_part_row_of_job((int64_t)arguments->job);
    sqlite3_stmt *row = NULL;
    *ret_target = (struct edda_target){.part = part, .version = edda_row_version_of(part)};
    int found = edda_query_one(database, EDDA_SQL_VERSION_OWNER,
                               VALUES(INTEGER(ret_target->version)), &row);
    if (found != 1) {
        return found;
    }
    struct edda_uuid uuid = edda_column_uuid(row, 2);
    bool right = edda_uuid_equal(&uuid, &arguments->memo) &&
                 (uint64_t)sqlite3_column_int64(row, 4) == arguments->version &&
                 edda_row_part_of(part) == arguments->part &&
                 edda_text_equal(edda_column_text(row, 5), call->request.project);
    ret_target->project = sqlite3_column_int64(row, 0);
    ret_target->memo = sqlite3_column_int64(row, 1);
    int error = edda_column_copy(row, 3, &call->arena, &ret_target->title);
    edda_query_end(row);
    if (!right) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "the job is another part's");
    }
    return error ? error : 1;
}

int edda_fence_pass(struct edda_turn *turn, struct edda_sqlite_call *call, enum edda_job_kind kind,
                    struct edda_target *ret_target) {
    const struct edda_store_put_chunks *arguments = call->request.arguments;
    int64_t changed = 0;
    if (edda_row_kind_of((int64_t)arguments->job) != kind) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "the job is of another kind");
    }
    int error =
        edda_query_run(turn->database, EDDA_SQL_JOB_COMMIT,
                       VALUES(INTEGER(arguments->job), INTEGER(call->request.fence)), &changed);
    if (error || changed == 0) {
        return error;
    }
    int found = edda_fence_find(turn->database, call, ret_target);
    return found ? found : EDDA_E_INTERNAL; /* a job goes before its version */
}
