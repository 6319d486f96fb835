/* tests/fuzz/fuzz_provider_json.c: what providers answer to embeddings and reranking: a byte that
 * chooses the provider, a byte for what was asked, then the body. What is accepted is whole. */
#include <math.h>

#include "actors/provider/api.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

static const enum edda_provider_kind embedders[] = {
    EDDA_PROVIDER_OPENAI, EDDA_PROVIDER_VOYAGE, EDDA_PROVIDER_COHERE, EDDA_PROVIDER_JINA,
    EDDA_PROVIDER_GEMINI, EDDA_PROVIDER_TEI,    EDDA_PROVIDER_OLLAMA, EDDA_PROVIDER_LOCAL,
};
static const enum edda_provider_kind rerankers[] = {
    EDDA_PROVIDER_COHERE, EDDA_PROVIDER_JINA, EDDA_PROVIDER_VLLM,
    EDDA_PROVIDER_VOYAGE, EDDA_PROVIDER_TEI,  EDDA_PROVIDER_LOCAL,
};
#define EMBEDDERS (sizeof embedders / sizeof embedders[0])
#define RERANKERS (sizeof rerankers / sizeof rerankers[0])

static void embed(enum edda_provider_kind kind, struct edda_bytes body, size_t count,
                  uint32_t dimension) {
    struct edda_account account = {.kind = kind, .use = EDDA_USE_EMBED};
    struct edda_embed_vectors vectors;
    const char *why = NULL;
    int error = edda_embed_parse(&account, body, count, dimension, &vectors, &why);
    if (error) {
        EDDA_ASSERT(error == EDDA_E_FAILED && why && *why && !vectors.values);
        return;
    }
    EDDA_ASSERT(vectors.count == count);
    EDDA_ASSERT(vectors.dimension > 0 && vectors.dimension <= EDDA_MAX_DIMENSION);
    EDDA_ASSERT(dimension == 0 || vectors.dimension == dimension);
    for (size_t i = 0; i < count * vectors.dimension; i++) {
        EDDA_ASSERT(isfinite(vectors.values[i]));
    }
    edda_embed_vectors_done(&vectors);
}

static void rerank(enum edda_provider_kind kind, struct edda_bytes body, size_t count) {
    struct edda_account account = {.kind = kind, .use = EDDA_USE_RERANK};
    double scores[8];
    const char *why = NULL;
    for (size_t i = 0; i < 8; i++) {
        scores[i] = -1;
    }
    int error = edda_rerank_parse(&account, body, count, scores, &why);
    EDDA_ASSERT(!error || (error == EDDA_E_FAILED && why && *why));
    for (size_t i = 0; i < count && !error; i++) {
        EDDA_ASSERT(scores[i] >= 0 && scores[i] <= 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    /* Letters and digits, so that seeds can be written by hand. */
    size_t which = (uint8_t)(data[0] - 'a') % (EMBEDDERS + RERANKERS);
    size_t count = 1 + (data[1] & 7u);
    uint32_t dimension = data[1] & 0x40 ? 2 : 0;
    uint8_t *copy = fuzz_copy(data + 2, size - 2);
    struct edda_bytes body = {copy, size - 2};
    if (which < EMBEDDERS) {
        embed(embedders[which], body, count, dimension);
    } else {
        rerank(rerankers[which - EMBEDDERS], body, count);
    }
    __builtin_free(copy);
    return 0;
}
