/* gateway/page.c: numbers as the contract reads them, links by the name the client called us. */
#include "gateway/page.h"

#include "gateway/uri.h"
#include "gateway/write.h"

#define DEFAULT_PAGE_SIZE 20
#define MAX_PAGE_SIZE     100
#define MAX_PAGE          INT64_C(100000000)

bool edda_page_read(struct edda_visit *visit, struct edda_store_page *ret_page) {
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
    ret_page->page = (uint32_t)(number > MAX_PAGE ? MAX_PAGE : number);
    ret_page->page_size = (uint32_t)size;
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
static void write_link(struct edda_visit *visit, const char *path, uint32_t page,
                       uint32_t page_size, bool exists) {
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
    (void)edda_buffer_printf(out, "%s?page=%u&page_size=%u\"", path, page, page_size);
}

void edda_page_write_end(struct edda_visit *visit, const char *path,
                         const struct edda_store_page *page, uint64_t count) {
    struct edda_buffer *out = edda_visit_out(visit);
    uint64_t pages = (count + page->page_size - 1) / page->page_size;
    EDDA_WRITE(out, ",\"count\":");
    edda_write_unsigned(out, count);
    (void)edda_buffer_printf(out, ",\"page\":%u,\"page_size\":%u,\"total_pages\":", page->page,
                             page->page_size);
    edda_write_unsigned(out, pages);
    EDDA_WRITE(out, ",\"next\":");
    write_link(visit, path, page->page + 1, page->page_size, page->page < pages);
    EDDA_WRITE(out, ",\"previous\":");
    /* From beyond the end, the last page that exists. */
    uint64_t previous = page->page - 1 < pages ? page->page - 1 : pages;
    write_link(visit, path, (uint32_t)previous, page->page_size, previous > 0);
    EDDA_WRITE(out, "}");
}
