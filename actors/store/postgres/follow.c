/* actors/store/postgres/follow.c: a round, step by step: which statement, which work comes next. */
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/catalogue.h"
#include "actors/store/postgres/store.h"
#include "actors/store/rows.h"

static void ask_memos(struct edda_pg_shelf *self);
static void next_group(struct edda_pg_shelf *self);
static void ask_terms(struct edda_pg_shelf *self);
static void next_texts(struct edda_pg_shelf *self);

/* ---- the end ---- */

static void free_slice(struct edda_pg_round *round) {
    edda_pg_result_free(round->memos);
    edda_pg_result_free(round->rows);
    round->memos = round->rows = NULL;
    edda_arena_done(&round->arena);
    edda_arena_init(&round->arena, EDDA_PG_ROUND_BYTES);
    edda_row_map_done(&round->missing);
    round->items = NULL;
    round->vector = NULL;
    round->count = round->first = round->end = 0;
}

static void end_round(struct edda_pg_shelf *self, int error) {
    struct edda_pg_round *round = &self->round;
    free_slice(round);
    for (size_t i = 0; i < round->gram_count; i++) {
        edda_index_grams_done(&round->grams[i]);
    }
    round->gram_count = 0;
    self->busy = false;
    edda_pg_catalogue_followed(self->store->catalogue, self, error, false);
}

static void on_failed(void *context) {
    struct edda_pg_shelf *self = context;
    end_round(self, self->round.error);
}

/* What could not be begun fails at the end of the turn: who waits may be just about to. */
static void fail_later(struct edda_pg_shelf *self, int error) {
    self->round.error = error;
    self->round.failed = (struct edda_deferred){.fire = on_failed, .context = self};
    edda_loop_defer(self->store->loop, &self->round.failed);
}

/* ---- one step after the other ---- */

static void on_answer(void *context, struct edda_pg_answer *answer) {
    struct edda_pg_shelf *self = context;
    if (answer->error) {
        end_round(self, answer->error);
        return;
    }
    self->round.rows = answer->result;
    answer->result = NULL;
    self->round.then(self);
}

static void ask(struct edda_pg_shelf *self, unsigned statement, const struct edda_pg_value *values,
                size_t count, void (*then)(struct edda_pg_shelf *self)) {
    struct edda_pg_round *round = &self->round;
    edda_pg_result_free(round->rows);
    round->rows = NULL;
    round->query = (struct edda_pg_query){.done = on_answer, .context = self};
    round->then = then;
    int error = round->values.error;
    if (!error) {
        error = self->store->database
                    ? edda_pg_run(self->store->database, &round->query, statement, values, count)
                    : EDDA_E_DRAINING;
    }
    if (error) {
        fail_later(self, error);
    }
}

static void do_work(void *context, unsigned thread_index) {
    struct edda_pg_shelf *self = context;
    self->round.error = self->round.work(&self->store->workers[thread_index], self);
}

static void on_worked(void *context) {
    struct edda_pg_shelf *self = context;
    if (self->round.error) {
        end_round(self, self->round.error);
    } else {
        self->round.then(self);
    }
}

static void work(struct edda_pg_shelf *self,
                 int (*function)(struct edda_pg_worker *worker, struct edda_pg_shelf *shelf),
                 void (*then)(struct edda_pg_shelf *self)) {
    self->round.work = function;
    self->round.then = then;
    int error = self->store->database ? edda_pool_run(self->store->pool, do_work, on_worked, self)
                                      : EDDA_E_DRAINING;
    if (error) {
        fail_later(self, error);
    }
}

/* ---- memos ---- */

static void ask_memos(struct edda_pg_shelf *self) {
    free_slice(&self->round);
    ask(self, EDDA_PGSQL_INDEX_MEMOS,
        VALUES(BIGINT(self->project), BIGINT(self->round.after_revision),
               BIGINT(self->round.after_memo), BIGINT(EDDA_PG_SLICE_MEMOS)),
        next_group);
}

/* All there was has been published: of the revisions up to target, or of the last that was seen. */
static void end_following(struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    if (round->missed && ++round->repeats < EDDA_PG_ROUND_REPEATS) {
        round->missed = false;
        ask_memos(self);
        return;
    }
    if (round->missed) {
        end_round(self, EDDA_E_BUSY);
        return;
    }
    bool first = !self->loaded;
    bool untidy = edda_pg_shelf_is_untidy(self);
    self->revision = round->target > round->after_revision ? round->target : round->after_revision;
    self->witness = round->witness;
    if (!untidy) {
        end_round(self, 0);
        return;
    }
    if (!first) {
        edda_pg_catalogue_followed(self->store->catalogue, self, 0, true);
    }
    free_slice(round);
    work(self, edda_pg_shelf_compact, next_texts);
}

static void on_published(struct edda_pg_shelf *self) {
    if (self->round.count < EDDA_PG_SLICE_MEMOS) {
        end_following(self);
    } else {
        ask_memos(self);
    }
}

/* ---- chunks ---- */

static void on_words(struct edda_pg_shelf *self) {
    work(self, edda_pg_shelf_put_words, ask_terms);
}

static void ask_words(struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    struct edda_pg_built hashes;
    if (round->missing.count == 0) {
        ask_terms(self);
        return;
    }
    edda_buffer_reset(&round->values);
    edda_pg_build_array(&hashes, &round->values, EDDA_PG_BIGINT);
    for (size_t i = 0; i < round->missing.capacity; i++) {
        if (round->missing.slots[i].value) {
            edda_pg_array_bigint(&hashes, (int64_t)(round->missing.slots[i].key - 1));
        }
    }
    ask(self, EDDA_PGSQL_INDEX_WORDS, VALUES(BIGINT(self->project), BUILT(&hashes)), on_words);
}

static void on_terms(struct edda_pg_shelf *self) {
    if (edda_pg_rows(self->round.rows) == 0) {
        next_group(self);
        return;
    }
    work(self, edda_pg_shelf_add, ask_words);
}

/* The group's chunks after the last one, until there are no more. */
static void ask_terms(struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    struct edda_pg_built versions;
    size_t left = 0;
    edda_buffer_reset(&round->values);
    edda_pg_build_array(&versions, &round->values, EDDA_PG_BIGINT);
    for (size_t i = round->first; i < round->end; i++) {
        const struct edda_pg_incoming *item = &round->items[i];
        if (item->key && item->added < item->chunks) {
            edda_pg_array_bigint(&versions, item->version);
            left++;
        }
    }
    if (left == 0) {
        next_group(self);
        return;
    }
    ask(self, EDDA_PGSQL_INDEX_TERMS,
        VALUES(BUILT(&versions), BIGINT(round->after_chunk), BIGINT(EDDA_PG_SLICE_CHUNKS),
               BIGINT(self->project)),
        on_terms);
}

static void on_planned(struct edda_pg_shelf *self) {
    next_group(self);
}

/* The next memos whose chunks fit a slice together, or a larger one alone; after the last: all are
 * published. */
static void next_group(struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    uint64_t chunks = 0;
    if (!round->memos) { /* what came is the slice itself */
        round->memos = round->rows;
        round->rows = NULL;
        round->count = edda_pg_rows(round->memos);
        if (round->count == 0) {
            end_following(self);
        } else {
            work(self, edda_pg_shelf_plan, on_planned);
        }
        return;
    }
    round->first = round->end;
    round->after_chunk = 0;
    while (round->end < round->count) {
        const struct edda_pg_incoming *item = &round->items[round->end];
        uint64_t more = item->key ? item->chunks : 0;
        if (chunks > 0 && chunks + more > EDDA_PG_SLICE_CHUNKS) {
            break;
        }
        chunks += more;
        round->end++;
    }
    if (chunks > 0) {
        ask_terms(self);
    } else {
        work(self, edda_pg_shelf_publish, on_published);
    }
}

/* ---- tidying ---- */

static void on_tidy(struct edda_pg_shelf *self) {
    end_round(self, 0);
}

static void on_texts(struct edda_pg_shelf *self) {
    work(self, edda_pg_shelf_count_grams, next_texts);
}

static void next_texts(struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    struct edda_pg_built chunks;
    if (round->wanted_at == round->wanted_count) {
        work(self, edda_pg_shelf_take_sample, on_tidy);
        return;
    }
    edda_buffer_reset(&round->values);
    edda_pg_build_array(&chunks, &round->values, EDDA_PG_BIGINT);
    for (unsigned i = 0; i < EDDA_PG_SLICE_TEXTS && round->wanted_at < round->wanted_count; i++) {
        edda_pg_array_bigint(&chunks, edda_row_named(&round->wanted[round->wanted_at++]));
    }
    ask(self, EDDA_PGSQL_INDEX_SAMPLE, VALUES(BUILT(&chunks)), on_texts);
}

static void begin_following(struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    round->target = self->wanted;
    if (self->revision < 0) {
        self->since = self->wanted;
    }
    round->after_revision = self->revision > 0 ? self->revision : 0;
    round->after_memo = INT64_MAX;
    round->repeats = 0;
    round->missed = false;
    round->witness = self->witness;
    ask_memos(self);
}

static void on_witness(struct edda_pg_shelf *self) {
    struct edda_pg_row row = edda_pg_row(self->round.rows, 0);
    bool there = edda_pg_rows(self->round.rows) > 0 &&
                 edda_pg_bigint(&row, 0) == self->witness.hash && !row.error;
    if (self->disproved || !there) {
        self->disproved = true; /* who waits has it loaded anew */
        end_round(self, 0);
        return;
    }
    self->doubted = false;
    begin_following(self);
}

void edda_pg_shelf_follow(struct edda_pg_shelf *self) {
    EDDA_ASSERT(!self->busy);
    self->busy = true;
    self->begun_ms = edda_clock_ms();
    self->round.values.error = 0;
    self->round.touched = false;
    if (self->doubted) {
        ask(self, EDDA_PGSQL_INDEX_WITNESS,
            VALUES(BIGINT(self->witness.memo), BIGINT(self->project)), on_witness);
    } else {
        begin_following(self);
    }
}

void edda_pg_shelf_abandon(struct edda_pg_shelf *self) {
    if (self->busy) {
        edda_deferred_cancel(&self->round.failed);
        end_round(self, EDDA_E_DRAINING);
    }
}
