/* ops/progress.h: a bar on a terminal, a line now and then elsewhere; always on standard error. */
#ifndef EDDA_OPS_PROGRESS_H
#define EDDA_OPS_PROGRESS_H

#include "proto/types.h"

struct edda_progress {
    bool terminal;
    size_t total;
    int64_t shown_ms; /* when it was drawn last */
    bool drawn;       /* a bar stands on the terminal's line */
};

void edda_progress_init(struct edda_progress *progress, size_t total);

/* Draws at most ten times a second on a terminal, every ten seconds elsewhere. what is a few words
 * ("uploading"). */
void edda_progress_show(struct edda_progress *progress, const char *what, size_t done,
                        size_t failed);

/* Removes the bar, so that other lines can be printed. */
void edda_progress_clear(struct edda_progress *progress);

#endif
