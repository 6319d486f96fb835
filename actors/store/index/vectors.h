/* actors/store/index/vectors.h: the vectors of one model, searched exactly.
 *
 * Each row is normalised and kept twice: as float16, and as int8 of that (scale = largest value /
 * 127) for one fast pass over all rows; the float16 is used to score the best 4 x k of that pass
 * again. The fast pass uses the best instructions the processor has, chosen when the program
 * starts; all give the same integers. Rows only grow at the end, in the order of their slots; rows
 * of dead slots are skipped by the caller's test until rebuild. Threads: readers at once; add and
 * rebuild alone. Limit: EDDA_MAX_DIMENSION. */
#ifndef EDDA_ACTORS_STORE_INDEX_VECTORS_H
#define EDDA_ACTORS_STORE_INDEX_VECTORS_H

#include "actors/store/index/memory.h"
#include "proto/half.h"

#define EDDA_VECTOR_AGAIN 4 /* candidates scored again, per result wanted */

struct edda_vectors {
    char *model; /* owned */
    uint32_t dimension;
    size_t stride; /* bytes of an int8 row: the dimension rounded up to 64 */
    int8_t *rows;  /* 64-byte aligned, zero padded */
    uint16_t *halves;
    float *scales;
    uint32_t *slots;
    size_t row_count;
    size_t row_capacity;
};

/* `dimension` values as halves of a vector of length 1, which is what is compared, in whichever
 * database it is kept. One that was narrowed once is the same when it is narrowed again. False: it
 * has no direction, all zero or not finite. */
bool edda_vectors_narrow(struct edda_floats vector, uint32_t dimension, uint16_t *ret_halves);

/* EDDA_E_MEMORY. 0 < dimension <= EDDA_MAX_DIMENSION. */
int edda_vectors_init(struct edda_vectors *self, struct edda_text model,
                      uint32_t dimension) EDDA_MUST_CHECK;
void edda_vectors_done(struct edda_vectors *self);
size_t edda_vectors_bytes(const struct edda_vectors *self);

/* Adds slot's vector of `dimension` values. 1: added; 0: all zero or not finite, not added;
 * EDDA_E_MEMORY. */
int edda_vectors_add(struct edda_vectors *self, uint32_t slot,
                     struct edda_floats vector) EDDA_MUST_CHECK;

/* As edda_lexical_rebuild; cannot fail. */
void edda_vectors_rebuild(struct edda_vectors *self, const uint32_t *renumbered);

struct edda_scored {
    float score;
    uint32_t slot;
};

/* Says whether a slot may be found. */
typedef bool (*edda_vectors_test_fn)(void *context, uint32_t slot);

struct edda_vectors_scratch {
    int8_t *query; /* 64-byte aligned */
    float *floats;
    size_t query_capacity;
    struct edda_scored *pool;
    size_t pool_capacity;
};

void edda_vectors_scratch_done(struct edda_vectors_scratch *scratch);

/* At most k * EDDA_VECTOR_AGAIN rows of cosine > 0, and not below `minimum`, that pass the test,
 * the k best surely among them, in no order: scratch->pool[0..*ret_count). A zero or non-finite
 * query finds none. EDDA_E_MEMORY. */
int edda_vectors_search(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                        struct edda_floats query, float minimum, size_t k,
                        edda_vectors_test_fn test, void *context,
                        size_t *ret_count) EDDA_MUST_CHECK;

/* The same of the rows of `slots` alone, which ascend; a slot without a row is passed over. */
int edda_vectors_compare(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                         struct edda_floats query, float minimum, size_t k, const uint32_t *slots,
                         size_t count, size_t *ret_count) EDDA_MUST_CHECK;

/* Products of `count` rows with query into ret_products; rows and query 64-byte aligned, stride a
 * multiple of 64, every value within -127..127. */
typedef void (*edda_vectors_scan_fn)(const int8_t *rows, size_t stride, size_t count,
                                     const int8_t *query, int32_t *ret_products);

/* The product of a query with one row of float16; eight sums side by side, added up in a fixed
 * order, so that every kernel gives the same bits. */
typedef float (*edda_vectors_multiply_fn)(const float *query, const uint16_t *halves,
                                          uint32_t dimension);

struct edda_vectors_kernel {
    const char *name; /* "plain", "avx2", "avx512vnni" */
    edda_vectors_scan_fn scan;
    edda_vectors_multiply_fn multiply;
};

/* The kernels this processor can run, slowest first; the last is the one used. */
const struct edda_vectors_kernel *edda_vectors_kernels(size_t *ret_count);

#endif
