/* actors/store/sqlite/writer.c: group commit. */
#include "actors/store/sqlite/writer.h"

#include <signal.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/store/sqlite/store.h"

struct edda_writer {
    struct edda_sqlite *store;
    struct edda_reader *reader;
    pthread_t thread;
    edda_cell_t *commits;
    edda_cell_t *operations;
    edda_cell_t *seconds;

    pthread_mutex_t lock;
    pthread_cond_t more;
    struct edda_sqlite_call *first; /* under lock */
    struct edda_sqlite_call **end;  /* under lock */
    bool ending;                    /* under lock */
};

struct batch {
    struct edda_sqlite_call *items[EDDA_WRITER_BATCH];
    size_t count;
};

/* False: nothing is queued and nothing will be. */
static bool take_batch(edda_writer_t *self, struct batch *batch) {
    pthread_mutex_lock(&self->lock);
    while (!self->first && !self->ending) {
        pthread_cond_wait(&self->more, &self->lock);
    }
    batch->count = 0;
    while (self->first && batch->count < EDDA_WRITER_BATCH) {
        struct edda_sqlite_call *call = self->first;
        self->first = call->next;
        batch->items[batch->count++] = call;
    }
    if (!self->first) {
        self->end = &self->first;
    }
    pthread_mutex_unlock(&self->lock);
    return batch->count > 0;
}

static int run(edda_writer_t *self, enum edda_statement statement) {
    return edda_query_run(self->reader->database, statement, NO_VALUES, NULL);
}

/* 0 or the reason why the whole transaction is lost. */
static int write_call(edda_writer_t *self, struct edda_turn *turn, struct edda_sqlite_call *call) {
    int error = run(self, EDDA_SQL_SAVEPOINT);
    if (error) {
        return error;
    }
    call->error = edda_plans[call->request.operation].write(turn, call);
    if (sqlite3_get_autocommit(edda_database_handle(turn->database))) {
        return EDDA_E_IO; /* SQLite rolled everything back: disk full or failing */
    }
    if (call->error) {
        call->change_count = 0;
        call->word_count = 0;
        error = run(self, EDDA_SQL_ROLLBACK_TO);
    }
    return error ? error : run(self, EDDA_SQL_RELEASE);
}

static void announce(edda_writer_t *self, const struct batch *batch, bool begin) {
    for (size_t i = 0; i < batch->count; i++) {
        for (size_t k = 0; k < batch->items[i]->change_count; k++) {
            const struct edda_change *change = &batch->items[i]->changes[k];
            if (!change->completes) {
                continue;
            }
            if (begin) {
                edda_catalogue_announce(self->store->catalogue, change->memo);
            } else {
                edda_catalogue_withdraw(self->store->catalogue, change->memo);
            }
        }
    }
}

static int commit(edda_writer_t *self, struct batch *batch) {
    int64_t before_us = edda_clock_us();
    int error = run(self, EDDA_SQL_COMMIT);
    if (error) {
        return error;
    }
    edda_cell_observe(self->seconds, (double)(edda_clock_us() - before_us) / 1e6);
    edda_cell_add(self->commits, 1);
    edda_cell_add(self->operations, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        struct edda_sqlite_call *call = batch->items[i];
        for (size_t k = 0; k < call->word_count; k++) {
            edda_known_add(&self->store->known, call->word_project, call->words[k].hash);
        }
        if (call->word_count || call->change_count) {
            edda_catalogue_commit(self->store->catalogue, self->reader->database, call);
        }
    }
    return 0;
}

static void fail_batch(edda_writer_t *self, struct batch *batch, int error) {
    edda_database_t *database = self->reader->database;
    edda_log(EDDA_LOG_ERROR, "store_transaction_failed", "operations=%zu reason=\"%s\"",
             batch->count, edda_database_reason(database));
    if (!sqlite3_get_autocommit(edda_database_handle(database)) && run(self, EDDA_SQL_ROLLBACK)) {
        edda_log(EDDA_LOG_ERROR, "store_rollback_failed", "reason=\"%s\"",
                 edda_database_reason(database));
    }
    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i]->error = error;
        batch->items[i]->text = NULL;
    }
}

static void write_batch(edda_writer_t *self, struct batch *batch) {
    struct edda_sqlite *store = self->store;
    struct edda_turn turn = {.reader = self->reader,
                             .database = self->reader->database,
                             .wall_ms = edda_clock_wall_ms(),
                             .now_ms = edda_sqlite_now(store)};
    int error = run(self, EDDA_SQL_BEGIN);
    for (size_t i = 0; i < batch->count && !error; i++) {
        error = write_call(self, &turn, batch->items[i]);
    }
    if (error) {
        fail_batch(self, batch, error);
    } else {
        announce(self, batch, true);
        error = commit(self, batch);
        announce(self, batch, false);
        if (error) {
            fail_batch(self, batch, error);
        } else if (turn.jobs_ready) {
            edda_sqlite_ready(store);
        }
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct edda_sqlite_call *call = batch->items[i];
        if (call->error == EDDA_E_AGAIN) {
            edda_sqlite_again(call);
        } else {
            edda_sqlite_finish(call);
        }
    }
}

static void *run_writer(void *context) {
    edda_writer_t *self = context;
    struct batch *batch = malloc(sizeof(*batch));
    EDDA_ASSERT(batch);
    while (take_batch(self, batch)) {
        write_batch(self, batch);
    }
    free(batch);
    return NULL;
}

edda_writer_t *edda_writer_new(struct edda_sqlite *store, struct edda_reader *reader) {
    edda_writer_t *self = calloc(1, sizeof(*self));
    if (!self) {
        return NULL;
    }
    self->store = store;
    self->reader = reader;
    self->end = &self->first;
    self->commits = edda_metric_cell(EDDA_METRIC_STORE_COMMITS, NULL);
    self->operations = edda_metric_cell(EDDA_METRIC_STORE_BATCH, NULL);
    self->seconds = edda_metric_cell(EDDA_METRIC_STORE_COMMIT_SECONDS, NULL);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->more, NULL);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->thread, NULL, run_writer, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        pthread_cond_destroy(&self->more);
        pthread_mutex_destroy(&self->lock);
        free(self);
        return NULL;
    }
    (void)pthread_setname_np(self->thread, "store-writer");
    return self;
}

void edda_writer_destroy(edda_writer_t **self_p) {
    edda_writer_t *self = *self_p;
    if (!self) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->more);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->more);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

void edda_writer_push(edda_writer_t *self, struct edda_sqlite_call *call) {
    call->next = NULL;
    pthread_mutex_lock(&self->lock);
    *self->end = call;
    self->end = &call->next;
    pthread_cond_signal(&self->more);
    pthread_mutex_unlock(&self->lock);
}
