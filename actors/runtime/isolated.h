/* actors/runtime/isolated.h: the other side of isolate.h: what a child process does.
 *
 * Over one descriptor, EDDA_ISOLATED_FD, both ways: a head, then so many bytes. The same program is
 * at both ends, on one machine, so numbers are as it has them. Its limits and its parent's pid are
 * all the environment it has. */
#ifndef EDDA_RUNTIME_ISOLATED_H
#define EDDA_RUNTIME_ISOLATED_H

#include "proto/buffer.h"

#define EDDA_ISOLATED_FD     3
#define EDDA_ISOLATED_MEMORY "EDDA_ISOLATED_MEMORY"
#define EDDA_ISOLATED_ANSWER "EDDA_ISOLATED_ANSWER"
#define EDDA_ISOLATED_PARENT "EDDA_ISOLATED_PARENT"

struct edda_isolated_head {
    uint32_t size;
    int32_t error; /* of an answer: 0 or EDDA_E_; then size is 0 */
};

/* The function: request in, answer appended to out, which has the parent's limit. 0 or EDDA_E_. */
typedef int (*edda_isolated_fn)(struct edda_bytes request, struct edda_buffer *out);

/* Takes calls until the parent closes its end or is gone. Gives up what a child does not need
 * first: core dumps, new privileges, files. The process's exit status: 0, or 1 when it was not
 * started by isolate.c or the parent does not keep to the frames. */
int edda_isolated_serve(edda_isolated_fn function);

#endif
