/* actors/runtime/role.c: a role's thread: joinable, deaf to signals, with a bounded wait for its
 * end. */
#include "actors/runtime/role.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "actors/runtime/log.h"

struct edda_thread {
    const struct edda_role *role;
    edda_role_main_fn main;
    edda_loop_t *loop; /* owned */
    pthread_t thread;
    pthread_mutex_t *lock; /* owned; a pointer so that const functions may lock */
    pthread_cond_t changed;
    bool ended; /* under lock */
    int result; /* under lock */
};

static void *run_role(void *context) {
    struct edda_thread *self = context;
    int result = self->main(self->loop, self->role);
    edda_log(EDDA_LOG_INFO, "role_ended", "role=%s result=%s", self->role->name,
             edda_error_name(result));
    pthread_mutex_lock(self->lock);
    self->ended = true;
    self->result = result;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(self->lock);
    return NULL;
}

static void free_thread(struct edda_thread *self) {
    edda_loop_destroy(&self->loop);
    if (self->lock) {
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(self->lock);
    }
    free(self->lock);
    free(self);
}

/* Waiting is bounded by the monotonic clock: a set clock must not cut or stretch a shutdown. */
static bool init_lock(struct edda_thread *self) {
    pthread_condattr_t attributes;
    self->lock = calloc(1, sizeof *self->lock);
    if (!self->lock) {
        return false;
    }
    pthread_mutex_init(self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return true;
}

edda_thread_t *edda_thread_new(const struct edda_role *role, edda_role_main_fn main) {
    struct edda_thread *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->role = role;
    self->main = main;
    self->loop = edda_loop_new(role->name);
    if (!self->loop || !init_lock(self)) {
        free_thread(self);
        return NULL;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->thread, NULL, run_role, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        free_thread(self);
        return NULL;
    }
    char name[16];
    size_t size = strnlen(role->name, sizeof name - 1);
    memcpy(name, role->name, size);
    name[size] = '\0';
    (void)pthread_setname_np(self->thread, name);
    return self;
}

void edda_thread_drain(edda_thread_t *self, int64_t limit_ms) {
    edda_loop_drain(self->loop, limit_ms);
}

int edda_thread_join(edda_thread_t **self_p, int64_t wait_ms, int *ret_result) {
    struct edda_thread *self = *self_p;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(self->lock);
    int waited = 0;
    while (!self->ended && waited == 0) {
        waited = pthread_cond_timedwait(&self->changed, self->lock, &until);
    }
    bool ended = self->ended;
    int result = self->result;
    pthread_mutex_unlock(self->lock);
    if (!ended) {
        return EDDA_E_TIMEOUT;
    }
    pthread_join(self->thread, NULL);
    free_thread(self);
    *self_p = NULL;
    *ret_result = result;
    return 0;
}

bool edda_thread_ended(const edda_thread_t *self) {
    pthread_mutex_lock(self->lock);
    bool ended = self->ended;
    pthread_mutex_unlock(self->lock);
    return ended;
}
