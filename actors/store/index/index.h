/* actors/store/index/index.h: the search index of one project, in memory, the same for every
 * backend.
 *
 * It holds, for every chunk: its postings, its vector, its memo; for every memo: its filterable
 * attributes; for the project: the vocabulary and a sample of character 4-grams. It knows no SQL
 * and no text of chunks: the database holds the truth, the index is replayed from it.
 *
 * A memo *version* is named by a key the backend chooses (a row id: never used twice).
 *
 *            add            publish                remove, or replaced by a publish
 *   (none) ------> HIDDEN ----------> VISIBLE ------------------------------------> (none)
 *                    |  discard = remove
 *                    +---------------------------------------------------------> (none)
 *
 * Only visible chunks are found and counted (N, document frequencies, average length), so scores
 * equal those of a fresh index built from the visible chunks alone.
 *
 * How a backend uses it:
 *   put_chunks   edda_terms_make off-line for each chunk; store terms.vector in the chunk's row,
 * and those terms.items that edda_index_has_term does not know in table term(hash, text), ignoring
 * duplicates. After the commit: edda_index_put_term for them, and edda_index_add for each chunk (or
 * add all at the version's end). complete     when the version became current, after its commit:
 * edda_index_publish(new, old). delete       after the commit: edda_index_remove. Changed tags,
 * metadata, source, expiry: edda_index_set_attributes. A changed title is in every term vector:
 * make them anew under a new memo key and publish. load         put_term for each row of term; add
 * each chunk of current versions, publish each memo. search       edda_index_search gives at most
 * EDDA_INDEX_CANDIDATES chunks (or query.limit, if that is more); fetch their texts;
 * edda_index_rescore orders them. Both under one
 * read lock or two. now and then edda_index_sample_due -> sample_wanted -> fetch texts ->
 * sample_make (no lock) -> sample_update; edda_index_compact when edda_index_is_sparse.
 *
 * Threads: the index takes no lock. Functions with a const index may run at once; every other needs
 * the index alone. A scratch and an analyser belong to one thread.
 * Limits: 2^31 chunks, EDDA_INDEX_MODELS vector models, 65535 tokens counted a chunk;
 * EDDA_INDEX_POSTINGS.
 * Costs (one core, optimised, 10,000 chunks): see README.md. Compaction rewrites everything at
 * about 0.4 us a live chunk-term list entry of 84 terms a chunk: 100,000 chunks in some 50 ms. Ties
 * everywhere: the smaller chunk uuid first. */
#ifndef EDDA_ACTORS_STORE_INDEX_INDEX_H
#define EDDA_ACTORS_STORE_INDEX_INDEX_H

#include "actors/store/index/filter.h"
#include "actors/store/index/terms.h"
#include "actors/text/text.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"

#define EDDA_INDEX_CANDIDATES 100  /* chunks that are rescored; more come behind them, in order */
#define EDDA_INDEX_DEPTH      200  /* chunks a search may give */
#define EDDA_INDEX_LEG        100  /* best chunks of each leg that are fused */
#define EDDA_INDEX_NEAR       1000 /* chunks of a vector leg that a database gives */
#define EDDA_INDEX_SAMPLE     1000 /* chunks in the sample of 4-grams */
#define EDDA_INDEX_SAMPLE_AGE 50   /* it is older than the chunks by one in so many at most */
#define EDDA_INDEX_MODELS     8
/* Entries of words' lists that a search reads. One word may have as many as there are chunks, and
 * the rarest always has its own read; from then on a word is left out that would go over this. */
#define EDDA_INDEX_POSTINGS ((uint64_t)8 << 20)

/* Weights of the three legs, each min-max normalised to 0..1. */
struct edda_fusion_weights {
    float words;
    float grams;
    float vector;
};

struct edda_index_options {
    struct edda_fusion_weights weights; /* of any sum; all 0: the defaults of the vectors' model */
};

typedef struct edda_index edda_index_t;
typedef struct edda_index_scratch edda_index_scratch_t;

/* options NULL: defaults. NULL when memory is short. */
edda_index_t *edda_index_new(const struct edda_index_options *options);
void edda_index_destroy(edda_index_t **self_p);

/* Memory held, for eviction and metrics. */
size_t edda_index_bytes(const edda_index_t *self);
/* Visible chunks. */
size_t edda_index_chunks(const edda_index_t *self);
/* Visible memos. */
size_t edda_index_memos(const edda_index_t *self);

/* Whether there are vectors of this model. Those of chunks that were removed count until the next
 * compaction. */
bool edda_index_has_vectors(const edda_index_t *self, struct edda_text model, uint32_t dimension);

/* ---- writing ---- */

/* Whether the text of a term is known. */
bool edda_index_has_term(const edda_index_t *self, uint32_t hash);

/* Tells a term's text; telling it again changes nothing. Terms of fewer than 3 or more than 32
 * letters are ignored. EDDA_E_MEMORY. */
int edda_index_put_term(edda_index_t *self, uint32_t hash, struct edda_text text) EDDA_MUST_CHECK;

struct edda_index_chunk {
    struct edda_uuid uuid;
    struct edda_bytes terms; /* edda_terms.vector */
    struct edda_text model;  /* of vector; absent: the chunk has none */
    uint32_t dimension;
    struct edda_floats vector; /* dimension values; any length (it is normalised here); all zero, or
                                  not finite: no vector */
};

/* Adds a hidden chunk to a memo version; the first call makes the version known. Everything is
 * copied. EDDA_E_MALFORMED: the term vector, or the vector's size, is not right; EDDA_E_CONFLICT:
 * the version is already visible; EDDA_E_LIMIT: too many models or chunks; EDDA_E_MEMORY. On error
 * the index is as before. */
int edda_index_add(edda_index_t *self, uint64_t memo,
                   const struct edda_index_chunk *chunk) EDDA_MUST_CHECK;

/* Makes a version visible and, in the same step, removes the version `replaces` (0: none; not
 * known: ignored). A version without chunks is allowed. Publishing a visible version sets its
 * attributes. EDDA_E_MEMORY, EDDA_E_LIMIT (attributes): nothing changed. */
int edda_index_publish(edda_index_t *self, uint64_t memo,
                       const struct edda_memo_attributes *attributes,
                       uint64_t replaces) EDDA_MUST_CHECK;

/* EDDA_E_NOT_FOUND: the version is not known. EDDA_E_MEMORY, EDDA_E_LIMIT. */
int edda_index_set_attributes(edda_index_t *self, uint64_t memo,
                              const struct edda_memo_attributes *attributes) EDDA_MUST_CHECK;

/* Forgets a version and its chunks, hidden or visible; an unknown one is ignored. Costs about
 * 0.2 us a chunk; the memory comes back with compaction. */
void edda_index_remove(edda_index_t *self, uint64_t memo);

/* More than 20 % of the chunks held (and at least 256) are dead. */
bool edda_index_is_sparse(const edda_index_t *self);

/* Drops dead chunks. EDDA_E_MEMORY: nothing changed, still correct. */
int edda_index_compact(edda_index_t *self) EDDA_MUST_CHECK;

/* ---- the 4-gram sample: document frequencies from the chunks with the smallest hash of their
 * terms ---- */

/* The grams of one chunk's text, distinct; made without a lock. */
struct edda_index_grams {
    struct edda_uuid uuid;
    uint32_t *items; /* owned */
    size_t count;
    uint32_t length; /* grams, repeated ones counted */
};

/* The sample is older than 2 % growth (or loss) of the visible chunks. */
bool edda_index_sample_due(const edda_index_t *self);

/* Chunks that belong in the sample and are not in it; at most EDDA_INDEX_SAMPLE; returns how many.
 */
size_t edda_index_sample_wanted(const edda_index_t *self,
                                struct edda_uuid ret_chunks[EDDA_INDEX_SAMPLE]);

/* What rescoring reads of a chunk. text.data == NULL: the chunk is gone. */
struct edda_index_text {
    struct edda_text title;
    struct edda_text heading;
    struct edda_text text;
};

/* EDDA_E_MEMORY. */
int edda_index_sample_make(edda_index_scratch_t *scratch, const struct edda_uuid *chunk,
                           const struct edda_index_text *text,
                           struct edda_index_grams *ret_grams) EDDA_MUST_CHECK;
void edda_index_grams_done(struct edda_index_grams *grams);

/* Takes the grams (their items are moved where wanted; call edda_index_grams_done on each anyway),
 * drops what belongs no longer in the sample, and counts the sample as fresh, even when some of the
 * wanted chunks are gone. EDDA_E_MEMORY: the sample is then smaller or older, not wrong. */
int edda_index_sample_update(edda_index_t *self, struct edda_index_grams *grams,
                             size_t count) EDDA_MUST_CHECK;

/* ---- searching ---- */

/* Working memory of one thread: about 5 bytes a chunk of the largest index searched. */
edda_index_scratch_t *edda_index_scratch_new(edda_analyser_t *analyser);
void edda_index_scratch_destroy(edda_index_scratch_t **self_p);

/* A chunk near a query's vector, as a database found it. */
struct edda_index_near {
    struct edda_uuid chunk;
    float cosine;
};

struct edda_index_query {
    struct edda_text text;
    struct edda_text model; /* of vector; absent: words only */
    uint32_t dimension;
    struct edda_floats vector;
    bool near_given; /* the vectors are in a database that was asked: near is what it found, and
                        vector is not looked at. Chunks the index does not show are passed over */
    const struct edda_index_near *near;
    size_t near_count; /* at most EDDA_INDEX_NEAR */
    uint32_t
        limit; /* chunks wanted; EDDA_INDEX_CANDIDATES are found for fewer, and EDDA_INDEX_DEPTH
                  for more than that; what comes first does not depend on it */
    float minimum_cosine; /* rows below it are not of the vector leg; <= 0: none is left out */
    const edda_filter_t *filter; /* NULL: every memo */
    uint32_t without;            /* EDDA_WITHOUT_ bits */
    int64_t now_wall_ms;         /* memos that expired at or before it are left out; 0: keep all */
};

struct edda_index_hit {
    struct edda_uuid chunk;
    uint64_t memo;
    float score; /* fused, 0..1 */
    float words; /* the legs after min-max, 0..1; 0: not among the leg's best */
    float grams; /* 0 before rescoring */
    float vector;
    uint32_t candidate; /* after rescoring: its place in the texts given */
};

struct edda_index_result {
    const struct edda_index_hit *items; /* best first; borrowed until the scratch's next call */
    size_t count;
    const struct edda_hit_term *terms; /* what the collection knows of the query's words */
    size_t term_count;
    size_t vector_count;  /* chunks of the vector leg; after edda_index_search only */
    uint64_t postings;    /* read for the words leg */
    bool vector_degraded; /* a vector was given but the index holds none of its model */
};

/* The candidates of a query: best of both legs by their fused score, filters applied before any
 * cut. When more than EDDA_INDEX_CANDIDATES are wanted and so many were found, chunks that are like
 * the best ones follow (feedback.h), then what the fusion left over. A query without words and
 * without a usable vector finds nothing. EDDA_E_MEMORY. */
int edda_index_search(const edda_index_t *self, edda_index_scratch_t *scratch,
                      const struct edda_index_query *query,
                      struct edda_index_result *ret_result) EDDA_MUST_CHECK;

/* The visible memos that the query's filter and time admit: at most `most` of their keys, how many
 * there are, and how many chunks they have together. */
size_t edda_index_admitted(const edda_index_t *self, const struct edda_index_query *query,
                           uint64_t *ret_keys, size_t most, size_t *ret_chunks);

/* Scores the last search's first EDDA_INDEX_CANDIDATES candidates by character 4-grams of their
 * texts and fuses all three legs; the others stay behind them as they were, with no higher score.
 * texts has one entry per candidate, in their order; candidates that are gone are left out.
 * At most limit hits come back. EDDA_E_MEMORY. */
int edda_index_rescore(const edda_index_t *self, edda_index_scratch_t *scratch,
                       const struct edda_index_text *texts, size_t limit,
                       struct edda_index_result *ret_result) EDDA_MUST_CHECK;

#endif
