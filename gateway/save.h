/* gateway/save.h: the last stretch of creating and changing a memo: its text to the store, inline
 * or staged, then store.accept or store.patch, then the answer. Threads: the loop's. */
#ifndef EDDA_GATEWAY_SAVE_H
#define EDDA_GATEWAY_SAVE_H

#include "gateway/stage.h"

/* The work of such a visit, in its arena. */
struct edda_saving {
    struct edda_visit *visit;
    bool patching;
    struct edda_store_accept accept;
    struct edda_store_patch patch;
    struct edda_text content; /* in the visit's JSON; absent for uploads and when none is changed */
    size_t fed;               /* bytes of content given to the stage */
    struct edda_stage stage;
};

/* Makes it the visit's work, freed with it; NULL: the visit has been answered. */
struct edda_saving *edda_saving_new(struct edda_visit *visit);

/* Reads Idempotency-Key into accept (no header: nothing) and marks it as running. False: the visit
 * has been answered with 400 or 409. */
bool edda_saving_key(struct edda_saving *saving);

/* Sends content, if any, and then the operation; the visit is answered in the end. */
void edda_saving_run(struct edda_saving *saving);

/* The same for text already fed to the stage. */
void edda_saving_finish(struct edda_saving *saving);

/* A stage's on_done: all text is at the store, or the visit is refused. */
void edda_saving_staged(struct edda_saving *saving);

/* What a stage's error is for the client; answers whether the request has ended or not. */
void edda_saving_refuse(struct edda_saving *saving);

#endif
