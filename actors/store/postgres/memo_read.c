/* actors/store/postgres/memo_read.c: one memo in pages, its status, the list of memos. */
#include "actors/store/content.h"
#include "actors/store/memos.h"
#include "actors/store/postgres/read.h"
#include "actors/store/rows.h"
#include "proto/uuid.h"

#define LISTED_METADATA_BYTES (640u * 1024u) /* of a whole list: what a frame has room for */

/* The columns of MEMO_PAGE and MEMO_SMALL. */
enum {
    UUID_,
    NUMBERS,
    TEXTS,
    TAG_UUIDS,
    TAGS,
    PART_TEXTS,
    CHUNK_IDS,
    CHUNK_TEXTS,
    CHUNK_STARTS,
    CHUNK_ENDS,
};

/* NUMBERS in their order. */
struct numbers {
    int64_t created_ms;
    int64_t updated_ms;
    int64_t expires_ms;
    int64_t archived;
    int64_t state;
    int64_t current_version;
    int64_t number;
    int64_t parts;
    int64_t chunks;
    int64_t content_bytes;
    int64_t content_length;
};

/* The memo of a request, as it is asked for. */
struct wanted {
    struct edda_uuid uuid;
    struct edda_pg_value id;
    bool by_reference;
};

/* In the call's arena: a statement borrows it. EDDA_E_NOT_FOUND: no memo can have this id. */
static int read_wanted(struct edda_pg_call *call, struct wanted **ret_wanted) {
    const struct edda_store_select *select = call->request.arguments;
    struct wanted *wanted = edda_pg_call_need_state(call, sizeof *wanted);
    if (!wanted) {
        return EDDA_E_MEMORY;
    }
    *ret_wanted = wanted;
    wanted->by_reference = select->by_reference;
    if (select->by_reference) {
        wanted->id = TEXT(edda_text_or_empty(select->id));
        return 0;
    }
    if (edda_uuid_parse(select->id, &wanted->uuid)) {
        return EDDA_E_NOT_FOUND;
    }
    wanted->id = UUID(&wanted->uuid);
    return 0;
}

static struct edda_text status_of(int64_t state) {
    return edda_text_of(edda_memo_status((enum edda_version_state)state));
}

/* ---- one memo ---- */

static int read_tags(struct edda_pg_call *call, struct edda_pg_row *row,
                     struct edda_store_tags *ret_tags) {
    struct edda_pg_elements uuids = edda_pg_array(row, TAG_UUIDS, EDDA_PG_UUID);
    struct edda_pg_elements tags = edda_pg_array(row, TAGS, EDDA_PG_TEXT);
    struct edda_bytes uuid;
    struct edda_bytes tag;
    size_t most = tags.left;
    ret_tags->items = edda_arena_take(&call->arena, (most + 1) * sizeof(*ret_tags->items));
    if (!ret_tags->items) {
        return EDDA_E_MEMORY;
    }
    while (ret_tags->count < most && edda_pg_array_next(row, &uuids, &uuid) &&
           edda_pg_array_next(row, &tags, &tag)) {
        struct edda_store_tag *item = &ret_tags->items[ret_tags->count++];
        if (uuid.size == sizeof item->uuid.bytes) {
            memcpy(item->uuid.bytes, uuid.data, sizeof item->uuid.bytes);
        }
        item->tag = (struct edda_text){(const char *)tag.data, tag.size};
    }
    return row->error;
}

/* A bigint array's next, 0 when there is none. */
static int64_t next_bigint(struct edda_pg_row *row, struct edda_pg_elements *elements) {
    struct edda_bytes bytes;
    uint64_t number = 0;
    if (edda_pg_array_next(row, elements, &bytes) && bytes.size == sizeof number) {
        memcpy(&number, bytes.data, sizeof number);
    }
    return (int64_t)be64toh(number);
}

static struct numbers read_numbers(struct edda_pg_row *row) {
    struct edda_pg_elements all = edda_pg_array(row, NUMBERS, EDDA_PG_BIGINT);
    struct numbers numbers;
    int64_t *items = &numbers.created_ms;
    _Static_assert(sizeof numbers == 11 * sizeof *items, "nothing but the numbers");
    for (size_t i = 0; i < sizeof numbers / sizeof *items; i++) {
        items[i] = next_bigint(row, &all);
    }
    return numbers;
}

static struct edda_text next_text(struct edda_pg_row *row, struct edda_pg_elements *elements) {
    struct edda_bytes bytes;
    (void)edda_pg_array_next(row, elements, &bytes);
    return (struct edda_text){(const char *)bytes.data, bytes.size};
}

static int read_fields(struct edda_pg_call *call, struct edda_pg_row *row,
                       const struct numbers *numbers, struct edda_memo_page *page) {
    struct edda_store_memo *memo = call->record;
    struct edda_pg_elements texts = edda_pg_array(row, TEXTS, EDDA_PG_TEXT);
    memo->created_wall_ms = numbers->created_ms;
    memo->updated_wall_ms = numbers->updated_ms;
    memo->expires_wall_ms = numbers->expires_ms;
    memo->archived = numbers->archived != 0;
    memo->status = status_of(numbers->state);
    memo->content_bytes = (uint64_t)numbers->content_bytes;
    memo->content_length = (uint64_t)numbers->content_length;
    memo->title = next_text(row, &texts);
    memo->metadata = next_text(row, &texts);
    memo->scopes = next_text(row, &texts);
    memo->reference_id = next_text(row, &texts);
    memo->source = next_text(row, &texts);
    memo->type = next_text(row, &texts);
    memo->error = next_text(row, &texts);
    int error = read_tags(call, row, &memo->tags);
    page->bytes = memo->title.size + memo->metadata.size + memo->scopes.size + memo->error.size;
    for (size_t i = 0; i < memo->tags.count; i++) {
        page->bytes += memo->tags.items[i].tag.size + 24;
    }
    return error;
}

/* The parts that fit, from `from` on. */
static int read_parts(struct edda_pg_call *call, struct edda_pg_row *row, int64_t all,
                      uint32_t from, struct edda_memo_page *page) {
    struct edda_store_memo *memo = call->record;
    struct edda_pg_elements texts = edda_pg_array(row, PART_TEXTS, EDDA_PG_TEXT);
    struct edda_bytes text;
    memo->next_part = from;
    memo->parts.items =
        edda_arena_take(&call->arena, ((size_t)texts.left + 1) * sizeof(*memo->parts.items));
    if (!memo->parts.items) {
        return EDDA_E_MEMORY;
    }
    while (edda_pg_array_next(row, &texts, &text)) {
        if (!edda_memo_page_take(page, text.size + EDDA_MEMO_PART_OVERHEAD)) {
            break;
        }
        memo->parts.items[memo->parts.count++] =
            (struct edda_text){(const char *)text.data, text.size};
        memo->next_part++;
    }
    memo->more = memo->next_part < all;
    return row->error;
}

/* The chunks that fit, from `from` on: once all content is there. */
static int read_chunks(struct edda_pg_call *call, struct edda_pg_row *row,
                       const struct numbers *numbers, uint32_t from, struct edda_memo_page *page) {
    struct edda_store_memo *memo = call->record;
    struct edda_pg_elements ids = edda_pg_array(row, CHUNK_IDS, EDDA_PG_BIGINT);
    struct edda_pg_elements texts = edda_pg_array(row, CHUNK_TEXTS, EDDA_PG_TEXT);
    struct edda_pg_elements starts = edda_pg_array(row, CHUNK_STARTS, EDDA_PG_BIGINT);
    struct edda_pg_elements ends = edda_pg_array(row, CHUNK_ENDS, EDDA_PG_BIGINT);
    int64_t all = numbers->chunks;
    size_t most = texts.left < EDDA_MEMO_PAGE_CHUNKS ? texts.left : EDDA_MEMO_PAGE_CHUNKS;
    struct edda_bytes text;
    memo->next_chunk = from;
    if (numbers->current_version <= 0 || from >= all || memo->more) {
        return row->error;
    }
    memo->more = true; /* until the last one is taken */
    memo->chunks.items = edda_arena_take(&call->arena, (most + 1) * sizeof(*memo->chunks.items));
    if (!memo->chunks.items) {
        return EDDA_E_MEMORY;
    }
    while (memo->chunks.count < most && edda_pg_array_next(row, &texts, &text)) {
        int64_t id = next_bigint(row, &ids);
        if (!edda_memo_page_take(page, text.size + EDDA_MEMO_CHUNK_OVERHEAD)) {
            break;
        }
        memo->chunks.items[memo->chunks.count++] = (struct edda_store_memo_chunk){
            .uuid =
                edda_uuid_chunk(&memo->uuid, memo->version,
                                edda_row_part_of(edda_row_part_row_of(id)), edda_row_number_of(id)),
            .number = memo->next_chunk++,
            .start = (uint32_t)next_bigint(row, &starts),
            .end = (uint32_t)next_bigint(row, &ends),
            .text = {(const char *)text.data, text.size},
        };
    }
    memo->more = memo->next_chunk < all;
    return row->error;
}

static int on_page(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct edda_store_select *select = call->request.arguments;
    struct edda_store_memo *memo = call->record;
    struct edda_memo_page page = {0};
    struct edda_pg_row row = edda_pg_row(result, 0);
    struct numbers numbers;
    int error = 0;
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_NOT_FOUND;
    }
    edda_pg_call_keep(call);
    memo->uuid = edda_pg_uuid(&row, UUID_);
    numbers = read_numbers(&row);
    memo->version = (uint64_t)numbers.number;
    if (!row.error && select->version && select->version != memo->version) {
        return edda_pg_call_fail(call, EDDA_E_CONFLICT, "this version is no longer the memo's");
    }
    if (!select->from_part && !select->from_chunk) {
        error = read_fields(call, &row, &numbers, &page);
    }
    if (!error) {
        error = read_parts(call, &row, numbers.parts, select->from_part, &page);
    }
    return error ? error : read_chunks(call, &row, &numbers, select->from_chunk, &page);
}

static int ask_page(struct edda_pg_call *call, const struct wanted *wanted) {
    const struct edda_store_select *select = call->request.arguments;
    return edda_pg_call_run(
        call,
        wanted->by_reference ? EDDA_PGSQL_MEMO_PAGE_BY_REFERENCE : EDDA_PGSQL_MEMO_PAGE_BY_UUID,
        VALUES(TEXT(call->request.project), wanted->id, BIGINT(select->from_part),
               BIGINT(select->from_chunk), BIGINT(EDDA_MEMO_PAGE_BYTES)),
        on_page);
}

static int on_small(struct edda_pg_call *call, edda_pg_result_t *result) {
    return edda_pg_rows(result) > 0 ? on_page(call, result) : ask_page(call, call->state);
}

int edda_postgres_get(struct edda_pg_call *call) {
    const struct edda_store_select *select = call->request.arguments;
    struct wanted *wanted = NULL;
    int error = read_wanted(call, &wanted);
    if (error) {
        return error;
    }
    if (wanted->by_reference || select->from_part || select->from_chunk) {
        return ask_page(call, wanted);
    }
    return edda_pg_call_run(call, EDDA_PGSQL_MEMO_SMALL_BY_UUID,
                            VALUES(TEXT(call->request.project), wanted->id), on_small);
}

/* ---- status ---- */

static int on_status(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_status *status = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_NOT_FOUND;
    }
    edda_pg_call_keep(call);
    *status = (struct edda_store_status){
        .uuid = edda_pg_uuid(&row, 0),
        .status = status_of(edda_pg_bigint(&row, 1)),
        .started_wall_ms = edda_pg_bigint(&row, 2),
        .completed_wall_ms = edda_pg_bigint(&row, 3),
        .error = edda_pg_text(&row, 4),
        .version = (uint64_t)edda_pg_bigint(&row, 5),
        .open_jobs = (uint32_t)edda_pg_bigint(&row, 6),
    };
    return row.error;
}

int edda_postgres_status(struct edda_pg_call *call) {
    struct wanted *wanted = NULL;
    int error = read_wanted(call, &wanted);
    if (error) {
        return error;
    }
    return edda_pg_call_run(call,
                            wanted->by_reference ? EDDA_PGSQL_MEMO_STATUS_BY_REFERENCE
                                                 : EDDA_PGSQL_MEMO_STATUS_BY_UUID,
                            VALUES(TEXT(call->request.project), wanted->id), on_status);
}

/* ---- the list ---- */

int edda_pg_list_begin(struct edda_pg_call *call, unsigned statement, edda_pg_step_fn then) {
    const struct edda_store_page *page = call->request.arguments;
    uint64_t offset = 0;
    if (edda_list_offset(page, &offset)) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "page or page_size is out of range");
    }
    return edda_pg_call_run(
        call, statement,
        VALUES(TEXT(call->request.project), BIGINT(page->page_size), BIGINT(offset)), then);
}

int edda_pg_list_rows(struct edda_pg_call *call, const edda_pg_result_t *result, int first_column,
                      size_t item_bytes, uint64_t *ret_count, void **ret_items, size_t *ret_rows) {
    size_t rows = edda_pg_rows(result);
    struct edda_pg_row row = edda_pg_row(result, 0);
    *ret_rows = 0;
    if (rows == 0) {
        return 0; /* nobody knows the project */
    }
    edda_pg_call_keep(call);
    *ret_count = (uint64_t)edda_pg_bigint(&row, 0);
    *ret_rows = edda_pg_is_absent(&row, first_column) ? 0 : rows;
    *ret_items = edda_arena_take(&call->arena, (*ret_rows + 1) * item_bytes);
    return row.error ? row.error : *ret_items ? 0 : EDDA_E_MEMORY;
}

static int on_list(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_memos *memos = call->record;
    struct edda_store_memo_row *items = NULL;
    size_t metadata_bytes = 0;
    size_t rows = 0;
    int error =
        edda_pg_list_rows(call, result, 1, sizeof *items, &memos->count, (void **)&items, &rows);
    memos->memos.items = items;
    for (size_t i = 0; i < rows && !error; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        struct edda_text metadata = edda_pg_text(&row, 5);
        metadata_bytes += metadata.size;
        items[memos->memos.count++] = (struct edda_store_memo_row){
            .uuid = edda_pg_uuid(&row, 1),
            .created_wall_ms = edda_pg_bigint(&row, 2),
            .updated_wall_ms = edda_pg_bigint(&row, 3),
            .title = edda_pg_text(&row, 4),
            .metadata =
                metadata_bytes <= LISTED_METADATA_BYTES ? metadata : (struct edda_text){NULL, 0},
            .reference_id = edda_pg_text(&row, 6),
            .status = status_of(edda_pg_bigint(&row, 7)),
            .content_length = (uint64_t)edda_pg_bigint(&row, 8),
        };
        error = row.error;
    }
    return error;
}

int edda_postgres_list(struct edda_pg_call *call) {
    return edda_pg_list_begin(call, EDDA_PGSQL_MEMO_LIST, on_list);
}
