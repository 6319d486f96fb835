/* actors/store/reuse.h: which chunks of a new content equal chunks that a memo has already, and
 * their vectors in the form that fits a message. Pure: a database offers what it has. */
#ifndef EDDA_ACTORS_STORE_REUSE_H
#define EDDA_ACTORS_STORE_REUSE_H

#include "proto/arena.h"
#include "proto/body_stage.h"

#define EDDA_REUSE_MOST_CHUNKS 4096 /* of the current version: all of them are offered */

/* One chunk of the input; row is the equal chunk that was found, 0 while there is none. */
struct edda_reuse_place {
    uint64_t hash;
    int64_t row;
    int64_t model;
};

struct edda_reuse {
    const struct edda_chunks *input;
    struct edda_reuse_place *places; /* one a chunk of the input */
    uint32_t *slots;                 /* open addressing by hash: place + 1, 0 is empty */
    size_t slot_count;               /* a power of two */
};

/* EDDA_E_MEMORY. */
int edda_reuse_begin(struct edda_reuse *reuse, struct edda_arena *arena,
                     const struct edda_chunks *input) EDDA_MUST_CHECK;

/* Gives a stored chunk that has a vector of model to every chunk of the input that equals it and
 * has none yet. */
void edda_reuse_offer(struct edda_reuse *reuse, int64_t row, struct edda_text text,
                      struct edda_text heading, int64_t model);

/* A message has one model: that of most chunks, of two the preferred. 0: nothing was found. */
int64_t edda_reuse_choose(const struct edda_reuse *reuse, int64_t preferred);

/* Makes room for rows of output's dimension, all zero, as floats or halves, whichever fits a frame
 * beside the texts; without room there, output keeps no model. EDDA_E_MEMORY. */
int edda_reuse_make_room(struct edda_arena *arena, struct edda_chunks *output) EDDA_MUST_CHECK;

/* Row i of the output; floats: dimension of them, little-endian. Only a vector's direction matters,
 * so one with values that a half cannot hold is made shorter. */
void edda_reuse_fill(struct edda_chunks *output, size_t i, const uint8_t *floats);

#endif
