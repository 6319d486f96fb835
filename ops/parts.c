/* ops/parts.c: see parts.h. */
#include "ops/parts.h"

#include "actors/chunker/actor.h"
#include "actors/embedder/actor.h"
#include "actors/llm/actor.h"
#include "actors/reranker/actor.h"
#include "actors/store/actor.h"
#include "broker/broker.h"
#include "gateway/gateway.h"
#include "gateway/scrape.h"

static const struct edda_part_kind part_kinds[] = {
    {"broker", edda_broker_main, 0, false, NULL, "routes messages between the other parts"},
    {"store", edda_store_main, 1, false, NULL, "keeps memos, chunks, keys and jobs in --data"},
    {"chunker", edda_chunker_main, 2, false, edda_chunker_isolated, "cuts text into chunks"},
    {"embedder", edda_embedder_main, 2, true, NULL, "gives chunks and queries their vectors"},
    {"reranker", edda_reranker_main, 2, true, NULL, "reorders what the store found"},
    {"llm", edda_llm_main, 2, true, NULL, "answers questions from what was found"},
    {"gateway", edda_gateway_main, 3, false, NULL, "speaks HTTP"},
};

const struct edda_part_kind edda_part_metrics = {
    "metrics", edda_scrape_main, 0, false, NULL, "shows the counters of a part"};

const struct edda_part_kind *edda_part_kinds(size_t *ret_count) {
    *ret_count = sizeof part_kinds / sizeof part_kinds[0];
    return part_kinds;
}

const struct edda_part_kind *edda_part_find(const char *name) {
    for (size_t i = 0; i < sizeof part_kinds / sizeof part_kinds[0]; i++) {
        if (strcmp(part_kinds[i].name, name) == 0)
            return &part_kinds[i];
    }
    return NULL;
}
