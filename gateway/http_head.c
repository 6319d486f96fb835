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
    unsigned singles; /* bit per header that must not come twice */
    bool bad_value;
    bool bad_name;
    const char *line_end; /* of the header before: where its value ended */
    const char *body;     /* where the headers end, in libmicrohttpd's buffer */
    bool repeated;
};

static bool named(const char *key, size_t size, const char *name, size_t name_size) {
    return size == name_size && strncasecmp(key, name, size) == 0;
}
#define NAMED(literal) named(key, key_size, literal, sizeof(literal) - 1)

/* RFC 9110 section 5.6.2: a space before the colon, or a line that libmicrohttpd joined wrongly, is
 * a name that others read as another header. */
static bool is_token(const char *name, size_t size) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < size; i++) {
        char byte = name[i];
        bool plain = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z');
        if (!plain && (byte == '\0' || !strchr(others, byte))) {
            return false;
        }
    }
    return size > 0;
}

/* Tab, space and what is visible, RFC 9110 section 5.5. */
static bool is_clean(struct edda_text value) {
    for (size_t i = 0; i < value.size; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

#if MHD_VERSION < 0x00097600
/* What libmicrohttpd 0.9.75 does not tell, but its buffer does, in which names and values lie as
 * they came, with zeros for colons and ends of lines. It joins a folded line to the *name* before
 * it
 * ("Content-Length: 1", " 3" becomes Content-Length3), takes a line that begins with a colon for
 * the end of the headers, and ends a value at a zero that was sent. So: between a name and its
 * value there is nothing but space, and between a value and the next name, or the body, nothing but
 * what ends lines. Later versions refuse all this themselves. */
#define LONGEST_SPACE ((size_t)256)

static bool ends_line(char byte) {
    return byte == '\0' || byte == '\r' || byte == '\n';
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t';
}

static bool follows_name(const char *name_end, const char *value) {
    if (value <= name_end || (size_t)(value - name_end) > LONGEST_SPACE || *name_end != '\0') {
        return false;
    }
    for (const char *at = name_end + 1; at < value; at++) {
        if (!is_space(*at)) {
            return false;
        }
    }
    return true;
}

/* CRLF after spaces, and then exactly the next name. */
static bool ends_before(const char *value_end, const char *name) {
    if (name < value_end || (size_t)(name - value_end) > LONGEST_SPACE) {
        return false;
    }
    while (value_end < name && is_space(*value_end)) {
        value_end++;
    }
    return name - value_end == 2 && ends_line(value_end[0]) && ends_line(value_end[1]);
}

/* CRLF and an empty line, and then exactly the body: one byte less, LF for CRLF, and the next would
 * be the body's, or not yet there. */
static bool ends_headers(const char *value_end, const char *body) {
    while (value_end < body && is_space(*value_end)) {
        value_end++;
    }
    if (body - value_end != 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        if (!ends_line(value_end[i])) {
            return false;
        }
    }
    return true;
}

static void check_line(struct header_scan *scan, const char *key, size_t key_size,
                       struct edda_text value) {
    bool good = follows_name(key + key_size, value.data) &&
                (!scan->line_end || ends_before(scan->line_end, key));
    scan->bad_name = scan->bad_name || !good;
    scan->line_end = value.data + value.size;
}

static void check_end(struct header_scan *scan) {
    scan->bad_name =
        scan->bad_name || (scan->line_end && !ends_headers(scan->line_end, scan->body));
}

/* Its count begins at the method. */
static const char *find_body(const struct edda_exchange *exchange, const char *method) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    EDDA_ASSERT(info);
    return method + info->header_size;
}
#else
static void check_line(struct header_scan *scan, const char *key, size_t key_size,
                       struct edda_text value) {
    (void)scan, (void)key, (void)key_size, (void)value;
}

static void check_end(struct header_scan *scan) {
    (void)scan;
}

static const char *find_body(const struct edda_exchange *exchange, const char *method) {
    (void)exchange, (void)method;
    return NULL;
}
#endif

enum single { SINGLE_HOST = 1, SINGLE_TYPE = 2, SINGLE_KEY = 4, SINGLE_IDEMPOTENCY = 8 };

/* One proxy believes the first, another the last. */
static void take_single(struct header_scan *scan, enum single which, struct edda_text value,
                        struct edda_text *ret_value) {
    scan->repeated = scan->repeated || (scan->singles & which);
    scan->singles |= which;
    *ret_value = value;
}

static void read_length(struct header_scan *scan, struct edda_text value) {
    int64_t length = 0;
    scan->lengths++;
    scan->bad_value = scan->bad_value || value.size == 0;
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
    scan->bad_name = scan->bad_name || !is_token(key, key_size) || !is_clean(value);
    check_line(scan, key, key_size, value);
    switch (key_size) {
    case 4:
        if (NAMED("host")) {
            take_single(scan, SINGLE_HOST, value, &head->host);
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
            take_single(scan, SINGLE_TYPE, value, &head->content_type);
        } else if (NAMED("x-request-id")) {
            head->request_id = value;
        }
        break;
    case 13:
        if (NAMED("authorization")) {
            take_single(scan, SINGLE_KEY, value, &head->authorization);
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
            take_single(scan, SINGLE_IDEMPOTENCY, value, &head->idempotency_key);
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
    struct header_scan scan = {.head = head, .body = find_body(exchange, method)};
    struct edda_text target = {(const char *)exchange->target.data, exchange->target.size};

    head->method = read_method(method);
    edda_uri_split(target, &head->path, &head->query);
    (void)MHD_get_connection_values_n(exchange->connection->mhd, MHD_HEADER_KIND, scan_header,
                                      &scan);
    check_end(&scan);
    if (scan.lengths > 1 || scan.encodings > 1 || (scan.lengths && scan.encodings) ||
        scan.bad_value || (scan.encodings && !scan.chunked)) {
        head->malformed = "Conflicting or malformed Content-Length and Transfer-Encoding";
    } else if (scan.bad_name || scan.repeated || exchange->target.error ||
               !edda_uri_clean(target) || target.data[0] != '/') {
        head->malformed = "Invalid request";
    }
    if (scan.encodings) {
        head->content_length = -1;
    }
}
