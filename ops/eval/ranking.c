/* ops/eval/ranking.c: see ranking.h. */
#include "ops/eval/ranking.h"

static const struct {
    const char *key;
    const char *words;
} legs[] = {
#define EDDA_LEG(name, key, words) {key, words},
#include "ops/eval/leg.def"
#undef EDDA_LEG
};

const char *edda_leg_key(enum edda_leg leg) {
    return legs[leg].key;
}

const char *edda_leg_words(enum edda_leg leg) {
    return legs[leg].words;
}

/* By insertion: stable, and nearly sorted already. */
static void sort_chunks(struct edda_scored_chunk *chunks, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct edda_scored_chunk moved = chunks[i];
        size_t at = i;
        for (; at > 0 && chunks[at - 1].score < moved.score; at--)
            chunks[at] = chunks[at - 1];
        chunks[at] = moved;
    }
}

void edda_ranking_make(struct edda_scored_chunk *chunks, size_t count,
                       struct edda_ranking *ret_ranking) {
    EDDA_ASSERT(count <= EDDA_RANKING_CHUNKS);
    sort_chunks(chunks, count);
    ret_ranking->count = 0;
    for (size_t i = 0; i < count && chunks[i].score > 0; i++) {
        size_t seen = 0;
        while (seen < ret_ranking->count && ret_ranking->documents[seen] != chunks[i].document)
            seen++;
        if (seen == ret_ranking->count || chunks[i].document == SIZE_MAX)
            ret_ranking->documents[ret_ranking->count++] = chunks[i].document;
    }
}
