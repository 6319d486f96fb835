/* actors/embedder/rows.h: the vectors of one job as they come together, and how they are given.
 *
 * Pure. Values are as the machine has them, which is little-endian. */
#ifndef EDDA_ACTORS_EMBEDDER_ROWS_H
#define EDDA_ACTORS_EMBEDDER_ROWS_H

#include "proto/body_stage.h"
#include "proto/error.h"

struct edda_rows {
    size_t count;
    uint32_t dimension; /* 0: not known yet */
    float *values;      /* owned; count rows, zeros until they are set; NULL before the first */
};

void edda_rows_init(struct edda_rows *rows, size_t count);
void edda_rows_done(struct edda_rows *rows);

/* All rows have this dimension from now on. EDDA_E_MEMORY. */
int edda_rows_take(struct edda_rows *rows, uint32_t dimension) EDDA_MUST_CHECK;

/* Copies `dimension` values in. */
void edda_rows_set(struct edda_rows *rows, size_t i, const float *row);

/* Whether chunks bring a row of their own for chunk i, not all zeros, of this model and
 * dimension. */
bool edda_rows_given(const struct edda_chunks *chunks, struct edda_text model, uint32_t dimension,
                     size_t i);

/* Copies that row. */
void edda_rows_set_given(struct edda_rows *rows, const struct edda_chunks *chunks, size_t i);

/* All of them; a view. */
struct edda_floats edda_rows_floats(const struct edda_rows *rows);

/* Sets dimension and vectors of chunks, or halves where vectors would not fit a frame beside their
 * texts; views into rows, whose values are halves then. EDDA_E_LIMIT: neither fits. */
int edda_rows_give(struct edda_rows *rows, struct edda_chunks *chunks) EDDA_MUST_CHECK;

#endif
