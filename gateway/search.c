/* gateway/search.c: POST /api/v1/search: embed the query, search, rerank, as one itinerary.
 *
 * A search goes on without what it can do without: when no embedder or no reranker is there, or the
 * embedder fails, the same search is sent once more by the route that is left, and the answer names
 * what was missing under "degraded". Only the store it needs. */
#include "gateway/search_fields.h"
#include "gateway/status.h"
#include "gateway/write.h"
#include "proto/body_stage.h"

#define HITS_ARENA   ((size_t)8 * 1024 * 1024)
#define MAX_DEGRADED 8
#define MINIMUM_MS   50 /* no second try with less time than this */
#define NO_RESULTS   "{\"results\":[]}"

struct searching {
    struct edda_search_fields fields;
    bool without_embedder;
    bool without_reranker;
    bool retried;
};

static void send_search(struct edda_visit *visit);

static int64_t left_ms(const struct edda_visit *visit) {
    return visit->deadline_ms - edda_loop_now(visit->gateway->loop);
}

static void write_hit(struct edda_buffer *out, const struct edda_hit *hit) {
    struct edda_text empty = EDDA_TEXT("");
    EDDA_WRITE(out, "{\"chunk_uuid\":");
    edda_write_uuid(out, &hit->chunk);
    EDDA_WRITE(out, ",\"memo_uuid\":");
    edda_write_uuid(out, &hit->memo);
    EDDA_WRITE(out, ",\"memo_title\":");
    edda_write_text(out, hit->title.data ? hit->title : empty);
    EDDA_WRITE(out, ",\"memo_summary\":\"\",\"content_snippet\":");
    edda_write_text(out, hit->snippet.data ? hit->snippet : empty);
    EDDA_WRITE(out, ",\"chunk_content\":");
    edda_write_text(out, hit->text.data ? hit->text : empty);
    EDDA_WRITE(out, ",\"distance\":");
    edda_write_double(out, 1.0 - hit->score);
    EDDA_WRITE(out, "}");
}

struct degraded {
    struct edda_text names[MAX_DEGRADED];
    size_t count;
};

static void add_degraded(struct degraded *degraded, struct edda_text name) {
    for (size_t i = 0; i < degraded->count; i++) {
        if (edda_text_equal(degraded->names[i], name)) {
            return;
        }
    }
    if (degraded->count < MAX_DEGRADED) {
        degraded->names[degraded->count++] = name;
    }
}

static void write_degraded(struct edda_buffer *out, const struct degraded *degraded) {
    if (degraded->count == 0) {
        return;
    }
    EDDA_WRITE(out, ",\"degraded\":");
    for (size_t i = 0; i < degraded->count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "[");
        edda_write_text(out, degraded->names[i]);
    }
    EDDA_WRITE(out, "]");
}

static void write_hits(struct edda_visit *visit, const struct edda_reply *reply,
                       const struct edda_hits *hits) {
    const struct searching *searching = visit->work;
    struct edda_buffer *out = edda_visit_out(visit);
    struct degraded degraded = {0};
    size_t count = hits->hits.count;
    /* A reranker that was skipped has left all candidates. */
    count = count > searching->fields.limit ? searching->fields.limit : count;
    EDDA_WRITE(out, "{\"results\":[");
    for (size_t i = 0; i < count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "");
        write_hit(out, &hits->hits.items[i]);
    }
    EDDA_WRITE(out, "]");
    for (size_t i = 0; i < hits->degraded.count; i++) {
        add_degraded(&degraded, hits->degraded.items[i]);
    }
    for (size_t i = 0; i < reply->degraded_count; i++) {
        add_degraded(&degraded, reply->degraded[i]);
    }
    if (searching->without_embedder) {
        add_degraded(&degraded, EDDA_TEXT("vector"));
    }
    if (searching->without_reranker) {
        add_degraded(&degraded, EDDA_TEXT("rerank"));
    }
    write_degraded(out, &degraded);
    EDDA_WRITE(out, "}");
    edda_visit_reply(visit, 200);
}

/* With what is missing known, the route that is left. */
static void search_without(struct edda_visit *visit) {
    struct searching *searching = visit->work;
    const struct edda_status_view *view = edda_status_view(visit->gateway->status);
    searching->without_reranker = edda_status_service(view, EDDA_TEXT("rerank")).workers == 0;
    if (edda_status_service(view, EDDA_TEXT("embed")).workers == 0) {
        searching->without_embedder = true;
    }
    if (edda_status_service(view, EDDA_TEXT("store")).workers == 0) {
        edda_visit_error(visit, EDDA_E_NO_SERVICE, NULL);
    } else if (left_ms(visit) < MINIMUM_MS) {
        edda_visit_error(visit, EDDA_E_EXPIRED, NULL);
    } else {
        send_search(visit);
    }
}

static bool may_be_helped(int error) {
    switch (error) {
    case EDDA_E_NO_SERVICE:
    case EDDA_E_UNAVAILABLE:
    case EDDA_E_WORKER_DIED:
    case EDDA_E_TIMEOUT:
    case EDDA_E_FAILED:
        return true;
    default:
        return false;
    }
}

static void take_hits(struct edda_visit *visit, const struct edda_reply *reply) {
    struct searching *searching = visit->work;
    struct edda_hits hits;
    struct edda_arena arena;
    if (may_be_helped(reply->error) && !searching->retried && left_ms(visit) > MINIMUM_MS) {
        searching->retried = true;
        /* Whoever is there failed: words alone need no embedder. */
        searching->without_embedder = reply->error != EDDA_E_NO_SERVICE;
        edda_status_want(visit->gateway->status, visit, search_without);
        return;
    }
    edda_arena_init(&arena, HITS_ARENA);
    if (edda_visit_take(visit, reply, EDDA_BODY_HITS, &arena, &hits, NULL)) {
        write_hits(visit, reply, &hits);
    }
    edda_arena_done(&arena);
}

/* Encodes one step's arguments behind the ones before; offsets are made views at the end, because
 * the buffer may move while it grows. */
static int add_step(struct edda_buffer *out, struct edda_step *step, size_t *ret_offset,
                    const char *op, uint16_t type, const void *record) {
    *ret_offset = out->size;
    *step = (struct edda_step){.op = op, .type = type};
    int error = edda_body_encode(type, record, out);
    step->arguments.size = out->size - *ret_offset;
    return error;
}

static void send_search(struct edda_visit *visit) {
    const struct searching *searching = visit->work;
    const struct edda_search_fields *fields = &searching->fields;
    struct edda_buffer *scratch = &visit->gateway->scratch;
    uint32_t ttl_ms = (uint32_t)left_ms(visit);
    struct edda_step steps[3];
    size_t offsets[3];
    size_t count = 0;
    int error = 0;
    struct edda_text query = fields->query;
    struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("query"), .texts = {&query, 1}};
    struct edda_store_search search = {.query = query, .filters = fields->filters};
    struct edda_rerank_arguments rerank = {.query = query, .top_k = fields->limit};

    search.limit = searching->without_reranker ? fields->limit : EDDA_MAX_SEARCH_LIMIT;
    edda_buffer_reset(scratch);
    if (!searching->without_embedder) {
        error =
            add_step(scratch, &steps[0], &offsets[0], "embed", EDDA_BODY_EMBED_ARGUMENTS, &embed);
        steps[count++].budget_ms = ttl_ms / 2; /* leaves time for words alone */
    }
    if (!error) {
        error = add_step(scratch, &steps[count], &offsets[count],
                         searching->without_embedder ? "store.words" : "store.search",
                         EDDA_BODY_STORE_SEARCH, &search);
        count++;
    }
    if (!error && !searching->without_reranker) {
        error = add_step(scratch, &steps[count], &offsets[count], "rerank",
                         EDDA_BODY_RERANK_ARGUMENTS, &rerank);
        steps[count].on_error = EDDA_ON_ERROR_SKIP;
        steps[count++].budget_ms = ttl_ms / 2;
    }
    if (error) {
        edda_visit_error(visit, error, NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        steps[i].arguments.data = scratch->data + offsets[i];
    }
    struct edda_request request = edda_visit_request(visit, steps, count, ttl_ms);
    edda_visit_send(visit, &request, take_hits);
}

void edda_search(struct edda_visit *visit) {
    struct searching *searching = edda_visit_work(visit, sizeof *searching);
    const char *message = NULL;
    if (!searching) {
        return;
    }
    int error = edda_search_check(visit->json, &visit->arena, &searching->fields, &message);
    if (error == EDDA_E_INVALID) {
        edda_visit_fail(visit, 400, message);
    } else if (error) {
        edda_visit_error(visit, error, NULL);
    } else if (searching->fields.nothing) {
        EDDA_WRITE(edda_visit_out(visit), NO_RESULTS);
        edda_visit_reply(visit, 200);
    } else if (left_ms(visit) < 1) {
        edda_visit_error(visit, EDDA_E_EXPIRED, NULL);
    } else {
        send_search(visit);
    }
}
