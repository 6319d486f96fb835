/* ops/eval/ranking.h: documents in order, from scored chunks of them.
 *
 * A document stands where its best chunk stands. Chunks with no score are not found. Pure. */
#ifndef EDDA_OPS_EVAL_RANKING_H
#define EDDA_OPS_EVAL_RANKING_H

#include "ops/eval/metric.h"

#define EDDA_RANKING_CHUNKS 200

#define EDDA_LEG(name, key, words) EDDA_LEG_##name,
enum edda_leg {
#include "ops/eval/leg.def"
    EDDA_LEG_COUNT
};
#undef EDDA_LEG

const char *edda_leg_key(enum edda_leg leg);
const char *edda_leg_words(enum edda_leg leg);

struct edda_scored_chunk {
    size_t document;
    double score; /* found when > 0 */
};

struct edda_ranking {
    size_t documents[EDDA_RANKING_CHUNKS];
    size_t count;
};

/* Of at most EDDA_RANKING_CHUNKS chunks, which are sorted here: the best first, equal ones as they
 * stood. EDDA_NO_DOCUMENT (SIZE_MAX) takes its place, as nobody's right answer. */
void edda_ranking_make(struct edda_scored_chunk *chunks, size_t count,
                       struct edda_ranking *ret_ranking);

#endif
