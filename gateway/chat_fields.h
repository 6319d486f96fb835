/* gateway/chat_fields.h: the rules of a chat request's body: query, filters, chat_id, rag_config.
 *
 * Every name of rag_config may be written as the contract has it (vector_search.top_k) or as two of
 * its SDKs send it (vectorSearch.topK). Pure: parsed JSON in, settings or the contract's words out.
 * Views point into the JSON or the arena. */
#ifndef EDDA_GATEWAY_CHAT_FIELDS_H
#define EDDA_GATEWAY_CHAT_FIELDS_H

#include "gateway/read.h"
#include "proto/body_store.h"

struct edda_chat_fields {
    struct edda_text query;
    struct edda_store_filters filters;
    bool stream;
    bool continues;        /* a chat_id was given */
    struct edda_uuid chat; /* nil: what was given cannot be a chat's */
    struct edda_text system_prompt;
    struct edda_text
        provider; /* absent: the default; whether there is such a one is not known here */
    bool rewrite;
    bool rerank;
    bool references;
    uint32_t candidates;   /* hits asked of the store, 1..EDDA_MAX_CANDIDATES */
    uint32_t top_k;        /* hits left by the reranker, 1..100, at most candidates */
    double minimum_cosine; /* 0: the client named no threshold */
};

/* body NULL: there was none. EDDA_E_INVALID: *ret_message (static or in the arena) is the answer's
 * text. EDDA_E_MEMORY. */
int edda_chat_check(const json_t *body, struct edda_arena *arena,
                    struct edda_chat_fields *ret_fields, const char **ret_message) EDDA_MUST_CHECK;

#endif
