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

static size_t take_header(char *data, size_t one, size_t size, void *context) {
    struct edda_transfer *transfer = context;
    struct edda_text line = {data, size};
    (void)one;
    note_heard(transfer);
    transfer->began = true;
    if (line.size >= 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        /* Another head, after an interim one. */
        transfer->retry_after[0] = '\0';
        transfer->content_type[0] = '\0';
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

static bool is_success(const struct edda_transfer *transfer) {
    int status = get_status(transfer);
    return status >= 200 && status < 300;
}

/* The words of a refusal; its rest, however long, is not read. */
static size_t keep_words(struct edda_transfer *transfer, const char *data, size_t size) {
    size_t room = EDDA_OUTBOUND_WORDS - transfer->body.size;
    transfer->enough = size > room;
    (void)edda_buffer_append(&transfer->body, data, size < room ? size : room);
    return transfer->enough ? 0 : size;
}

static size_t take_data(char *data, size_t one, size_t size, void *context) {
    struct edda_transfer *transfer = context;
    (void)one;
    note_heard(transfer);
    if (transfer->cancelled) {
        return 0;
    }
    if (!is_success(transfer)) {
        return keep_words(transfer, data, size);
    }
    transfer->received += size;
    if (transfer->received > transfer->request.response_maximum) {
        transfer->error = EDDA_E_LIMIT;
        return 0;
    }
    if (transfer->request.on_data) {
        transfer->in_data = true;
        transfer->request.on_data(transfer->request.context,
                                  (struct edda_bytes){(const uint8_t *)data, size});
        transfer->in_data = false;
        return transfer->cancelled ? 0 : size;
    }
    transfer->error = edda_buffer_append(&transfer->body, data, size);
    return transfer->error ? 0 : size;
}

/* The connection stands: from here the provider's time is counted, not the network's. */
static int note_sent(void *context, char *address, char *own_address, int port, int own_port) {
    struct edda_transfer *transfer = context;
    (void)address;
    (void)own_address;
    (void)port;
    (void)own_port;
    transfer->sent_ms = edda_loop_now(transfer->outbound->options.loop);
    return CURL_PREREQFUNC_OK;
}

static int add_headers(struct edda_transfer *transfer, const char *const *headers) {
    size_t count = 0;
    struct curl_slist *more = curl_slist_append(NULL, "Expect:");
    transfer->headers = more;
    for (; more && headers && headers[count]; count++) {
        if (count == EDDA_OUTBOUND_HEADERS) {
            return EDDA_E_INVALID;
        }
        more = curl_slist_append(transfer->headers, headers[count]);
        transfer->headers = more ? more : transfer->headers;
    }
    return more ? 0 : EDDA_E_MEMORY;
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
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, note_sent);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    return code ? code : curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
}

static CURLcode set_connection(struct edda_transfer *transfer) {
    const struct edda_outbound *outbound = transfer->outbound;
    CURL *easy = transfer->easy;
    int64_t left_ms = transfer->request.deadline_ms - edda_loop_now(outbound->options.loop);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    code = code ? code : curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                                   (long)outbound->options.connect_ms);
    code =
        code ? code : curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms > 1 ? (long)left_ms : 1L);
    if (!code && outbound->ca_file) {
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, outbound->ca_file);
    }
    if (!code && outbound->proxy) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, outbound->proxy);
    }
    return code;
}

static bool is_url(const char *url) {
    const char *host = strncasecmp(url, "https://", 8) == 0  ? url + 8
                       : strncasecmp(url, "http://", 7) == 0 ? url + 7
                                                             : "";
    return *host != '\0' && *host != '/' && url[strcspn(url, " \t\r\n")] == '\0';
}

int edda_transfer_new(struct edda_outbound *outbound, const struct edda_outbound_request *request,
                      struct edda_transfer **ret_transfer) {
    if (!is_url(request->url)) {
        return EDDA_E_INVALID;
    }
    struct edda_transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer) {
        return EDDA_E_MEMORY;
    }
    transfer->outbound = outbound;
    transfer->request = *request;
    edda_buffer_init(&transfer->body, request->response_maximum > EDDA_OUTBOUND_WORDS
                                          ? request->response_maximum
                                          : EDDA_OUTBOUND_WORDS);
    transfer->easy = curl_easy_init();
    int error = transfer->easy ? add_headers(transfer, request->headers) : EDDA_E_MEMORY;
    if (!error && (set_request(transfer) || set_connection(transfer))) {
        error = EDDA_E_INVALID;
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
    edda_buffer_done(&transfer->body);
    free(transfer);
}

static int judge_code(const struct edda_transfer *transfer, CURLcode code) {
    if (transfer->error) {
        return transfer->error;
    }
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return EDDA_E_MEMORY;
    case CURLE_OPERATION_TIMEDOUT:
        return edda_loop_now(transfer->outbound->options.loop) >= transfer->request.deadline_ms
                   ? EDDA_E_EXPIRED
                   : EDDA_E_TIMEOUT;
    case CURLE_WRITE_ERROR:
        return transfer->enough ? 0 : EDDA_E_UNAVAILABLE;
    default:
        return EDDA_E_UNAVAILABLE;
    }
}

static const char *choose_reason(const struct edda_transfer *transfer, int error, CURLcode code) {
    switch (error) {
    case EDDA_E_LIMIT:
        return "the response is longer than allowed";
    case EDDA_E_EXPIRED:
        return "no answer by the deadline";
    case EDDA_E_TIMEOUT:
        return transfer->sent_ms == 0 ? "no connection in time"
               : transfer->began      ? "it fell silent in its answer"
                                      : "no answer in time";
    default:
        return transfer->reason[0] ? transfer->reason : curl_easy_strerror(code);
    }
}

void edda_transfer_finish(struct edda_transfer *transfer, CURLcode code) {
    if (transfer->cancelled) {
        return;
    }
    struct edda_outbound_result result = {
        .error = judge_code(transfer, code),
        .status = get_status(transfer),
        .began = transfer->began,
        .body = edda_buffer_bytes(&transfer->body),
    };
    if (transfer->retry_after[0]) {
        result.retry_after = edda_text_of(transfer->retry_after);
    }
    if (transfer->content_type[0]) {
        result.content_type = edda_text_of(transfer->content_type);
    }
    if (result.error) {
        (void)snprintf(result.reason, sizeof result.reason, "%s",
                       choose_reason(transfer, result.error, code));
    }
    transfer->cancelled = true; /* this was its last word */
    transfer->request.on_done(transfer->request.context, &result);
}
