/* actors/store/index/lexical.h: the inverted index: postings by term, terms by slot, BM25.
 *
 * A slot is a chunk's number in this index. A term's postings are the gap to the previous slot as a
 * varint, then tf as a byte; they only grow at their end, so slots are added in ascending order.
 * forward holds each slot's term ids, so that counting a chunk in (or out) needs no text. Postings
 * of chunks that are not counted stay until rebuild and are skipped by whoever reads the
 * accumulators.
 *
 * Invariants: df(term) = counted slots that hold it; documents, total_length over counted slots.
 * BM25: k1 1.2, b 0.75, idf = ln(1 + (N - df + .5) / (df + .5)). */
#ifndef EDDA_ACTORS_STORE_INDEX_LEXICAL_H
#define EDDA_ACTORS_STORE_INDEX_LEXICAL_H

#include "actors/store/index/memory.h"
#include "actors/store/index/terms.h"

#define EDDA_BM25_K1 1.2f
#define EDDA_BM25_B  0.75f

#define EDDA_POSTINGS_INSIDE 8
#define EDDA_LEXICAL_SHORT   512 /* tokens */
#define EDDA_LEXICAL_FEW     4   /* times a word occurs in a chunk */

struct edda_postings {
    uint32_t hash;
    uint32_t df;        /* counted slots */
    uint32_t held;      /* postings stored, counted or not */
    uint32_t last_slot; /* of the last posting */
    uint32_t bytes;
    uint32_t capacity; /* of data; 0: the bytes are inside */
    uint32_t word;     /* its number in the vocabulary, or EDDA_MAP_NONE */
    union {
        uint8_t *data;
        uint8_t inside[EDDA_POSTINGS_INSIDE];
    };
};

struct edda_lexical {
    struct edda_postings *terms;
    size_t terms_capacity;
    size_t term_count;
    struct edda_map ids; /* hash -> term */
    uint64_t *places;    /* by slot: where its terms begin in forward */
    size_t places_capacity;
    uint16_t *lengths; /* by slot: tokens */
    size_t lengths_capacity;
    uint8_t *languages; /* by slot: enum edda_language */
    size_t languages_capacity;
    size_t slot_count;
    uint8_t *forward; /* per slot: count, then term ids, as varints */
    size_t forward_capacity;
    size_t forward_bytes;
    size_t postings_bytes; /* on the heap */
    uint64_t documents;
    uint64_t total_length;
    uint64_t by_language[EDDA_LANGUAGE_COUNT]; /* counted slots */
};

void edda_lexical_done(struct edda_lexical *self);
size_t edda_lexical_bytes(const struct edda_lexical *self);

/* The term's id, EDDA_MAP_NONE when unknown. */
uint32_t edda_lexical_find(const struct edda_lexical *self, uint32_t hash);

/* The term's id, made when needed. EDDA_E_MEMORY. */
int edda_lexical_term(struct edda_lexical *self, uint32_t hash, uint32_t *ret_term) EDDA_MUST_CHECK;

/* Adds slot number slot_count, not counted yet. EDDA_E_MALFORMED: nothing happened; EDDA_E_MEMORY:
 * the slot exists or not (slot_count says so) and must never be counted. */
int edda_lexical_add(struct edda_lexical *self, struct edda_bytes terms) EDDA_MUST_CHECK;

/* Counts a slot in (true) or out (false). */
void edda_lexical_count(struct edda_lexical *self, uint32_t slot, bool in);

/* Keeps the slots whose renumbered[slot] is not EDDA_MAP_NONE, giving them that number: 0, 1, 2 ...
 * in the old order. EDDA_E_MEMORY: nothing happened. */
int edda_lexical_rebuild(struct edda_lexical *self, const uint32_t *renumbered) EDDA_MUST_CHECK;

/* The language most counted slots are in; EDDA_LANGUAGE_AUTO when there are none. */
enum edda_language edda_lexical_language(const struct edda_lexical *self);

float edda_lexical_idf(const struct edda_lexical *self, uint32_t df);

/* Accumulators of one search, one entry a slot. */
struct edda_lexical_sums {
    float *scores;     /* zeroed by the caller */
    float *best;       /* of the current group; all zero between groups */
    uint32_t *touched; /* slots with best > 0 */
    size_t touched_count;
    /* Of tf / (tf + base + slope * length), which edda_lexical_begin fixes. Most words of a chunk
     * occur in it a few times, and few chunks are long: those need no division. */
    float base;
    float slope;
    float few[EDDA_LEXICAL_FEW][EDDA_LEXICAL_SHORT];
};

/* Before the sums of one search; scores, best and touched are the caller's. */
void edda_lexical_begin(const struct edda_lexical *self, struct edda_lexical_sums *sums);

/* scores[slot] += weight * tf part, for all postings of term. */
void edda_lexical_sum(const struct edda_lexical *self, uint32_t term, float weight,
                      const struct edda_lexical_sums *sums);

/* The same for one member of a group of which each slot counts only the best. */
void edda_lexical_sum_best(const struct edda_lexical *self, uint32_t term, float weight,
                           struct edda_lexical_sums *sums);
void edda_lexical_end_group(struct edda_lexical_sums *sums);

#endif
