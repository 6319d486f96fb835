/* actors/store/index/grams.h: BM25 over character 4-grams, from the texts of a few chunks.
 *
 * Nothing is kept of the chunks' grams but their document frequencies in a sample of the project;
 * a query's candidates are read when they are scored. It finds what stems miss: parts of compounds,
 * inflections, misspellings. k1 and b as for words, lengths in grams, stopwords of the query left
 * out. Threads: a query belongs to one thread; the sample is read by many, changed alone. */
#ifndef EDDA_ACTORS_STORE_INDEX_GRAMS_H
#define EDDA_ACTORS_STORE_INDEX_GRAMS_H

#include "actors/store/index/gram_scan.h"
#include "actors/store/index/index.h"
#include "actors/store/index/memory.h"

#define EDDA_GRAMS_PLACES 2048 /* of a query's table, by key >> 21; half may be taken */
#define EDDA_GRAMS_MAX    1024 /* distinct grams of a query that are used */

struct edda_sampled {
    uint64_t key; /* of its uuid */
    struct edda_uuid uuid;
    uint32_t *items; /* owned */
    uint32_t count;
    uint32_t length;
};

struct edda_gram_sample {
    struct edda_sampled *chunks;
    size_t chunks_capacity;
    size_t chunk_count;
    uint64_t total_length;
    size_t item_bytes;
    struct edda_map df;     /* gram -> sampled chunks that hold it */
    size_t size_when_fresh; /* visible chunks of the project then */
};

void edda_gram_sample_done(struct edda_gram_sample *sample);
size_t edda_gram_sample_bytes(const struct edda_gram_sample *sample);

/* By which a chunk is known in the sample. */
uint64_t edda_gram_sample_key(const struct edda_uuid *uuid);

/* Moves grams into the sample. EDDA_E_MEMORY: not taken. */
int edda_gram_sample_take(struct edda_gram_sample *sample,
                          struct edda_index_grams *grams) EDDA_MUST_CHECK;

/* Drops the sample's chunk number i; the last takes its place. */
void edda_gram_sample_drop(struct edda_gram_sample *sample, size_t i);

/* The distinct grams of a chunk, for the sample. EDDA_E_MEMORY. */
int edda_grams_collect(struct edda_folder *folder, const struct edda_index_text *text,
                       struct edda_index_grams *ret_grams) EDDA_MUST_CHECK;

struct edda_gram_query {
    uint8_t filter[4096]; /* by key >> 20: not 0 when such a key may be in the table */
    uint16_t places[EDDA_GRAMS_PLACES]; /* gram number + 1 */
    uint32_t keys[EDDA_GRAMS_MAX];
    uint16_t weights[EDDA_GRAMS_MAX]; /* times in the query */
    uint32_t counts[EDDA_GRAMS_MAX];  /* of the text being scored */
    float idf[EDDA_GRAMS_MAX];
    uint16_t touched[EDDA_GRAMS_MAX];
    size_t touched_count;
    size_t count;
    float base;
    float slope;
};

void edda_gram_query_clear(struct edda_gram_query *query);

/* Adds a query token's grams. */
void edda_gram_query_add(struct edda_gram_query *query, struct edda_folder *folder,
                         const struct edda_token *token);

/* Fixes idf and length constants from the sample; before the first score. */
void edda_gram_query_ready(struct edda_gram_query *query, const struct edda_gram_sample *sample);

float edda_gram_query_score(struct edda_gram_query *query, struct edda_folder *folder,
                            const struct edda_index_text *text);

#endif
