/* ops/eval/asking.c: see asking.h. */
#include "ops/eval/asking.h"

#include "actors/reranker/feature.h"
#include "proto/body_store.h"
#include "proto/limits.h"

#define LIMIT          EDDA_MAX_CANDIDATES /* chunks, for R@100 of documents */
#define ANSWER_BYTES   ((size_t)16 << 20)
#define ALL_FEATURES   ((1u << EDDA_RERANK_FEATURES) - 1)
#define STORE_PARTS    3
#define PARTS          (STORE_PARTS + 1 + (EDDA_RERANK_FEATURES - 1))
#define FIRST_FEATURE  (EDDA_RERANK_PRIOR + 1)
#define RERANK_PART    STORE_PARTS
#define OF_FEATURE(at) ((at)-RERANK_PART - 1 + FIRST_FEATURE)

_Static_assert(LIMIT <= EDDA_RANKING_CHUNKS && EDDA_RERANK_PRIOR == 0, "as the code below has it");

static const char *const store_parts[STORE_PARTS] = {"expansion", "grams", "vector"};
static const uint32_t store_bits[STORE_PARTS] = {EDDA_WITHOUT_EXPANSION, EDDA_WITHOUT_GRAMS,
                                                 EDDA_WITHOUT_VECTOR};

const char *edda_asking_part(size_t number) {
    if (number < STORE_PARTS)
        return store_parts[number];
    if (number == RERANK_PART)
        return "rerank";
    return number < PARTS ? edda_rerank_feature((enum edda_rerank_feature)OF_FEATURE(number))->key
                          : NULL;
}

bool edda_asking_without(struct edda_asking *asking, const char *part) {
    const char *name;
    for (size_t i = 0; (name = edda_asking_part(i)) != NULL; i++) {
        if (strcmp(name, part) != 0)
            continue;
        if (i < STORE_PARTS)
            asking->without |= store_bits[i];
        else if (i == RERANK_PART)
            asking->without_rerank |= ALL_FEATURES & ~(1u << EDDA_RERANK_PRIOR);
        else
            asking->without_rerank |= 1u << OF_FEATURE(i);
        return true;
    }
    return false;
}

static double score_of(const struct edda_hit *hit, enum edda_leg leg) {
    switch (leg) {
    case EDDA_LEG_PLAIN:
    case EDDA_LEG_WORDS:
        return hit->word_score;
    case EDDA_LEG_GRAMS:
        return 0.65 * hit->word_score + 0.35 * hit->gram_score;
    case EDDA_LEG_VECTOR:
        return hit->vector_score;
    case EDDA_LEG_FUSED:
        return hit->first_score;
    case EDDA_LEG_RERANKED:
    case EDDA_LEG_COUNT:
        break;
    }
    return 1; /* as they stand */
}

static void rank(const struct edda_asking *asking, const struct edda_hits *hits, enum edda_leg leg,
                 struct edda_eval_answer *answer) {
    struct edda_scored_chunk chunks[EDDA_RANKING_CHUNKS];
    size_t count = hits->hits.count < EDDA_RANKING_CHUNKS ? hits->hits.count : EDDA_RANKING_CHUNKS;
    for (size_t i = 0; i < count; i++) {
        const struct edda_hit *hit = &hits->hits.items[i];
        chunks[i] = (struct edda_scored_chunk){edda_local_document(asking->local, &hit->memo),
                                               score_of(hit, leg)};
    }
    edda_ranking_make(chunks, count, &answer->legs[leg]);
    answer->known[leg] = true;
}

static void note_scores(const struct edda_asking *asking, const struct edda_hits *hits,
                        struct edda_tune_question *question) {
    question->hit_count = 0;
    for (size_t i = 0; i < hits->hits.count && i < EDDA_TUNE_HITS; i++) {
        const struct edda_hit *hit = &hits->hits.items[i];
        question->hits[question->hit_count++] =
            (struct edda_tune_hit){.document = edda_local_document(asking->local, &hit->memo),
                                   .words = (float)hit->word_score,
                                   .grams = (float)hit->gram_score,
                                   .vector = (float)hit->vector_score};
    }
}

/* A leg that is searched for by itself. */
static int ask_leg(const struct edda_asking *asking, struct edda_local_search search,
                   enum edda_leg leg, struct edda_eval_answer *answer, char *message) {
    struct edda_hits hits;
    struct edda_arena arena;
    struct edda_local_cost ignored;
    edda_arena_init(&arena, ANSWER_BYTES);
    int error = edda_local_find(asking->local, &search, &arena, &hits, &ignored, message);
    if (!error)
        rank(asking, &hits, leg, answer);
    edda_arena_done(&arena);
    return error;
}

/* What a client's search costs, which reads less deep. */
static int ask_as_clients_do(const struct edda_asking *asking, struct edda_local_search search,
                             struct edda_eval_answer *answer, char *message) {
    struct edda_hits hits;
    struct edda_arena arena;
    struct edda_local_cost cost;
    search.limit = EDDA_MAX_SEARCH_LIMIT;
    edda_arena_init(&arena, ANSWER_BYTES);
    int error = edda_local_find(asking->local, &search, &arena, &hits, &cost, message);
    if (!error) {
        answer->wall_ms = cost.wall_ms;
        answer->cpu_ms = cost.cpu_ms;
    }
    edda_arena_done(&arena);
    return error;
}

int edda_asking_search(void *context, size_t query, const char *text,
                       struct edda_eval_answer *ret_answer, char *message) {
    const struct edda_asking *asking = context;
    struct edda_local_search search = {.query = edda_text_of(text),
                                       .limit = LIMIT,
                                       .without = asking->without,
                                       .without_rerank = asking->without_rerank};
    struct edda_hits hits;
    struct edda_arena arena;
    struct edda_local_cost ignored;
    edda_arena_init(&arena, ANSWER_BYTES);
    int error = edda_local_find(asking->local, &search, &arena, &hits, &ignored, message);
    if (!error && asking->tuning)
        note_scores(asking, &hits, &asking->tuning[query]);
    if (!error) {
        rank(asking, &hits, EDDA_LEG_WORDS, ret_answer);
        rank(asking, &hits, EDDA_LEG_GRAMS, ret_answer);
        rank(asking, &hits, EDDA_LEG_FUSED, ret_answer);
        rank(asking, &hits, EDDA_LEG_RERANKED, ret_answer);
    }
    edda_arena_done(&arena);
    if (!error)
        error = ask_as_clients_do(asking, search, ret_answer, message);
    if (error || !asking->all_legs)
        return error;
    search.first_stage = true;
    search.without = EDDA_WITHOUT_EXPANSION | EDDA_WITHOUT_GRAMS | EDDA_WITHOUT_VECTOR;
    error = ask_leg(asking, search, EDDA_LEG_PLAIN, ret_answer, message);
    search.without = EDDA_WITHOUT_GRAMS;
    search.vector_alone = true;
    return error ? error : ask_leg(asking, search, EDDA_LEG_VECTOR, ret_answer, message);
}
