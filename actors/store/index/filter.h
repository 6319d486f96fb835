/* actors/store/index/filter.h: what a search filter means for a memo.
 *
 * A memo's filterable attributes are packed once, when the memo is published; a request's filters
 * are compiled once; then each memo costs some ten nanoseconds a condition. All conditions must
 * hold.
 *
 * Meaning (SQL's, as in the contract; "null" = the memo has no such field):
 *   eq, neq, in, not_in      exact, case-sensitive; neq and not_in drop nulls
 *   contains                 case-insensitive (Unicode case folding)
 *   startswith, endswith     case-sensitive; % and _ are plain letters
 *   tags in / not_in         has at least one of / has none of these; no tags passes not_in
 *   custom_metadata, scope   top-level key of the JSON object; a string by its characters, any
 * other value by its JSON text (7, 7.5, true, [1,2]); JSON null is null
 *
 * Numbers are text: 7 and 7.0 differ. A real number's text is the shortest that reads back the
 * same. Threads: compiled filters and packed attributes are read-only after their making. */
#ifndef EDDA_ACTORS_STORE_INDEX_FILTER_H
#define EDDA_ACTORS_STORE_INDEX_FILTER_H

#include "proto/body_store.h"
#include "proto/error.h"

struct edda_memo_attributes {
    struct edda_text title;
    struct edda_text source;       /* or absent */
    struct edda_text reference_id; /* or absent */
    struct edda_texts tags;
    struct edda_text metadata; /* JSON object as text; absent or unreadable: no keys */
    struct edda_text scopes;   /* the same */
    int64_t expires_wall_ms;   /* 0: never */
};

/* Packed attributes: one block of memory, freed with free(). */
struct edda_attributes;

/* EDDA_E_MEMORY; EDDA_E_LIMIT over 16 MiB. *ret_packed is the caller's. */
int edda_attributes_pack(const struct edda_memo_attributes *attributes,
                         struct edda_attributes **ret_packed) EDDA_MUST_CHECK;

/* When the memo expires, wall clock; 0: never. */
int64_t edda_attributes_expiry(const struct edda_attributes *packed);

/* Bytes a packed block takes. */
size_t edda_attributes_bytes(const struct edda_attributes *packed);

typedef struct edda_filter edda_filter_t;

/* Copies what it needs of filters. No filters: *ret_filter is NULL, which everything passes.
 * EDDA_E_INVALID: edda_filter_check refuses one of them. EDDA_E_MEMORY. */
int edda_filter_new(const struct edda_store_filters *filters,
                    edda_filter_t **ret_filter) EDDA_MUST_CHECK;
void edda_filter_destroy(edda_filter_t **self_p);

/* Whether a memo passes. filter may be NULL. */
bool edda_filter_pass(const edda_filter_t *filter, const struct edda_attributes *packed);

#endif
