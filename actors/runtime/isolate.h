/* actors/runtime/isolate.h: calls of a function that runs in a child process, where it may crash,
 * hang or eat memory without harm to anybody: for code that reads what strangers wrote.
 *
 *   run -> a child that is free, or a new one -> bytes in, bytes out -> done
 *       -> it died, took too long, grew or said too much: killed, done says which, the next call
 *          gets a new child
 *
 * A child is this program started again with given arguments, which must lead it to
 * edda_isolated_serve (isolated.h). It has no descriptors but its end of a socket pair and standard
 * error, none of the parent's environment, ends with its parent, and takes one call after another,
 * `uses` of them, then a new one takes its place. A child that somebody's bytes have taken over can
 * answer its later calls wrongly, nothing else: for code that is not trusted at all `uses` is 1.
 *
 * Threads: the loop's. Limits: `children` calls at once; of each call memory (looked at every
 * EDDA_ISOLATE_LOOK_MS, and refused to the allocator where the sanitizers let it), time, bytes of
 * the answer. Linux: posix_spawn(3), pidfd_open(2), /proc/PID/statm. */
#ifndef EDDA_RUNTIME_ISOLATE_H
#define EDDA_RUNTIME_ISOLATE_H

#include "actors/runtime/loop.h"

#define EDDA_ISOLATE_CHILDREN 16
#define EDDA_ISOLATE_LOOK_MS  10
#define EDDA_ISOLATE_REQUEST  ((size_t)4 * 1024 * 1024)

typedef struct edda_isolate edda_isolate_t;

struct edda_isolate_options {
    edda_loop_t *loop;
    const char *name;             /* for logs; static */
    const char *const *arguments; /* of the program, without its name; NULL-terminated, static */
    unsigned children;            /* 1..EDDA_ISOLATE_CHILDREN; started when they are needed */
    size_t memory_bytes;          /* a child's resident memory */
    uint32_t run_ms;              /* a call's time, a new child's start included */
    uint32_t uses;                /* calls of one child */
    size_t answer_bytes;
};

/* error: 0 with the answer's bytes, or what the function returned; EDDA_E_FAILED: the child died;
 * EDDA_E_TIMEOUT; EDDA_E_LIMIT: memory, or bytes of the answer; EDDA_E_MEMORY: no child could be
 * had. reason: words for people when error is not 0, else NULL. All borrowed until done returns. */
struct edda_isolate_answer {
    int error;
    const char *reason;
    struct edda_bytes bytes;
};

/* Once for each call, on the loop, never from within run. */
typedef void (*edda_isolate_done_fn)(void *context, const struct edda_isolate_answer *answer);

/* NULL when memory is short. */
edda_isolate_t *edda_isolate_new(const struct edda_isolate_options *options);

/* Kills what runs; the calls that are open end with EDDA_E_CANCELLED from within. */
void edda_isolate_destroy(edda_isolate_t **self_p);

/* Copies the request. EDDA_E_BUSY: all children are at work; EDDA_E_LIMIT: over
 * EDDA_ISOLATE_REQUEST; EDDA_E_MEMORY. Then done does not come. */
int edda_isolate_run(edda_isolate_t *self, struct edda_bytes request, edda_isolate_done_fn done,
                     void *context) EDDA_MUST_CHECK;

#endif
