/* actors/store/sqlite/sqlite.c: the store's door: calls in, threads between, answers out. */
#include "actors/store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/store/sqlite/migrate.h"
#include "actors/store/sqlite/shelf.h"
#include "actors/store/sqlite/store.h"

#define CALL_BYTES          (48u * 1024u * 1024u) /* a call's result and what it prepares */
#define MOST_TRIES          5
#define INDEX_BYTES         (1024u * 1024u * 1024u)
#define LIGHT_CONTENT_BYTES (16u * 1024u) /* hashed by the writer itself: cheaper than a hop */

#define PLAN(name, ...) [EDDA_BACKEND_##name] = {__VA_ARGS__}
const struct edda_plan edda_plans[EDDA_BACKEND_COUNT] = {
    PLAN(ACCEPT, .prepare = edda_accept_prepare, .write = edda_accept_write),
    PLAN(PUT_PART, .prepare = edda_put_part_prepare, .write = edda_put_part_write),
    PLAN(PATCH, .prepare = edda_patch_prepare, .write = edda_patch_write),
    PLAN(GET, .read = edda_get_read),
    PLAN(STATUS, .read = edda_status_read),
    PLAN(LIST, .read = edda_list_read),
    PLAN(DELETE, .write = edda_delete_write),
    PLAN(SEARCH, .read = edda_search_read),
    PLAN(WORDS, .read = edda_search_read),
    PLAN(PUT_CHUNKS, .prepare = edda_put_chunks_prepare, .write = edda_put_chunks_write),
    PLAN(REUSE, .read = edda_reuse_read),
    PLAN(PART_CHUNKS, .read = edda_part_chunks_read),
    PLAN(PUT_VECTORS, .prepare = edda_put_vectors_prepare, .write = edda_put_vectors_write),
    PLAN(REEMBED, .prepare = edda_reembed_prepare, .write = edda_reembed_write),
    PLAN(CHAT_SAVE, .prepare = edda_chat_save_prepare, .write = edda_chat_save_write),
    PLAN(CHAT_GET, .read = edda_chat_get_read),
    PLAN(CHAT_LIST, .read = edda_chat_list_read),
    PLAN(KEY_CREATE, .write = edda_key_create_write),
    PLAN(KEY_LIST, .read = edda_key_list_read),
    PLAN(KEY_REVOKE, .write = edda_key_revoke_write),
    PLAN(KEY_CHECK, .read = edda_key_check_read),
    PLAN(JOBS, .read = edda_jobs_read),
    PLAN(REDRIVE, .write = edda_redrive_write),
    PLAN(STATISTICS, .read = edda_statistics_read),
    PLAN(CLAIM, .write = edda_claim_write),
    PLAN(RENEW, .write = edda_renew_write),
    PLAN(FAIL, .write = edda_fail_write),
    PLAN(RELEASE, .write = edda_release_write),
    PLAN(SWEEP, .write = edda_sweep_write),
    PLAN(PROBE, .prepare = edda_probe_read, .write = edda_probe_write),
};
#undef PLAN

int64_t edda_sqlite_now(const struct edda_sqlite *self) {
    return self->wall_at_start_ms + (edda_clock_ms() - self->clock_at_start_ms);
}

/* ---- to the loop ---- */

/* Under the lock. */
static void tell(struct edda_sqlite *self) {
    uint64_t one = 1;
    ssize_t written = write(self->wake, &one, sizeof(one));
    (void)written; /* a counter that is full has told already */
    pthread_cond_signal(&self->told);
}

static void hand_over(struct edda_sqlite_call *call, bool again) {
    struct edda_sqlite *self = call->store;
    pthread_mutex_lock(&self->lock);
    call->again = again;
    call->next = self->answered;
    self->answered = call;
    if (!call->next) {
        tell(self);
    }
    pthread_mutex_unlock(&self->lock);
}

void edda_sqlite_finish(struct edda_sqlite_call *call) {
    hand_over(call, false);
}

void edda_sqlite_again(struct edda_sqlite_call *call) {
    hand_over(call, true);
}

void edda_sqlite_ready(struct edda_sqlite *self) {
    pthread_mutex_lock(&self->lock);
    self->ready = true;
    tell(self);
    pthread_mutex_unlock(&self->lock);
}

void edda_sqlite_load(struct edda_sqlite *self, struct edda_shelf *shelf) {
    pthread_mutex_lock(&self->lock);
    shelf->next_due = self->due;
    self->due = shelf;
    self->background++;
    tell(self);
    pthread_mutex_unlock(&self->lock);
}

/* ---- calls ---- */

int edda_sqlite_call_fail(struct edda_sqlite_call *call, int error, const char *text) {
    call->text = text;
    return error;
}

static int add_change(struct edda_sqlite_call *call, struct edda_change change) {
    struct edda_change *larger =
        edda_arena_take(&call->arena, (call->change_count + 1) * sizeof(*larger));
    if (!larger) {
        return EDDA_E_MEMORY;
    }
    if (call->change_count) {
        memcpy(larger, call->changes, call->change_count * sizeof(*larger));
    }
    larger[call->change_count++] = change;
    call->changes = larger;
    return 0;
}

int edda_call_change(struct edda_sqlite_call *call, uint64_t project, int64_t memo,
                     bool completes) {
    return add_change(call, (struct edda_change){project, memo, completes});
}

int edda_call_reload(struct edda_sqlite_call *call, uint64_t project) {
    return add_change(call, (struct edda_change){.project = project});
}

static void free_call(struct edda_sqlite_call *call) {
    edda_arena_done(&call->arena);
    free(call);
}

static void answer(struct edda_sqlite_call *call) {
    struct edda_sqlite *self = call->store;
    EDDA_ASSERT(self->open > 0);
    self->open--;
    struct edda_backend_answer given = {
        .error = call->error,
        .text = call->error ? call->text : NULL,
        .record = call->error ? NULL : call->record,
    };
    call->request.done(call->request.context, &given);
    free_call(call);
}

/* Anything from before is forgotten: a call may be run again. */
static int make_record(struct edda_sqlite_call *call) {
    size_t size = edda_backend_result_size(call->request.operation);
    call->error = 0;
    call->text = NULL;
    call->prepared = NULL;
    call->change_count = 0;
    call->word_count = 0;
    call->record = edda_arena_take(&call->arena, size);
    return call->record ? 0 : EDDA_E_MEMORY;
}

/* On a pool thread. */
static void read_or_prepare(void *context, unsigned thread_index) {
    struct edda_sqlite_call *call = context;
    struct edda_sqlite *self = call->store;
    struct edda_reader *reader = &self->readers[thread_index];
    const struct edda_plan *plan = &edda_plans[call->request.operation];
    int64_t deadline_ms = call->request.deadline_ms;
    if (deadline_ms && edda_clock_ms() > deadline_ms) {
        call->error = EDDA_E_EXPIRED;
    } else if (plan->read) {
        int result = plan->read(reader, call);
        if (result == EDDA_SQLITE_PARKED) {
            return;
        }
        call->error = result;
    } else {
        call->error = plan->prepare(reader, call);
        if (!call->error) {
            edda_writer_push(self->writer, call);
            return;
        }
    }
    edda_sqlite_finish(call);
}

/* Whether the writer may do the little there is to prepare by itself. */
static bool is_light(const struct edda_backend_request *request) {
    if (request->operation == EDDA_BACKEND_ACCEPT) {
        const struct edda_store_accept *accept = request->arguments;
        return accept->staged_parts == 0 && accept->content_bytes <= LIGHT_CONTENT_BYTES;
    }
    return false;
}

/* On the loop's thread: to the first station. */
static int start(struct edda_sqlite *self, struct edda_sqlite_call *call) {
    const struct edda_plan *plan = &edda_plans[call->request.operation];
    int error = make_record(call);
    if (error) {
        return error;
    }
    if ((plan->read || plan->prepare) && !is_light(&call->request)) {
        return edda_pool_run(self->pool, read_or_prepare, NULL, call);
    }
    edda_writer_push(self->writer, call);
    return 0;
}

static int submit(edda_backend_t *backend, const struct edda_backend_request *request) {
    struct edda_sqlite *self = (struct edda_sqlite *)backend;
    if (self->open >= EDDA_BACKEND_MAX_OPEN) {
        return EDDA_E_BUSY;
    }
    struct edda_sqlite_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return EDDA_E_MEMORY;
    }
    call->store = self;
    call->request = *request;
    edda_arena_init(&call->arena, CALL_BYTES);
    int error = start(self, call);
    if (error) {
        free_call(call);
        return error;
    }
    self->open++;
    return 0;
}

/* ---- on the loop ---- */

static void run_again(struct edda_sqlite *self, struct edda_sqlite_call *call) {
    int error = ++call->tries < MOST_TRIES ? start(self, call) : EDDA_E_BUSY;
    if (error) {
        call->error = error;
        answer(call);
    }
}

static void work_on_shelf(void *context, unsigned thread_index) {
    struct edda_shelf *shelf = context;
    (void)thread_index;
    struct edda_sqlite *self = shelf->store;
    edda_catalogue_work(self->catalogue, &self->readers[self->threads], shelf);
    pthread_mutex_lock(&self->lock);
    self->background--;
    tell(self);
    pthread_mutex_unlock(&self->lock);
}

/* Gives all that waits: answers oldest first. False: there was nothing. */
static bool deliver(struct edda_sqlite *self) {
    pthread_mutex_lock(&self->lock);
    struct edda_sqlite_call *newest = self->answered;
    struct edda_shelf *due = self->due;
    bool ready = self->ready;
    self->answered = NULL;
    self->due = NULL;
    self->ready = false;
    pthread_mutex_unlock(&self->lock);
    bool some = newest || due || ready;
    struct edda_sqlite_call *oldest = NULL;
    while (newest) {
        struct edda_sqlite_call *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (due) {
        struct edda_shelf *shelf = due;
        due = shelf->next_due;
        /* The loader's queue holds every shelf there can be. */
        int error = edda_pool_run(self->loader, work_on_shelf, NULL, shelf);
        EDDA_ASSERT(error == 0);
    }
    while (oldest) {
        struct edda_sqlite_call *call = oldest;
        oldest = call->next;
        if (call->again) {
            run_again(self, call);
        } else {
            answer(call);
        }
    }
    if (ready && self->events.on_ready) {
        self->events.on_ready(self->events.context);
    }
    return some;
}

static void on_wake(void *context, uint32_t epoll_events) {
    struct edda_sqlite *self = context;
    uint64_t count;
    (void)epoll_events;
    ssize_t got = read(self->wake, &count, sizeof(count));
    (void)got;
    deliver(self);
}

/* ---- life ---- */

static void wait_for_all(struct edda_sqlite *self) {
    self->events.on_ready = NULL;
    for (;;) {
        deliver(self);
        pthread_mutex_lock(&self->lock);
        bool over = self->open == 0 && self->background == 0 && !self->due;
        if (!over && !self->answered && !self->due) {
            pthread_cond_wait(&self->told, &self->lock);
        }
        pthread_mutex_unlock(&self->lock);
        if (over) {
            return;
        }
    }
}

static void destroy(edda_backend_t *backend) {
    struct edda_sqlite *self = (struct edda_sqlite *)backend;
    if (self->writer) {
        wait_for_all(self);
    }
    edda_writer_destroy(&self->writer);
    edda_pool_destroy(&self->pool);
    edda_pool_destroy(&self->loader);
    edda_catalogue_destroy(&self->catalogue);
    for (unsigned i = 0; self->readers && i < self->threads + 2; i++) {
        edda_reader_done(&self->readers[i]);
    }
    free(self->readers);
    edda_loop_unwatch(self->loop, &self->watch);
    if (self->wake >= 0) {
        close(self->wake);
    }
    if (self->lock_file >= 0) {
        close(self->lock_file);
    }
    pthread_cond_destroy(&self->told);
    pthread_mutex_destroy(&self->lock);
    free(self->path);
    free(self);
}

static const struct edda_backend_interface interface = {
    .name = "sqlite",
    .submit = submit,
    .destroy = destroy,
};

static int lock_directory(struct edda_sqlite *self, const char *directory, char *message,
                          size_t size) {
    char path[4200];
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        snprintf(message, size, "cannot make %s: %s", directory, strerror(errno));
        return EDDA_E_IO;
    }
    snprintf(path, sizeof(path), "%s/store.lock", directory);
    self->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_file < 0) {
        snprintf(message, size, "cannot open %s: %s", path, strerror(errno));
        return EDDA_E_IO;
    }
    if (flock(self->lock_file, LOCK_EX | LOCK_NB) != 0) {
        snprintf(message, size, "another process uses %s", directory);
        return EDDA_E_CONFLICT;
    }
    snprintf(path, sizeof(path), "%s/edda.db", directory);
    self->path = strdup(path);
    return self->path ? 0 : EDDA_E_MEMORY;
}

/* The writer's connection first: it makes the database and its schema. Then one a pool thread and
 * one for the loader. */
static int open_readers(struct edda_sqlite *self, char *message, size_t size) {
    unsigned count = self->threads + 2;
    self->readers = calloc(count, sizeof(*self->readers));
    if (!self->readers) {
        return EDDA_E_MEMORY;
    }
    struct edda_reader *writer = &self->readers[count - 1];
    int error =
        edda_database_open(self->path, EDDA_DATABASE_WRITE, message, size, &writer->database);
    if (!error) {
        error = edda_migrate(edda_database_handle(writer->database), self->wall_at_start_ms,
                             message, size);
    }
    for (unsigned i = 0; i < count && !error; i++) {
        struct edda_reader *reader = &self->readers[i];
        reader->store = self;
        if (!reader->database) {
            error = edda_database_open(self->path, EDDA_DATABASE_READ, message, size,
                                       &reader->database);
        }
    }
    return error;
}

static int start_threads(struct edda_sqlite *self, size_t index_bytes) {
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake < 0) {
        return EDDA_E_IO;
    }
    self->watch = edda_loop_watch(self->loop, self->wake, EPOLLIN, on_wake, self, "store");
    self->pool = edda_pool_new(self->loop, "store-reader", self->threads, EDDA_BACKEND_MAX_OPEN);
    self->loader = edda_pool_new(self->loop, "store-loader", 1, SIZE_MAX);
    self->catalogue = edda_catalogue_new(self, index_bytes);
    if (!self->watch || !self->pool || !self->loader || !self->catalogue) {
        return EDDA_E_MEMORY;
    }
    self->writer = edda_writer_new(self, &self->readers[self->threads + 1]);
    return self->writer ? 0 : EDDA_E_MEMORY;
}

int edda_sqlite_open(const struct edda_sqlite_options *options, char *message, size_t message_size,
                     edda_backend_t **ret_backend) {
    EDDA_ASSERT(options->threads >= 1 && options->threads <= 64);
    struct edda_sqlite *self = calloc(1, sizeof(*self));
    snprintf(message, message_size, "out of memory");
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->backend.interface = &interface;
    self->loop = options->loop;
    self->events = options->events;
    self->threads = options->threads;
    self->index_options = options->index;
    self->lease_ms = options->lease_ms > 0 ? options->lease_ms : EDDA_LEASE_MS;
    self->backlog = options->backlog;
    self->project_backlog = options->project_backlog;
    self->wall_at_start_ms = edda_clock_wall_ms();
    self->clock_at_start_ms = edda_clock_ms();
    self->lock_file = -1;
    self->wake = -1;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->told, NULL);
    /* Never the number of an earlier life, even one within the same millisecond. */
    self->life = ((uint64_t)self->wall_at_start_ms << 20 | (edda_random32() & 0xfffff)) >> 1;
    int error = lock_directory(self, options->directory, message, message_size);
    if (!error) {
        error = open_readers(self, message, message_size);
    }
    if (!error) {
        error = start_threads(self, options->index_bytes ? options->index_bytes : INDEX_BYTES);
    }
    if (error) {
        destroy(&self->backend);
        return error;
    }
    *ret_backend = &self->backend;
    return 0;
}
