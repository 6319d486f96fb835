/* actors/store/sqlite/memo_read.c: one memo in pages, its status, the list of memos. */
#include "actors/store/rows.h"
#include "actors/store/sqlite/store.h"
#include "actors/store/sqlite/tags.h"
#include "actors/store/sqlite/versions.h"
#include "proto/uuid.h"

#define PARTS_A_PAGE          1024u
#define LISTED_METADATA_BYTES (640u * 1024u) /* of a whole list: what a frame has room for */

/* The columns of EDDA_SQL_MEMO_READ. */
enum {
    UUID_,
    CREATED,
    UPDATED,
    TITLE,
    METADATA,
    SCOPES,
    REFERENCE,
    SOURCE,
    TYPE,
    EXPIRES,
    ARCHIVED,
    CURRENT,
    LATEST,
    LATEST_STATE,
    LATEST_ERROR,
};

struct shown {
    int64_t memo;
    int64_t version; /* row */
    bool ready;
    int64_t parts;
    int64_t chunks;
};

/* The contract's word; a version that cannot be found yet is still processing. */
static struct edda_text status_of(struct edda_sqlite *store, int64_t memo, int64_t state) {
    enum edda_version_state latest = (enum edda_version_state)state;
    if (latest == EDDA_VERSION_READY && edda_catalogue_is_announced(store->catalogue, memo)) {
        latest = EDDA_VERSION_OPEN;
    }
    return edda_text_of(edda_memo_status(latest));
}

static int read_texts(sqlite3_stmt *row, struct edda_arena *arena, struct edda_store_memo *memo) {
    int error = edda_column_copy(row, TITLE, arena, &memo->title);
    error = error ? error : edda_column_copy(row, METADATA, arena, &memo->metadata);
    error = error ? error : edda_column_copy(row, SCOPES, arena, &memo->scopes);
    error = error ? error : edda_column_copy(row, REFERENCE, arena, &memo->reference_id);
    error = error ? error : edda_column_copy(row, SOURCE, arena, &memo->source);
    error = error ? error : edda_column_copy(row, TYPE, arena, &memo->type);
    return error ? error : edda_column_copy(row, LATEST_ERROR, arena, &memo->error);
}

/* The fields that are on the first page. */
static int read_fields(struct edda_reader *reader, struct edda_sqlite_call *call,
                       struct shown *shown, struct edda_memo_page *page) {
    struct edda_store_memo *memo = call->record;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(reader->database, EDDA_SQL_MEMO_READ, VALUES(INTEGER(shown->memo)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_NOT_FOUND;
    }
    memo->uuid = edda_column_uuid(row, UUID_);
    memo->created_wall_ms = sqlite3_column_int64(row, CREATED);
    memo->updated_wall_ms = sqlite3_column_int64(row, UPDATED);
    memo->expires_wall_ms = sqlite3_column_int64(row, EXPIRES);
    memo->archived = sqlite3_column_int64(row, ARCHIVED) != 0;
    memo->status = status_of(reader->store, shown->memo, sqlite3_column_int64(row, LATEST_STATE));
    shown->version = sqlite3_column_int64(row, CURRENT);
    shown->ready = shown->version != 0;
    if (!shown->ready) {
        shown->version = sqlite3_column_int64(row, LATEST);
    }
    int error = read_texts(row, &call->arena, memo);
    edda_query_end(row);
    if (!error) {
        error = edda_tags_read(reader->database, &call->arena, shown->memo, &memo->tags);
    }
    page->bytes = memo->title.size + memo->metadata.size + memo->scopes.size + memo->error.size;
    for (size_t i = 0; i < memo->tags.count; i++) {
        page->bytes += memo->tags.items[i].tag.size + 24;
    }
    return error;
}

static int read_version(struct edda_reader *reader, struct edda_sqlite_call *call,
                        struct shown *shown) {
    struct edda_store_memo *memo = call->record;
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(reader->database, EDDA_SQL_VERSION_READ,
                               VALUES(INTEGER(shown->version)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    memo->version = (uint64_t)sqlite3_column_int64(row, 0);
    shown->parts = sqlite3_column_int64(row, 1);
    shown->chunks = shown->ready ? sqlite3_column_int64(row, 2) : 0;
    memo->content_bytes = (uint64_t)sqlite3_column_int64(row, 3);
    memo->content_length = (uint64_t)sqlite3_column_int64(row, 4);
    edda_query_end(row);
    return 0;
}

/* Fills parts from `from` on; next_part and more say where it stopped. */
static int read_parts(struct edda_reader *reader, struct edda_sqlite_call *call,
                      const struct shown *shown, uint32_t from, struct edda_memo_page *page) {
    struct edda_store_memo *memo = call->record;
    sqlite3_stmt *row = NULL;
    memo->next_part = from;
    if (from >= shown->parts) {
        return 0;
    }
    size_t most =
        (size_t)shown->parts - from < PARTS_A_PAGE ? (size_t)shown->parts - from : PARTS_A_PAGE;
    memo->parts.items = edda_arena_take(&call->arena, most * sizeof(*memo->parts.items));
    if (!memo->parts.items) {
        return EDDA_E_MEMORY;
    }
    int found = edda_query_begin(reader->database, EDDA_SQL_PART_TEXTS,
                                 VALUES(INTEGER(edda_row_part(shown->version, from)),
                                        INTEGER(edda_row_last_part(shown->version))),
                                 &row);
    while (!found && (found = edda_query_next(reader->database, row)) == 1) {
        size_t size = (size_t)sqlite3_column_bytes(row, 0);
        if (memo->parts.count == most ||
            !edda_memo_page_take(page, size + EDDA_MEMO_PART_OVERHEAD)) {
            memo->more = true;
            found = 0;
            break;
        }
        found = edda_column_copy(row, 0, &call->arena, &memo->parts.items[memo->parts.count++]);
        memo->next_part++;
    }
    edda_query_end(row);
    return found;
}

/* The row of chunk `number` of the memo, and none (0) when there is no such chunk. */
static int find_chunk(struct edda_reader *reader, const struct shown *shown, uint32_t number,
                      int64_t *ret_row) {
    sqlite3_stmt *row = NULL;
    *ret_row = 0;
    int found = edda_query_one(reader->database, EDDA_SQL_PART_OF_CHUNK,
                               VALUES(INTEGER(edda_row_part(shown->version, 0)),
                                      INTEGER(edda_row_last_part(shown->version)), INTEGER(number)),
                               &row);
    if (found == 1) {
        int64_t in_part = (int64_t)number - sqlite3_column_int64(row, 1);
        *ret_row = edda_row_chunk(sqlite3_column_int64(row, 0), (uint32_t)in_part);
        edda_query_end(row);
        found = 0;
    }
    return found;
}

static int read_chunk(sqlite3_stmt *row, struct edda_arena *arena,
                      const struct edda_store_memo *memo, struct edda_store_memo_chunk *chunk) {
    int64_t id = sqlite3_column_int64(row, 0);
    chunk->uuid =
        edda_uuid_chunk(&memo->uuid, memo->version, edda_row_part_of(edda_row_part_row_of(id)),
                        edda_row_number_of(id));
    chunk->start = (uint32_t)sqlite3_column_int64(row, 3);
    chunk->end = (uint32_t)sqlite3_column_int64(row, 4);
    return edda_column_copy(row, 1, arena, &chunk->text);
}

static int read_chunks(struct edda_reader *reader, struct edda_sqlite_call *call,
                       const struct shown *shown, uint32_t from, struct edda_memo_page *page) {
    struct edda_store_memo *memo = call->record;
    sqlite3_stmt *row = NULL;
    int64_t first = 0;
    memo->next_chunk = from;
    if (from >= shown->chunks) {
        return 0;
    }
    if (memo->more) {
        return 0; /* the content comes first */
    }
    size_t left = (size_t)shown->chunks - from;
    size_t most = left < EDDA_MEMO_PAGE_CHUNKS ? left : EDDA_MEMO_PAGE_CHUNKS;
    memo->chunks.items = edda_arena_take(&call->arena, most * sizeof(*memo->chunks.items));
    int found = memo->chunks.items ? find_chunk(reader, shown, from, &first) : EDDA_E_MEMORY;
    if (!found) {
        found = edda_query_begin(
            reader->database, EDDA_SQL_CHUNKS,
            VALUES(INTEGER(first), INTEGER(edda_row_last_chunk(shown->version))), &row);
    }
    while (!found && (found = edda_query_next(reader->database, row)) == 1) {
        size_t size = (size_t)sqlite3_column_bytes(row, 1);
        if (memo->chunks.count == most ||
            !edda_memo_page_take(page, size + EDDA_MEMO_CHUNK_OVERHEAD)) {
            memo->more = true;
            found = 0;
            break;
        }
        struct edda_store_memo_chunk *chunk = &memo->chunks.items[memo->chunks.count++];
        chunk->number = memo->next_chunk++;
        found = read_chunk(row, &call->arena, memo, chunk);
    }
    edda_query_end(row);
    return found;
}

static int read_page(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_select *select = call->request.arguments;
    struct edda_store_memo *memo = call->record;
    struct edda_memo_head head;
    struct edda_memo_page page = {0};
    int error = edda_memo_find(reader->database, &call->arena, call->request.project, select->id,
                               select->by_reference, &head);
    if (error) {
        return error;
    }
    struct shown shown = {.memo = head.id};
    error = read_fields(reader, call, &shown, &page);
    if (!error) {
        error = read_version(reader, call, &shown);
    }
    if (!error && select->version && select->version != memo->version) {
        error =
            edda_sqlite_call_fail(call, EDDA_E_CONFLICT, "this version is no longer the memo's");
    }
    if (!error && (select->from_part || select->from_chunk)) {
        struct edda_uuid uuid = memo->uuid;
        uint64_t version = memo->version;
        *memo = (struct edda_store_memo){.uuid = uuid, .version = version};
        page = (struct edda_memo_page){0};
    }
    if (!error) {
        error = read_parts(reader, call, &shown, select->from_part, &page);
    }
    return error ? error : read_chunks(reader, call, &shown, select->from_chunk, &page);
}

int edda_get_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    int error = edda_database_begin_read(reader->database);
    if (error) {
        return error;
    }
    error = read_page(reader, call);
    int ended = edda_database_end_read(reader->database);
    return error ? error : ended;
}

int edda_status_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_select *select = call->request.arguments;
    struct edda_store_status *status = call->record;
    struct edda_memo_head head;
    sqlite3_stmt *row = NULL;
    int error = edda_memo_find(reader->database, &call->arena, call->request.project, select->id,
                               select->by_reference, &head);
    if (error) {
        return error;
    }
    int found =
        edda_query_one(reader->database, EDDA_SQL_VERSION_STATUS, VALUES(INTEGER(head.id)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_NOT_FOUND;
    }
    status->uuid = head.uuid;
    status->status = status_of(reader->store, head.id, sqlite3_column_int64(row, 0));
    status->started_wall_ms = sqlite3_column_int64(row, 1);
    status->completed_wall_ms = sqlite3_column_int64(row, 2);
    status->version = (uint64_t)sqlite3_column_int64(row, 4);
    status->open_jobs = (uint32_t)sqlite3_column_int64(row, 5);
    error = edda_column_copy(row, 3, &call->arena, &status->error);
    edda_query_end(row);
    return error;
}

static int read_listed(struct edda_reader *reader, struct edda_sqlite_call *call, sqlite3_stmt *row,
                       size_t *metadata_bytes, struct edda_store_memo_row *memo) {
    memo->uuid = edda_column_uuid(row, 1);
    memo->created_wall_ms = sqlite3_column_int64(row, 2);
    memo->updated_wall_ms = sqlite3_column_int64(row, 3);
    memo->content_length = (uint64_t)sqlite3_column_int64(row, 8);
    memo->status =
        status_of(reader->store, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 7));
    int error = edda_column_copy(row, 4, &call->arena, &memo->title);
    if (!error) {
        error = edda_column_copy(row, 6, &call->arena, &memo->reference_id);
    }
    *metadata_bytes += (size_t)sqlite3_column_bytes(row, 5);
    if (!error && *metadata_bytes <= LISTED_METADATA_BYTES) {
        error = edda_column_copy(row, 5, &call->arena, &memo->metadata);
    }
    return error;
}

int edda_list_begin(struct edda_reader *reader, struct edda_sqlite_call *call,
                    enum edda_statement count, enum edda_statement list, uint64_t *ret_count,
                    size_t item_bytes, void **ret_items, sqlite3_stmt **ret_row) {
    const struct edda_store_page *page = call->request.arguments;
    uint64_t offset = 0;
    int64_t project = 0;
    int64_t rows = 0;
    if (edda_list_offset(page, &offset)) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "page or page_size is out of range");
    }
    int found = edda_project_find(reader->database, call->request.project, &project);
    if (found != 1) {
        return found;
    }
    *ret_items = edda_arena_take(&call->arena, page->page_size * item_bytes);
    int error =
        *ret_items ? edda_query_integer(reader->database, count, VALUES(INTEGER(project)), 0, &rows)
                   : EDDA_E_MEMORY;
    *ret_count = (uint64_t)rows;
    return error
               ? error
               : edda_query_begin(
                     reader->database, list,
                     VALUES(INTEGER(project), INTEGER(page->page_size), INTEGER(offset)), ret_row);
}

int edda_list_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    struct edda_store_memos *memos = call->record;
    struct edda_store_memo_row *items = NULL;
    size_t metadata_bytes = 0;
    sqlite3_stmt *row = NULL;
    int found = edda_list_begin(reader, call, EDDA_SQL_PROJECT_MEMOS, EDDA_SQL_MEMO_LIST,
                                &memos->count, sizeof *items, (void **)&items, &row);
    memos->memos.items = items;
    while (row && !found && (found = edda_query_next(reader->database, row)) == 1) {
        found = read_listed(reader, call, row, &metadata_bytes, &items[memos->memos.count++]);
    }
    edda_query_end(row);
    return found;
}
