/* actors/embedder/request.h: a job whose texts a provider's model embeds, from its bodies to its
 * vectors.
 *
 *   begin -> texts joined, their keys made (many of them on the pool's thread)
 *         -> blank: zeros. Given already, or known to the cache: copied. The others: asked for
 *         -> all there: DONE. One failed: FAIL. Cancelled: nobody is told
 *
 * Interactive jobs (priority at most EDDA_EMBED_INTERACTIVE) are urgent, others are bulk; of bulk
 * that takes longer than a second the broker hears that it is alive. */
#ifndef EDDA_ACTORS_EMBEDDER_REQUEST_H
#define EDDA_ACTORS_EMBEDDER_REQUEST_H

#include "actors/embedder/stage.h"
#include "proto/body_stage.h"

#define EDDA_EMBED_INTERACTIVE 2 /* brokers send no others for a window of 1 */
#define EDDA_EMBED_PROGRESS_MS 1000

/* Takes the job. chunks: embed.chunks, else NULL; both are views into the job. */
void edda_embed_request_begin(struct edda_embed_stage *stage, edda_job_t *job,
                              edda_embed_model_t *model,
                              const struct edda_embed_arguments *arguments,
                              const struct edda_chunks *chunks);

/* A model's callbacks. */
void edda_embed_request_row(struct edda_gather_want *want, const float *row, uint32_t dimension);
void edda_embed_request_fail(struct edda_gather_want *want,
                             const struct edda_embed_failure *failure);

/* Whether a request that is open has to do with the model. */
bool edda_embed_request_uses(const struct edda_embed_stage *stage, const edda_embed_model_t *model);

/* The stage ends: what is open is failed. The pool is gone. */
void edda_embed_request_end_all(struct edda_embed_stage *stage);

/* Timer of stage->progress. */
void edda_embed_request_progress(void *stage);

#endif
