/* actors/store/postgres/catalogue.c: which project's index is in memory, and who waits for it. */
#include "actors/store/postgres/catalogue.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/store/postgres/store.h"

#define SCRATCHES_A_THREAD 4

struct scratch {
    edda_analyser_t *analyser;
    edda_index_scratch_t *scratch;
    bool lent;
};

struct edda_pg_catalogue {
    struct edda_postgres *store;
    uint64_t doubts;
    size_t maximum_bytes;
    size_t bytes;
    edda_cell_t *bytes_cell;
    struct edda_pg_shelf *shelves; /* spoiled ones are no longer among them */
    struct scratch *scratches;
    size_t scratch_count;
    struct edda_pg_call *waiting; /* for a scratch, first come first */
    struct edda_pg_call **waiting_end;
};

edda_pg_catalogue_t *edda_pg_catalogue_new(struct edda_postgres *store, size_t maximum_bytes) {
    edda_pg_catalogue_t *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->store = store;
    self->maximum_bytes = maximum_bytes ? maximum_bytes : EDDA_PG_INDEX_BYTES;
    self->bytes_cell = edda_metric_cell(EDDA_METRIC_STORE_INDEX_BYTES, NULL);
    self->scratch_count = (size_t)store->threads * SCRATCHES_A_THREAD;
    self->scratches = calloc(self->scratch_count, sizeof *self->scratches);
    self->waiting_end = &self->waiting;
    if (!self->scratches) {
        free(self);
        return NULL;
    }
    return self;
}

/* ---- shelves ---- */

static void count_bytes(edda_pg_catalogue_t *self, struct edda_pg_shelf *shelf, size_t bytes) {
    self->bytes += bytes - shelf->bytes;
    shelf->bytes = bytes;
    edda_cell_set(self->bytes_cell, (int64_t)self->bytes);
}

/* Out of sight; freed now, or when nobody uses it any more. */
static void spoil(edda_pg_catalogue_t *self, struct edda_pg_shelf *shelf) {
    struct edda_pg_shelf **at = &self->shelves;
    if (!shelf->spoiled) {
        while (*at != shelf) {
            at = &(*at)->next;
        }
        *at = shelf->next;
        shelf->spoiled = true;
        count_bytes(self, shelf, 0);
    }
    if (shelf->users == 0 && !shelf->busy) {
        edda_pg_shelf_destroy(&shelf);
    }
}

static void wake_all(struct edda_pg_shelf *shelf, int error) {
    struct edda_pg_call *waiting = shelf->waiting;
    shelf->waiting = NULL;
    while (waiting) {
        struct edda_pg_call *call = waiting;
        waiting = call->next_waiting;
        edda_pg_call_wake(call, error);
    }
}

/* Drops the least used until all fit, or one is left. */
static void make_room(edda_pg_catalogue_t *self) {
    while (self->bytes > self->maximum_bytes && self->shelves && self->shelves->next) {
        struct edda_pg_shelf *least = NULL;
        for (struct edda_pg_shelf *shelf = self->shelves; shelf; shelf = shelf->next) {
            if (shelf->users == 0 && !shelf->busy && !shelf->waiting &&
                (!least || shelf->used_ms < least->used_ms)) {
                least = shelf;
            }
        }
        if (!least) {
            return;
        }
        spoil(self, least);
    }
}

static struct edda_pg_shelf *find(edda_pg_catalogue_t *self, int64_t project) {
    struct edda_pg_shelf *shelf = self->shelves;
    while (shelf && shelf->project != project) {
        shelf = shelf->next;
    }
    return shelf;
}

static bool is_outdated(const struct edda_pg_shelf *shelf, const struct edda_pg_wanted *wanted) {
    return shelf->disproved || shelf->revision < wanted->forgotten ||
           shelf->since < wanted->embedded;
}

static struct edda_pg_shelf *need_shelf(edda_pg_catalogue_t *self,
                                        const struct edda_pg_wanted *wanted) {
    struct edda_pg_shelf *shelf = find(self, wanted->project);
    if (shelf && shelf->loaded && !shelf->busy && is_outdated(shelf, wanted)) {
        spoil(self, shelf);
        shelf = NULL;
    }
    if (!shelf) {
        shelf = edda_pg_shelf_new(self->store, wanted->project);
        if (shelf) {
            shelf->next = self->shelves;
            self->shelves = shelf;
        }
    }
    return shelf;
}

int edda_pg_catalogue_borrow(edda_pg_catalogue_t *self, struct edda_pg_call *call,
                             const struct edda_pg_wanted *wanted, edda_pg_step_fn then,
                             struct edda_pg_shelf **ret_shelf) {
    if (wanted->doubts != self->doubts) {
        return EDDA_E_AGAIN;
    }
    struct edda_pg_shelf *shelf = need_shelf(self, wanted);
    if (!shelf) {
        return EDDA_E_MEMORY;
    }
    shelf->used_ms = edda_clock_ms();
    if (shelf->loaded && !shelf->doubted && shelf->revision >= wanted->revision &&
        !is_outdated(shelf, wanted)) {
        shelf->users++;
        *ret_shelf = shelf;
        return 1;
    }
    shelf->wanted = wanted->revision > shelf->wanted ? wanted->revision : shelf->wanted;
    edda_pg_call_wait(call, then);
    call->next_waiting = shelf->waiting;
    shelf->waiting = call;
    if (!shelf->busy) {
        edda_pg_shelf_follow(shelf);
    }
    return 0;
}

/* A round that is under way has read of both. Revisions behind the witness's may be given again,
 * also those that were only wanted, or were a model's. */
void edda_pg_catalogue_doubt(edda_pg_catalogue_t *self, bool may_be_the_same) {
    self->doubts++;
    for (struct edda_pg_shelf *shelf = self->shelves; shelf; shelf = shelf->next) {
        int64_t proved = shelf->witness.revision;
        shelf->wanted = 0;
        if (!shelf->loaded && !shelf->busy) {
            continue; /* it has nothing */
        }
        shelf->doubted = true;
        shelf->disproved |= !may_be_the_same || shelf->busy || !shelf->witness.memo;
        if (!shelf->disproved) {
            shelf->revision = proved;
            shelf->since = shelf->since < proved ? shelf->since : proved;
        }
    }
}

uint64_t edda_pg_catalogue_doubts(const edda_pg_catalogue_t *self) {
    return self->doubts;
}

void edda_pg_catalogue_return(edda_pg_catalogue_t *self, struct edda_pg_shelf *shelf) {
    EDDA_ASSERT(shelf->users > 0);
    shelf->users--;
    if (shelf->spoiled) {
        spoil(self, shelf);
    }
}

void edda_pg_catalogue_followed(edda_pg_catalogue_t *self, struct edda_pg_shelf *shelf, int error,
                                bool more) {
    if (error) {
        edda_log(EDDA_LOG_WARNING, "index_not_followed", "project=%lld error=%s",
                 (long long)shelf->project, edda_error_name(error));
    } else if (!shelf->loaded) {
        edda_log(EDDA_LOG_DEBUG, "index_loaded", "project=%lld ms=%lld", (long long)shelf->project,
                 (long long)(edda_clock_ms() - shelf->begun_ms));
    }
    shelf->users++; /* while it is looked at */
    if (error && shelf->round.touched) {
        spoil(self, shelf);
    } else if (!error) {
        shelf->loaded = true;
        count_bytes(self, shelf, edda_pg_shelf_bytes(shelf));
    }
    wake_all(shelf, error);
    shelf->users--;
    if (shelf->spoiled && !more) {
        spoil(self, shelf);
    }
    make_room(self);
}

size_t edda_pg_catalogue_bytes(const edda_pg_catalogue_t *self) {
    return self->bytes;
}

/* ---- scratches ---- */

static bool make_scratch(struct scratch *item) {
    if (!item->analyser) {
        item->analyser = edda_analyser_new();
    }
    if (item->analyser && !item->scratch) {
        item->scratch = edda_index_scratch_new(item->analyser);
    }
    return item->scratch != NULL;
}

int edda_pg_catalogue_borrow_scratch(edda_pg_catalogue_t *self, struct edda_pg_call *call,
                                     edda_pg_step_fn then, edda_index_scratch_t **ret_scratch) {
    for (size_t i = 0; i < self->scratch_count; i++) {
        struct scratch *item = &self->scratches[i];
        if (!item->lent) {
            if (!make_scratch(item)) {
                return EDDA_E_MEMORY;
            }
            item->lent = true;
            *ret_scratch = item->scratch;
            return 1;
        }
    }
    edda_pg_call_wait(call, then);
    call->next_waiting = NULL;
    *self->waiting_end = call;
    self->waiting_end = &call->next_waiting;
    return 0;
}

static struct edda_pg_call *take_waiting(edda_pg_catalogue_t *self) {
    struct edda_pg_call *call = self->waiting;
    if (call) {
        self->waiting = call->next_waiting;
        if (!self->waiting) {
            self->waiting_end = &self->waiting;
        }
    }
    return call;
}

void edda_pg_catalogue_return_scratch(edda_pg_catalogue_t *self, edda_index_scratch_t *scratch) {
    for (size_t i = 0; i < self->scratch_count; i++) {
        if (self->scratches[i].scratch == scratch) {
            self->scratches[i].lent = false;
        }
    }
    struct edda_pg_call *next = take_waiting(self);
    if (next) {
        edda_pg_call_wake(next, 0);
    }
}

/* ---- the end ---- */

void edda_pg_catalogue_stop(edda_pg_catalogue_t *self) {
    struct edda_pg_shelf *shelf = self ? self->shelves : NULL;
    while (shelf) {
        struct edda_pg_shelf *next = shelf->next;
        edda_pg_shelf_abandon(shelf); /* may free it */
        shelf = next;
    }
    for (struct edda_pg_call *call; self && (call = take_waiting(self)) != NULL;) {
        edda_pg_call_wake(call, EDDA_E_DRAINING);
    }
}

void edda_pg_catalogue_destroy(edda_pg_catalogue_t **self_p) {
    edda_pg_catalogue_t *self = *self_p;
    if (!self) {
        return;
    }
    while (self->shelves) {
        EDDA_ASSERT(self->shelves->users == 0);
        spoil(self, self->shelves);
    }
    for (size_t i = 0; i < self->scratch_count; i++) {
        edda_index_scratch_destroy(&self->scratches[i].scratch);
        edda_analyser_destroy(&self->scratches[i].analyser);
    }
    free(self->scratches);
    free(self);
    *self_p = NULL;
}
