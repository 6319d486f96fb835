/* gateway/search.c: POST /api/v1/search: a retrieval, its hits as the contract writes them. */
#include "gateway/retrieval.h"
#include "gateway/search_fields.h"
#include "gateway/write.h"
#include "proto/body_stage.h"

#define HITS_ARENA ((size_t)8 * 1024 * 1024)
#define NO_RESULTS "{\"results\":[]}"

struct searching {
    struct edda_search_fields fields;
    struct edda_retrieval retrieval;
};

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
    edda_write_range(out, hit->start, hit->end);
    EDDA_WRITE(out, "}");
}

static void write_hits(struct edda_visit *visit, const struct edda_hits *hits) {
    struct searching *searching = visit->work;
    struct edda_buffer *out = edda_visit_out(visit);
    size_t count = hits->hits.count;
    size_t end = searching->fields.offset + searching->fields.limit;
    /* A reranker that was skipped has left all candidates. */
    count = count > end ? end : count;
    EDDA_WRITE(out, "{\"results\":[");
    for (size_t i = searching->fields.offset; i < count; i++) {
        (void)edda_buffer_append_text(out, i > searching->fields.offset ? "," : "");
        write_hit(out, &hits->hits.items[i]);
    }
    EDDA_WRITE(out, "]");
    edda_degraded_add_all(&searching->retrieval.degraded, hits->degraded.items,
                          hits->degraded.count);
    edda_degraded_write(out, &searching->retrieval.degraded);
    EDDA_WRITE(out, "}");
    edda_visit_reply(visit, 200);
}

static void take_hits(struct edda_visit *visit, const struct edda_reply *reply) {
    struct searching *searching = visit->work;
    struct edda_hits hits;
    struct edda_arena arena;
    edda_arena_init(&arena, HITS_ARENA);
    if (edda_visit_take(visit, reply, EDDA_BODY_HITS, &arena, &hits, NULL) &&
        !edda_retrieval_correct(visit, &searching->retrieval, hits.model, hits.dimension)) {
        write_hits(visit, &hits);
    }
    edda_arena_done(&arena);
}

static void begin_search(struct edda_visit *visit) {
    struct searching *searching = visit->work;
    const struct edda_search_fields *fields = &searching->fields;
    uint32_t end = fields->offset + fields->limit;
    searching->retrieval = (struct edda_retrieval){
        .query = fields->query,
        .filters = fields->filters,
        .candidates = end > EDDA_MAX_SEARCH_LIMIT ? end : EDDA_MAX_SEARCH_LIMIT,
        .candidates_alone = end,
        .top_k = end,
        .rerank = true,
        .assemble = fields->assemble,
        .on_reply = take_hits,
    };
    edda_retrieval_send(visit, &searching->retrieval);
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
    } else {
        begin_search(visit);
    }
}
