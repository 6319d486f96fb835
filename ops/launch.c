/* ops/launch.c: see launch.h. */
#include "ops/launch.h"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/socket.h"

#define MAX_URLS           16
#define JOIN_EXTRA_MS      10000 /* beyond the drain's own limit, for closing sockets and databases */
#define THREAD_STACK_BYTES (1024u * 1024u)
#define MAX_OPEN_FILES     1048576u

struct part {
    struct edda_role role; /* its context is the part */
    const struct edda_part_kind *kind;
    edda_thread_t *thread;
    int notify_fd;     /* borrowed from the launch */
    bool asked;        /* to drain */
    int result;        /* of main, once ended */
    atomic_bool ready; /* release after detail is written */
    atomic_bool ended; /* main has returned; the thread is about to end */
    char detail[256];
    char urls[2 * MAX_URLS][EDDA_MAX_URL];
    const char *connect[MAX_URLS];
    const char *listen[MAX_URLS];
};

struct edda_launch {
    const edda_config_t *config;
    void *zmq_context;
    const edda_curve_t *curve;
    int signal_fd;
    int notify_fd;
    int cut_by; /* the signal that cut the drain; 0: none */
    struct part *parts[EDDA_PARTS_MOST];
    size_t count;
};

int edda_signals_open(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int edda_signals_take(int signal_fd) {
    static int64_t last_ms; /* of the process: a signal is the process's */
    struct signalfd_siginfo info;
    int taken = 0;
    while (signal_fd >= 0 && read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int64_t now_ms = edda_clock_ms();
        if (taken == 0 && (last_ms == 0 || now_ms - last_ms >= EDDA_SIGNAL_REPEAT_MS)) {
            taken = (int)info.ssi_signo;
            last_ms = now_ms;
        }
    }
    return taken;
}

void edda_say_cut(void) {
    fprintf(stderr, "edda: told a second time to end: what was under way is cut off\n");
}

void edda_process_tune(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < MAX_OPEN_FILES ? limit.rlim_max : MAX_OPEN_FILES;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    /* A thread that wakes then waits for the one that runs: when processors are short, each finds
     * more messages at once and switches less often. A policy given from outside stays. */
    if (sched_getscheduler(0) == SCHED_OTHER) {
        (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    mallopt(M_ARENA_MAX, 4);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) == 0) {
        if (pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES) == 0)
            pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
    }
#endif
}

void *edda_context_new(void) {
    return zmq_ctx_new();
}

void edda_context_destroy(void **context_p) {
    if (*context_p)
        zmq_ctx_term(*context_p);
    *context_p = NULL;
}

static void notify(int notify_fd) {
    uint64_t one = 1;
    /* A full counter already wakes the reader. */
    if (write(notify_fd, &one, sizeof one) < 0)
        return;
}

static void take_ready(void *context, const char *name, const char *detail) {
    struct part *part = context;
    (void)name;
    size_t size = detail ? strnlen(detail, sizeof part->detail - 1) : 0;
    memcpy(part->detail, detail ? detail : "", size);
    part->detail[size] = '\0';
    atomic_store_explicit(&part->ready, true, memory_order_release);
    notify(part->notify_fd);
}

/* Runs on the part's thread: its real main, then a word to the launcher. */
static int run_part(edda_loop_t *loop, const struct edda_role *role) {
    struct part *part = role->context;
    int notify_fd = part->notify_fd;
    int result = part->kind->main(loop, role);
    if (result != 0 && result != EDDA_E_CANCELLED)
        edda_log(EDDA_LOG_ERROR, "part_ended", "part=%s error=%s", role->name,
                 edda_error_name(result));
    part->result = result;
    atomic_store_explicit(&part->ended, true, memory_order_release);
    notify(notify_fd);
    return result;
}

edda_launch_t *edda_launch_new(const edda_config_t *config, void *zmq_context, int signal_fd) {
    edda_launch_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->config = config;
    self->zmq_context = zmq_context;
    self->signal_fd = signal_fd;
    self->notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->notify_fd < 0)
        edda_launch_destroy(&self);
    return self;
}

void edda_launch_destroy(edda_launch_t **self_p) {
    edda_launch_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        EDDA_ASSERT(!self->parts[i]->thread);
        free(self->parts[i]);
    }
    if (self->notify_fd >= 0)
        close(self->notify_fd);
    free(self);
    *self_p = NULL;
}

static int copy_urls(char (*store)[EDDA_MAX_URL], const char **pointers, const char *const *urls,
                     size_t count) {
    if (count > MAX_URLS)
        return EDDA_E_LIMIT;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(urls[i]);
        if (size >= EDDA_MAX_URL)
            return EDDA_E_LIMIT;
        memcpy(store[i], urls[i], size + 1);
        pointers[i] = store[i];
    }
    return 0;
}

void edda_launch_identify(edda_launch_t *self, const edda_curve_t *curve) {
    self->curve = curve;
}

int edda_launch_start(edda_launch_t *self, const struct edda_part_kind *kind,
                      const char *const *connect, size_t connect_count, const char *const *listen,
                      size_t listen_count) {
    if (self->count == EDDA_PARTS_MOST)
        return EDDA_E_LIMIT;
    struct part *part = calloc(1, sizeof *part);
    if (!part)
        return EDDA_E_MEMORY;
    int error = copy_urls(part->urls, part->connect, connect, connect_count);
    if (error == 0)
        error = copy_urls(part->urls + MAX_URLS, part->listen, listen, listen_count);
    if (error != 0) {
        free(part);
        return error;
    }
    part->kind = kind;
    part->notify_fd = self->notify_fd;
    part->role = (struct edda_role){
        .name = kind->name,
        .zmq_context = self->zmq_context,
        .config = self->config,
        .connect = part->connect,
        .connect_count = connect_count,
        .listen = part->listen,
        .listen_count = listen_count,
        .curve = self->curve,
        .ready = take_ready,
        .context = part,
    };
    part->thread = edda_thread_new(&part->role, run_part);
    if (!part->thread) {
        free(part);
        return EDDA_E_MEMORY;
    }
    self->parts[self->count++] = part;
    return 0;
}

/* Sleeps until a part has something to say, a signal came, or wait_ms is over. */
static void sleep_for_news(edda_launch_t *self, int64_t wait_ms) {
    struct pollfd fds[2] = {
        {.fd = self->notify_fd, .events = POLLIN},
        {.fd = self->signal_fd, .events = POLLIN},
    };
    int timeout = wait_ms < 0 || wait_ms > 3600000 ? 3600000 : (int)wait_ms;
    if (poll(fds, 2, timeout) <= 0)
        return;
    uint64_t count;
    if ((fds[0].revents & POLLIN) && read(self->notify_fd, &count, sizeof count) < 0)
        return;
}

static bool has_ended(struct part *part) {
    return atomic_load_explicit(&part->ended, memory_order_acquire);
}

static const char *find_ended(const edda_launch_t *self) {
    for (size_t i = 0; i < self->count; i++) {
        if (self->parts[i]->thread && has_ended(self->parts[i]))
            return self->parts[i]->kind->name;
    }
    return NULL;
}

int edda_launch_result(const edda_launch_t *self, const char *name) {
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->parts[i]->kind->name, name) == 0 && has_ended(self->parts[i]))
            return self->parts[i]->result;
    }
    return 0;
}

int edda_launch_wait_ready(edda_launch_t *self, const char **ret_name) {
    for (;;) {
        bool all = true;
        for (size_t i = 0; i < self->count; i++)
            all = all && atomic_load_explicit(&self->parts[i]->ready, memory_order_acquire);
        *ret_name = find_ended(self);
        if (*ret_name)
            return EDDA_E_FAILED;
        if (all)
            return 0;
        if (edda_signals_take(self->signal_fd))
            return EDDA_E_CANCELLED;
        sleep_for_news(self, 1000);
    }
}

int edda_launch_wait(edda_launch_t *self, const char **ret_name) {
    for (;;) {
        *ret_name = find_ended(self);
        if (*ret_name)
            return EDDA_E_FAILED;
        if (edda_signals_take(self->signal_fd))
            return 0;
        sleep_for_news(self, -1);
    }
}

static void give_up_on(const struct part *part) {
    edda_log(EDDA_LOG_ERROR, "part_hangs", "part=%s text=\"did not end in its time; aborting\"",
             part->kind->name);
    abort();
}

static void cut(edda_launch_t *self, int signal_number) {
    self->cut_by = signal_number;
    for (size_t i = 0; i < self->count; i++) {
        if (self->parts[i]->asked && self->parts[i]->thread)
            edda_thread_drain(self->parts[i]->thread, 0);
    }
}

/* Waits for the threads of one phase. True when all of them ended without error. */
static bool join_phase(edda_launch_t *self, unsigned phase, int64_t limit_ms) {
    bool good = true;
    int64_t give_up_ms = edda_clock_ms() + limit_ms + JOIN_EXTRA_MS;
    for (size_t i = 0; i < self->count; i++) {
        struct part *part = self->parts[i];
        if (part->kind->phase != phase)
            continue;
        while (part->thread && !has_ended(part)) {
            int64_t left_ms = give_up_ms - edda_clock_ms();
            if (left_ms <= 0)
                give_up_on(part);
            sleep_for_news(self, left_ms < 100 ? left_ms : 100);
            int signal_number = edda_signals_take(self->signal_fd);
            if (signal_number && !self->cut_by) {
                cut(self, signal_number);
                give_up_ms = edda_clock_ms() + JOIN_EXTRA_MS;
            }
        }
        if (!part->thread)
            continue;
        int result = 0;
        if (edda_thread_join(&part->thread, JOIN_EXTRA_MS, &result) != 0)
            give_up_on(part);
        good = good && (result == 0 || result == EDDA_E_TIMEOUT || result == EDDA_E_CANCELLED);
    }
    return good;
}

int edda_launch_drain(edda_launch_t *self, int64_t limit_ms) {
    bool good = true;
    for (unsigned phase = 8; phase-- > 0;) {
        if (self->cut_by)
            limit_ms = 0;
        for (size_t i = 0; i < self->count; i++) {
            struct part *part = self->parts[i];
            if (part->kind->phase != phase || !part->thread)
                continue;
            part->asked = true;
            edda_thread_drain(part->thread, limit_ms);
        }
        good = join_phase(self, phase, limit_ms) && good;
    }
    return good ? 0 : EDDA_E_FAILED;
}

int edda_launch_status(const edda_launch_t *self, int status) {
    if (!self->cut_by)
        return status;
    edda_say_cut();
    return 128 + self->cut_by;
}

const char *edda_launch_detail(edda_launch_t *self, const char *name) {
    for (size_t i = 0; i < self->count; i++) {
        struct part *part = self->parts[i];
        if (strcmp(part->kind->name, name) == 0 &&
            atomic_load_explicit(&part->ready, memory_order_acquire))
            return part->detail;
    }
    return "";
}
