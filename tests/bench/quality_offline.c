/* tests/bench/quality_offline.c: how good search is, without HTTP, broker or database.
 *
 * Runs chunker -> index -> fusion -> reranker in one process over a judged collection (docs.jsonl
 * {id, title, text}, queries.jsonl {id, text}, qrels.tsv) and prints nDCG@10 (linear gain), R@100
 * and MRR@10 over documents by their first chunk, and the CPU time of each part. For choosing
 * defaults; what users get is measured by quality.py.
 *
 *   quality_offline FOLDER [--whole] [--no-vector] [--no-rerank] [--typos] [--queries N]
 *                   [--target TOKENS] [--overlap TOKENS] [--maximum TOKENS] [--each] */
#include "actors/chunker/chunk.h"
#include "actors/embedder/hash_embed.h"
#include "actors/reranker/rerank.h"
#include "actors/store/index/index.h"
#include "proto/limits.h"
#include "proto/uuid.h"
#include "tests/bench/quality_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RERANKED 50
#define DEPTH    100

struct chunk {
    struct edda_uuid uuid;
    size_t doc;
    char *text;
    char *heading;
};

struct setup {
    const char *folder;
    bool whole;
    bool vectors;
    bool rerank;
    bool typos;
    bool each;
    size_t queries;
    uint32_t target;
    uint32_t overlap;
    uint32_t maximum;
};

struct run {
    struct setup setup;
    struct quality_set set;
    struct chunk *chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    edda_analyser_t *analyser;
    edda_hash_embed_t *embedder;
    edda_index_t *index;
    edda_index_scratch_t *scratch;
    edda_reranker_t *reranker;
    double search_ms;
    double rescore_ms;
    double rerank_ms;
    uint64_t seed;
};

static double cpu_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void add_chunk(struct run *run, size_t doc, struct edda_text heading,
                      struct edda_text text) {
    run->chunks = quality_grow(run->chunks, run->chunk_count, sizeof *run->chunks);
    struct chunk *chunk = &run->chunks[run->chunk_count];
    uint64_t number = run->chunk_count++;
    const struct edda_uuid space = {{0}};
    chunk->uuid = edda_uuid_v5(&space, &number, sizeof number);
    chunk->doc = doc;
    chunk->text = strndup(text.data ? text.data : "", text.size);
    chunk->heading = strndup(heading.data ? heading.data : "", heading.size);
}

static void cut_doc(struct run *run, size_t doc) {
    const struct quality_record *record = &run->set.docs[doc];
    struct edda_text text = edda_text_of(record->text);
    struct edda_chunks cut;
    struct edda_arena arena;
    if (run->setup.whole || text.size > EDDA_PART_BYTES) {
        add_chunk(run, doc, (struct edda_text){0}, text);
        return;
    }
    struct edda_chunk_arguments arguments = {
        .text = text,
        .title = edda_text_of(record->title),
        .target_tokens = run->setup.target,
        .maximum_tokens = run->setup.maximum,
        .overlap_tokens = run->setup.overlap,
    };
    edda_arena_init(&arena, 64u << 20);
    if (edda_chunk_text(&arguments, &arena, &cut)) {
        quality_fail("cannot chunk %s", record->id);
    }
    for (size_t i = 0; i < cut.chunks.count; i++) {
        add_chunk(run, doc, cut.chunks.items[i].heading, cut.chunks.items[i].text);
    }
    edda_arena_done(&arena);
}

static struct edda_index_text text_of(const struct run *run, const struct chunk *chunk) {
    return (struct edda_index_text){edda_text_of(run->set.docs[chunk->doc].title),
                                    edda_text_of(chunk->heading), edda_text_of(chunk->text)};
}

static void index_chunk(struct run *run, struct edda_terms *terms, const struct chunk *chunk) {
    float vector[EDDA_HASH_EMBED_DIMENSION];
    struct edda_index_text text = text_of(run, chunk);
    int error = edda_terms_make(terms, run->analyser, text.title, text.heading, text.text);
    struct edda_index_chunk item = {.uuid = chunk->uuid,
                                    .terms = edda_buffer_bytes(&terms->vector)};
    if (!error && run->setup.vectors) {
        char *joined = NULL;
        int size =
            asprintf(&joined, "%s\n%s\n%s", text.title.data, text.heading.data, text.text.data);
        error =
            edda_hash_embed_text(run->embedder, (struct edda_text){joined, (size_t)size}, vector);
        free(joined);
        item.model = EDDA_TEXT(EDDA_HASH_EMBED_MODEL);
        item.dimension = EDDA_HASH_EMBED_DIMENSION;
        item.vector = (struct edda_floats){(const uint8_t *)vector, sizeof vector};
    }
    for (size_t i = 0; !error && i < terms->count; i++) {
        error = edda_index_put_term(run->index, terms->items[i].hash, terms->items[i].text);
    }
    if (!error) {
        error = edda_index_add(run->index, chunk->doc + 1, &item);
    }
    if (error) {
        quality_fail("cannot index: %d", error);
    }
}

static void sample_grams(struct run *run) {
    struct edda_uuid *wanted = malloc(EDDA_INDEX_SAMPLE * sizeof *wanted);
    struct edda_index_grams *grams = calloc(EDDA_INDEX_SAMPLE, sizeof *grams);
    size_t count = edda_index_sample_wanted(run->index, wanted);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (!edda_uuid_equal(&run->chunks[at].uuid, &wanted[i])) {
            at++;
        }
        struct edda_index_text text = text_of(run, &run->chunks[at]);
        if (edda_index_sample_make(run->scratch, &wanted[i], &text, &grams[i])) {
            quality_fail("out of memory");
        }
    }
    if (edda_index_sample_update(run->index, grams, count)) {
        quality_fail("out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        edda_index_grams_done(&grams[i]);
    }
    free(grams);
    free(wanted);
}

static void build_index(struct run *run) {
    struct edda_terms terms;
    struct edda_memo_attributes attributes = {0};
    double start = cpu_ms();
    if (edda_terms_init(&terms)) {
        quality_fail("out of memory");
    }
    for (size_t doc = 0; doc < run->set.doc_count; doc++) {
        size_t first = run->chunk_count;
        cut_doc(run, doc);
        for (size_t i = first; i < run->chunk_count; i++) {
            index_chunk(run, &terms, &run->chunks[i]);
        }
        if (edda_index_publish(run->index, doc + 1, &attributes, 0)) {
            quality_fail("cannot publish");
        }
    }
    edda_terms_done(&terms);
    double built = cpu_ms();
    sample_grams(run);
    printf("%zu documents, %zu chunks, %.1f us a chunk to cut and index, sample %.1f ms, "
           "%.0f bytes a chunk\n",
           run->set.doc_count, run->chunk_count, (built - start) * 1e3 / (double)run->chunk_count,
           cpu_ms() - built, (double)edda_index_bytes(run->index) / (double)run->chunk_count);
}

static uint64_t next_random(struct run *run) {
    run->seed ^= run->seed << 13;
    run->seed ^= run->seed >> 7;
    run->seed ^= run->seed << 17;
    return run->seed;
}

/* One random edit in one of five words of four and more ASCII letters, never at their ends. */
static void add_typos(struct run *run, const char *query, char *out, size_t size) {
    size_t used = 0;
    for (const char *at = query; *at && used + 2 < size;) {
        size_t letters = 0;
        while ((at[letters] | 32) >= 'a' && (at[letters] | 32) <= 'z') {
            letters++;
        }
        bool edit = letters >= 4 && next_random(run) % 5 == 0;
        size_t place = edit ? 1 + next_random(run) % (letters - 2) : 0;
        unsigned kind = (unsigned)(next_random(run) % 4);
        size_t step = letters ? letters : 1;
        for (size_t i = 0; i < step && used + 2 < size; i++) {
            if (!edit || i != place) {
                out[used++] = at[i];
            } else if (kind == 0 && i + 2 < letters) { /* swap */
                out[used++] = at[i + 1];
                out[used++] = at[i];
                i++;
            } else if (kind != 1) { /* replace or insert; kind 1 drops the letter */
                out[used++] = (char)('a' + next_random(run) % 26);
                if (kind == 3) {
                    out[used++] = at[i];
                }
            }
        }
        at += step;
    }
    out[used] = 0;
}

static const struct chunk *find_chunk(const struct run *run, const struct edda_index_hit *hit) {
    for (size_t at = 0;; at++) { /* memo keys ascend with chunks: start near */
        if (run->chunks[at].doc + 1 == hit->memo &&
            edda_uuid_equal(&run->chunks[at].uuid, &hit->chunk)) {
            return &run->chunks[at];
        }
    }
}

/* Ranked documents of a query; returns how many. */
static size_t rank_docs(struct run *run, const char *query, size_t docs[DEPTH]) {
    float vector[EDDA_HASH_EMBED_DIMENSION];
    struct edda_index_query wanted = {.text = edda_text_of(query)};
    struct edda_index_result result;
    struct edda_index_text texts[EDDA_INDEX_CANDIDATES];
    const struct chunk *chunks[EDDA_INDEX_CANDIDATES];
    struct edda_rerank_passage passages[EDDA_INDEX_CANDIDATES];
    struct edda_rerank_order order[EDDA_INDEX_CANDIDATES];
    if (run->setup.vectors && edda_hash_embed_text(run->embedder, wanted.text, vector) == 0) {
        wanted.model = EDDA_TEXT(EDDA_HASH_EMBED_MODEL);
        wanted.dimension = EDDA_HASH_EMBED_DIMENSION;
        wanted.vector = (struct edda_floats){(const uint8_t *)vector, sizeof vector};
    }
    double start = cpu_ms();
    int error = edda_index_search(run->index, run->scratch, &wanted, &result);
    run->search_ms += cpu_ms() - start;
    for (size_t i = 0; !error && i < result.count; i++) {
        chunks[i] = find_chunk(run, &result.items[i]);
        texts[i] = text_of(run, chunks[i]);
    }
    start = cpu_ms();
    if (error || edda_index_rescore(run->index, run->scratch, texts, DEPTH, &result)) {
        quality_fail("search failed");
    }
    run->rescore_ms += cpu_ms() - start;
    for (size_t i = 0; i < result.count; i++) {
        const struct edda_index_text *text = &texts[result.items[i].candidate];
        passages[i] = (struct edda_rerank_passage){text->title, text->heading, text->text,
                                                   (double)result.items[i].score};
        order[i] = (struct edda_rerank_order){(uint32_t)i, 0};
    }
    size_t reranked = result.count < RERANKED ? result.count : RERANKED;
    if (run->setup.rerank) {
        struct edda_hit_terms terms = {(struct edda_hit_term *)(uintptr_t)result.terms,
                                       result.term_count};
        start = cpu_ms();
        if (edda_reranker_run(run->reranker, wanted.text, passages, reranked, &terms, order)) {
            quality_fail("reranking failed");
        }
        run->rerank_ms += cpu_ms() - start;
    }
    size_t count = 0;
    for (size_t i = 0; i < result.count; i++) {
        size_t doc = chunks[result.items[order[i].passage].candidate]->doc;
        size_t seen = 0;
        while (seen < count && docs[seen] != doc) {
            seen++;
        }
        if (seen == count) {
            docs[count++] = doc;
        }
    }
    return count;
}

static void measure(struct run *run) {
    struct quality_figures sum = {0};
    size_t judged = 0;
    size_t step = run->setup.queries && run->setup.queries < run->set.query_count
                      ? run->set.query_count / run->setup.queries
                      : 1;
    for (size_t i = 0; i < run->set.query_count; i += step) {
        char text[EDDA_MAX_QUERY_BYTES];
        size_t docs[DEPTH];
        struct quality_figures one;
        snprintf(text, sizeof text, "%s", run->set.queries[i].text);
        if (run->setup.typos) {
            add_typos(run, run->set.queries[i].text, text, sizeof text);
        }
        size_t count = rank_docs(run, text, docs);
        if (quality_judge(&run->set, i, docs, count, &one)) {
            sum.ndcg += one.ndcg;
            sum.recall += one.recall;
            sum.reciprocal += one.reciprocal;
            judged++;
            if (run->setup.each) {
                printf("%s\t%.4f\n", run->set.queries[i].id, one.ndcg);
            }
        }
    }
    double n = judged ? (double)judged : 1;
    printf("%zu queries: nDCG@10 %.2f  R@100 %.2f  MRR@10 %.2f   CPU ms a query: search %.3f, "
           "rescore %.3f, rerank %.3f\n",
           judged, 100 * sum.ndcg / n, 100 * sum.recall / n, 100 * sum.reciprocal / n,
           run->search_ms / n, run->rescore_ms / n, run->rerank_ms / n);
}

static struct setup read_arguments(int count, char **arguments) {
    struct setup setup = {.vectors = true, .rerank = true};
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        const char *value = i + 1 < count ? arguments[i + 1] : "0";
        uint32_t number = (uint32_t)strtoul(value, NULL, 10);
        if (name[0] != '-') {
            setup.folder = name;
        } else if (!strcmp(name, "--whole")) {
            setup.whole = true;
        } else if (!strcmp(name, "--no-vector")) {
            setup.vectors = false;
        } else if (!strcmp(name, "--no-rerank")) {
            setup.rerank = false;
        } else if (!strcmp(name, "--typos")) {
            setup.typos = true;
        } else if (!strcmp(name, "--each")) {
            setup.each = true;
        } else {
            uint32_t *place = !strcmp(name, "--target")    ? &setup.target
                              : !strcmp(name, "--overlap") ? &setup.overlap
                              : !strcmp(name, "--maximum") ? &setup.maximum
                                                           : NULL;
            if (!place && strcmp(name, "--queries")) {
                quality_fail("unknown flag %s", name);
            }
            if (place) {
                *place = number;
            } else {
                setup.queries = number;
            }
            i++;
        }
    }
    return setup;
}

static void take_down(struct run *run) {
    edda_reranker_destroy(&run->reranker);
    edda_index_scratch_destroy(&run->scratch);
    edda_index_destroy(&run->index);
    edda_hash_embed_destroy(&run->embedder);
    edda_analyser_destroy(&run->analyser);
    for (size_t i = 0; i < run->chunk_count; i++) {
        free(run->chunks[i].text);
        free(run->chunks[i].heading);
    }
    free(run->chunks);
    quality_set_done(&run->set);
}

int main(int count, char **arguments) {
    struct run run = {.setup = read_arguments(count, arguments), .seed = 88172645463325252u};
    if (!run.setup.folder) {
        quality_fail("usage: quality_offline FOLDER [flags]");
    }
    run.set = quality_set_read(run.setup.folder);
    run.analyser = edda_analyser_new();
    run.embedder = edda_hash_embed_new();
    run.index = edda_index_new(NULL);
    run.scratch = edda_index_scratch_new(run.analyser);
    run.reranker = edda_reranker_new(run.analyser);
    if (!run.analyser || !run.embedder || !run.index || !run.scratch || !run.reranker) {
        quality_fail("out of memory");
    }
    build_index(&run);
    measure(&run);
    take_down(&run);
    return 0;
}
