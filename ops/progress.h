/* ops/progress.h: a bar on a terminal, a line now and then elsewhere; always on standard error.
 *
 * What keeps the work from going on is said on a line of its own when it is new, at most every
 * five seconds, and behind each of the lines that come now and then. */
#ifndef EDDA_OPS_PROGRESS_H
#define EDDA_OPS_PROGRESS_H

#include "proto/limits.h"
#include "proto/types.h"

#define EDDA_PROGRESS_REASONS 4 /* that are remembered, and not said again */

struct edda_progress {
    bool terminal;
    size_t total;
    int64_t shown_ms;                     /* when it was drawn last */
    bool drawn;                           /* a bar stands on the terminal's line */
    char reason[EDDA_MAX_ERROR_TEXT + 1]; /* "" while it goes on */
    char said[EDDA_PROGRESS_REASONS][EDDA_MAX_ERROR_TEXT + 1];
    size_t next_said;
    int64_t said_ms; /* the last of them; 0: none was */
};

void edda_progress_init(struct edda_progress *progress, size_t total);

/* Draws at most ten times a second on a terminal, every ten seconds elsewhere. what is a few words
 * ("uploading"). */
void edda_progress_show(struct edda_progress *progress, const char *what, size_t done,
                        size_t failed);

/* Why it does not go on, in anybody's words, cut where there is no room; "": it does. */
void edda_progress_reason(struct edda_progress *progress, const char *reason);

/* Removes the bar, so that other lines can be printed. */
void edda_progress_clear(struct edda_progress *progress);

#endif
