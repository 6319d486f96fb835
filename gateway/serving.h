/* gateway/serving.h: which model a project's vectors are of, as far as replies have said.
 *
 * A question must be embedded by the model of the vectors it is compared with. The store names that
 * model when the two differ; it is kept here, so that the project's next question is right at once.
 * A project that was never named uses the embedder's own model.
 *
 * At most EDDA_SERVING_PROJECTS in four-way buckets; of a full bucket the one learned longest ago
 * gives way, which costs its next question a second search. Threads: the loop's. */
#ifndef EDDA_GATEWAY_SERVING_H
#define EDDA_GATEWAY_SERVING_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_SERVING_PROJECTS 1024

typedef struct edda_serving edda_serving_t;

/* NULL when out of memory. */
edda_serving_t *edda_serving_new(void);
void edda_serving_destroy(edda_serving_t **self_p);

/* False: nothing is known of the project. The text lives until something is learned. */
bool edda_serving_find(const edda_serving_t *self, const char *project, struct edda_text *ret_model,
                       uint32_t *ret_dimension);

/* Both names at most EDDA_MAX_NAME bytes, else nothing is kept. */
void edda_serving_learn(edda_serving_t *self, const char *project, struct edda_text model,
                        uint32_t dimension);

#endif
