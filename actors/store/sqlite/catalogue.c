/* actors/store/sqlite/catalogue.c: which project's index is where in its life. */
#include "actors/store/sqlite/catalogue.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/store/sqlite/shelf.h"
#include "actors/store/sqlite/store.h"

#define ANNOUNCED 1024 /* above what one batch can announce */

struct edda_catalogue {
    struct edda_sqlite *store;
    size_t maximum_bytes;
    edda_cell_t *bytes_cell;
    pthread_mutex_t lock;
    struct edda_row_map shelves; /* project row -> shelf, owned; spoiled ones are no longer in it */
    size_t bytes;
    int64_t announced[ANNOUNCED]; /* memo rows; one entry an announcement */
    size_t announced_count;
};

edda_catalogue_t *edda_catalogue_new(struct edda_sqlite *store, size_t maximum_bytes) {
    edda_catalogue_t *self = calloc(1, sizeof(*self));
    if (self) {
        self->store = store;
        self->maximum_bytes = maximum_bytes;
        self->bytes_cell = edda_metric_cell(EDDA_METRIC_STORE_INDEX_BYTES, NULL);
        pthread_mutex_init(&self->lock, NULL);
    }
    return self;
}

void edda_catalogue_destroy(edda_catalogue_t **self_p) {
    edda_catalogue_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->shelves.capacity; i++) {
        struct edda_shelf *shelf = self->shelves.slots[i].value;
        edda_shelf_destroy(&shelf);
    }
    edda_row_map_done(&self->shelves);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

/* Under the lock: the shelf's size may have changed. */
static void count_bytes(edda_catalogue_t *self, struct edda_shelf *shelf, size_t bytes) {
    self->bytes += bytes - shelf->bytes;
    shelf->bytes = bytes;
    edda_cell_set(self->bytes_cell, (int64_t)self->bytes);
}

/* Under the lock: takes the shelf out of sight; it is freed when nobody uses it any more. */
static void spoil(edda_catalogue_t *self, struct edda_shelf *shelf) {
    if (shelf->state != EDDA_SHELF_SPOILED) {
        shelf->state = EDDA_SHELF_SPOILED;
        edda_row_map_take(&self->shelves, shelf->project);
        count_bytes(self, shelf, 0);
    }
}

/* Under the lock: one user less. Returns the shelf when it is to be freed by the caller, unlocked.
 */
static struct edda_shelf *let_go(struct edda_shelf *shelf) {
    shelf->users--;
    return shelf->state == EDDA_SHELF_SPOILED && shelf->users == 0 ? shelf : NULL;
}

/* Under the lock: the shelf that has to go to keep the maximum, or NULL. `keep` was just used. */
static struct edda_shelf *least_used(edda_catalogue_t *self, const struct edda_shelf *keep) {
    struct edda_shelf *least = NULL;
    for (size_t i = 0; i < self->shelves.capacity && self->bytes > self->maximum_bytes; i++) {
        struct edda_shelf *shelf = self->shelves.slots[i].value;
        if (shelf && shelf != keep && shelf->state == EDDA_SHELF_READY && shelf->users == 0 &&
            (!least || shelf->used_ms < least->used_ms)) {
            least = shelf;
        }
    }
    return least;
}

/* Unlocked: drops indexes until all fit. */
static void make_room(edda_catalogue_t *self, const struct edda_shelf *keep) {
    for (;;) {
        pthread_mutex_lock(&self->lock);
        struct edda_shelf *shelf = least_used(self, keep);
        if (shelf) {
            spoil(self, shelf);
        }
        pthread_mutex_unlock(&self->lock);
        if (!shelf) {
            return;
        }
        edda_shelf_destroy(&shelf);
    }
}

/* Under the lock: a new shelf that is LOADING, given to the loader. NULL: no memory. */
static struct edda_shelf *add_shelf(edda_catalogue_t *self, uint64_t project) {
    struct edda_shelf *shelf = edda_shelf_new(self->store, project);
    if (shelf && edda_row_map_put(&self->shelves, project, shelf)) {
        edda_shelf_destroy(&shelf);
    }
    if (shelf) {
        shelf->state = EDDA_SHELF_LOADING;
        shelf->users = 1; /* the loader */
        shelf->queued = true;
        edda_sqlite_load(self->store, shelf);
    }
    return shelf;
}

int edda_catalogue_borrow(edda_catalogue_t *self, uint64_t project, struct edda_sqlite_call *call,
                          struct edda_shelf **ret_shelf) {
    int result = EDDA_E_MEMORY;
    pthread_mutex_lock(&self->lock);
    struct edda_shelf *shelf = edda_row_map_get(&self->shelves, project);
    if (!shelf) {
        shelf = add_shelf(self, project);
    }
    if (shelf && shelf->state == EDDA_SHELF_READY) {
        shelf->users++;
        shelf->used_ms = edda_clock_ms();
        *ret_shelf = shelf;
        result = 0;
    } else if (shelf) {
        call->next = shelf->waiting;
        shelf->waiting = call;
        result = EDDA_SQLITE_PARKED;
    }
    pthread_mutex_unlock(&self->lock);
    return result;
}

void edda_catalogue_return(edda_catalogue_t *self, struct edda_shelf *shelf) {
    pthread_mutex_lock(&self->lock);
    struct edda_shelf *gone = let_go(shelf);
    pthread_mutex_unlock(&self->lock);
    edda_shelf_destroy(&gone);
}

/* The end of a load: READY or spoiled; who waited runs again, or fails with the load. Returns what
 * is to be freed. */
static struct edda_shelf *settle(edda_catalogue_t *self, struct edda_shelf *shelf, int error) {
    struct edda_sqlite_call *waiting = shelf->waiting;
    shelf->waiting = NULL;
    if (error || shelf->outdated) {
        spoil(self, shelf);
    } else {
        shelf->state = EDDA_SHELF_READY;
        shelf->used_ms = edda_clock_ms();
        count_bytes(self, shelf, edda_shelf_bytes(shelf));
    }
    shelf->queued = false;
    struct edda_shelf *gone = let_go(shelf);
    while (waiting) {
        struct edda_sqlite_call *call = waiting;
        waiting = call->next;
        call->error = error;
        if (error) {
            edda_sqlite_finish(call);
        } else {
            edda_sqlite_again(call);
        }
    }
    return gone;
}

/* Under the lock: takes what changed while loading. False: nothing did. */
static bool take_dirty(struct edda_shelf *shelf, int64_t **ret_memos, size_t *ret_count,
                       bool *ret_words) {
    *ret_memos = shelf->dirty;
    *ret_count = shelf->dirty_count;
    *ret_words = shelf->dirty_words;
    shelf->dirty = NULL;
    shelf->dirty_count = shelf->dirty_capacity = 0;
    shelf->dirty_words = false;
    return *ret_count > 0 || *ret_words;
}

static void load(edda_catalogue_t *self, struct edda_reader *reader, struct edda_shelf *shelf) {
    int64_t *memos = NULL;
    size_t count = 0;
    bool words = false;
    int64_t before_ms = edda_clock_ms();
    uint64_t project = shelf->project;
    int error = edda_shelf_load(shelf, reader->database);
    if (!error) {
        error = edda_shelf_tidy(shelf, reader, false);
    }
    pthread_mutex_lock(&self->lock);
    while (take_dirty(shelf, &memos, &count, &words) && !error) {
        pthread_mutex_unlock(&self->lock);
        error = words ? edda_shelf_load_words(shelf, reader->database) : 0;
        for (size_t i = 0; i < count && !error; i++) {
            error = edda_shelf_refresh(shelf, reader->database, memos[i], false);
        }
        free(memos);
        memos = NULL;
        pthread_mutex_lock(&self->lock);
    }
    if (shelf->lost && !error) {
        error = EDDA_E_MEMORY;
    }
    struct edda_shelf *gone = settle(self, shelf, error);
    pthread_mutex_unlock(&self->lock);
    free(memos);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "index_load_failed", "project=%llu error=%s",
                 (unsigned long long)project, edda_error_name(error));
    } else {
        edda_log(EDDA_LOG_DEBUG, "index_loaded", "project=%llu ms=%lld",
                 (unsigned long long)project, (long long)(edda_clock_ms() - before_ms));
    }
    /* Freed or not, the shelf's address is only compared. */
    make_room(self, shelf);
    edda_shelf_destroy(&gone);
}

static void tidy(edda_catalogue_t *self, struct edda_reader *reader, struct edda_shelf *shelf) {
    int error = edda_shelf_tidy(shelf, reader, true);
    pthread_rwlock_rdlock(&shelf->lock);
    size_t bytes = edda_shelf_bytes(shelf);
    pthread_rwlock_unlock(&shelf->lock);
    pthread_mutex_lock(&self->lock);
    shelf->queued = false;
    if (error) {
        spoil(self, shelf);
    } else if (shelf->state == EDDA_SHELF_READY) {
        count_bytes(self, shelf, bytes);
    }
    struct edda_shelf *gone = let_go(shelf);
    pthread_mutex_unlock(&self->lock);
    edda_shelf_destroy(&gone);
}

void edda_catalogue_work(edda_catalogue_t *self, struct edda_reader *reader,
                         struct edda_shelf *shelf) {
    pthread_mutex_lock(&self->lock);
    bool loading = shelf->state == EDDA_SHELF_LOADING;
    pthread_mutex_unlock(&self->lock);
    if (loading) {
        load(self, reader, shelf);
    } else {
        tidy(self, reader, shelf);
    }
}

static int note_dirty(struct edda_shelf *shelf, int64_t memo) {
    if (shelf->dirty_count == shelf->dirty_capacity) {
        size_t capacity = shelf->dirty_capacity ? shelf->dirty_capacity * 2 : 64;
        int64_t *larger = realloc(shelf->dirty, capacity * sizeof(*larger));
        if (!larger) {
            return EDDA_E_MEMORY;
        }
        shelf->dirty = larger;
        shelf->dirty_capacity = capacity;
    }
    shelf->dirty[shelf->dirty_count++] = memo;
    return 0;
}

/* The READY shelf of a project with the writer as its user, or NULL when there is nothing to do
 * now. A LOADING one notes the change; one that cannot note it fails when its load ends. */
static struct edda_shelf *take_for_commit(edda_catalogue_t *self, uint64_t project,
                                          const int64_t *memo) {
    pthread_mutex_lock(&self->lock);
    struct edda_shelf *shelf = edda_row_map_get(&self->shelves, project);
    if (shelf && shelf->state == EDDA_SHELF_READY) {
        shelf->users++;
    } else if (shelf) {
        if (!memo) {
            shelf->dirty_words = true;
        } else if (note_dirty(shelf, *memo)) {
            shelf->lost = true;
        }
        shelf = NULL;
    }
    pthread_mutex_unlock(&self->lock);
    return shelf;
}

static void end_commit(edda_catalogue_t *self, struct edda_shelf *shelf, int error) {
    bool untidy = !error && edda_shelf_is_untidy(shelf);
    pthread_rwlock_rdlock(&shelf->lock);
    size_t bytes = edda_shelf_bytes(shelf);
    pthread_rwlock_unlock(&shelf->lock);
    pthread_mutex_lock(&self->lock);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "index_update_failed", "project=%llu error=%s",
                 (unsigned long long)shelf->project, edda_error_name(error));
        spoil(self, shelf);
    } else if (shelf->state == EDDA_SHELF_READY) {
        count_bytes(self, shelf, bytes);
        if (untidy && !shelf->queued) {
            shelf->queued = true;
            shelf->users++;
            edda_sqlite_load(self->store, shelf);
        }
    }
    struct edda_shelf *gone = let_go(shelf);
    pthread_mutex_unlock(&self->lock);
    edda_shelf_destroy(&gone);
}

/* Another model serves: what is loaded, or loading, is of the one before. */
static void forget(edda_catalogue_t *self, uint64_t project) {
    struct edda_shelf *gone = NULL;
    pthread_mutex_lock(&self->lock);
    struct edda_shelf *shelf = edda_row_map_get(&self->shelves, project);
    if (shelf && shelf->state == EDDA_SHELF_LOADING) {
        shelf->outdated = true;
    } else if (shelf) {
        spoil(self, shelf);
        gone = shelf->users == 0 ? shelf : NULL;
    }
    pthread_mutex_unlock(&self->lock);
    edda_shelf_destroy(&gone);
}

void edda_catalogue_commit(edda_catalogue_t *self, edda_database_t *database,
                           const struct edda_sqlite_call *call) {
    struct edda_shelf *shelf = NULL;
    if (call->word_count) {
        shelf = take_for_commit(self, call->word_project, NULL);
        if (shelf) {
            end_commit(self, shelf,
                       edda_shelf_put_words(shelf, call->words, call->word_count, true));
        }
    }
    for (size_t i = 0; i < call->change_count; i++) {
        const struct edda_change *change = &call->changes[i];
        if (change->memo == 0) {
            forget(self, change->project);
            continue;
        }
        shelf = take_for_commit(self, change->project, &change->memo);
        if (shelf) {
            end_commit(self, shelf, edda_shelf_refresh(shelf, database, change->memo, true));
        }
    }
}

void edda_catalogue_announce(edda_catalogue_t *self, int64_t memo) {
    pthread_mutex_lock(&self->lock);
    EDDA_ASSERT(self->announced_count < ANNOUNCED);
    self->announced[self->announced_count++] = memo;
    pthread_mutex_unlock(&self->lock);
}

void edda_catalogue_withdraw(edda_catalogue_t *self, int64_t memo) {
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->announced_count; i++) {
        if (self->announced[i] == memo) {
            self->announced[i] = self->announced[--self->announced_count];
            break;
        }
    }
    pthread_mutex_unlock(&self->lock);
}

bool edda_catalogue_is_announced(edda_catalogue_t *self, int64_t memo) {
    bool announced = false;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->announced_count && !announced; i++) {
        announced = self->announced[i] == memo;
    }
    pthread_mutex_unlock(&self->lock);
    return announced;
}

size_t edda_catalogue_bytes(edda_catalogue_t *self) {
    pthread_mutex_lock(&self->lock);
    size_t bytes = self->bytes;
    pthread_mutex_unlock(&self->lock);
    return bytes;
}
