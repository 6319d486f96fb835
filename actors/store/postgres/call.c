/* actors/store/postgres/call.c: steps of a call, and its one answer. */
#include "actors/store/postgres/call.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/store.h"

#define CALL_BYTES                                                                                 \
    (48u * 1024u * 1024u) /* what a call makes; results of statements are beside it */

static void settle(struct edda_pg_call *call, int error);

/* ---- workers ---- */

int edda_pg_worker_need_terms(struct edda_pg_worker *worker) {
    if (!worker->analyser) {
        worker->analyser = edda_analyser_new();
    }
    if (!worker->analyser) {
        return EDDA_E_MEMORY;
    }
    if (!worker->has_terms) {
        int error = edda_terms_init(&worker->terms);
        if (error) {
            return error;
        }
        worker->has_terms = true;
    }
    return 0;
}

int edda_pg_worker_need_scratch(struct edda_pg_worker *worker) {
    if (!worker->analyser) {
        worker->analyser = edda_analyser_new();
    }
    if (worker->analyser && !worker->scratch) {
        worker->scratch = edda_index_scratch_new(worker->analyser);
    }
    return worker->scratch ? 0 : EDDA_E_MEMORY;
}

void edda_pg_worker_done(struct edda_pg_worker *worker) {
    edda_index_scratch_destroy(&worker->scratch);
    if (worker->has_terms) {
        edda_terms_done(&worker->terms);
    }
    edda_analyser_destroy(&worker->analyser);
}

/* ---- the end of a call ---- */

static void enter(struct edda_pg_call *call) {
    struct edda_postgres *store = call->store;
    call->next = store->calls;
    if (call->next) {
        call->next->previous = call;
    }
    store->calls = call;
    store->open++;
}

static void leave(struct edda_pg_call *call) {
    struct edda_postgres *store = call->store;
    if (call->previous) {
        call->previous->next = call->next;
    } else {
        store->calls = call->next;
    }
    if (call->next) {
        call->next->previous = call->previous;
    }
    store->open--;
    if (store->open == 0 && store->closing) {
        edda_loop_stop(store->loop);
    }
}

static void release(struct edda_pg_call *call) {
    if (call->release) {
        void (*function)(struct edda_pg_call *) = call->release;
        call->release = NULL;
        function(call);
    }
}

static void free_call(struct edda_pg_call *call) {
    release(call);
    for (struct edda_pg_kept *kept = call->kept; kept; kept = kept->next) {
        edda_pg_result_free(kept->result);
    }
    edda_deferred_cancel(&call->deferred);
    edda_buffer_done(&call->buffer);
    edda_arena_done(&call->arena);
    free(call);
}

static void answer(struct edda_pg_call *call) {
    struct edda_postgres *store = call->store;
    struct edda_backend_answer given = {
        .error = call->error,
        .text = call->error ? call->text : NULL,
        .record = call->error ? NULL : call->record,
    };
    bool jobs_ready = !call->error && call->jobs_ready;
    EDDA_ASSERT(!call->asking && !call->talking && !call->working && !call->waiting);
    if (!jobs_ready) {
        edda_pg_backlog_withdraw(call);
    }
    leave(call);
    call->request.done(call->request.context, &given);
    free_call(call);
    if (jobs_ready) {
        edda_pg_waker_wake(&store->waker);
    }
}

/* Anything from before is forgotten: a call may be run again. */
static int begin_operation(struct edda_pg_call *call) {
    int64_t deadline_ms = call->request.deadline_ms;
    size_t size = edda_backend_result_size(call->request.operation);
    release(call);
    call->error = 0;
    call->text = NULL;
    call->state = NULL;
    call->jobs_ready = false;
    edda_pg_backlog_withdraw(call);
    call->backlog = (struct edda_pg_backlog_call){0};
    call->first_step = 0;
    call->step_count = 0;
    call->record = edda_arena_take(&call->arena, size);
    if (deadline_ms && edda_clock_ms() > deadline_ms) {
        return EDDA_E_EXPIRED;
    }
    return call->record ? edda_pg_operations[call->request.operation](call) : EDDA_E_MEMORY;
}

/* Nothing is open any more: it is over, or begins again. */
static void finish(void *context) {
    struct edda_pg_call *call = context;
    if (call->error == EDDA_E_AGAIN && call->store->database &&
        ++call->tries < EDDA_PG_CALL_TRIES) {
        settle(call, begin_operation(call));
        return;
    }
    if (call->error == EDDA_E_AGAIN) {
        call->error = EDDA_E_BUSY;
        call->text = NULL;
    }
    answer(call);
}

/* After every step: what it began goes on, or the call is over. */
static void settle(struct edda_pg_call *call, int error) {
    if (call->working) {
        EDDA_ASSERT(error == 0);
        return;
    }
    if (error && !call->error) {
        call->error = error;
    }
    if (call->error && call->talking) {
        edda_pg_rollback(&call->conversation, call->error, call->text);
    }
    if (!call->asking && !call->talking && !call->working && !call->waiting) {
        edda_loop_defer(call->store->loop, &call->deferred);
    }
}

/* A step that begins work gives the call away: nothing of it that the pool thread may touch is
 * touched behind the step. */
static int take_step(struct edda_pg_call *call, edda_pg_step_fn step, edda_pg_result_t **result_p) {
    if (!step || call->error) {
        return 0;
    }
    call->current = result_p;
    call->spare = result_p ? edda_arena_take(&call->arena, sizeof *call->spare) : NULL;
    if (result_p && !call->spare) {
        return EDDA_E_MEMORY;
    }
    int error = step(call, result_p ? *result_p : NULL);
    call->current = NULL;
    return error;
}

static int error_of(struct edda_pg_call *call, const struct edda_pg_answer *given) {
    if (given->error && given->state && given->state->flags & EDDA_SQLSTATE_AGAIN) {
        return EDDA_E_AGAIN;
    }
    if (given->error && !call->error) {
        call->text = given->text;
    }
    return given->error;
}

/* ---- statements ---- */

static void on_answer(void *context, struct edda_pg_answer *given) {
    struct edda_pg_call *call = context;
    call->asking = false;
    if (given->error == EDDA_E_INVALID && call->otherwise) {
        settle(call, take_step(call, call->otherwise, NULL));
        return;
    }
    int error = error_of(call, given);
    settle(call, error ? error : take_step(call, call->then, &given->result));
}

int edda_pg_call_run(struct edda_pg_call *call, unsigned statement,
                     const struct edda_pg_value *values, size_t count, edda_pg_step_fn then) {
    EDDA_ASSERT(!call->asking && !call->talking && !call->working && !call->waiting);
    call->query = (struct edda_pg_query){
        .deadline_ms = call->request.deadline_ms, .done = on_answer, .context = call};
    call->then = then;
    call->otherwise = NULL;
    if (!call->store->database) {
        return EDDA_E_DRAINING;
    }
    int error = edda_pg_run(call->store->database, &call->query, statement, values, count);
    call->asking = error == 0;
    return error;
}

/* ---- transactions ---- */

static void on_ended(void *context, struct edda_pg_answer *given) {
    struct edda_pg_call *call = context;
    int error = error_of(call, given);
    call->talking = false;
    settle(call, error ? error : take_step(call, call->then, NULL));
}

static void on_begun(void *context) {
    struct edda_pg_call *call = context;
    settle(call, take_step(call, call->on_begin, NULL));
}

static void on_rows(void *context, edda_pg_result_t **result_p) {
    struct edda_pg_call *call = context;
    EDDA_ASSERT(call->step_count > 0);
    edda_pg_step_fn step = call->steps[call->first_step];
    call->first_step = (call->first_step + 1) % EDDA_PG_MOST_SAID;
    call->step_count--;
    settle(call, take_step(call, step, result_p));
}

static int begin(struct edda_pg_call *call, bool snapshot, edda_pg_step_fn on_begin,
                 edda_pg_step_fn then) {
    EDDA_ASSERT(!call->asking && !call->talking && !call->working && !call->waiting);
    call->conversation = (struct edda_pg_conversation){.deadline_ms = call->request.deadline_ms,
                                                       .snapshot = snapshot,
                                                       .on_begin = on_begun,
                                                       .done = on_ended,
                                                       .context = call};
    call->on_begin = on_begin;
    call->then = then;
    call->first_step = 0;
    call->step_count = 0;
    if (!call->store->database) {
        return EDDA_E_DRAINING;
    }
    int error = edda_pg_begin(call->store->database, &call->conversation);
    call->talking = error == 0;
    return error;
}

int edda_pg_call_begin(struct edda_pg_call *call, edda_pg_step_fn on_begin, edda_pg_step_fn then) {
    return begin(call, false, on_begin, then);
}

int edda_pg_call_read(struct edda_pg_call *call, edda_pg_step_fn on_begin, edda_pg_step_fn then) {
    return begin(call, true, on_begin, then);
}

void edda_pg_call_say(struct edda_pg_call *call, unsigned statement,
                      const struct edda_pg_value *values, size_t count, edda_pg_step_fn step) {
    EDDA_ASSERT(call->talking);
    if (call->step_count < EDDA_PG_MOST_SAID) { /* one too many ends the conversation */
        call->steps[(call->first_step + call->step_count++) % EDDA_PG_MOST_SAID] = step;
    }
    edda_pg_say(&call->conversation, statement, values, count, on_rows);
}

void edda_pg_call_commit(struct edda_pg_call *call) {
    EDDA_ASSERT(call->talking);
    edda_pg_commit(&call->conversation);
}

/* ---- work ---- */

static void do_work(void *context, unsigned thread_index) {
    struct edda_pg_call *call = context;
    int error = call->work(&call->store->workers[thread_index], call);
    if (error) {
        call->error = error;
    }
}

static void on_worked(void *context) {
    struct edda_pg_call *call = context;
    call->working = false;
    settle(call, take_step(call, call->after_work, NULL));
}

int edda_pg_call_work(struct edda_pg_call *call, edda_pg_work_fn work, edda_pg_step_fn then) {
    EDDA_ASSERT(!call->asking && !call->talking && !call->working && !call->waiting);
    call->work = work;
    call->after_work = then;
    if (!call->store->database) {
        return EDDA_E_DRAINING;
    }
    int error = edda_pool_run(call->store->pool, do_work, on_worked, call);
    call->working = error == 0;
    return error;
}

/* ---- waiting ---- */

void edda_pg_call_wait(struct edda_pg_call *call, edda_pg_step_fn then) {
    EDDA_ASSERT(!call->asking && !call->talking && !call->working && !call->waiting);
    call->then = then;
    call->waiting = true;
}

void edda_pg_call_wake(struct edda_pg_call *call, int error) {
    EDDA_ASSERT(call->waiting);
    call->waiting = false;
    settle(call, error ? error : take_step(call, call->then, NULL));
}

/* ---- for steps ---- */

void edda_pg_call_keep(struct edda_pg_call *call) {
    if (call->current && *call->current) {
        *call->spare = (struct edda_pg_kept){call->kept, *call->current};
        call->kept = call->spare;
        *call->current = NULL;
    }
}

int edda_pg_call_fail(struct edda_pg_call *call, int error, const char *text) {
    call->text = text;
    return error;
}

void *edda_pg_call_need_state(struct edda_pg_call *call, size_t size) {
    call->state = edda_arena_take(&call->arena, size);
    return call->state;
}

/* ---- the beginning of a call ---- */

int edda_pg_call_start(struct edda_postgres *store, const struct edda_backend_request *request) {
    struct edda_pg_call *call = calloc(1, sizeof *call);
    if (!call) {
        return EDDA_E_MEMORY;
    }
    call->store = store;
    call->request = *request;
    call->deferred = (struct edda_deferred){.fire = finish, .context = call};
    edda_arena_init(&call->arena, CALL_BYTES);
    edda_buffer_init(&call->buffer, CALL_BYTES);
    enter(call);
    settle(call, begin_operation(call));
    return 0;
}

void edda_pg_call_end_all(struct edda_postgres *store) {
    while (store->calls) {
        finish(store->calls);
    }
}
