/* actors/store/index/state.h: what an index and a scratch hold, private to this folder.
 */
#ifndef EDDA_ACTORS_STORE_INDEX_STATE_H
#define EDDA_ACTORS_STORE_INDEX_STATE_H

#include "actors/store/index/fusion.h"
#include "actors/store/index/grams.h"
#include "actors/store/index/index.h"
#include "actors/store/index/lexical.h"
#include "actors/store/index/vectors.h"
#include "actors/store/index/vocabulary.h"

#define EDDA_INDEX_NONE EDDA_MAP_NONE

/* A chunk. Dead when memo is NONE. */
struct edda_index_slot {
    struct edda_uuid uuid;
    uint64_t content; /* a hash of its terms: whose are smallest is in the sample */
    uint32_t memo;    /* in memos */
    uint32_t next;    /* slot of the same memo, or NONE */
};

/* A memo version. A free place when attributes is NULL and first_slot NONE and key is not in keys.
 */
struct edda_index_memo {
    uint64_t key;
    struct edda_attributes *attributes; /* owned; NULL while hidden */
    int64_t expires_wall_ms;            /* of attributes: here it costs no cache miss */
    uint32_t first_slot;
    uint32_t chunk_count;
    bool visible;
};

struct edda_index {
    struct edda_fusion_weights builtin_weights;
    struct edda_fusion_weights model_weights;
    struct edda_lexical lexical;
    struct edda_vocabulary vocabulary;
    struct edda_vectors models[EDDA_INDEX_MODELS];
    size_t model_count;
    struct edda_index_slot *slots; /* lexical.slot_count of them */
    size_t slots_capacity;
    uint8_t *open; /* by slot: visible and of a memo that never expires; without a filter, found */
    size_t open_capacity;
    size_t live_slots; /* hidden and visible */
    struct edda_index_memo *memos;
    size_t memos_capacity;
    size_t memo_count;
    size_t visible_memos;
    uint32_t *free_memos;
    size_t free_capacity; /* grown with memos, so that remove cannot fail */
    size_t free_count;
    struct edda_map keys; /* memo key -> memos */
    size_t attribute_bytes;
    struct edda_gram_sample sample;
    size_t changed_chunks; /* counted in or out since the sample was fresh */
};

/* One word of a query. */
struct edda_query_term {
    uint64_t hash;         /* of the stem, all 64 bits */
    struct edda_text text; /* the stem; borrowed from the analyser */
    uint32_t term;         /* in the lexical index, or NONE */
    uint32_t df;
    uint32_t tf; /* in the query */
    bool expandable;
};

/* A word of one of the best chunks. */
struct edda_feedback_term {
    uint32_t term;
    uint32_t hash;
    uint32_t chunk; /* the first, the second, ... */
    float weight;
};

struct edda_candidate {
    struct edda_index_hit hit;
    float raw_grams;
};

struct edda_index_scratch {
    edda_analyser_t *analyser; /* borrowed */
    struct edda_folder folder;
    struct edda_vocabulary_scratch vocabulary;
    struct edda_vectors_scratch vectors;
    struct edda_gram_query grams;
    struct edda_query_term *query_terms;
    size_t query_terms_capacity;
    struct edda_hit_term *terms; /* as many */
    size_t terms_capacity;
    size_t term_count;
    uint64_t postings;      /* of visible chunks, that this search has read */
    uint64_t postings_most; /* EDDA_INDEX_POSTINGS */
    float *scores;          /* by slot */
    float *best;            /* by slot; all zero between searches */
    uint32_t *touched;
    size_t slots_capacity;
    uint8_t *verdicts; /* by memo: 0 not asked, 1 may be found, 2 may not */
    size_t verdicts_capacity;
    struct edda_scored words[EDDA_INDEX_DEPTH];
    struct edda_candidate candidates[EDDA_INDEX_DEPTH + 2 * EDDA_INDEX_LEG];
    size_t candidate_count;
    struct edda_feedback_term *feedback;
    size_t feedback_capacity;
    struct edda_fusion_weights weights; /* of the last search */
    struct edda_index_hit hits[EDDA_INDEX_DEPTH];
    bool vector_degraded;
};

#endif
