/* gateway/search_fields.h: the rules of a search request's body: query, limit, filters, assemble.
 *
 * Pure: parsed JSON in, the store's message or the contract's words out. Views point into the JSON
 * or the arena. */
#ifndef EDDA_GATEWAY_SEARCH_FIELDS_H
#define EDDA_GATEWAY_SEARCH_FIELDS_H

#include "gateway/read.h"
#include "proto/body_store.h"

struct edda_search_fields {
    struct edda_text query;
    uint32_t limit; /* results the client wants, 1..EDDA_MAX_SEARCH_LIMIT */
    uint32_t
        offset; /* results before the first one wanted; with limit EDDA_MAX_CANDIDATES at most */
    struct edda_store_filters filters;
    bool assemble; /* passages to read instead of single chunks */
    bool nothing;  /* a filter compares with null, which SQL never finds equal or unequal */
};

/* The rules of "query" and of "filters", which a chat's body has too. Errors as below. */
int edda_search_check_query(const json_t *body, struct edda_arena *arena,
                            struct edda_text *ret_query, const char **ret_message) EDDA_MUST_CHECK;
int edda_search_check_filters(const json_t *body, struct edda_arena *arena,
                              struct edda_store_filters *ret_filters, bool *ret_nothing,
                              const char **ret_message) EDDA_MUST_CHECK;

/* body NULL: there was none. EDDA_E_INVALID: *ret_message (static or in the arena) is the answer's
 * text. EDDA_E_MEMORY. */
int edda_search_check(const json_t *body, struct edda_arena *arena,
                      struct edda_search_fields *ret_fields,
                      const char **ret_message) EDDA_MUST_CHECK;

#endif
