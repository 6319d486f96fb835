/* actors/store/postgres/heads.c: a memo by its uuid or reference id. */
#include "actors/store/postgres/heads.h"

#include "proto/uuid.h"

int edda_pg_find_head(struct edda_pg_call *call, struct edda_text id, bool by_reference,
                      edda_pg_step_fn then) {
    struct edda_text project = call->request.project;
    struct edda_uuid uuid;
    if (by_reference) {
        return edda_pg_call_run(call, EDDA_PGSQL_MEMO_HEAD_BY_REFERENCE,
                                VALUES(TEXT(project), TEXT(id)), then);
    }
    if (edda_uuid_parse(id, &uuid)) {
        return EDDA_E_NOT_FOUND;
    }
    return edda_pg_call_run(call, EDDA_PGSQL_MEMO_HEAD_BY_UUID, VALUES(TEXT(project), UUID(&uuid)),
                            then);
}

int edda_pg_read_head(struct edda_pg_call *call, const edda_pg_result_t *result,
                      struct edda_pg_memo_head *ret_head) {
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_NOT_FOUND;
    }
    ret_head->project = edda_pg_bigint(&row, 0);
    ret_head->id = edda_pg_bigint(&row, 1);
    ret_head->uuid = edda_pg_uuid(&row, 2);
    ret_head->title = edda_arena_text(&call->arena, edda_pg_text(&row, 3));
    ret_head->format = edda_arena_text(&call->arena, edda_pg_text(&row, 4));
    ret_head->current = edda_pg_bigint(&row, 5);
    ret_head->latest = edda_pg_bigint(&row, 6);
    ret_head->number = edda_pg_bigint(&row, 7);
    struct edda_bytes sha = edda_pg_bytea(&row, 8);
    ret_head->chunks = edda_pg_bigint(&row, 9);
    if (sha.size == EDDA_SHA_BYTES) {
        memcpy(ret_head->sha, sha.data, EDDA_SHA_BYTES);
    }
    return row.error ? row.error : ret_head->title.data ? 0 : EDDA_E_MEMORY;
}
