/* ops/findings.c: see findings.h. */
#include "ops/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "actors/runtime/clock.h"
#include "proto/body_peer.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"

#define ARENA_BYTES (1u << 20)

void edda_finding_good(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("  ok   ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void edda_finding_bad(struct edda_findings *findings, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("  BAD  ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    findings->bad++;
}

static struct edda_text word = EDDA_TEXT("edda");

static int width(struct edda_text text) {
    return (int)text.size;
}

static void look_at_vectors(struct edda_findings *findings, edda_session_t *session,
                            struct edda_text model, uint32_t dimension, struct edda_arena *arena) {
    struct edda_store_reembed look = {.model = model, .dimension = dimension, .look = true};
    struct edda_store_reembedded counts;
    char message[EDDA_SESSION_MESSAGE];
    if (edda_session_call(session, edda_op_find(EDDA_TEXT("store.reembed")), "", &look, arena,
                          &counts, message) != 0)
        edda_finding_bad(findings, "whether chunks have their vectors is not known: %s", message);
    else if (counts.missing > 0)
        edda_finding_bad(findings,
                         "%llu of %llu chunks have no vector of %.*s; `edda reembed` makes them, "
                         "until then the old ones serve",
                         (unsigned long long)counts.missing, (unsigned long long)counts.chunks,
                         width(model), model.data);
    else
        edda_finding_good("every chunk has its vector of %.*s (%u floats)", width(model),
                          model.data, dimension);
}

static void look_at_embedder(struct edda_findings *findings, edda_session_t *session,
                             struct edda_arena *arena) {
    char fresh[32]; /* its vector is in no cache */
    snprintf(fresh, sizeof fresh, "edda %08x", edda_random32());
    struct edda_text text = edda_text_of(fresh);
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("document"),
                                             .texts = {&text, 1}};
    struct edda_embeddings embeddings;
    char message[EDDA_SESSION_MESSAGE];
    if (edda_session_call(session, edda_op_find(EDDA_TEXT("embed")), "default", &arguments, arena,
                          &embeddings, message) != 0)
        edda_finding_bad(findings, "the embedder does not embed: %s", message);
    else if (embeddings.model.size > 0)
        look_at_vectors(findings, session, embeddings.model, embeddings.dimension, arena);
}

static void look_at_reranker(struct edda_findings *findings, edda_session_t *session,
                             struct edda_arena *arena) {
    struct edda_rerank_arguments arguments = {.query = word, .documents = {&word, 1}};
    struct edda_hits hits;
    char message[EDDA_SESSION_MESSAGE];
    if (edda_session_call(session, edda_op_find(EDDA_TEXT("rerank.texts")), "default", &arguments,
                          arena, &hits, message) != 0)
        edda_finding_bad(findings, "the reranker does not rerank: %s", message);
    else
        edda_finding_good("the reranker reranks");
}

static void look_at_answerers(struct edda_findings *findings, edda_session_t *session,
                              struct edda_arena *arena) {
    struct edda_llm_providers providers;
    struct edda_empty nothing = {0};
    char message[EDDA_SESSION_MESSAGE];
    if (edda_session_call(session, edda_op_find(EDDA_TEXT("llm.providers")), "default", &nothing,
                          arena, &providers, message) != 0) {
        edda_finding_bad(findings, "nobody says who answers chats: %s", message);
        return;
    }
    for (size_t i = 0; i < providers.providers.count; i++) {
        const struct edda_llm_provider *provider = &providers.providers.items[i];
        if (provider->failing.size > 0)
            edda_finding_bad(findings, "the last chat asked of %.*s failed: %.*s",
                             width(provider->provider), provider->provider.data,
                             width(provider->failing), provider->failing.data);
        else
            edda_finding_good("chats: %.*s with %.*s", width(provider->provider),
                              provider->provider.data, width(provider->model),
                              provider->model.data ? provider->model.data : "");
    }
}

void edda_findings_of_models(struct edda_findings *findings, edda_session_t *session) {
    struct edda_arena arena;
    edda_arena_init(&arena, ARENA_BYTES);
    look_at_embedder(findings, session, &arena);
    look_at_reranker(findings, session, &arena);
    look_at_answerers(findings, session, &arena);
    edda_arena_done(&arena);
}
