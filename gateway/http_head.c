/* gateway/http_head.c: one pass over the headers: which we use, and whether their framing agrees.
 *
 * Two lengths, or a length and an encoding, are how one request is smuggled inside another past a
 * proxy that believes the other one: refused, and the connection with it (RFC 9112 section 6.3). */
#include <strings.h>

#include "gateway/http_internal.h"
#include "gateway/uri.h"

struct header_scan {
    struct edda_http_head *head;
    unsigned lengths;
    unsigned encodings;
    bool chunked;
    bool bad_value;
};

static bool named(const char *key, size_t size, const char *name, size_t name_size) {
    return size == name_size && strncasecmp(key, name, size) == 0;
}
#define NAMED(literal) named(key, key_size, literal, sizeof(literal) - 1)

static void read_length(struct header_scan *scan, struct edda_text value) {
    int64_t length = 0;
    scan->lengths++;
    for (size_t i = 0; i < value.size; i++) {
        char digit = value.data[i];
        if (digit < '0' || digit > '9' || length > INT64_MAX / 10 - 10) {
            scan->bad_value = true;
            return;
        }
        length = length * 10 + (digit - '0');
    }
    scan->head->content_length = length;
}

static enum MHD_Result scan_header(void *context, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *data, size_t size) {
    struct header_scan *scan = context;
    struct edda_http_head *head = scan->head;
    struct edda_text value = {data ? data : "", data ? size : 0};
    (void)kind;
    switch (key_size) {
    case 4:
        if (NAMED("host")) {
            head->host = value;
        }
        break;
    case 10:
        if (NAMED("tracestate")) {
            head->tracestate = value;
        }
        break;
    case 11:
        if (NAMED("traceparent")) {
            head->traceparent = value;
        }
        break;
    case 12:
        if (NAMED("content-type")) {
            head->content_type = value;
        } else if (NAMED("x-request-id")) {
            head->request_id = value;
        }
        break;
    case 13:
        if (NAMED("authorization")) {
            head->authorization = value;
        } else if (NAMED("if-none-match")) {
            head->if_none_match = value;
        }
        break;
    case 14:
        if (NAMED("content-length")) {
            read_length(scan, value);
        }
        break;
    case 15:
        if (NAMED("idempotency-key")) {
            head->idempotency_key = value;
        }
        break;
    case 17:
        if (NAMED("transfer-encoding")) {
            scan->encodings++;
            scan->chunked = value.size == 7 && strncasecmp(value.data, "chunked", 7) == 0;
        } else if (NAMED("x-forwarded-proto")) {
            head->forwarded_proto = value;
        }
        break;
    default:
        break;
    }
    return MHD_YES;
}

static enum edda_method read_method(const char *method) {
    static const struct {
        const char *name;
        enum edda_method method;
    } methods[] = {{"GET", EDDA_METHOD_GET},       {"POST", EDDA_METHOD_POST},
                   {"HEAD", EDDA_METHOD_HEAD},     {"PATCH", EDDA_METHOD_PATCH},
                   {"DELETE", EDDA_METHOD_DELETE}, {"PUT", EDDA_METHOD_PUT}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(method, methods[i].name) == 0) {
            return methods[i].method;
        }
    }
    return EDDA_METHOD_OTHER;
}

void read_head(struct edda_exchange *exchange, const char *method) {
    struct edda_http_head *head = &exchange->head;
    struct header_scan scan = {.head = head};
    struct edda_text target = {(const char *)exchange->target.data, exchange->target.size};

    head->method = read_method(method);
    edda_uri_split(target, &head->path, &head->query);
    (void)MHD_get_connection_values_n(exchange->connection->mhd, MHD_HEADER_KIND, scan_header,
                                      &scan);
    if (scan.lengths > 1 || scan.encodings > 1 || (scan.lengths && scan.encodings) ||
        scan.bad_value || (scan.encodings && !scan.chunked)) {
        head->malformed = "Conflicting or malformed Content-Length and Transfer-Encoding";
    } else if (exchange->target.error || !edda_uri_clean(target) || target.data[0] != '/') {
        head->malformed = "Invalid request";
    }
    if (scan.encodings) {
        head->content_length = -1;
    }
}
