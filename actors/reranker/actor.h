/* actors/reranker/actor.h: the rerank stage as a role: service "rerank", ops "rerank",
 * "rerank.texts".
 *
 * rerank reorders the hits of its input by lexical-1, with the idf they carry, and cuts them to
 * top_k; rerank.texts orders the arguments' documents, whose own order is the prior. Both are pure
 * functions of the message and are worked out where it arrives: half a millisecond for 50 passages;
 * texts of more than 256 KiB in all go to the stage's pool thread, so that the loop never waits
 * long. Stateless: any number of rerankers may serve the same brokers, and a job may come twice. */
#ifndef EDDA_ACTORS_RERANKER_ACTOR_H
#define EDDA_ACTORS_RERANKER_ACTOR_H

#include "actors/runtime/role.h"

/* Runs until the loop is drained or stopped. EDDA_E_MEMORY. */
int edda_reranker_main(edda_loop_t *loop, const struct edda_role *role);

#endif
