/* ops/fetch.c: see fetch.h. */
#include "ops/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "proto/buffer.h"

#define MAX_ANSWER_BYTES   (192u << 20)
#define RETRY_MIN_MS       200
#define RETRY_MAX_MS       10000
#define REQUEST_TIMEOUT_MS 120000L
#define ONCE_TIMEOUT_MS    630000L /* the longest deadline a service may have, and its last words */
#define CONNECT_TIMEOUT_MS 5000L
#define SILENCE_S          60L /* of a streamed answer, which has a comment every 15 s */

struct fetch {
    struct fetch *next; /* in the waiting list */
    edda_fetch_t *owner;
    const char *method; /* static */
    char *url;
    char *idempotency_key; /* or NULL */
    char *content_type;    /* or NULL */
    uint8_t *body;
    size_t body_size;
    int64_t not_before_ms;
    int64_t give_up_ms;
    unsigned tries;
    CURL *easy; /* owned while running */
    struct curl_slist *headers;
    struct edda_buffer answer;
    char error[CURL_ERROR_SIZE];
    bool once;
    bool (*on_bytes)(void *context, struct edda_bytes bytes);
    void (*on_done)(void *context, int status, struct edda_bytes body, const char *error);
    void *context;
};

struct edda_fetch {
    CURLM *multi;
    char *url;
    char *authorization; /* header line or NULL */
    unsigned concurrency;
    int64_t patience_ms;
    void (*on_retry)(void *context, int status, struct edda_bytes body, const char *error);
    void *context;
    struct fetch *waiting; /* in order of coming */
    size_t waiting_count;
    size_t running;
};

edda_fetch_t *edda_fetch_new(const struct edda_fetch_options *options) {
    edda_fetch_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    self->multi = curl_multi_init();
    self->url = strdup(options->url);
    self->concurrency = options->concurrency;
    self->patience_ms = options->patience_ms;
    self->on_retry = options->on_retry;
    self->context = options->context;
    bool named = options->key && options->key[0];
    if (named && asprintf(&self->authorization, "Authorization: Bearer %s", options->key) < 0)
        self->authorization = NULL;
    if (!self->multi || !self->url || (named && !self->authorization)) {
        edda_fetch_destroy(&self);
        return NULL;
    }
    size_t size = strlen(self->url);
    while (size > 0 && self->url[size - 1] == '/')
        self->url[--size] = '\0';
    curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)self->concurrency);
    return self;
}

static void free_transfer(struct fetch *fetch) {
    if (fetch->easy)
        curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    fetch->easy = NULL;
    fetch->headers = NULL;
}

static void free_fetch(struct fetch *fetch) {
    free_transfer(fetch);
    edda_buffer_done(&fetch->answer);
    free(fetch->url);
    free(fetch->idempotency_key);
    free(fetch->content_type);
    free(fetch->body);
    free(fetch);
}

void edda_fetch_destroy(edda_fetch_t **self_p) {
    edda_fetch_t *self = *self_p;
    if (!self)
        return;
    EDDA_ASSERT(self->running == 0);
    while (self->waiting) {
        struct fetch *next = self->waiting->next;
        free_fetch(self->waiting);
        self->waiting = next;
    }
    if (self->multi)
        curl_multi_cleanup(self->multi);
    free(self->url);
    free(self->authorization);
    free(self);
    *self_p = NULL;
}

static void put_in_line(edda_fetch_t *self, struct fetch *fetch) {
    struct fetch **place = &self->waiting;
    while (*place)
        place = &(*place)->next;
    fetch->next = NULL;
    *place = fetch;
    self->waiting_count++;
}

static uint8_t *copy_bytes(struct edda_bytes bytes) {
    uint8_t *copy = malloc(bytes.size + 1);
    if (copy && bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

int edda_fetch_add(edda_fetch_t *self, const struct edda_fetch_request *request) {
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch)
        return EDDA_E_MEMORY;
    edda_buffer_init(&fetch->answer, MAX_ANSWER_BYTES);
    fetch->owner = self;
    fetch->method = request->method;
    fetch->not_before_ms = request->not_before_ms;
    fetch->once = request->once;
    fetch->on_bytes = request->on_bytes;
    fetch->on_done = request->on_done;
    fetch->context = request->context;
    bool good = true;
    if (asprintf(&fetch->url, "%s%s", self->url, request->path) < 0) {
        fetch->url = NULL;
        good = false;
    }
    if (request->idempotency_key)
        good = (fetch->idempotency_key = strdup(request->idempotency_key)) && good;
    if (request->content_type) {
        fetch->content_type = strdup(request->content_type);
        fetch->body = copy_bytes(request->body);
        fetch->body_size = request->body.size;
        good = fetch->content_type && fetch->body && good;
    }
    if (!good) {
        free_fetch(fetch);
        return EDDA_E_MEMORY;
    }
    put_in_line(self, fetch);
    return 0;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *context) {
    struct fetch *fetch = context;
    struct edda_bytes bytes = {(const uint8_t *)data, size * count};
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->on_bytes && status == 200)
        return fetch->on_bytes(fetch->context, bytes) ? bytes.size : 0;
    return edda_buffer_append(&fetch->answer, bytes.data, bytes.size) == 0 ? bytes.size : 0;
}

static void add_header(struct fetch *fetch, const char *line) {
    struct curl_slist *longer = curl_slist_append(fetch->headers, line);
    fetch->headers = longer ? longer : fetch->headers;
}

static void set_body(struct fetch *fetch) {
    curl_easy_setopt(fetch->easy, CURLOPT_CUSTOMREQUEST, fetch->method);
    if (!fetch->body)
        return;
    char line[200];
    snprintf(line, sizeof line, "Content-Type: %s", fetch->content_type);
    add_header(fetch, line);
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, (const char *)fetch->body);
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body_size);
}

static int begin(edda_fetch_t *self, struct fetch *fetch, int64_t now_ms) {
    fetch->easy = curl_easy_init();
    if (!fetch->easy)
        return EDDA_E_MEMORY;
    if (fetch->tries++ == 0)
        fetch->give_up_ms = now_ms + self->patience_ms;
    edda_buffer_reset(&fetch->answer);
    fetch->error[0] = '\0';
    if (self->authorization)
        add_header(fetch, self->authorization);
    add_header(fetch, "Expect:");
    if (fetch->idempotency_key) {
        char line[160];
        snprintf(line, sizeof line, "Idempotency-Key: %s", fetch->idempotency_key);
        add_header(fetch, line);
    }
    curl_easy_setopt(fetch->easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(fetch->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(fetch->easy, CURLOPT_NOSIGNAL, 1L);
    if (fetch->on_bytes) {
        curl_easy_setopt(fetch->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(fetch->easy, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    } else {
        curl_easy_setopt(fetch->easy, CURLOPT_TIMEOUT_MS,
                         fetch->once ? ONCE_TIMEOUT_MS : REQUEST_TIMEOUT_MS);
    }
    curl_easy_setopt(fetch->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(fetch->easy, CURLOPT_ERRORBUFFER, fetch->error);
    curl_easy_setopt(fetch->easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(fetch->easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(fetch->easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(fetch->easy, CURLOPT_TCP_NODELAY, 1L);
    set_body(fetch);
    curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers);
    if (curl_multi_add_handle(self->multi, fetch->easy) != CURLM_OK)
        return EDDA_E_MEMORY;
    self->running++;
    return 0;
}

static void answer(struct fetch *fetch, int status, const char *error) {
    fetch->on_done(fetch->context, status, edda_buffer_bytes(&fetch->answer), error);
    free_fetch(fetch);
}

/* Starts what is due, up to the concurrency. Gives the earliest time something later is due. */
static int64_t start_due(edda_fetch_t *self) {
    int64_t now_ms = edda_clock_ms();
    int64_t next_ms = INT64_MAX;
    struct fetch **place = &self->waiting;
    while (*place && self->running < self->concurrency) {
        struct fetch *fetch = *place;
        if (fetch->not_before_ms > now_ms) {
            next_ms = fetch->not_before_ms < next_ms ? fetch->not_before_ms : next_ms;
            place = &fetch->next;
            continue;
        }
        *place = fetch->next;
        self->waiting_count--;
        if (begin(self, fetch, now_ms) != 0)
            answer(fetch, 0, "out of memory");
    }
    return next_ms;
}

static bool may_help(const struct fetch *fetch, CURLcode code, long status) {
    if (fetch->once)
        return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    if (code != CURLE_OK)
        return code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL &&
               code != CURLE_WRITE_ERROR && code != CURLE_OUT_OF_MEMORY;
    return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

static void finish(edda_fetch_t *self, struct fetch *fetch, CURLcode code) {
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_multi_remove_handle(self->multi, fetch->easy);
    self->running--;
    free_transfer(fetch);
    int64_t now_ms = edda_clock_ms();
    int64_t wait_ms = RETRY_MIN_MS;
    for (unsigned i = 1; i < fetch->tries && wait_ms < RETRY_MAX_MS; i++)
        wait_ms *= 2;
    wait_ms = wait_ms > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms;
    wait_ms = wait_ms / 2 + (int64_t)(edda_random32() % (uint32_t)(wait_ms / 2 + 1));
    if (retry_after_s > 0 && retry_after_s < 3600)
        wait_ms = (int64_t)retry_after_s * 1000;
    int answered = code == CURLE_OK ? (int)status : 0;
    const char *error = answered ? "" : fetch->error[0] ? fetch->error : curl_easy_strerror(code);
    if (may_help(fetch, code, status) && now_ms + wait_ms < fetch->give_up_ms) {
        if (self->on_retry)
            self->on_retry(self->context, answered, edda_buffer_bytes(&fetch->answer), error);
        fetch->not_before_ms = now_ms + wait_ms;
        put_in_line(self, fetch);
        return;
    }
    answer(fetch, answered, error);
}

static void take_finished(edda_fetch_t *self) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(self->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct fetch *fetch = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        finish(self, fetch, code);
    }
}

int edda_fetch_run(edda_fetch_t *self, bool (*refill)(void *context), void *context) {
    bool more = refill != NULL;
    for (;;) {
        while (more && self->running + self->waiting_count < self->concurrency)
            more = refill(context);
        int64_t next_ms = start_due(self);
        if (self->running == 0 && !self->waiting && !more)
            return 0;
        int running = 0;
        if (curl_multi_perform(self->multi, &running) != CURLM_OK)
            return EDDA_E_MEMORY;
        take_finished(self);
        int64_t wait_ms = next_ms == INT64_MAX ? 1000 : next_ms - edda_clock_ms();
        wait_ms = wait_ms < 0 ? 0 : wait_ms > 1000 ? 1000 : wait_ms;
        bool room = self->waiting && self->running < self->concurrency;
        if (running > 0 && !room)
            curl_multi_poll(self->multi, NULL, 0, (int)wait_ms, NULL);
        else if (self->waiting && wait_ms > 0 && next_ms != INT64_MAX)
            curl_multi_poll(self->multi, NULL, 0, (int)wait_ms, NULL);
    }
}

char *edda_fetch_escape(const char *segment) {
    char *escaped = curl_easy_escape(NULL, segment, 0);
    char *copy = escaped ? strdup(escaped) : NULL;
    curl_free(escaped);
    return copy;
}
