/* actors/embedder/stage.h: what the files of the embed stage share; private to them. */
#ifndef EDDA_ACTORS_EMBEDDER_STAGE_H
#define EDDA_ACTORS_EMBEDDER_STAGE_H

#include "actors/embedder/hash_embed.h"
#include "actors/embedder/model.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/metric.h"

#define EDDA_EMBED_OTHER_MODELS 4

struct edda_embed_request;

struct edda_embed_other {
    edda_embed_model_t *model;
    uint32_t dimension; /* wanted */
    int64_t used_ms;
};

struct edda_embed_stage {
    edda_loop_t *loop;
    const edda_config_t *config;
    edda_actor_t *actor;
    edda_pool_t *pool; /* one thread */
    bool ending;       /* the pool takes nothing more */

    /* hash-256 */
    edda_hash_embed_t *query_embed;  /* the loop's thread */
    edda_hash_embed_t *bulk_embed;   /* the pool's thread */
    struct edda_buffer bulk_scratch; /* the pool's thread */
    edda_cache_t *cache;             /* the loop's thread */

    /* providers' models */
    edda_outbound_t *outbound;                               /* NULL while nobody needs it */
    edda_embed_model_t *own;                                 /* NULL: hash-256 is the stage's own */
    struct edda_embed_other others[EDDA_EMBED_OTHER_MODELS]; /* projects have vectors of */
    size_t waiting;                                          /* most texts in line; 0: as usual */
    struct edda_embed_request *requests;                     /* open */
    struct edda_timer progress;

    edda_cell_t *hits;
    edda_cell_t *misses;
    edda_cell_t *cached;
};

/* models.c: the model of EMBEDDING_PROVIDER. EDDA_E_INVALID when its account is not complete;
 * logged. */
int edda_embed_stage_open(struct edda_embed_stage *stage) EDDA_MUST_CHECK;
void edda_embed_stage_close(struct edda_embed_stage *stage);

/* Who embeds texts for which this model is wanted (absent: none in particular); NULL: hash-256. */
edda_embed_model_t *edda_embed_stage_choose(struct edda_embed_stage *stage, struct edda_text wanted,
                                            uint32_t dimension);

#endif
