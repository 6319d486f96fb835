/* gateway/memo_get.c: GET /api/v1/memo/{id}: one response for a memo of one page, a stream for
 * more.
 *
 * The JSON's order is the contract's: content stands before the fields that came with it on the
 * first page, so those are kept until the last piece of content is out; chunks follow page by page.
 */
#include <inttypes.h>
#include <stdio.h>

#include "gateway/paged.h"
#include "gateway/write.h"

#define PAGE_ARENA   ((size_t)8 * 1024 * 1024)
#define MAX_HELD     ((size_t)16 * 1024 * 1024) /* JSON of two pages, every byte escaped */
#define MAX_RESTARTS 3
#define NOT_FOUND    "Memo not found"

struct memo_reading {
    struct edda_store_select select;
    struct edda_paged paged;
    struct edda_buffer middle; /* what follows the content */
    char etag[64];
    bool first; /* no page has come yet */
    bool content_open;
    bool any_chunk;
    unsigned restarts;
};

static void ask(struct edda_visit *visit);

static void drop(struct edda_visit *visit) {
    struct memo_reading *reading = visit->work;
    edda_paged_done(&reading->paged);
    edda_buffer_done(&reading->middle);
}

static struct edda_text or_empty(struct edda_text text) {
    return text.data ? text : EDDA_TEXT("");
}

static void write_begin(struct edda_buffer *out, const struct edda_store_memo *memo) {
    EDDA_WRITE(out, "{\"uuid\":");
    edda_write_uuid(out, &memo->uuid);
    EDDA_WRITE(out, ",\"created_at\":");
    edda_write_date(out, memo->created_wall_ms);
    EDDA_WRITE(out, ",\"updated_at\":");
    edda_write_date(out, memo->updated_wall_ms);
    EDDA_WRITE(out, ",\"title\":");
    edda_write_text(out, or_empty(memo->title));
    EDDA_WRITE(out, ",\"content\":");
}

static void write_tags(struct edda_buffer *out, const struct edda_store_tags *tags) {
    EDDA_WRITE(out, "[");
    for (size_t i = 0; i < tags->count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? ",{\"uuid\":" : "{\"uuid\":");
        edda_write_uuid(out, &tags->items[i].uuid);
        EDDA_WRITE(out, ",\"tag\":");
        edda_write_text(out, or_empty(tags->items[i].tag));
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "]");
}

static void write_middle(struct edda_buffer *out, const struct edda_store_memo *memo) {
    EDDA_WRITE(out, ",\"summary\":null,\"metadata\":");
    edda_write_ready(out, memo->metadata, "{}");
    EDDA_WRITE(out, ",\"scopes\":");
    edda_write_ready(out, memo->scopes, "null");
    EDDA_WRITE(out, ",\"client_reference_id\":");
    edda_write_text(out, memo->reference_id);
    EDDA_WRITE(out, ",\"source\":");
    edda_write_text(out, memo->source);
    EDDA_WRITE(out, ",\"type\":");
    edda_write_text(out, memo->type.data ? memo->type : EDDA_TEXT("plaintext"));
    EDDA_WRITE(out, ",\"expiration_date\":");
    edda_write_date(out, memo->expires_wall_ms);
    EDDA_WRITE(out, ",\"archived\":");
    edda_write_bool(out, memo->archived);
    EDDA_WRITE(out, ",\"processing_status\":");
    edda_write_text(out, memo->status.data ? memo->status : EDDA_TEXT("processing"));
    EDDA_WRITE(out, ",\"content_length\":");
    edda_write_unsigned(out, memo->content_length);
    EDDA_WRITE(out, ",\"pending\":");
    edda_write_bool(out, edda_text_is(memo->status, "processing"));
    EDDA_WRITE(out, ",\"tags\":");
    write_tags(out, &memo->tags);
    EDDA_WRITE(out, ",\"chunks\":[");
}

static void write_chunks(struct edda_buffer *out, const struct edda_store_memo_chunks *chunks,
                         bool any) {
    for (size_t i = 0; i < chunks->count; i++) {
        const struct edda_store_memo_chunk *chunk = &chunks->items[i];
        (void)edda_buffer_append_text(out, any || i > 0 ? ",{\"uuid\":" : "{\"uuid\":");
        edda_write_uuid(out, &chunk->uuid);
        EDDA_WRITE(out, ",\"chunk_content\":");
        edda_write_text(out, or_empty(chunk->text));
        EDDA_WRITE(out, ",\"chunk_index\":");
        edda_write_unsigned(out, chunk->number);
        EDDA_WRITE(out, "}");
    }
}

static void write_content(struct edda_buffer *out, const struct edda_texts *parts) {
    for (size_t i = 0; i < parts->count; i++) {
        edda_write_escaped(out, parts->items[i]);
    }
}

/* A memo that fits one page: the usual case, written straight into the response. */
static void write_whole(struct edda_buffer *out, const struct edda_store_memo *memo) {
    write_begin(out, memo);
    if (memo->parts.count > 0) {
        EDDA_WRITE(out, "\"");
        write_content(out, &memo->parts);
        EDDA_WRITE(out, "\"");
    } else {
        EDDA_WRITE(out, "null");
    }
    write_middle(out, memo);
    write_chunks(out, &memo->chunks, false);
    EDDA_WRITE(out, "]}");
}

static void write_page(struct memo_reading *reading, const struct edda_store_memo *memo) {
    struct edda_buffer *out = &reading->paged.out;
    if (reading->first) {
        write_begin(out, memo);
        write_middle(&reading->middle, memo);
        EDDA_WRITE(out, "\"");
        reading->content_open = true;
        reading->first = false;
    }
    if (reading->content_open) {
        write_content(out, &memo->parts);
    }
    if (reading->content_open && (memo->chunks.count > 0 || !memo->more)) {
        EDDA_WRITE(out, "\"");
        (void)edda_buffer_append(out, reading->middle.data, reading->middle.size);
        reading->content_open = false;
    }
    write_chunks(out, &memo->chunks, reading->any_chunk);
    reading->any_chunk = reading->any_chunk || memo->chunks.count > 0;
    if (!memo->more) {
        EDDA_WRITE(out, "]}");
    }
    reading->paged.more = memo->more;
    reading->select.from_part = memo->next_part;
    reading->select.from_chunk = memo->next_chunk;
    reading->select.version = memo->version;
}

static void begin_stream(struct edda_visit *visit, const struct edda_store_memo *memo) {
    struct memo_reading *reading = visit->work;
    (void)snprintf(reading->etag, sizeof reading->etag, "W/\"%" PRIx64 "-%" PRIx64 "-%u\"",
                   memo->version, (uint64_t)memo->updated_wall_ms, (unsigned)memo->status.size);
    write_page(reading, memo);
    struct edda_http_response response = {.status = 200, .tag = true, .etag = reading->etag};
    edda_exchange_stream(visit->exchange, &response, edda_paged_pull, &reading->paged);
}

static void take_page(struct edda_visit *visit, const struct edda_reply *reply) {
    struct memo_reading *reading = visit->work;
    struct edda_store_memo memo;
    struct edda_arena arena;
    bool streaming = !reading->first;
    edda_arena_init(&arena, PAGE_ARENA);
    if (streaming) {
        if (edda_paged_take(&reading->paged, reply, EDDA_BODY_STORE_MEMO, &arena, &memo)) {
            write_page(reading, &memo);
        }
        edda_exchange_wake(visit->exchange);
    } else if (reply->error == EDDA_E_CONFLICT && reading->restarts++ < MAX_RESTARTS) {
        ask(visit);
    } else if (edda_visit_take(visit, reply, EDDA_BODY_STORE_MEMO, &arena, &memo, NOT_FOUND)) {
        if (memo.more) {
            begin_stream(visit, &memo);
        } else {
            write_whole(edda_visit_out(visit), &memo);
            edda_visit_reply(visit, 200);
        }
    }
    edda_arena_done(&arena);
}

static void ask(struct edda_visit *visit) {
    struct memo_reading *reading = visit->work;
    if (reading->first) {
        edda_visit_call(visit, "store.get", EDDA_BODY_STORE_SELECT, &reading->select, take_page);
    } else {
        edda_paged_send(&reading->paged, "store.get", EDDA_BODY_STORE_SELECT, &reading->select,
                        take_page);
    }
}

void edda_memo_get(struct edda_visit *visit) {
    struct edda_store_select select;
    if (!edda_visit_select(visit, &select)) {
        return;
    }
    struct memo_reading *reading = edda_visit_work(visit, sizeof *reading);
    if (!reading) {
        return;
    }
    *reading = (struct memo_reading){.select = select, .first = true};
    edda_paged_init(&reading->paged, visit, MAX_HELD, ask);
    edda_buffer_init(&reading->middle, MAX_HELD);
    visit->drop = drop;
    ask(visit);
}
