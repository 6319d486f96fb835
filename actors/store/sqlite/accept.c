/* actors/store/sqlite/accept.c: new memos, and the parts of large ones before them. */
#include "actors/runtime/clock.h"
#include "actors/store/rows.h"
#include "actors/store/sqlite/tags.h"
#include "actors/store/sqlite/versions.h"
#include "proto/fault_point.h"
#include "proto/uuid.h"

static int check_accept(struct edda_sqlite_call *call, const struct edda_store_accept *accept) {
    const char *text = NULL;
    int error = edda_store_check_accept(accept, &text);
    return error ? edda_sqlite_call_fail(call, error, text) : 0;
}

/* Also run by the writer, for small texts. */
static int measure(edda_database_t *database, struct edda_sqlite_call *call) {
    const struct edda_store_accept *accept = call->request.arguments;
    int error = check_accept(call, accept);
    struct edda_content *content = edda_arena_take(&call->arena, sizeof(*content));
    if (error || !content) {
        return error ? error : EDDA_E_MEMORY;
    }
    call->prepared = content;
    if (accept->staged_parts == 0) {
        return edda_content_measure(&call->arena, &accept->parts, accept->format, content);
    }
    int64_t project = 0;
    int found = edda_project_find(database, call->request.project, &project);
    if (found < 0) {
        return found;
    }
    error =
        edda_content_staged(database, &call->arena, project, &accept->memo, accept->staged_parts,
                            accept->content_bytes, accept->format, content);
    return error == EDDA_E_INVALID
               ? edda_sqlite_call_fail(call, error, "staged parts are missing or do not add up")
               : error;
}

int edda_accept_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    return measure(reader->database, call);
}

/* 1: this request was answered before, with *accepted filled; 0: it is new. */
static int find_earlier(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                        struct edda_store_accepted *accepted) {
    const struct edda_store_accept *accept = call->request.arguments;
    sqlite3_stmt *row = NULL;
    int found = 0;
    if (accept->idempotency_key.size > 0) {
        found = edda_query_one(turn->database, EDDA_SQL_IDEMPOTENCY_FIND,
                               VALUES(INTEGER(project), TEXT(accept->idempotency_key)), &row);
    }
    if (found == 1) {
        struct edda_bytes fingerprint = edda_column_blob(row, 0);
        bool same = fingerprint.size == accept->fingerprint.size &&
                    (fingerprint.size == 0 ||
                     memcmp(fingerprint.data, accept->fingerprint.data, fingerprint.size) == 0);
        *accepted = (struct edda_store_accepted){edda_column_uuid(row, 1), 1, true};
        edda_query_end(row);
        return same ? 1 : EDDA_E_MISMATCH;
    }
    if (found < 0) {
        return found;
    }
    int64_t memo = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_MEMO_EXISTS,
                                   VALUES(INTEGER(project), UUID(&accept->memo)), 0, &memo);
    *accepted = (struct edda_store_accepted){accept->memo, 1, true};
    return error ? error : memo != 0;
}

static int insert_memo(struct edda_turn *turn, const struct edda_store_accept *accept,
                       int64_t project, int64_t *ret_memo) {
    struct edda_text type = accept->type.size ? accept->type : EDDA_TEXT("plaintext");
    int error = edda_query_run(
        turn->database, EDDA_SQL_MEMO_INSERT,
        VALUES(INTEGER(project), UUID(&accept->memo), TEXT(edda_text_or_empty(accept->title)),
               TEXT(accept->source), TEXT(accept->reference_id), TEXT(accept->metadata),
               TEXT(accept->scopes), TEXT(type), TEXT(accept->format), INTEGER(turn->wall_ms),
               INTEGER(turn->wall_ms), INTEGER(accept->expires_wall_ms)),
        NULL);
    *ret_memo = sqlite3_last_insert_rowid(edda_database_handle(turn->database));
    return error ? error : edda_tags_write(turn, *ret_memo, &accept->tags);
}

static int insert_all(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project) {
    const struct edda_store_accept *accept = call->request.arguments;
    const struct edda_content *content = call->prepared;
    int64_t memo = 0;
    int64_t version = 0;
    int error = insert_memo(turn, accept, project, &memo);
    if (!error) {
        error = edda_version_make(turn, project, memo, 1, content, &version);
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_MEMO_SET_LATEST,
                               VALUES(INTEGER(version), INTEGER(memo)), NULL);
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_PROJECT_COUNT,
                               VALUES(INTEGER(1), INTEGER(0), INTEGER(project)), NULL);
    }
    if (!error && content->count == 0) {
        error = edda_version_complete(turn, call, project, memo, version);
    }
    if (!error && accept->idempotency_key.size > 0) {
        struct edda_bytes fingerprint = accept->fingerprint;
        fingerprint.data = fingerprint.data ? fingerprint.data : (const uint8_t *)"";
        error =
            edda_query_run(turn->database, EDDA_SQL_IDEMPOTENCY_INSERT,
                           VALUES(INTEGER(project), TEXT(accept->idempotency_key),
                                  BLOB(fingerprint), UUID(&accept->memo), INTEGER(turn->wall_ms)),
                           NULL);
    }
    EDDA_FAULT_POINT("store.accept.before_commit");
    return error;
}

int edda_accept_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_accept *accept = call->request.arguments;
    struct edda_store_accepted *accepted = call->record;
    int64_t project = 0;
    int error = call->prepared ? 0 : measure(turn->database, call);
    if (!error) {
        error = edda_project_need(turn, call->request.project, &project);
    }
    if (error) {
        return error;
    }
    int found = find_earlier(turn, call, project, accepted);
    if (found) {
        return found == 1 ? 0 : found;
    }
    const struct edda_content *content = call->prepared;
    if (accept->staged_parts > 0 && !content->staged) {
        return edda_sqlite_call_fail(call, EDDA_E_NOT_FOUND, "no parts are staged for this memo");
    }
    error = edda_backlog_check(turn, call, project);
    if (error) {
        return error;
    }
    *accepted = (struct edda_store_accepted){accept->memo, 1, false};
    return insert_all(turn, call, project);
}

/* ---- staging ---- */

int edda_put_part_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_put_part *put = call->request.arguments;
    struct edda_content *content = edda_arena_take(&call->arena, sizeof(*content));
    const char *text = NULL;
    (void)reader;
    int error = edda_store_check_put_part(put, &text);
    if (error || !content) {
        return error ? edda_sqlite_call_fail(call, error, text) : EDDA_E_MEMORY;
    }
    call->prepared = content;
    return edda_content_measure(&call->arena, &put->parts, EDDA_TEXT("plain"), content);
}

/* The version that holds what is staged under uuid. *ret_version is 0 when a memo has taken it. */
static int need_staging(struct edda_turn *turn, int64_t project, const struct edda_uuid *uuid,
                        int64_t *ret_version) {
    int64_t any = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_STAGING_OPEN,
                                   VALUES(INTEGER(project), UUID(uuid)), 0, ret_version);
    if (!error && !*ret_version) {
        error = edda_query_integer(turn->database, EDDA_SQL_STAGING_ANY,
                                   VALUES(INTEGER(project), UUID(uuid)), 0, &any);
    }
    if (error || *ret_version || any) {
        return error;
    }
    error = edda_query_run(
        turn->database, EDDA_SQL_VERSION_STAGE,
        VALUES(INTEGER(EDDA_VERSION_STAGED), INTEGER(turn->wall_ms), INTEGER(turn->wall_ms)), NULL);
    *ret_version = sqlite3_last_insert_rowid(edda_database_handle(turn->database));
    return error ? error
                 : edda_query_run(turn->database, EDDA_SQL_STAGING_INSERT,
                                  VALUES(INTEGER(project), UUID(uuid), INTEGER(*ret_version),
                                         INTEGER(turn->wall_ms)),
                                  NULL);
}

int edda_put_part_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_put_part *put = call->request.arguments;
    const struct edda_content *content = call->prepared;
    int64_t project = 0;
    int64_t version = 0;
    int error = edda_project_need(turn, call->request.project, &project);
    if (!error) {
        error = need_staging(turn, project, &put->memo, &version);
    }
    for (size_t i = 0; i < put->parts.count && version && !error; i++) {
        error = edda_part_write(turn, edda_row_part(version, put->first + (uint32_t)i), 0,
                                &content->parts[i], put->parts.items[i]);
    }
    return error;
}
