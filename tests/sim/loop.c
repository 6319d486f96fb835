/* tests/sim/loop.c: actors/runtime/loop.h in simulated time: turns instead of a thread.
 *
 * What decides nothing is shared with the real loop (timers.c, deferred.c); what it does
 * with epoll and ZMQ_FD has no counterpart here and is tested by tests/actors/runtime. */
#include "tests/sim/loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <zmq.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/deferred.h"
#include "actors/runtime/timers.h"
#include "tests/sim/network.h"

#define MAX_DRAINS 32

struct edda_watch {
    void *socket;
    bool monitors; /* the socket's connections, not its messages */
    edda_task_fn fire;
    edda_watch_fn fire_events;
    void *context;
    bool ready;
    bool writable;
    bool dead;
    struct edda_watch *next;
};

struct edda_loop {
    struct sim_node *node;
    bool running;
    int64_t now_ms;
    int64_t stamp_us;
    struct edda_timers timers;
    struct edda_deferred_list deferred;
    struct edda_watch *sockets;
    struct {
        edda_task_fn begin;
        void *context;
    } drains[MAX_DRAINS];
    size_t drain_count;
    size_t holds;
    int drain_calls;
    int64_t drain_limit_ms;
    bool draining;
    int64_t drain_deadline_ms;
};

edda_loop_t *edda_loop_new(const char *name) {
    struct edda_loop *self = calloc(1, sizeof(*self));
    EDDA_ASSERT(self && sim->running);
    (void)name;
    self->node = sim->running;
    return self;
}

void edda_loop_destroy(edda_loop_t **self_p) {
    struct edda_loop *self = *self_p;
    if (!self) {
        return;
    }
    while (self->sockets) {
        struct edda_watch *watch = self->sockets;
        EDDA_ASSERT(watch->dead);
        self->sockets = watch->next;
        free(watch);
    }
    edda_timers_done(&self->timers);
    free(self);
    *self_p = NULL;
}

int64_t edda_loop_now(const edda_loop_t *self) {
    return self->running ? self->now_ms : edda_clock_ms();
}

void edda_loop_timer_set(edda_loop_t *self, struct edda_timer *timer, int64_t at_ms) {
    edda_timers_set(&self->timers, timer, at_ms);
    sim_node_wake(self->node);
}

void edda_loop_timer_cancel(edda_loop_t *self, struct edda_timer *timer) {
    edda_timers_cancel(&self->timers, timer);
}

int64_t edda_loop_stamp_us(const edda_loop_t *self) {
    return self->running ? self->stamp_us : 0;
}

void edda_loop_defer(edda_loop_t *self, struct edda_deferred *deferred) {
    edda_deferred_add(&self->deferred, deferred);
    sim_node_wake(self->node);
}

edda_watch_t *edda_loop_socket(edda_loop_t *self, void *zmq_socket, edda_task_fn fire,
                               void *context, const char *name) {
    struct edda_watch *watch = calloc(1, sizeof(*watch));
    EDDA_ASSERT(watch);
    (void)name;
    *watch =
        (struct edda_watch){.socket = zmq_socket, .fire = fire, .context = context, .ready = true};
    struct edda_watch **end = &self->sockets;
    while (*end) {
        end = &(*end)->next;
    }
    *end = watch;
    sim_node_wake(self->node);
    return watch;
}

/* The only descriptors here are those of monitors. */
edda_watch_t *edda_loop_watch(edda_loop_t *self, int fd, uint32_t epoll_events, edda_watch_fn fire,
                              void *context, const char *name) {
    struct sim_socket *socket = self->node->sockets;
    (void)epoll_events;
    while (socket && socket->number != fd) {
        socket = socket->next;
    }
    EDDA_ASSERT(socket);
    edda_watch_t *watch = edda_loop_socket(self, socket, NULL, context, name);
    watch->monitors = true;
    watch->fire_events = fire;
    watch->ready = false;
    return watch;
}

void edda_loop_unwatch(edda_loop_t *self, edda_watch_t **watch_p) {
    (void)self;
    if (*watch_p) {
        (*watch_p)->dead = true;
        *watch_p = NULL;
    }
}

int edda_loop_on_drain(edda_loop_t *self, edda_task_fn begin, void *context) {
    EDDA_ASSERT(self->drain_count < MAX_DRAINS);
    self->drains[self->drain_count].begin = begin;
    self->drains[self->drain_count++].context = context;
    return 0;
}

void edda_loop_hold(edda_loop_t *self) {
    self->holds++;
}

void edda_loop_release(edda_loop_t *self) {
    EDDA_ASSERT(self->holds > 0);
    self->holds--;
}

void edda_loop_drain(edda_loop_t *self, int64_t limit_ms) {
    if (self->drain_calls++ == 0) {
        self->drain_limit_ms = limit_ms;
    }
    sim_node_wake(self->node);
}

bool edda_loop_draining(const edda_loop_t *self) {
    return self->draining;
}

int64_t edda_loop_drain_deadline(const edda_loop_t *self) {
    return self->draining ? self->drain_deadline_ms : INT64_MAX;
}

/* Only mains call it, which no node has. */
int edda_loop_run(edda_loop_t *self) {
    (void)self;
    EDDA_ASSERT(false && "a simulated loop takes turns");
    return EDDA_E_INTERNAL;
}

/* ---- a turn ---- */

static void begin_callback(struct edda_loop *self) {
    self->node->spent_us += sim_between(SIM_DICE_TIME, 1, 10);
    self->stamp_us = edda_clock_us();
}

static void run_sockets(struct edda_loop *self) {
    for (struct edda_watch *watch = self->sockets; watch; watch = watch->next) {
        if (watch->ready && !watch->dead) {
            watch->ready = false;
            begin_callback(self);
            if (watch->monitors) {
                watch->fire_events(watch->context, EPOLLIN);
            } else {
                watch->fire(watch->context);
            }
        }
    }
}

static void run_timers(struct edda_loop *self) {
    size_t most = self->timers.count;
    struct edda_timer *timer;
    while (most-- > 0 && (timer = edda_timers_take(&self->timers, self->now_ms)) != NULL) {
        begin_callback(self);
        timer->fire(timer->context);
    }
}

static bool step_drain(struct edda_loop *self, int *ret_result) {
    if (self->drain_calls == 0) {
        return false;
    }
    if (!self->draining) {
        self->draining = true;
        self->drain_deadline_ms = self->now_ms + self->drain_limit_ms;
        for (size_t i = 0; i < self->drain_count; i++) {
            begin_callback(self);
            self->drains[i].begin(self->drains[i].context);
        }
    }
    *ret_result = self->holds == 0 ? 0 : EDDA_E_TIMEOUT;
    return self->holds == 0 || self->drain_calls > 1 || self->now_ms >= self->drain_deadline_ms;
}

static void sweep_sockets(struct edda_loop *self) {
    struct edda_watch **link = &self->sockets;
    while (*link) {
        struct edda_watch *watch = *link;
        if (watch->dead) {
            *link = watch->next;
            free(watch);
            continue;
        }
        int events = 0;
        size_t size = sizeof(events);
        if (watch->monitors) {
            const struct sim_socket *socket = watch->socket;
            watch->ready = socket->lost > 0;
        } else if (!watch->ready &&
                   zmq_getsockopt(watch->socket, ZMQ_EVENTS, &events, &size) == 0) {
            bool writable = events & ZMQ_POLLOUT;
            watch->ready = (events & ZMQ_POLLIN) || (writable && !watch->writable);
            watch->writable = writable;
        }
        link = &watch->next;
    }
}

bool sim_loop_turn(edda_loop_t *self, int *ret_result) {
    self->now_ms = edda_clock_ms();
    self->running = true;
    sweep_sockets(self); /* what came while it slept */
    run_sockets(self);
    edda_deferred_run(&self->deferred);
    run_timers(self);
    edda_deferred_run(&self->deferred);
    bool over = step_drain(self, ret_result);
    edda_deferred_run(&self->deferred);
    sweep_sockets(self);
    self->running = false;
    return over;
}

int64_t sim_loop_next_ms(const edda_loop_t *self) {
    bool ready = self->deferred.first != NULL;
    for (struct edda_watch *watch = self->sockets; watch; watch = watch->next) {
        ready |= watch->ready && !watch->dead;
    }
    if (ready || (self->drain_calls > 0 && !self->draining)) {
        return INT64_MIN;
    }
    int64_t next_ms = edda_timers_next(&self->timers);
    return self->draining && self->drain_deadline_ms < next_ms ? self->drain_deadline_ms : next_ms;
}
