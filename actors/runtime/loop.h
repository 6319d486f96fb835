/* actors/runtime/loop.h: one thread's event loop: ZeroMQ sockets, file descriptors and timers,
 * over one epoll.
 *
 * ZMQ_FD is edge-triggered and only says "look at ZMQ_EVENTS", so every turn re-reads ZMQ_EVENTS of
 * every socket after callbacks and before sleeping, and never sleeps while one is readable. A
 * callback that takes over 20 ms is counted by name (edda_loop_slow_total) and logged once a
 * minute.
 *
 * Threads: everything belongs to the loop's own thread, except edda_loop_drain, edda_loop_stop and
 * edda_loop_is_to_drain, which any thread may call while the loop exists.
 *
 * Drain: edda_loop_drain runs the drain callbacks once; the loop then ends when no holds are left
 * or at the drain deadline. A second edda_loop_drain ends it at once. */
#ifndef EDDA_RUNTIME_LOOP_H
#define EDDA_RUNTIME_LOOP_H

#include "proto/error.h"
#include "proto/types.h"

typedef struct edda_loop edda_loop_t;
typedef struct edda_watch edda_watch_t;
struct edda_deferred; /* actors/runtime/deferred.h */
typedef void (*edda_task_fn)(void *context);
typedef void (*edda_watch_fn)(void *context, uint32_t epoll_events);

/* A timer lives inside its owner's struct, zero-initialised; at_ms and index belong to the loop. */
struct edda_timer {
    int64_t at_ms;
    size_t index; /* place in the heap + 1; 0 when not set */
    edda_task_fn fire;
    void *context;
    const char *name;
};

#define EDDA_LOOP_MAX_WATCHES 65536

/* name is for logs and metrics; static. NULL when out of memory or file descriptors. */
edda_loop_t *edda_loop_new(const char *name);
void edda_loop_destroy(edda_loop_t **self_p);

/* Runs until stopped or drained. Returns 0, or EDDA_E_TIMEOUT when the drain deadline cut it. */
int edda_loop_run(edda_loop_t *self);

/* Monotonic milliseconds, read once per turn. */
int64_t edda_loop_now(const edda_loop_t *self);

/* Sets or moves a timer. fire is called once, never before at_ms, never from within this call;
 * it may free the timer. */
void edda_loop_timer_set(edda_loop_t *self, struct edda_timer *timer, int64_t at_ms);
void edda_loop_timer_cancel(edda_loop_t *self, struct edda_timer *timer);

/* Watches fd (level-triggered). NULL over EDDA_LOOP_MAX_WATCHES or when epoll refuses. */
edda_watch_t *edda_loop_watch(edda_loop_t *self, int fd, uint32_t epoll_events, edda_watch_fn fire,
                              void *context, const char *name);
void edda_loop_watch_change(edda_loop_t *self, edda_watch_t *watch, uint32_t epoll_events);
void edda_loop_unwatch(edda_loop_t *self, edda_watch_t **watch_p);

/* Calls fire while the ZeroMQ socket is readable, at most once a turn: fire reads up to
 * EDDA_SOCKET_BUDGET messages without blocking and returns. Also when it became writable, and now
 * and then for nothing. Sockets are served in the order they were added. Unwatch before closing. */
edda_watch_t *edda_loop_socket(edda_loop_t *self, void *zmq_socket, edda_task_fn fire,
                               void *context, const char *name);

/* Called at the end of every turn, before sleeping; returns the longest sleep it can bear in ms
 * (-1: any). For libraries with their own timeouts. EDDA_E_LIMIT: there are 8. */
typedef int64_t (*edda_prepare_fn)(void *context);
int edda_loop_prepare(edda_loop_t *self, edda_prepare_fn prepare, void *context) EDDA_MUST_CHECK;

/* Calls deferred->fire once at the end of this phase of the turn (sockets; timers; prepare
 * hooks and drain), in any case before the loop sleeps or ends; what is deferred meanwhile comes in
 * the next phase. Outside a running loop: in its next turn. Cancel with edda_deferred_cancel before
 * the struct goes. */
void edda_loop_defer(edda_loop_t *self, struct edda_deferred *deferred);

/* edda_clock_us at the beginning of the callback that runs now, or a little before; 0 when the loop
 * does not run. */
int64_t edda_loop_stamp_us(const edda_loop_t *self);

/* Drain: callbacks run in the order they were added; holds keep the loop alive. EDDA_E_LIMIT: there
 * are 32 callbacks. */
int edda_loop_on_drain(edda_loop_t *self, edda_task_fn begin, void *context) EDDA_MUST_CHECK;
void edda_loop_hold(edda_loop_t *self);
void edda_loop_release(edda_loop_t *self);
void edda_loop_drain(edda_loop_t *self, int64_t limit_ms);
bool edda_loop_draining(const edda_loop_t *self);

/* Whether a drain was asked for, for those that block before the loop runs. Any thread. */
bool edda_loop_is_to_drain(const edda_loop_t *self);

/* When a drain is cut; INT64_MAX while not draining. */
int64_t edda_loop_drain_deadline(const edda_loop_t *self);

void edda_loop_stop(edda_loop_t *self);

#endif
