/* actors/runtime/pool.c: a bounded queue, a few threads, and an eventfd that brings results home.
 */
#include "actors/runtime/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct task {
    edda_work_fn work;
    edda_task_fn done;
    void *context;
    struct task *next;
};

struct tasks {
    struct task *first;
    struct task **end;
    size_t count;
};

struct worker {
    struct edda_pool *pool;
    unsigned index;
    pthread_t thread;
};

struct edda_pool {
    edda_loop_t *loop;
    edda_watch_t *watch;
    const char *name;
    int wake; /* eventfd */
    unsigned threads;
    struct worker *workers; /* owned */
    size_t maximum_queued;
    struct tasks spare; /* the loop's own, never more than were in use at once */

    pthread_mutex_t *lock; /* owned; a pointer so that const functions may lock */
    pthread_cond_t more;
    struct tasks queued;   /* under lock */
    struct tasks finished; /* under lock */
    bool ending;           /* under lock */
};

static void push_task(struct tasks *tasks, struct task *task) {
    task->next = NULL;
    if (!tasks->first) {
        tasks->end = &tasks->first;
    }
    *tasks->end = task;
    tasks->end = &task->next;
    tasks->count++;
}

static struct task *pop_task(struct tasks *tasks) {
    struct task *task = tasks->first;
    if (task) {
        tasks->first = task->next;
        tasks->count--;
    }
    return task;
}

static void finish_task(struct edda_pool *self, struct task *task) {
    pthread_mutex_lock(self->lock);
    push_task(&self->finished, task);
    bool first = self->finished.count == 1;
    pthread_mutex_unlock(self->lock);
    if (first) {
        uint64_t one = 1;
        ssize_t written = write(self->wake, &one, sizeof one);
        EDDA_ASSERT(written == sizeof one || errno == EAGAIN);
    }
}

static void *run_worker(void *context) {
    struct worker *worker = context;
    struct edda_pool *self = worker->pool;
    for (;;) {
        pthread_mutex_lock(self->lock);
        while (!self->queued.first && !self->ending) {
            pthread_cond_wait(&self->more, self->lock);
        }
        struct task *task = pop_task(&self->queued);
        pthread_mutex_unlock(self->lock);
        if (!task) {
            return NULL;
        }
        task->work(task->context, worker->index);
        finish_task(self, task);
    }
}

/* Runs on the loop's thread. */
static void deliver_finished(struct edda_pool *self) {
    pthread_mutex_lock(self->lock);
    struct tasks finished = self->finished;
    self->finished = (struct tasks){0};
    pthread_mutex_unlock(self->lock);
    struct task *task;
    while ((task = pop_task(&finished)) != NULL) {
        edda_task_fn done = task->done;
        void *task_context = task->context;
        push_task(&self->spare, task);
        if (done) {
            done(task_context);
        }
    }
}

static void on_wake(void *context, uint32_t epoll_events) {
    struct edda_pool *self = context;
    uint64_t count;
    (void)epoll_events;
    ssize_t got = read(self->wake, &count, sizeof count);
    EDDA_ASSERT(got == sizeof count || errno == EAGAIN);
    deliver_finished(self);
}

/* Signals belong to the launcher's signalfd: pool threads block them all. */
static bool start_workers(struct edda_pool *self, unsigned threads) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; self->threads < threads; self->threads++) {
        struct worker *worker = &self->workers[self->threads];
        *worker = (struct worker){.pool = self, .index = self->threads};
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
            break;
        }
        char name[16];
        size_t size = strnlen(self->name, sizeof name - 1);
        memcpy(name, self->name, size);
        name[size] = '\0';
        (void)pthread_setname_np(worker->thread, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return self->threads == threads;
}

edda_pool_t *edda_pool_new(edda_loop_t *loop, const char *name, unsigned threads,
                           size_t maximum_queued) {
    EDDA_ASSERT(threads > 0 && maximum_queued > 0);
    struct edda_pool *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->loop = loop;
    self->name = name;
    self->maximum_queued = maximum_queued;
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->workers = calloc(threads, sizeof *self->workers);
    self->lock = calloc(1, sizeof *self->lock);
    if (self->lock) {
        pthread_mutex_init(self->lock, NULL);
        pthread_cond_init(&self->more, NULL);
    }
    if (self->wake >= 0 && self->workers && self->lock) {
        self->watch = edda_loop_watch(loop, self->wake, EPOLLIN, on_wake, self, name);
        if (self->watch && start_workers(self, threads)) {
            return self;
        }
    }
    edda_pool_destroy(&self);
    return NULL;
}

static void free_tasks(struct tasks *tasks) {
    struct task *task;
    while ((task = pop_task(tasks)) != NULL) {
        free(task);
    }
}

void edda_pool_destroy(edda_pool_t **self_p) {
    struct edda_pool *self = *self_p;
    if (!self) {
        return;
    }
    if (self->lock) {
        pthread_mutex_lock(self->lock);
        self->ending = true;
        pthread_cond_broadcast(&self->more);
        pthread_mutex_unlock(self->lock);
        for (unsigned i = 0; i < self->threads; i++) {
            pthread_join(self->workers[i].thread, NULL);
        }
        deliver_finished(self);
        pthread_cond_destroy(&self->more);
        pthread_mutex_destroy(self->lock);
    }
    /* A done callback may have queued more, which no thread is left to run. */
    EDDA_ASSERT(self->queued.count == 0);
    free_tasks(&self->spare);
    edda_loop_unwatch(self->loop, &self->watch);
    if (self->wake >= 0) {
        close(self->wake);
    }
    free(self->lock);
    free(self->workers);
    free(self);
    *self_p = NULL;
}

int edda_pool_run(edda_pool_t *self, edda_work_fn work, edda_task_fn done, void *context) {
    struct task *task = pop_task(&self->spare);
    if (!task) {
        task = malloc(sizeof *task);
        if (!task) {
            return EDDA_E_BUSY;
        }
    }
    *task = (struct task){.work = work, .done = done, .context = context};
    pthread_mutex_lock(self->lock);
    bool room = self->queued.count < self->maximum_queued && !self->ending;
    if (room) {
        push_task(&self->queued, task);
        pthread_cond_signal(&self->more);
    }
    pthread_mutex_unlock(self->lock);
    if (!room) {
        push_task(&self->spare, task);
        return EDDA_E_BUSY;
    }
    return 0;
}

size_t edda_pool_queued(const edda_pool_t *self) {
    pthread_mutex_lock(self->lock);
    size_t count = self->queued.count;
    pthread_mutex_unlock(self->lock);
    return count;
}
