/* ops/eval/remote.c: see remote.h. */
#include "ops/eval/remote.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/text/text.h"
#include "ops/answer.h"
#include "ops/fetch.h"
#include "ops/progress.h"
#include "proto/limits.h"
#include "proto/uuid.h"

#define CONCURRENCY 8
#define PATIENCE_MS 120000
#define POLL_MS     100
#define PAGE_SIZE   100 /* memos a list */
#define PAGE        EDDA_MAX_SEARCH_LIMIT
#define DOCUMENTS   100 /* that R@100 looks at */

_Static_assert(EDDA_MAX_CANDIDATES <= EDDA_RANKING_CHUNKS, "all pages of a search fit");

struct memo {
    struct edda_uuid uuid;
    size_t document;
};

struct edda_remote {
    edda_fetch_t *fetch;
    const struct edda_collection *collection;
    json_t *numbers; /* document's number by its id */
    bool *there;     /* by document */
    struct memo *memos;
    size_t memo_count;
    size_t strangers;
    size_t next;
    size_t settled;
    struct edda_progress progress;
    int error;
    char *message; /* of the call under way */
    size_t pages;  /* of the list of memos */
    /* What a search has found so far. */
    struct edda_scored_chunk found[EDDA_RANKING_CHUNKS];
    size_t found_count;
};

/* A request about one document. */
struct errand {
    edda_remote_t *self;
    size_t document;
};

edda_remote_t *edda_remote_new(const char *url, const char *key) {
    edda_remote_t *self = calloc(1, sizeof *self);
    struct edda_fetch_options options = {
        .url = url, .key = key, .concurrency = CONCURRENCY, .patience_ms = PATIENCE_MS};
    if (self) {
        self->fetch = edda_fetch_new(&options);
        self->numbers = json_object();
    }
    if (self && (!self->fetch || !self->numbers))
        edda_remote_destroy(&self);
    return self;
}

void edda_remote_destroy(edda_remote_t **self_p) {
    edda_remote_t *self = *self_p;
    if (!self)
        return;
    edda_fetch_destroy(&self->fetch);
    json_decref(self->numbers);
    free(self->there);
    free(self->memos);
    free(self);
    *self_p = NULL;
}

static void fail(edda_remote_t *self, int error, const char *words) {
    if (!self->error) {
        self->error = error;
        snprintf(self->message, EDDA_RUN_MESSAGE, "%s", words);
    }
}

static void fail_answer(edda_remote_t *self, int status, struct edda_bytes body, const char *why) {
    char words[EDDA_RUN_MESSAGE];
    edda_answer_problem(status, body, why, words, sizeof words);
    fail(self, EDDA_E_FAILED, words);
}

/* The body of an answer of 200 or 201 as JSON; NULL: it was another, and that is said. */
static json_t *take_json(edda_remote_t *self, int status, struct edda_bytes body,
                         const char *error) {
    json_t *json = NULL;
    if (status == 200 || status == 201)
        json = json_loadb((const char *)body.data, body.size, 0, NULL);
    else
        fail_answer(self, status, body, error);
    if (!json)
        fail(self, EDDA_E_MALFORMED, "the service answered with something that is no JSON");
    return json;
}

static int add_memo(edda_remote_t *self, const char *uuid, size_t document) {
    struct memo *memos = self->memos;
    if ((self->memo_count & (self->memo_count - 1)) == 0)
        memos = realloc(memos, (self->memo_count ? self->memo_count * 2 : 1) * sizeof *memos);
    if (!memos)
        return EDDA_E_MEMORY;
    self->memos = memos;
    memos[self->memo_count].document = document;
    return edda_uuid_parse(edda_text_of(uuid ? uuid : ""), &memos[self->memo_count++].uuid);
}

/* ---- what is there ---- */

static void on_page(void *context, int status, struct edda_bytes body, const char *error) {
    edda_remote_t *self = context;
    json_t *json = take_json(self, status, body, error);
    size_t at;
    json_t *row;
    self->pages = (size_t)json_integer_value(json_object_get(json, "total_pages"));
    json_array_foreach(json_object_get(json, "results"), at, row) {
        const char *reference = json_string_value(json_object_get(row, "client_reference_id"));
        const json_t *number = reference ? json_object_get(self->numbers, reference) : NULL;
        size_t document = number ? (size_t)json_integer_value(number) : EDDA_NO_DOCUMENT;
        self->strangers += !number;
        if (number)
            self->there[document] = true;
        if (add_memo(self, json_string_value(json_object_get(row, "uuid")), document) != 0)
            fail(self, EDDA_E_MALFORMED, "the service's list of memos cannot be understood");
    }
    json_decref(json);
}

static void ask(edda_remote_t *self, const struct edda_fetch_request *request) {
    if (edda_fetch_add(self->fetch, request) != 0)
        fail(self, EDDA_E_MEMORY, "out of memory");
}

static int look(edda_remote_t *self) {
    for (size_t page = 1; !self->error && (page == 1 || page <= self->pages); page++) {
        char path[96];
        snprintf(path, sizeof path, "/api/v1/memo?page=%zu&page_size=%d", page, PAGE_SIZE);
        ask(self, &(struct edda_fetch_request){
                      .method = "GET", .path = path, .on_done = on_page, .context = self});
        if (edda_fetch_run(self->fetch, NULL, NULL) != 0)
            fail(self, EDDA_E_MEMORY, "out of memory");
    }
    return self->error;
}

/* ---- sending the rest ---- */

static void on_created(void *context, int status, struct edda_bytes body, const char *error) {
    struct errand *errand = context;
    edda_remote_t *self = errand->self;
    json_t *json = take_json(self, status, body, error);
    if (json && add_memo(self, json_string_value(json_object_get(json, "memo_uuid")),
                         errand->document) != 0)
        fail(self, EDDA_E_MALFORMED, "the service named no memo");
    json_decref(json);
    edda_progress_show(&self->progress, "sending", ++self->settled, 0);
    free(errand);
}

/* The body of a POST; free it. */
static char *write_memo(const struct edda_judged_document *document) {
    const char *title = document->title[0] ? document->title : document->id;
    const char *text = document->text[0] ? document->text : document->title;
    struct edda_text cut = edda_text_prefix(edda_text_of(title), EDDA_MAX_TITLE);
    json_t *json = json_pack("{s:s%,s:s,s:s}", "title", cut.data, cut.size, "content", text,
                             "reference_id", document->id);
    char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return body;
}

static bool send_next(void *context) {
    edda_remote_t *self = context;
    while (self->next < self->collection->document_count && self->there[self->next])
        self->next++;
    if (self->error || self->next == self->collection->document_count)
        return false;
    struct errand *errand = malloc(sizeof *errand);
    char *body = write_memo(&self->collection->documents[self->next]);
    if (!errand || !body) {
        fail(self, EDDA_E_MEMORY, "out of memory");
        free(errand);
        free(body);
        return false;
    }
    /* A key of the attempt: a retry makes no second memo, a later run after a deletion may. */
    char key[64];
    struct edda_uuid uuid = edda_uuid_new();
    key[0] = '"';
    edda_uuid_format(&uuid, key + 1);
    key[EDDA_UUID_TEXT] = '"';
    key[EDDA_UUID_TEXT + 1] = '\0';
    *errand = (struct errand){self, self->next++};
    struct edda_fetch_request request = {
        .method = "POST",
        .path = "/api/v1/memo",
        .idempotency_key = key,
        .content_type = "application/json",
        .body = {(const uint8_t *)body, strlen(body)},
        .on_done = on_created,
        .context = errand,
    };
    if (edda_fetch_add(self->fetch, &request) != 0) {
        fail(self, EDDA_E_MEMORY, "out of memory");
        free(errand);
    }
    free(body);
    return true;
}

/* ---- waiting ---- */

static void poll(edda_remote_t *self, size_t memo, int64_t wait_ms);

static void on_status(void *context, int status, struct edda_bytes body, const char *error) {
    struct errand *errand = context;
    edda_remote_t *self = errand->self;
    char state[32] = "";
    size_t memo = errand->document;
    free(errand);
    if (status != 200 || !edda_answer_text(body, "status", state, sizeof state))
        fail_answer(self, status, body, error);
    else if (strcmp(state, "processed") == 0)
        edda_progress_show(&self->progress, "processing", ++self->settled, 0);
    else if (strcmp(state, "error") == 0)
        fail(self, EDDA_E_FAILED, "a document could not be processed");
    else if (!self->error)
        poll(self, memo, POLL_MS);
}

static void poll(edda_remote_t *self, size_t memo, int64_t wait_ms) {
    struct errand *errand = malloc(sizeof *errand);
    char path[96] = "/api/v1/memo/";
    size_t size = strlen(path);
    if (!errand) {
        fail(self, EDDA_E_MEMORY, "out of memory");
        return;
    }
    *errand = (struct errand){self, memo};
    edda_uuid_format(&self->memos[memo].uuid, path + size);
    snprintf(path + strlen(path), sizeof path - strlen(path), "/status");
    struct edda_fetch_request request = {.method = "GET",
                                         .path = path,
                                         .not_before_ms = edda_clock_ms() + wait_ms,
                                         .on_done = on_status,
                                         .context = errand};
    if (edda_fetch_add(self->fetch, &request) != 0) {
        fail(self, EDDA_E_MEMORY, "out of memory");
        free(errand);
    }
}

static bool poll_next(void *context) {
    edda_remote_t *self = context;
    while (self->next < self->memo_count && self->memos[self->next].document == EDDA_NO_DOCUMENT)
        self->next++;
    if (self->error || self->next == self->memo_count)
        return false;
    poll(self, self->next++, 0);
    return true;
}

static int compare_memos(const void *left, const void *right) {
    return memcmp(((const struct memo *)left)->uuid.bytes, ((const struct memo *)right)->uuid.bytes,
                  sizeof(struct edda_uuid));
}

static int run(edda_remote_t *self, bool (*refill)(void *)) {
    self->next = 0;
    self->settled = 0;
    if (edda_fetch_run(self->fetch, refill, self) != 0)
        fail(self, EDDA_E_MEMORY, "out of memory");
    edda_progress_clear(&self->progress);
    return self->error;
}

int edda_remote_ingest(edda_remote_t *self, const struct edda_collection *collection,
                       size_t *ret_strangers, char message[EDDA_RUN_MESSAGE]) {
    self->message = message;
    self->collection = collection;
    self->there = calloc(collection->document_count, sizeof *self->there);
    if (!self->there)
        fail(self, EDDA_E_MEMORY, "out of memory");
    for (size_t i = 0; i < collection->document_count; i++)
        json_object_set_new(self->numbers, collection->documents[i].id,
                            json_integer((json_int_t)i));
    edda_progress_init(&self->progress, collection->document_count);
    if (self->error || look(self) || run(self, send_next) || run(self, poll_next))
        return self->error;
    if (self->memo_count > 1)
        qsort(self->memos, self->memo_count, sizeof *self->memos, compare_memos);
    *ret_strangers = self->strangers;
    return 0;
}

/* ---- searching ---- */

static size_t find_document(const edda_remote_t *self, const char *uuid) {
    struct memo wanted;
    if (!uuid || self->memo_count == 0 || edda_uuid_parse(edda_text_of(uuid), &wanted.uuid) != 0)
        return EDDA_NO_DOCUMENT;
    const struct memo *found =
        bsearch(&wanted, self->memos, self->memo_count, sizeof wanted, compare_memos);
    return found ? found->document : EDDA_NO_DOCUMENT;
}

/* A page of results, behind those that came before. */
static void on_found(void *context, int status, struct edda_bytes body, const char *error) {
    edda_remote_t *self = context;
    json_t *json = take_json(self, status, body, error);
    size_t at;
    json_t *result;
    if (json_array_size(json_object_get(json, "degraded")) > 0)
        fail(self, EDDA_E_FAILED, "a search was degraded: a stage of the service is missing");
    json_array_foreach(json_object_get(json, "results"), at, result) {
        const char *memo = json_string_value(json_object_get(result, "memo_uuid"));
        if (self->found_count < EDDA_RANKING_CHUNKS)
            self->found[self->found_count++] =
                (struct edda_scored_chunk){find_document(self, memo), 1};
    }
    json_decref(json);
}

static int ask_page(edda_remote_t *self, const char *text, size_t offset) {
    json_t *json = json_pack("{s:s,s:i,s:i}", "query", text, "limit", EDDA_MAX_SEARCH_LIMIT,
                             "offset", (int)offset);
    char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!body) {
        fail(self, EDDA_E_MEMORY, "out of memory");
        return self->error;
    }
    ask(self, &(struct edda_fetch_request){.method = "POST",
                                           .path = "/api/v1/search",
                                           .content_type = "application/json",
                                           .body = {(const uint8_t *)body, strlen(body)},
                                           .on_done = on_found,
                                           .context = self});
    if (edda_fetch_run(self->fetch, NULL, NULL) != 0)
        fail(self, EDDA_E_MEMORY, "out of memory");
    free(body);
    return self->error;
}

int edda_remote_search(void *context, size_t query, const char *text,
                       struct edda_eval_answer *ret_answer, char *message) {
    edda_remote_t *self = context;
    struct edda_ranking *ranking = &ret_answer->legs[EDDA_LEG_RERANKED];
    size_t pages = 0;
    (void)query;
    self->message = message;
    self->found_count = 0;
    ranking->count = 0;
    while (!self->error && ranking->count < DOCUMENTS && self->found_count == pages * PAGE &&
           pages * PAGE < EDDA_MAX_CANDIDATES) {
        int64_t before_us = edda_clock_us();
        int error = ask_page(self, text, pages * PAGE);
        if (error)
            return error;
        if (pages++ == 0)
            ret_answer->wall_ms = (double)(edda_clock_us() - before_us) / 1e3;
        edda_ranking_make(self->found, self->found_count, ranking);
    }
    ret_answer->known[EDDA_LEG_RERANKED] = true;
    return self->error;
}
