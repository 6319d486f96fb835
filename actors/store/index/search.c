/* actors/store/index/search.c: the two legs of a query, and the list they give. */
#include "actors/store/index/candidates.h"
#include "actors/store/index/feedback.h"
#include "actors/store/index/index.h"
#include "actors/store/index/state.h"
#include "actors/store/index/words.h"

#include <float.h>
#include <stdlib.h>

/* The built-in vectors say of a chunk how it is spelled, and there words are the better guide: in a
 * large index only the chunks that say most of the query's words are compared, those with so much
 * of the hundredth's score and at most about SPELLING_CHUNKS. In a small one all are, and also when
 * there is a filter or too many score the same. */
#define SPELLING_ROWS       16384
#define SPELLING_FLOOR      0.4f
#define SPELLING_CHUNKS     2000
#define SPELLING_CHUNKS_MAX 8000
#define SPELLING_STEPS      1024

edda_index_scratch_t *edda_index_scratch_new(edda_analyser_t *analyser) {
    edda_index_scratch_t *self = calloc(1, sizeof *self);
    if (self && edda_folder_init(&self->folder)) {
        free(self);
        return NULL;
    }
    if (self) {
        self->analyser = analyser;
        self->postings_most = EDDA_INDEX_POSTINGS;
    }
    return self;
}

void edda_index_scratch_destroy(edda_index_scratch_t **self_p) {
    edda_index_scratch_t *self = *self_p;
    if (!self) {
        return;
    }
    edda_folder_done(&self->folder);
    edda_vocabulary_scratch_done(&self->vocabulary);
    edda_vectors_scratch_done(&self->vectors);
    free(self->query_terms);
    free(self->terms);
    free(self->scores);
    free(self->best);
    free(self->touched);
    free(self->verdicts);
    free(self->feedback);
    free(self);
    *self_p = NULL;
}

static int reserve_scratch(const edda_index_t *self, edda_index_scratch_t *scratch) {
    size_t slots = self->lexical.slot_count;
    if (slots > scratch->slots_capacity) {
        size_t capacity = slots + slots / 4 + 1024;
        free(scratch->scores);
        free(scratch->best);
        free(scratch->touched);
        scratch->scores = malloc(capacity * sizeof *scratch->scores);
        scratch->best = calloc(capacity, sizeof *scratch->best);
        scratch->touched = malloc(capacity * sizeof *scratch->touched);
        bool made = scratch->scores && scratch->best && scratch->touched;
        scratch->slots_capacity = made ? capacity : 0;
        if (!made) {
            return EDDA_E_MEMORY;
        }
    }
    int error = EDDA_GROW(scratch->verdicts, scratch->verdicts_capacity, self->memo_count);
    if (!error && slots) {
        memset(scratch->scores, 0, slots * sizeof *scratch->scores);
    }
    if (!error && self->memo_count) {
        memset(scratch->verdicts, 0, self->memo_count);
    }
    return error;
}

/* ---- which chunks may be found ---- */

struct admission {
    const edda_index_t *index;
    const struct edda_index_query *query;
    uint8_t *verdicts;
};

static bool judge_memo(const struct admission *admission, const struct edda_index_memo *memo) {
    int64_t now = admission->query->now_wall_ms;
    if (!memo->visible) {
        return false;
    }
    if (now != 0 && memo->expires_wall_ms != 0 && memo->expires_wall_ms <= now) {
        return false;
    }
    const edda_filter_t *filter = admission->query->filter;
    return !filter || edda_filter_pass(filter, memo->attributes);
}

static bool admit_slot(void *context, uint32_t slot) {
    const struct admission *admission = context;
    if (admission->index->open[slot] && !admission->query->filter) {
        return true;
    }
    uint32_t memo = admission->index->slots[slot].memo;
    if (memo == EDDA_INDEX_NONE) {
        return false;
    }
    uint8_t *verdict = &admission->verdicts[memo];
    if (*verdict == 0) {
        *verdict = judge_memo(admission, &admission->index->memos[memo]) ? 1 : 2;
    }
    return *verdict == 1;
}

/* ---- the best of a leg; ties by chunk ---- */

static bool is_worse(const edda_index_t *self, struct edda_scored a, struct edda_scored b) {
    if (a.score != b.score) {
        return a.score < b.score;
    }
    return memcmp(self->slots[a.slot].uuid.bytes, self->slots[b.slot].uuid.bytes, 16) > 0;
}

static void sink_best(const edda_index_t *self, struct edda_scored *heap, size_t count, size_t at,
                      struct edda_scored item) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(self, heap[child + 1], heap[child])) {
            child++;
        }
        if (!is_worse(self, heap[child], item)) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = item;
}

/* Offers item to a min-heap of at most `most`; returns the heap's new count. */
static size_t offer(const edda_index_t *self, struct edda_scored *heap, size_t count, size_t most,
                    struct edda_scored item) {
    if (count == most) {
        if (is_worse(self, heap[0], item)) {
            sink_best(self, heap, count, 0, item);
        }
        return count;
    }
    size_t at = count;
    for (; at > 0 && is_worse(self, item, heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = item;
    return count + 1;
}

typedef float lanes __attribute__((vector_size(16)));

/* The first slot from `from` whose score is not below floor, `end` when there is none. */
static uint32_t next_above(const float *scores, uint32_t from, uint32_t end, float floor) {
    for (; end - from >= 8; from += 8) {
        lanes eight[2];
        memcpy(eight, scores + from, sizeof eight);
        uint64_t hits[2];
        __typeof__(eight[0] >= floor) hit = (eight[0] >= floor) | (eight[1] >= floor);
        memcpy(hits, &hit, sizeof hits);
        if (hits[0] | hits[1]) {
            break;
        }
    }
    while (from < end && scores[from] < floor) {
        from++;
    }
    return from;
}

/* The best chunks by words, best first. */
static size_t select_words(const edda_index_t *self, edda_index_scratch_t *scratch,
                           struct admission *admission, size_t most) {
    struct edda_scored *words = scratch->words;
    uint32_t end = (uint32_t)self->lexical.slot_count;
    float least = FLT_MIN; /* every score above 0 */
    size_t count = 0;
    for (uint32_t slot = next_above(scratch->scores, 0, end, least); slot < end;
         slot = next_above(scratch->scores, slot + 1, end, least)) {
        if (admit_slot(admission, slot)) {
            struct edda_scored item = {scratch->scores[slot], slot};
            count = offer(self, words, count, most, item);
            least = count == most ? words[0].score : FLT_MIN;
        }
    }
    for (size_t left = count; left > 1; left--) {
        struct edda_scored worst = words[0];
        sink_best(self, words, left - 1, 0, words[left - 1]);
        words[left - 1] = worst;
    }
    return count;
}

/* ---- vectors ---- */

static const struct edda_vectors *find_vectors(const edda_index_t *self, struct edda_text model,
                                               uint32_t dimension) {
    for (size_t i = 0; i < self->model_count; i++) {
        if (self->models[i].dimension == dimension && edda_text_is(model, self->models[i].model)) {
            return &self->models[i];
        }
    }
    return NULL;
}

bool edda_index_has_vectors(const edda_index_t *self, struct edda_text model, uint32_t dimension) {
    const struct edda_vectors *vectors = find_vectors(self, model, dimension);
    return vectors && vectors->row_count > 0;
}

#define NEAR_PLACES 4096 /* of a table by chunk: a power of two, at least twice EDDA_INDEX_NEAR */

static size_t near_place(const struct edda_uuid *chunk) {
    uint64_t head;
    uint64_t tail;
    memcpy(&head, chunk->bytes, 8);
    memcpy(&tail, chunk->bytes + 8, 8);
    return (size_t)(edda_map_mix(head ^ edda_map_mix(tail)) >> 20) & (NEAR_PLACES - 1);
}

/* The leg when a database found it: one look at every slot is cheaper than a map of all chunks. */
static size_t select_near(const edda_index_t *self, const struct edda_index_query *query,
                          struct admission *admission, struct edda_scored best[EDDA_INDEX_LEG]) {
    uint16_t places[NEAR_PLACES] = {0}; /* index in near + 1 */
    size_t count = 0;
    EDDA_ASSERT(query->near_count <= EDDA_INDEX_NEAR);
    for (size_t i = 0; i < query->near_count; i++) {
        size_t at = near_place(&query->near[i].chunk);
        while (places[at]) {
            at = (at + 1) & (NEAR_PLACES - 1);
        }
        places[at] = (uint16_t)(i + 1);
    }
    for (uint32_t slot = 0; slot < self->lexical.slot_count && query->near_count; slot++) {
        const struct edda_uuid *chunk = &self->slots[slot].uuid;
        for (size_t at = near_place(chunk); places[at]; at = (at + 1) & (NEAR_PLACES - 1)) {
            const struct edda_index_near *near = &query->near[places[at] - 1];
            if (memcmp(near->chunk.bytes, chunk->bytes, 16) == 0) {
                if (near->cosine > 0 && near->cosine >= query->minimum_cosine &&
                    admit_slot(admission, slot)) {
                    count = offer(self, best, count, EDDA_INDEX_LEG,
                                  (struct edda_scored){near->cosine, slot});
                }
                break;
            }
        }
    }
    return count;
}

/* Of the chunks in scratch->touched those whose score is high enough that SPELLING_CHUNKS of them
 * are as high: in whole steps, so that it does not depend on the order of slots. */
static size_t keep_highest(edda_index_scratch_t *scratch, size_t count) {
    uint32_t steps[SPELLING_STEPS + 1] = {0};
    float scale = SPELLING_STEPS / scratch->words[0].score;
    size_t level = SPELLING_STEPS + 1;
    size_t highest = 0;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        steps[(size_t)(scratch->scores[scratch->touched[i]] * scale)]++;
    }
    while (highest < SPELLING_CHUNKS && level > 0) {
        highest += steps[--level];
    }
    for (size_t i = 0; i < count; i++) {
        if ((size_t)(scratch->scores[scratch->touched[i]] * scale) >= level) {
            scratch->touched[kept++] = scratch->touched[i];
        }
    }
    return kept;
}

/* The chunks that say most of the query's words, in scratch->touched, ascending. Returns how many;
 * 0 when they are too few or too many to be worth it. */
static size_t select_spelling(const edda_index_t *self, edda_index_scratch_t *scratch,
                              struct admission *admission) {
    const float *scores = scratch->scores;
    uint32_t end = (uint32_t)self->lexical.slot_count;
    float floor = SPELLING_FLOOR * scratch->words[EDDA_INDEX_LEG - 1].score;
    size_t count = 0;
    for (uint32_t slot = next_above(scores, 0, end, floor); slot < end;
         slot = next_above(scores, slot + 1, end, floor)) {
        if (admit_slot(admission, slot)) {
            scratch->touched[count++] = slot;
        }
    }
    if (count > SPELLING_CHUNKS) {
        count = keep_highest(scratch, count);
    }
    return count < SPELLING_CHUNKS_MAX ? count : 0;
}

/* Fills `best` with the leg's chunks and says by *ret_count how many. */
static int select_vectors(const edda_index_t *self, edda_index_scratch_t *scratch,
                          const struct edda_index_query *query, struct admission *admission,
                          size_t word_count, struct edda_scored best[EDDA_INDEX_LEG],
                          size_t *ret_count) {
    const struct edda_vectors *vectors = find_vectors(self, query->model, query->dimension);
    size_t found = 0;
    size_t chosen = 0;
    int error;
    *ret_count = 0;
    if (query->near_given) {
        *ret_count = select_near(self, query, admission, best);
        return 0;
    }
    if (!vectors) {
        scratch->vector_degraded = query->model.size > 0 && edda_index_chunks(self) > 0;
        return 0;
    }
    if (vectors->row_count > SPELLING_ROWS && word_count == EDDA_INDEX_LEG && !query->filter &&
        edda_fusion_is_builtin(query->model)) {
        chosen = select_spelling(self, scratch, admission);
    }
    if (chosen > 0) {
        error =
            edda_vectors_compare(vectors, &scratch->vectors, query->vector, query->minimum_cosine,
                                 EDDA_INDEX_LEG, scratch->touched, chosen, &found);
    } else {
        error =
            edda_vectors_search(vectors, &scratch->vectors, query->vector, query->minimum_cosine,
                                EDDA_INDEX_LEG, admit_slot, admission, &found);
    }
    for (size_t i = 0; !error && i < found; i++) {
        *ret_count = offer(self, best, *ret_count, EDDA_INDEX_LEG, scratch->vectors.pool[i]);
    }
    return error;
}

static struct edda_fusion_weights choose_weights(const edda_index_t *self,
                                                 const edda_index_scratch_t *scratch,
                                                 const struct edda_index_query *query) {
    struct edda_fusion_weights weights =
        edda_fusion_is_builtin(query->model) ? self->builtin_weights : self->model_weights;
    if (query->model.size == 0 || scratch->vector_degraded ||
        query->without & EDDA_WITHOUT_VECTOR) {
        weights = edda_fusion_without_vector(self->builtin_weights);
    }
    if (query->without & EDDA_WITHOUT_GRAMS) {
        weights.words += weights.grams;
        weights.grams = 0;
    }
    return weights;
}

int edda_index_search(const edda_index_t *self, edda_index_scratch_t *scratch,
                      const struct edda_index_query *query, struct edda_index_result *ret_result) {
    struct admission admission = {self, query, NULL};
    struct edda_scored vectors[EDDA_INDEX_LEG];
    size_t term_count = 0;
    size_t vector_count = 0;
    scratch->vector_degraded = false;
    scratch->term_count = 0;
    scratch->postings = 0;
    scratch->candidate_count = 0;
    int error = reserve_scratch(self, scratch);
    admission.verdicts = scratch->verdicts;
    if (!error) {
        error = edda_words_read(self, scratch, query->text, &term_count);
    }
    if (!error) {
        bool expand = !(query->without & EDDA_WITHOUT_EXPANSION);
        error = edda_words_score(self, scratch, term_count, expand);
    }
    if (error) {
        return error;
    }
    size_t word_count = term_count ? select_words(self, scratch, &admission, EDDA_INDEX_LEG) : 0;
    if (!(query->without & EDDA_WITHOUT_VECTOR)) {
        error =
            select_vectors(self, scratch, query, &admission, word_count, vectors, &vector_count);
        if (error) {
            return error;
        }
    }
    size_t limit = query->limit > EDDA_INDEX_CANDIDATES ? EDDA_INDEX_DEPTH : EDDA_INDEX_CANDIDATES;
    scratch->weights = choose_weights(self, scratch, query);
    edda_candidates_fuse(self, scratch, word_count, vectors, vector_count);
    if (limit > EDDA_INDEX_CANDIDATES && scratch->candidate_count >= EDDA_INDEX_CANDIDATES) {
        error = edda_feedback_add(self, scratch);
        if (error) {
            return error;
        }
        word_count = select_words(self, scratch, &admission, limit);
        edda_candidates_lengthen(self, scratch, word_count);
    }
    edda_candidates_finish(scratch, limit, ret_result);
    ret_result->vector_count = vector_count;
    return 0;
}

size_t edda_index_admitted(const edda_index_t *self, const struct edda_index_query *query,
                           uint64_t *ret_keys, size_t most, size_t *ret_chunks) {
    const struct admission admission = {self, query, NULL};
    size_t count = 0;
    *ret_chunks = 0;
    for (size_t i = 0; i < self->memo_count; i++) {
        const struct edda_index_memo *memo = &self->memos[i];
        if (judge_memo(&admission, memo)) {
            if (count < most) {
                ret_keys[count] = memo->key;
            }
            count++;
            *ret_chunks += memo->chunk_count;
        }
    }
    return count;
}
