/* actors/runtime/role.h: what a part of Edda is given to run as a thread or as a process, and the
 * thread it runs in.
 *
 * A role's main builds its objects on the loop, calls ready, runs the loop, and takes its objects
 * down again. The same main serves `edda up` (threads over inproc) and `edda <role>` (a process).
 */
#ifndef EDDA_RUNTIME_ROLE_H
#define EDDA_RUNTIME_ROLE_H

#include "actors/runtime/config.h"
#include "actors/runtime/curve.h"
#include "actors/runtime/loop.h"

struct edda_role {
    const char *name; /* "broker", "gateway", "chunker", "embedder", "reranker", "llm", "store" */
    void *zmq_context;
    const edda_config_t *config;
    const char *const *connect; /* broker URLs */
    size_t connect_count;
    const edda_curve_t *curve; /* who this process is over tcp; NULL: plain */
    const char *const *listen; /* broker: URLs to bind */
    size_t listen_count;
    /* Called once on the role's thread when it serves; detail is for people ("http://…:7700"). */
    void (*ready)(void *context, const char *name, const char *detail);
    void *context;
};

typedef int (*edda_role_main_fn)(edda_loop_t *loop, const struct edda_role *role);

typedef struct edda_thread edda_thread_t;

/* Starts main on a joinable thread with every signal blocked and its own loop. role is borrowed
 * until join. NULL when no thread could be made. */
edda_thread_t *edda_thread_new(const struct edda_role *role, edda_role_main_fn main);

/* Asks the role to drain within limit_ms; does not wait. */
void edda_thread_drain(edda_thread_t *self, int64_t limit_ms);

/* Waits at most wait_ms for the thread's end and gives main's result.
 * EDDA_E_TIMEOUT: it still runs and *self_p stays; the launcher then aborts naming it. */
int edda_thread_join(edda_thread_t **self_p, int64_t wait_ms, int *ret_result) EDDA_MUST_CHECK;

/* Whether main has returned. */
bool edda_thread_ended(const edda_thread_t *self);

#endif
