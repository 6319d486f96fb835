/* actors/runtime/loop.c: one epoll, ZeroMQ's edge-triggered descriptors turned into level ones.
 *
 * A turn: epoll_wait; descriptors' callbacks; sockets in the order added; timers;
 * prepare callbacks; then ZMQ_EVENTS of every socket, for any call on a socket (a send too) may
 * have consumed the wake-up of a message that still waits. If one is ready the next sleep is 0. */
#include "actors/runtime/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/deferred.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/runtime/timers.h"

#define EVENTS_PER_TURN 256
#define MAX_PREPARES    8
#define MAX_DRAINS      32
#define SLOW_US         20000
#define SLOW_LOG_MS     60000

struct edda_watch {
    edda_loop_t *loop;
    int fd;
    void *zmq_socket; /* NULL for plain descriptors */
    edda_watch_fn fire;
    edda_task_fn fire_socket;
    void *context;
    const char *name;
    uint32_t revents;        /* of this turn */
    bool ready;              /* socket: fire in this turn */
    bool writable;           /* socket: what ZMQ_EVENTS last said */
    bool dead;               /* unwatched: freed at the end of the turn */
    struct edda_watch *next; /* among sockets or among the dead */
};

struct hook {
    edda_task_fn begin;
    void *context;
};

struct edda_loop {
    const char *name;
    int epoll;
    int wake; /* eventfd */
    bool running;
    int64_t now_ms;
    int64_t stamp_us; /* end of the last callback */
    struct edda_timers timers;
    struct edda_watch *sockets; /* in the order added */
    struct edda_watch *dead;
    size_t watch_count;
    struct {
        edda_prepare_fn prepare;
        void *context;
    } prepares[MAX_PREPARES];
    size_t prepare_count;
    struct edda_deferred_list deferred;
    struct hook drains[MAX_DRAINS];
    size_t drain_count;
    size_t holds;
    bool draining;
    int64_t drain_deadline_ms;
    int64_t slow_logged_ms;

    _Atomic bool stopped;
    _Atomic int drain_calls;
    _Atomic int64_t drain_limit_ms;
};

edda_loop_t *edda_loop_new(const char *name) {
    struct edda_loop *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->name = name;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (self->epoll < 0 || self->wake < 0 ||
        epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->wake, &event) != 0) {
        edda_loop_destroy(&self);
        return NULL;
    }
    self->now_ms = edda_clock_ms();
    self->slow_logged_ms = self->now_ms - SLOW_LOG_MS;
    return self;
}

static void free_dead(struct edda_loop *self) {
    while (self->dead) {
        struct edda_watch *watch = self->dead;
        self->dead = watch->next;
        free(watch);
    }
}

void edda_loop_destroy(edda_loop_t **self_p) {
    struct edda_loop *self = *self_p;
    if (!self) {
        return;
    }
    free_dead(self);
    while (self->sockets && self->sockets->dead) {
        struct edda_watch *watch = self->sockets;
        self->sockets = watch->next;
        free(watch);
    }
    if (self->epoll >= 0) {
        close(self->epoll);
    }
    if (self->wake >= 0) {
        close(self->wake);
    }
    edda_timers_done(&self->timers);
    free(self);
    *self_p = NULL;
}

int64_t edda_loop_now(const edda_loop_t *self) {
    /* Before the first turn and between two runs nobody keeps it fresh. */
    return self->running ? self->now_ms : edda_clock_ms();
}

void edda_loop_timer_set(edda_loop_t *self, struct edda_timer *timer, int64_t at_ms) {
    edda_timers_set(&self->timers, timer, at_ms);
}

void edda_loop_timer_cancel(edda_loop_t *self, struct edda_timer *timer) {
    edda_timers_cancel(&self->timers, timer);
}

int64_t edda_loop_stamp_us(const edda_loop_t *self) {
    return self->running ? self->stamp_us : 0;
}

void edda_loop_defer(edda_loop_t *self, struct edda_deferred *deferred) {
    edda_deferred_add(&self->deferred, deferred);
}

/* Closes the books on one callback: the clock is read once between two callbacks. */
static void note_time(struct edda_loop *self, const char *name) {
    int64_t now_us = edda_clock_us();
    int64_t spent_us = now_us - self->stamp_us;
    self->stamp_us = now_us;
    if (spent_us < SLOW_US) {
        return;
    }
    edda_metric_add(EDDA_METRIC_LOOP_SLOW, name ? name : "?", 1);
    if (self->now_ms - self->slow_logged_ms >= SLOW_LOG_MS) {
        self->slow_logged_ms = self->now_ms;
        edda_log(EDDA_LOG_WARNING, "loop_slow", "loop=%s callback=%s ms=%lld", self->name,
                 name ? name : "?", (long long)(spent_us / 1000));
    }
}

static struct edda_watch *make_watch(struct edda_loop *self, int fd, uint32_t epoll_events,
                                     const char *name) {
    if (self->watch_count >= EDDA_LOOP_MAX_WATCHES) {
        return NULL;
    }
    struct edda_watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        return NULL;
    }
    *watch = (struct edda_watch){.loop = self, .fd = fd, .name = name};
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(watch);
        return NULL;
    }
    self->watch_count++;
    return watch;
}

edda_watch_t *edda_loop_watch(edda_loop_t *self, int fd, uint32_t epoll_events, edda_watch_fn fire,
                              void *context, const char *name) {
    struct edda_watch *watch = make_watch(self, fd, epoll_events, name);
    if (watch) {
        watch->fire = fire;
        watch->context = context;
    }
    return watch;
}

void edda_loop_watch_change(edda_loop_t *self, edda_watch_t *watch, uint32_t epoll_events) {
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    int result = epoll_ctl(self->epoll, EPOLL_CTL_MOD, watch->fd, &event);
    EDDA_ASSERT(result == 0);
}

edda_watch_t *edda_loop_socket(edda_loop_t *self, void *zmq_socket, edda_task_fn fire,
                               void *context, const char *name) {
    int fd = -1;
    size_t size = sizeof fd;
    if (zmq_getsockopt(zmq_socket, ZMQ_FD, &fd, &size) != 0) {
        return NULL;
    }
    struct edda_watch *watch = make_watch(self, fd, EPOLLIN, name);
    if (!watch) {
        return NULL;
    }
    watch->zmq_socket = zmq_socket;
    watch->fire_socket = fire;
    watch->context = context;
    watch->ready = true; /* messages may wait since before we looked */
    struct edda_watch **end = &self->sockets;
    while (*end) {
        end = &(*end)->next;
    }
    *end = watch;
    return watch;
}

/* The memory stays until the end of the turn: epoll may have named the watch already. */
void edda_loop_unwatch(edda_loop_t *self, edda_watch_t **watch_p) {
    struct edda_watch *watch = *watch_p;
    if (!watch) {
        return;
    }
    /* The owner may have closed fd already, which removed it. */
    (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->dead = true;
    self->watch_count--;
    if (!watch->zmq_socket) {
        watch->next = self->dead;
        self->dead = watch;
    } /* sockets are unlinked by sweep_sockets, which nobody walks the list beside */
    *watch_p = NULL;
}

int edda_loop_prepare(edda_loop_t *self, edda_prepare_fn prepare, void *context) {
    if (self->prepare_count == MAX_PREPARES) {
        return EDDA_E_LIMIT;
    }
    self->prepares[self->prepare_count].prepare = prepare;
    self->prepares[self->prepare_count].context = context;
    self->prepare_count++;
    return 0;
}

static void wake_up(struct edda_loop *self) {
    uint64_t one = 1;
    ssize_t written = write(self->wake, &one, sizeof one);
    EDDA_ASSERT(written == sizeof one || errno == EAGAIN);
}

int edda_loop_on_drain(edda_loop_t *self, edda_task_fn begin, void *context) {
    if (self->drain_count == MAX_DRAINS) {
        return EDDA_E_LIMIT;
    }
    self->drains[self->drain_count++] = (struct hook){begin, context};
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
    if (atomic_load(&self->drain_calls) == 0) {
        atomic_store(&self->drain_limit_ms, limit_ms);
    }
    atomic_fetch_add(&self->drain_calls, 1);
    wake_up(self);
}

bool edda_loop_draining(const edda_loop_t *self) {
    return self->draining;
}

bool edda_loop_is_to_drain(const edda_loop_t *self) {
    return atomic_load(&self->drain_calls) > 0;
}

int64_t edda_loop_drain_deadline(const edda_loop_t *self) {
    return self->draining ? self->drain_deadline_ms : INT64_MAX;
}

void edda_loop_stop(edda_loop_t *self) {
    atomic_store(&self->stopped, true);
    wake_up(self);
}

static void run_deferred(struct edda_loop *self) {
    if (self->deferred.first) {
        edda_deferred_run(&self->deferred);
        note_time(self, "deferred");
    }
}

static void take_wake(struct edda_loop *self) {
    uint64_t count;
    ssize_t got = read(self->wake, &count, sizeof count);
    EDDA_ASSERT(got == sizeof count || errno == EAGAIN);
}

static void run_timers(struct edda_loop *self) {
    /* A timer that sets itself again for now waits for the next turn. */
    size_t most = self->timers.count;
    struct edda_timer *timer;
    while (most-- > 0 && (timer = edda_timers_take(&self->timers, self->now_ms)) != NULL) {
        const char *name = timer->name; /* its owner may go with the call */
        timer->fire(timer->context);
        note_time(self, name);
    }
}

static void run_sockets(struct edda_loop *self) {
    for (struct edda_watch *watch = self->sockets; watch; watch = watch->next) {
        if (watch->ready && !watch->dead) {
            watch->ready = false;
            watch->fire_socket(watch->context);
            note_time(self, watch->name);
        }
    }
}

static int64_t run_prepares(struct edda_loop *self) {
    int64_t sleep_ms = -1;
    for (size_t i = 0; i < self->prepare_count; i++) {
        int64_t bears_ms = self->prepares[i].prepare(self->prepares[i].context);
        if (bears_ms >= 0 && (sleep_ms < 0 || bears_ms < sleep_ms)) {
            sleep_ms = bears_ms;
        }
        note_time(self, "prepare");
    }
    return sleep_ms;
}

/* Looks at every socket, frees those that were unwatched, and says whether one is to be fired. */
static bool sweep_sockets(struct edda_loop *self) {
    bool any = false;
    struct edda_watch **link = &self->sockets;
    while (*link) {
        struct edda_watch *watch = *link;
        if (watch->dead) {
            *link = watch->next;
            free(watch);
            continue;
        }
        int events = 0;
        size_t size = sizeof events;
        if (!watch->ready && zmq_getsockopt(watch->zmq_socket, ZMQ_EVENTS, &events, &size) == 0) {
            bool writable = events & ZMQ_POLLOUT;
            watch->ready = (events & ZMQ_POLLIN) || (writable && !watch->writable);
            watch->writable = writable;
        }
        any |= watch->ready;
        link = &watch->next;
    }
    free_dead(self);
    return any;
}

/* Counts and timeouts to what epoll_wait takes; never later than the next timer or drain deadline.
 */
static int choose_sleep(struct edda_loop *self, int64_t sleep_ms) {
    int64_t next_ms = edda_timers_next(&self->timers);
    if (self->draining && self->drain_deadline_ms < next_ms) {
        next_ms = self->drain_deadline_ms;
    }
    if (next_ms != INT64_MAX) {
        int64_t left_ms = next_ms - edda_clock_ms();
        left_ms = left_ms < 0 ? 0 : left_ms;
        sleep_ms = sleep_ms < 0 || left_ms < sleep_ms ? left_ms : sleep_ms;
    }
    return sleep_ms > 60000 ? 60000 : (int)sleep_ms;
}

/* Remembers what each watch has before any callback runs, since callbacks may unwatch others. */
static bool dispatch_events(struct edda_loop *self, const struct epoll_event *events, int count) {
    bool woken = false;
    for (int i = 0; i < count; i++) {
        struct edda_watch *watch = events[i].data.ptr;
        if (!watch) {
            woken = true;
        } else if (watch->zmq_socket) {
            watch->ready = true;
        }
    }
    for (int i = 0; i < count; i++) {
        struct edda_watch *watch = events[i].data.ptr;
        if (watch && !watch->zmq_socket && !watch->dead) {
            watch->fire(watch->context, events[i].events);
            note_time(self, watch->name);
        }
    }
    return woken;
}

/* Returns whether the loop is over, with its result. */
static bool step_drain(struct edda_loop *self, int *ret_result) {
    int calls = atomic_load_explicit(&self->drain_calls, memory_order_relaxed);
    if (calls == 0) {
        return false;
    }
    if (!self->draining) {
        self->draining = true;
        self->drain_deadline_ms = self->now_ms + atomic_load(&self->drain_limit_ms);
        edda_log(EDDA_LOG_INFO, "draining", "loop=%s holds=%zu", self->name, self->holds);
        for (size_t i = 0; i < self->drain_count; i++) {
            self->drains[i].begin(self->drains[i].context);
            note_time(self, "drain");
        }
    }
    if (self->holds == 0) {
        *ret_result = 0;
        return true;
    }
    *ret_result = EDDA_E_TIMEOUT;
    return calls > 1 || self->now_ms >= self->drain_deadline_ms;
}

int edda_loop_run(edda_loop_t *self) {
    struct epoll_event events[EVENTS_PER_TURN];
    int result = 0;
    int sleep = 0;
    self->now_ms = edda_clock_ms();
    self->running = true;
    while (!atomic_exchange_explicit(&self->stopped, false, memory_order_relaxed)) {
        int count = epoll_wait(self->epoll, events, EVENTS_PER_TURN, sleep);
        EDDA_ASSERT(count >= 0 || errno == EINTR);
        int64_t now_us = edda_clock_us();
        self->stamp_us = now_us;
        self->now_ms = now_us / 1000;
        bool woken = dispatch_events(self, events, count);
        run_sockets(self);
        run_deferred(self);
        if (woken) {
            take_wake(self);
        }
        run_timers(self);
        run_deferred(self);
        int64_t bears_ms = run_prepares(self);
        bool over = step_drain(self, &result);
        /* Before the sockets are swept: what is deferred sends, which may consume a wake-up. */
        run_deferred(self);
        if (over) {
            break;
        }
        bool ready = sweep_sockets(self) || self->deferred.first;
        sleep = ready ? 0 : choose_sleep(self, bears_ms);
    }
    (void)sweep_sockets(self);
    self->running = false;
    return result;
}
