/* gateway/stage.h: a memo's text on its way to the store: cut into parts, and staged there in
 * bounded messages when it is too large for one.
 *
 * Text is fed as it comes. While it stays within EDDA_INLINE_CONTENT_BYTES nothing is sent and the
 * parts can travel inside store.accept or store.patch. Beyond that, parts go out by store.put_part,
 * at most EDDA_STAGE_WINDOW messages at once; while those are all under way edda_stage_full says so
 * and the feeder waits for on_room. So the memory for a text of any size is about a megabyte.
 *
 * Threads: the loop's. Limits: text up to the maximum given at begin; every part valid UTF-8
 * without NUL, else EDDA_E_INVALID. */
#ifndef EDDA_GATEWAY_STAGE_H
#define EDDA_GATEWAY_STAGE_H

#include "actors/text/parts.h"
#include "gateway/visit.h"

#define EDDA_STAGE_WINDOW    4
#define EDDA_STAGE_MESSAGE   ((size_t)512 * 1024)
#define EDDA_STAGE_MAX_PARTS 64 /* held here at once */

struct edda_stage;
typedef void (*edda_stage_fn)(struct edda_stage *stage);

struct edda_stage {
    struct edda_visit *visit;
    struct edda_uuid memo; /* what it is staged under */
    struct edda_parts cutter;
    struct edda_buffer held; /* parts not yet sent, one behind the other */
    uint32_t sizes[EDDA_STAGE_MAX_PARTS];
    struct edda_text views[EDDA_STAGE_MAX_PARTS]; /* into held, filled by edda_stage_inline */
    size_t held_count;
    uint32_t first; /* number of the first part held */
    uint64_t bytes; /* fed so far */
    uint64_t maximum;
    bool begun;
    bool finished; /* nothing more will be fed */
    bool told;     /* the owner knows of the error or the end */
    int error;
    struct edda_wire_error detail; /* its text is not kept */
    size_t in_flight;
    struct edda_staging {
        struct edda_stage *stage;
        edda_call_t *call;
    } calls[EDDA_STAGE_WINDOW];
    struct edda_timer retry; /* no credit just now */
    unsigned retries;
    edda_stage_fn on_room; /* not full any more, or failed */
    edda_stage_fn on_done; /* after finish: all is at the store, or failed: see error */
};

/* In zeroed memory that lives as long as the visit. EDDA_E_MEMORY. */
int edda_stage_begin(struct edda_stage *stage, struct edda_visit *visit, uint64_t maximum,
                     edda_stage_fn on_room, edda_stage_fn on_done) EDDA_MUST_CHECK;

/* Cancels what is under way. Accepts a stage that was never begun. */
void edda_stage_done(struct edda_stage *stage);

/* EDDA_E_LIMIT: over the maximum; EDDA_E_INVALID: not text. The error sticks. A feeder that goes on
 * while the stage is full may be at most 128 KiB ahead. */
int edda_stage_feed(struct edda_stage *stage, struct edda_text bytes) EDDA_MUST_CHECK;
bool edda_stage_full(const struct edda_stage *stage);

/* No more text. on_done follows, never from within this call, unless everything fits inline: then
 * true is returned, nothing was or will be sent, and edda_stage_inline gives the parts. */
bool edda_stage_finish(struct edda_stage *stage);

/* The parts held, until edda_stage_done. */
struct edda_texts edda_stage_inline(struct edda_stage *stage);

/* Parts at the store, after on_done. */
uint32_t edda_stage_count(const struct edda_stage *stage);

#endif
