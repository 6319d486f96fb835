/* proto/filter.h: which search filters the contract allows, with its words for each refusal.
 *
 * Used by the gateway on what a client sent and by the store on what a message carries. Pure; the
 * texts are static. What a filter means for a memo is in actors/store/index/filter.h.
 * Source: the Skald search contract, with its fixes (in and not_in work on every field). */
#ifndef EDDA_PROTO_FILTER_H
#define EDDA_PROTO_FILTER_H

#include "proto/body_store.h"

/* What stood in the client's JSON under "value"; a message no longer knows. */
enum edda_filter_shape {
    EDDA_FILTER_ABSENT,  /* no such key (a JSON null counts as a scalar) */
    EDDA_FILTER_SCALAR,  /* string, number, true, false, null: one entry in values */
    EDDA_FILTER_STRINGS, /* a list, of strings only (or empty) */
    EDDA_FILTER_LIST,    /* a list that holds something else than strings */
};

/* NULL when the filter is allowed, else the contract's message, to be put behind
 * "Invalid filter: ". Fields that were absent or not strings are given as absent texts. */
const char *edda_filter_check_shape(const struct edda_store_filter *filter,
                                    enum edda_filter_shape shape);

/* The same for a decoded message: the shape is taken from the operator, and a scalar operator must
 * carry exactly one value. */
const char *edda_filter_check(const struct edda_store_filter *filter);

#endif
