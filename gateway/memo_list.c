/* gateway/memo_list.c: GET /api/v1/memo: a page of memos, newest first. */
#include "gateway/uri.h"
#include "gateway/visit.h"
#include "gateway/write.h"

#define DEFAULT_PAGE_SIZE 20
#define MAX_PAGE_SIZE     100
#define MAX_PAGE          INT64_C(100000000)

static bool read_page(struct edda_visit *visit, struct edda_store_page *page) {
    struct edda_text text;
    int64_t number;
    int64_t size;
    if (!edda_visit_parameter(visit, "page", &text)) {
        return false;
    }
    if (!edda_uri_number(text, &number) || number == 0) {
        number = 1;
    }
    if (!edda_visit_parameter(visit, "page_size", &text)) {
        return false;
    }
    if (!edda_uri_number(text, &size) || size == 0) {
        size = DEFAULT_PAGE_SIZE;
    }
    const char *why = NULL;
    if (number < 0) {
        why = "page must be greater than or equal to 1";
    } else if (size > MAX_PAGE_SIZE) {
        why = "page_size must be less than or equal to 100";
    } else if (size < 0) {
        why = "page_size must be greater than or equal to 1";
    }
    if (why) {
        edda_visit_fail(visit, 400, why);
        return false;
    }
    page->page = (uint32_t)(number > MAX_PAGE ? MAX_PAGE : number);
    page->page_size = (uint32_t)size;
    return true;
}

static bool is_plain_host(struct edda_text host) {
    for (size_t i = 0; i < host.size; i++) {
        unsigned char byte = (unsigned char)host.data[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && !(byte >= '0' && byte <= '9') && !memchr(".-:[]_", byte, 6)) {
            return false;
        }
    }
    return host.size > 0 && host.size <= 255;
}

/* The absolute URL of another page, by the name the client called us; null for none. */
static void write_link(struct edda_visit *visit, uint32_t page, uint32_t page_size, bool exists) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    struct edda_buffer *out = edda_visit_out(visit);
    if (!exists) {
        EDDA_WRITE(out, "null");
        return;
    }
    EDDA_WRITE(out, "\"");
    if (is_plain_host(head->host)) {
        bool secure = edda_text_is(head->forwarded_proto, "https");
        edda_write_raw(out, secure ? EDDA_TEXT("https://") : EDDA_TEXT("http://"));
        edda_write_raw(out, head->host);
    } else {
        (void)edda_buffer_append_text(out, edda_http_url(visit->gateway->http));
    }
    (void)edda_buffer_printf(out, "/api/v1/memo?page=%u&page_size=%u\"", page, page_size);
}

static void write_row(struct edda_buffer *out, const struct edda_store_memo_row *row) {
    EDDA_WRITE(out, "{\"uuid\":");
    edda_write_uuid(out, &row->uuid);
    EDDA_WRITE(out, ",\"created_at\":");
    edda_write_date(out, row->created_wall_ms);
    EDDA_WRITE(out, ",\"updated_at\":");
    edda_write_date(out, row->updated_wall_ms);
    EDDA_WRITE(out, ",\"title\":");
    edda_write_text(out, row->title.data ? row->title : EDDA_TEXT(""));
    EDDA_WRITE(out, ",\"summary\":null,\"content_length\":");
    edda_write_unsigned(out, row->content_length);
    EDDA_WRITE(out, ",\"metadata\":");
    edda_write_ready(out, row->metadata, "{}");
    EDDA_WRITE(out, ",\"client_reference_id\":");
    edda_write_text(out, row->reference_id);
    EDDA_WRITE(out, ",\"processing_status\":");
    edda_write_text(out, row->status.data ? row->status : EDDA_TEXT("processing"));
    EDDA_WRITE(out, "}");
}

static void take_memos(struct edda_visit *visit, const struct edda_reply *reply) {
    const struct edda_store_page *page = visit->work;
    struct edda_store_memos memos;
    struct edda_buffer *out = edda_visit_out(visit);
    if (!edda_visit_take(visit, reply, EDDA_BODY_STORE_MEMOS, &visit->arena, &memos, NULL)) {
        return;
    }
    uint64_t pages = (memos.count + page->page_size - 1) / page->page_size;
    EDDA_WRITE(out, "{\"results\":[");
    for (size_t i = 0; i < memos.memos.count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "");
        write_row(out, &memos.memos.items[i]);
    }
    EDDA_WRITE(out, "],\"count\":");
    edda_write_unsigned(out, memos.count);
    (void)edda_buffer_printf(out, ",\"page\":%u,\"page_size\":%u,\"total_pages\":", page->page,
                             page->page_size);
    edda_write_unsigned(out, pages);
    EDDA_WRITE(out, ",\"next\":");
    write_link(visit, page->page + 1, page->page_size, page->page < pages);
    EDDA_WRITE(out, ",\"previous\":");
    /* From beyond the end, the last page that exists. */
    uint64_t previous = page->page - 1 < pages ? page->page - 1 : pages;
    write_link(visit, (uint32_t)previous, page->page_size, previous > 0);
    EDDA_WRITE(out, "}");
    edda_visit_reply(visit, 200);
}

void edda_memo_list(struct edda_visit *visit) {
    struct edda_store_page page = {0};
    if (!read_page(visit, &page)) {
        return;
    }
    struct edda_store_page *kept = edda_visit_work(visit, sizeof *kept);
    if (kept) {
        *kept = page;
        edda_visit_call(visit, "store.list", EDDA_BODY_STORE_PAGE, kept, take_memos);
    }
}
