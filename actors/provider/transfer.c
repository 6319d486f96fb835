/* actors/provider/transfer.c: one request as a curl handle, and what came back. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "actors/provider/outbound_state.h"

static void note_heard(struct edda_transfer *transfer) {
    transfer->heard_ms = edda_loop_now(transfer->outbound->options.loop);
}

/* The value behind "Name:", trimmed, when the line is that header. */
static bool copy_header(struct edda_text line, const char *name, char *out, size_t room) {
    size_t length = strlen(name);
    if (line.size <= length || line.data[length] != ':' ||
        strncasecmp(line.data, name, length) != 0) {
        return false;
    }
    const char *from = line.data + length + 1;
    const char *end = line.data + line.size;
    while (from < end && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (end > from && ((unsigned char)end[-1] <= ' ')) {
        end--;
    }
    size_t size = (size_t)(end - from) < room - 1 ? (size_t)(end - from) : room - 1;
    memcpy(out, from, size);
    out[size] = '\0';
    return true;
}

static void begin_head(struct edda_transfer *transfer) {
    if (!transfer->began) {
        note_heard(transfer);
        transfer->began_ms = transfer->heard_ms;
        transfer->began = true;
        edda_transfer_arm(transfer);
    }
    transfer->retry_after[0] = '\0';
    transfer->content_type[0] = '\0';
}

/* 100 to 199, of which any number may come: no sign that an answer will. */
static bool is_interim(struct edda_text line) {
    const char *blank = memchr(line.data, ' ', line.size);
    return blank && blank + 1 < line.data + line.size && blank[1] == '1';
}

static size_t take_header(char *data, size_t one, size_t size, void *context) {
    struct edda_transfer *transfer = context;
    struct edda_text line = {data, size};
    (void)one;
    transfer->head_bytes += size;
    if (transfer->head_bytes > EDDA_OUTBOUND_HEAD) {
        transfer->error = EDDA_E_LIMIT;
        return 0;
    }
    if (transfer->has_body) {
        return size;
    }
    if (line.size >= 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        if (!is_interim(line)) {
            begin_head(transfer);
        }
    } else if (!copy_header(line, "Retry-After", transfer->retry_after,
                            sizeof transfer->retry_after)) {
        (void)copy_header(line, "Content-Type", transfer->content_type,
                          sizeof transfer->content_type);
    }
    return size;
}

static int get_status(const struct edda_transfer *transfer) {
    long status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static void begin_body(struct edda_transfer *transfer) {
    int status = get_status(transfer);
    bool good = status >= 200 && status < 300;
    transfer->has_body = true;
    transfer->is_refusal = !good;
    transfer->streams = good && transfer->request.on_data;
    transfer->arrived.maximum =
        transfer->is_refusal ? EDDA_OUTBOUND_WORDS : transfer->request.response_maximum;
}

/* The words of a refusal; its rest, however long, is not read. */
static size_t keep_words(struct edda_transfer *transfer, const char *data, size_t size) {
    size_t room = EDDA_OUTBOUND_WORDS - transfer->arrived.size;
    transfer->enough = size > room;
    transfer->error = edda_buffer_append(&transfer->arrived, data, size < room ? size : room);
    return transfer->enough || transfer->error ? 0 : size;
}

static size_t take_data(char *data, size_t one, size_t size, void *context) {
    struct edda_transfer *transfer = context;
    (void)one;
    if (!transfer->has_body) {
        begin_body(transfer);
    }
    if (transfer->is_refusal) {
        note_heard(transfer);
        return keep_words(transfer, data, size);
    }
    if (transfer->paused || (transfer->streams && transfer->arrived.size >= EDDA_OUTBOUND_PIECE)) {
        transfer->held = true;
        return CURL_WRITEFUNC_PAUSE; /* the same bytes come again */
    }
    note_heard(transfer);
    transfer->received += size;
    if (transfer->received > transfer->request.response_maximum) {
        transfer->error = EDDA_E_LIMIT;
        return 0;
    }
    transfer->error = edda_buffer_append(&transfer->arrived, data, size);
    if (transfer->streams) {
        edda_transfer_make_noise(transfer);
    }
    return transfer->error ? 0 : size;
}

/* The connection stands: from here the provider's time is counted, not the network's. */
static int note_connected(void *context, char *address, char *own_address, int port, int own_port) {
    struct edda_transfer *transfer = context;
    (void)address;
    (void)own_address;
    (void)port;
    (void)own_port;
    transfer->connected_ms = edda_loop_now(transfer->outbound->options.loop);
    edda_transfer_arm(transfer);
    return CURL_PREREQFUNC_OK;
}

static bool names_header(const char *const *headers, const char *name) {
    size_t length = strlen(name);
    for (; headers && *headers; headers++) {
        if (strncasecmp(*headers, name, length) == 0 && (*headers)[length] == ':') {
            return true;
        }
    }
    return false;
}

static bool add_header(struct edda_transfer *transfer, const char *header) {
    struct curl_slist *more = curl_slist_append(transfer->headers, header);
    transfer->headers = more ? more : transfer->headers;
    return more != NULL;
}

/* The caller's, and none that curl would add to them. */
static int add_headers(struct edda_transfer *transfer, const char *const *headers) {
    bool good = add_header(transfer, "Expect:");
    if (!names_header(headers, "Content-Type")) {
        good = good && add_header(transfer, "Content-Type:");
    }
    for (; good && headers && *headers; headers++) {
        good = add_header(transfer, *headers);
    }
    return good ? 0 : EDDA_E_MEMORY;
}

static CURLcode set_request(struct edda_transfer *transfer) {
    const struct edda_outbound_request *request = &transfer->request;
    CURL *easy = transfer->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
    if (strcmp(request->method, "GET") != 0) {
        code = code ? code
                    : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                       (curl_off_t)request->body.size);
        code = code ? code
                    : curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                       request->body.data ? (const char *)request->body.data : "");
        code = code ? code : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_USERAGENT, "edda/" EDDA_VERSION);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_data);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, note_connected);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    return code ? code : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
}

/* A file of authorities curl reads once for all connections; a folder of them with each. */
static CURLcode set_authorities(CURL *easy, const char *ca_file) {
    const char *file = ca_file ? ca_file : curl_version_info(CURLVERSION_NOW)->cainfo;
    CURLcode code = file ? curl_easy_setopt(easy, CURLOPT_CAINFO, file) : CURLE_OK;
    return code || !file ? code : curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static CURLcode set_connection(struct edda_transfer *transfer) {
    const struct edda_outbound *outbound = transfer->outbound;
    /* To wait for a connection and share it: with TLS it is known before anything is sent whether
     * it can be shared, without only by the first response, however long that takes. */
    long wait = strncasecmp(transfer->request.url, "https:", 6) == 0;
    long connect_ms = (long)outbound->options.connect_ms;
    CURL *easy = transfer->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Else the end of a transfer would wait for the thread that looks its name up. */
    code = code ? code : curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    code = code ? code : curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PIPEWAIT, wait);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    code = code ? code : set_authorities(easy, outbound->ca_file);
    if (!code && outbound->proxy) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, outbound->proxy);
    }
    return code;
}

static bool is_clean(const char *text, unsigned char least) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < least && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_url(const char *url) {
    const char *host = strncasecmp(url, "https://", 8) == 0  ? url + 8
                       : strncasecmp(url, "http://", 7) == 0 ? url + 7
                                                             : "";
    if (*host == '\0' || *host == '/' || !is_clean(url, 0x21) || strchr(url, '\t')) {
        return false;
    }
    CURLU *parts = curl_url();
    bool sound = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    curl_url_cleanup(parts);
    return sound;
}

int edda_outbound_check(const char *url, const char *const *headers) {
    size_t count = 0;
    for (; headers && headers[count]; count++) {
        if (count == EDDA_OUTBOUND_HEADERS || !strchr(headers[count], ':') ||
            !is_clean(headers[count], 0x20)) {
            return EDDA_E_INVALID;
        }
    }
    return is_url(url) ? 0 : EDDA_E_INVALID;
}

int edda_transfer_new(struct edda_outbound *outbound, const struct edda_outbound_request *request,
                      struct edda_transfer **ret_transfer) {
    int error = edda_outbound_check(request->url, request->headers);
    if (error) {
        return error;
    }
    struct edda_transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) {
        return EDDA_E_MEMORY;
    }
    transfer->outbound = outbound;
    transfer->request = *request;
    edda_buffer_init(&transfer->arrived, 0);
    transfer->easy = curl_easy_init();
    error = transfer->easy ? add_headers(transfer, request->headers) : EDDA_E_MEMORY;
    if (!error && (set_request(transfer) || set_connection(transfer))) {
        error = EDDA_E_MEMORY;
    }
    if (error) {
        edda_transfer_free(transfer);
        return error;
    }
    /* The caller's, gone after send: curl has its own copies. */
    transfer->request.url = NULL;
    transfer->request.headers = NULL;
    transfer->request.method = NULL;
    *ret_transfer = transfer;
    return 0;
}

void edda_transfer_free(struct edda_transfer *transfer) {
    curl_easy_cleanup(transfer->easy);
    for (struct curl_slist *one = transfer->headers; one; one = one->next) {
        explicit_bzero(one->data, strlen(one->data));
    }
    curl_slist_free_all(transfer->headers);
    edda_buffer_done(&transfer->arrived);
    free(transfer);
}

static int judge_code(const struct edda_transfer *transfer) {
    if (transfer->error) {
        return transfer->error;
    }
    switch (transfer->code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY: /* what curl says of a header line over its own limit, too */
        return transfer->connected_ms > 0 ? EDDA_E_LIMIT : EDDA_E_MEMORY;
    case CURLE_OPERATION_TIMEDOUT: /* connecting; the other clocks are ours */
        return EDDA_E_TIMEOUT;
    case CURLE_WRITE_ERROR:
        return transfer->enough ? 0 : EDDA_E_UNAVAILABLE;
    default:
        return EDDA_E_UNAVAILABLE;
    }
}

static bool took_too_long(const struct edda_transfer *transfer) {
    int64_t idle_ms = transfer->outbound->options.idle_ms;
    return transfer->began &&
           transfer->heard_ms + idle_ms > edda_loop_now(transfer->outbound->options.loop);
}

static const char *choose_reason(const struct edda_transfer *transfer, int error) {
    switch (error) {
    case EDDA_E_LIMIT:
        return "the response is longer than allowed";
    case EDDA_E_EXPIRED:
        return "no answer by the deadline";
    case EDDA_E_TIMEOUT:
        return took_too_long(transfer)      ? "its answer did not come to an end"
               : transfer->began            ? "it fell silent in its answer"
               : transfer->connected_ms > 0 ? "no answer in time"
                                            : "no connection in time";
    default:
        return transfer->reason[0] ? transfer->reason : curl_easy_strerror(transfer->code);
    }
}

void edda_transfer_tell(struct edda_transfer *transfer) {
    struct edda_outbound_result result = {
        .error = judge_code(transfer),
        .status = get_status(transfer),
        .began = transfer->began,
        .body = edda_buffer_bytes(&transfer->arrived),
    };
    if (transfer->retry_after[0]) {
        result.retry_after = edda_text_of(transfer->retry_after);
    }
    if (transfer->content_type[0]) {
        result.content_type = edda_text_of(transfer->content_type);
    }
    if (result.error) {
        (void)snprintf(result.reason, sizeof result.reason, "%s",
                       choose_reason(transfer, result.error));
    }
    transfer->told = true;
    transfer->request.on_done(transfer->request.context, &result);
}
