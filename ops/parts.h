/* ops/parts.h: the parts of Edda by name, and the order in which they come up.
 *
 * Up in order of phases: broker, store, stages, gateway. Down in reverse: no new requests, then no
 * new work, then nothing more to write, then nobody to talk to. */
#ifndef EDDA_OPS_PARTS_H
#define EDDA_OPS_PARTS_H

#include "actors/runtime/isolated.h"
#include "actors/runtime/role.h"

/* Workers of a stage that may be more than one, of which there are four; beside them broker, store
 * and gateway. */
#define EDDA_PARTS_OF_A_STAGE 64
#define EDDA_PARTS_MOST       (4 * EDDA_PARTS_OF_A_STAGE + 3)

struct edda_part_kind {
    const char *name; /* also the command that runs it as a process */
    edda_role_main_fn main;
    unsigned phase;
    bool providers;            /* speaks to providers: needs their keys */
    edda_isolated_fn isolated; /* what its child processes do, or NULL */
    const char *summary;
};

/* The table, lowest phase first. */
const struct edda_part_kind *edda_part_kinds(size_t *ret_count);

/* The counters of a part that is a process of its own; beside it, and the last to end. */
extern const struct edda_part_kind edda_part_metrics;

/* NULL for names of no part. */
const struct edda_part_kind *edda_part_find(const char *name);

#endif
