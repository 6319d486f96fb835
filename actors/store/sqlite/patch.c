/* actors/store/sqlite/patch.c: changes of a memo: its fields at once, its content as a new version.
 */
#include "actors/store/rows.h"
#include "actors/store/sqlite/tags.h"
#include "actors/store/sqlite/terms_of.h"
#include "actors/store/sqlite/versions.h"

struct vector_row {
    int64_t chunk;
    struct edda_bytes terms;
};

/* What prepare saw and made; write checks that it is still so. */
struct prepared {
    struct edda_memo_head head;
    bool has_content;
    struct edda_content content;
    bool has_title; /* the title changes: term vectors of all chunks there are */
    struct vector_row *vectors;
    size_t vector_count;
};

static int check_patch(struct edda_sqlite_call *call, const struct edda_store_patch *patch) {
    const char *text = NULL;
    int error = edda_store_check_patch(patch, &text);
    return error ? edda_sqlite_call_fail(call, error, text) : 0;
}

static int count_chunks(edda_database_t *database, const struct edda_memo_head *head,
                        int64_t *ret_count) {
    return edda_query_integer(database, EDDA_SQL_VERSIONS_CHUNKS,
                              VALUES(INTEGER(head->current), INTEGER(head->latest)), 0, ret_count);
}

static int vectors_of(struct edda_reader *reader, struct edda_sqlite_call *call,
                      struct prepared *prepared, int64_t version, size_t most,
                      struct edda_word_list *words) {
    const struct edda_store_patch *patch = call->request.arguments;
    sqlite3_stmt *row = NULL;
    int found = edda_query_begin(
        reader->database, EDDA_SQL_CHUNKS,
        VALUES(INTEGER(edda_row_first_chunk(version)), INTEGER(edda_row_last_chunk(version))),
        &row);
    while (!found && (found = edda_query_next(reader->database, row)) == 1) {
        if (prepared->vector_count == most) {
            found = EDDA_E_AGAIN; /* a part was committed in between */
            break;
        }
        struct vector_row *vector = &prepared->vectors[prepared->vector_count++];
        vector->chunk = sqlite3_column_int64(row, 0);
        struct edda_worded worded = {patch->title, edda_column_text(row, 2),
                                     edda_column_text(row, 1)};
        found = edda_terms_of(reader, call, (uint64_t)prepared->head.project, &worded, words,
                              &vector->terms);
    }
    edda_query_end(row);
    return found;
}

/* The title is in every chunk's term vector. */
static int prepare_title(struct edda_reader *reader, struct edda_sqlite_call *call,
                         struct prepared *prepared) {
    const struct edda_memo_head *head = &prepared->head;
    struct edda_word_list words = {0};
    int64_t count = 0;
    int error = count_chunks(reader->database, head, &count);
    if (error) {
        return error;
    }
    prepared->has_title = true;
    prepared->vectors =
        edda_arena_take(&call->arena, ((size_t)count + 1) * sizeof(*prepared->vectors));
    if (!prepared->vectors) {
        return EDDA_E_MEMORY;
    }
    error = vectors_of(reader, call, prepared, head->latest, (size_t)count, &words);
    if (!error && head->current && head->current != head->latest) {
        error = vectors_of(reader, call, prepared, head->current, (size_t)count, &words);
    }
    edda_words_settle(call, &words);
    return error;
}

static int prepare_content(struct edda_reader *reader, struct edda_sqlite_call *call,
                           struct prepared *prepared) {
    const struct edda_store_patch *patch = call->request.arguments;
    const struct edda_memo_head *head = &prepared->head;
    prepared->has_content = true;
    if (patch->staged_parts == 0) {
        return edda_content_measure(&call->arena, &patch->parts, head->format, &prepared->content);
    }
    int error = edda_content_staged(reader->database, &call->arena, head->project, &patch->staged,
                                    patch->staged_parts, patch->content_bytes, head->format,
                                    &prepared->content);
    return error == EDDA_E_INVALID
               ? edda_sqlite_call_fail(call, error, "staged parts are missing or do not add up")
               : error;
}

int edda_patch_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_patch *patch = call->request.arguments;
    struct prepared *prepared = edda_arena_take(&call->arena, sizeof(*prepared));
    int error = check_patch(call, patch);
    if (error || !prepared) {
        return error ? error : EDDA_E_MEMORY;
    }
    call->prepared = prepared;
    error = edda_memo_find(reader->database, &call->arena, call->request.project, patch->id,
                           patch->by_reference, &prepared->head);
    if (!error && (patch->set & EDDA_PATCH_CONTENT)) {
        error = prepare_content(reader, call, prepared);
    }
    if (!error && (patch->set & EDDA_PATCH_TITLE) &&
        !edda_text_equal(patch->title, prepared->head.title)) {
        error = prepare_title(reader, call, prepared);
        /* What was seen half is looked at again by write, which says so. */
        error = error == EDDA_E_AGAIN ? 0 : error;
    }
    return error;
}

/* EDDA_E_AGAIN when chunks came or went since prepare looked. */
static int write_title(struct edda_turn *turn, struct edda_sqlite_call *call,
                       const struct edda_memo_head *head) {
    const struct prepared *prepared = call->prepared;
    const struct edda_store_patch *patch = call->request.arguments;
    int64_t count = 0;
    if (edda_text_equal(patch->title, head->title)) {
        call->word_count = 0;
        return 0;
    }
    int error = count_chunks(turn->database, head, &count);
    if (!error &&
        (!prepared->has_title || prepared->head.current != head->current ||
         prepared->head.latest != head->latest || prepared->vector_count != (size_t)count)) {
        error = EDDA_E_AGAIN;
    }
    for (size_t i = 0; i < prepared->vector_count && !error; i++) {
        error = edda_query_run(
            turn->database, EDDA_SQL_CHUNK_TERMS_SET,
            VALUES(BLOB(prepared->vectors[i].terms), INTEGER(prepared->vectors[i].chunk)), NULL);
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_VERSIONS_RETITLE, VALUES(INTEGER(head->id)),
                               NULL);
    }
    return error ? error : edda_words_write(turn, call, (uint64_t)head->project);
}

static int write_fields(struct edda_turn *turn, const struct edda_store_patch *patch,
                        int64_t memo) {
    int error = edda_query_run(turn->database, EDDA_SQL_MEMO_PATCH,
                               VALUES(INTEGER(patch->set), TEXT(edda_text_or_empty(patch->title)),
                                      TEXT(patch->metadata), TEXT(patch->reference_id),
                                      TEXT(patch->source), INTEGER(patch->expires_wall_ms),
                                      TEXT(patch->scopes), INTEGER(turn->wall_ms), INTEGER(memo)),
                               NULL);
    if (!error && (patch->set & EDDA_PATCH_TAGS)) {
        error = edda_tags_write(turn, memo, &patch->tags);
    }
    return error;
}

/* A repeated patch whose staged parts this memo has taken already: 1, else 0 or an error. */
static int was_adopted(struct edda_turn *turn, const struct edda_store_patch *patch,
                       const struct edda_memo_head *head) {
    int64_t owner = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_STAGING_OWNER,
                                   VALUES(INTEGER(head->project), UUID(&patch->staged)), 0, &owner);
    return error ? error : owner == head->id;
}

/* *ret_number becomes the latest version's. */
static int write_content(struct edda_turn *turn, struct edda_sqlite_call *call,
                         const struct edda_memo_head *head, int64_t *ret_number) {
    const struct prepared *prepared = call->prepared;
    const struct edda_store_patch *patch = call->request.arguments;
    const struct edda_content *content = &prepared->content;
    if (patch->staged_parts > 0 && !content->staged) {
        int adopted = was_adopted(turn, patch, head);
        return adopted == 0
                   ? edda_sqlite_call_fail(call, EDDA_E_NOT_FOUND, "no parts are staged there")
               : adopted < 0 ? adopted
                             : 0;
    }
    if (memcmp(content->sha, head->sha, EDDA_SHA_BYTES) == 0) {
        return 0;
    }
    int64_t version = 0;
    int error = edda_backlog_check(turn, call, head->project);
    if (!error && head->latest != head->current) {
        error = edda_version_supersede(turn, head->latest);
    }
    if (!error) {
        error =
            edda_version_make(turn, head->project, head->id, head->number + 1, content, &version);
    }
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_MEMO_SET_LATEST,
                               VALUES(INTEGER(version), INTEGER(head->id)), NULL);
    }
    if (!error && content->count == 0) {
        error = edda_version_complete(turn, call, head->project, head->id, version);
    }
    *ret_number = head->number + 1;
    return error;
}

int edda_patch_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_patch *patch = call->request.arguments;
    struct edda_store_accepted *accepted = call->record;
    struct edda_memo_head head;
    int error = edda_memo_find(turn->database, &call->arena, call->request.project, patch->id,
                               patch->by_reference, &head);
    if (error) {
        return error;
    }
    int64_t number = head.number;
    if (patch->set & EDDA_PATCH_TITLE) {
        error = write_title(turn, call, &head);
    }
    if (!error && patch->set) {
        error = write_fields(turn, patch, head.id);
    }
    if (!error && (patch->set & EDDA_PATCH_CONTENT)) {
        error = write_content(turn, call, &head, &number);
    }
    if (!error && (patch->set & ~EDDA_PATCH_CONTENT)) {
        error = edda_call_change(call, (uint64_t)head.project, head.id, false);
    }
    *accepted = (struct edda_store_accepted){head.uuid, (uint64_t)number, false};
    return error;
}
