/* tests/sim/backend.c: backend.h over the tables: each call commits at a time of its own, and is
 * answered at a later one, if its process lives so long.
 *
 *   submit --> commit (store.c) --> answer, in a turn of the loop
 *          \-> IO error: nothing was done; or all was, and the answer says otherwise
 */
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/deferred.h"
#include "tests/sim/store.h"

#define MOST_OPEN   64
#define ARENA_BYTES (1u << 20)

struct call {
    struct sim_backend *backend;
    struct call *next;
    struct call *previous;
    struct edda_backend_request request;
    struct edda_timer step;
    struct edda_deferred answer;
    int error;
    bool committed;
    void *record;
    struct edda_arena arena;
};

struct sim_backend {
    edda_backend_t base; /* first */
    struct sim_node *node;
    edda_loop_t *loop;
    struct edda_backend_events events;
    uint64_t life;
    int64_t lease_ms;
    int64_t wall_at_start_ms;
    int64_t clock_at_start_ms;
    struct call *calls;
    size_t open;
    struct edda_deferred ready;
};

/* As the SQLite backend's: the wall clock when the process began, plus the time since. */
static int64_t now_ms(const struct sim_backend *self) {
    return self->wall_at_start_ms + sim_local_us(self->node) / 1000 - self->clock_at_start_ms;
}

static void free_call(struct call *call) {
    struct sim_backend *self = call->backend;
    *(call->previous ? &call->previous->next : &self->calls) = call->next;
    if (call->next) {
        call->next->previous = call->previous;
    }
    self->open--;
    sim_cancel(&call->step);
    edda_deferred_cancel(&call->answer);
    edda_arena_done(&call->arena);
    free(call->record);
    free(call);
}

static void answer(void *context) {
    struct call *call = context;
    const struct edda_backend_answer answer = {.error = call->error,
                                               .record = call->error ? NULL : call->record};
    call->request.done(call->request.context, &answer);
    free_call(call);
}

static void defer_answer(void *context) {
    struct call *call = context;
    call->answer = (struct edda_deferred){.fire = answer, .context = call};
    edda_loop_defer(call->backend->loop, &call->answer);
}

static void tell_ready(void *context) {
    struct sim_backend *self = context;
    self->events.on_ready(self->events.context);
}

static void defer_ready(struct sim_backend *self, enum edda_backend_operation operation) {
    bool makes = operation == EDDA_BACKEND_ACCEPT || operation == EDDA_BACKEND_RELEASE;
    if (makes) {
        edda_loop_defer(self->loop, &self->ready);
    }
}

static int64_t database_us(const struct sim_backend *self) {
    (void)self;
    int64_t mean_us =
        sim_has(SIM_FAULT_STORE_SLOW) && sim_chance(SIM_DICE_WORK, 100) ? 800 * SIM_MS : 2 * SIM_MS;
    return sim_around(SIM_DICE_WORK, mean_us);
}

static bool is_harmed(enum sim_fault fault) {
    bool harmed = sim_has(fault) && sim_chance(SIM_DICE_FAULTS, sim->plan.store_harm);
    sim->counts.faults[fault] += harmed;
    return harmed;
}

static bool writes(const struct call *call) {
    switch (call->request.operation) {
    case EDDA_BACKEND_SEARCH:
    case EDDA_BACKEND_STATUS:
    case EDDA_BACKEND_STATISTICS:
        return false;
    default:
        return true;
    }
}

static void run_transaction(struct call *call) {
    struct sim_backend *self = call->backend;
    int64_t deadline_ms = call->request.deadline_ms;
    if (deadline_ms && sim_local_us(self->node) / 1000 >= deadline_ms) {
        call->error = EDDA_E_EXPIRED;
        return;
    }
    call->error = sim_truth_apply(sim->truth, self->node->name, self->life, now_ms(self),
                                  self->lease_ms, &call->request, call->record, &call->arena);
    call->committed = call->error == 0;
    if (call->committed) {
        defer_ready(self, call->request.operation);
    }
}

static void commit(void *context) {
    struct call *call = context;
    struct sim_node *node = call->backend->node;
    if (node->paused_until_us) {
        sim_at(&call->step, node->paused_until_us + database_us(call->backend));
        return;
    }
    bool dies = writes(call) && is_harmed(SIM_FAULT_STORE_CRASH);
    bool before = dies && sim_chance(SIM_DICE_FAULTS, 500);
    if (is_harmed(SIM_FAULT_STORE_IO)) {
        call->error = EDDA_E_IO;
    } else if (!before) {
        run_transaction(call);
        if (writes(call) && is_harmed(SIM_FAULT_STORE_UNKNOWN)) {
            call->error = EDDA_E_IO;
        }
    }
    if (dies) {
        sim_trace(node->name, "dies just %s a commit", before ? "before" : "after");
        sim_node_crash(node, false, sim_between(SIM_DICE_FAULTS, 0, 2 * SIM_SECOND));
        return; /* the call is gone with its process */
    }
    call->step = (struct edda_timer){.fire = defer_answer, .context = call, .name = "answer"};
    sim_at(&call->step, sim->now_us + sim_between(SIM_DICE_WORK, 50, 500));
}

static int submit(edda_backend_t *base, const struct edda_backend_request *request) {
    struct sim_backend *self = (struct sim_backend *)base;
    if (self->open >= MOST_OPEN) {
        return EDDA_E_BUSY;
    }
    struct call *call = calloc(1, sizeof(*call));
    EDDA_ASSERT(call);
    size_t size = edda_backend_result_size(request->operation);
    call->backend = self;
    call->request = *request;
    call->record = calloc(1, size ? size : 1);
    EDDA_ASSERT(call->record);
    edda_arena_init(&call->arena, ARENA_BYTES);
    call->next = self->calls;
    if (self->calls) {
        self->calls->previous = call;
    }
    self->calls = call;
    self->open++;
    call->step = (struct edda_timer){.fire = commit, .context = call, .name = "commit"};
    if (!self->node->muted) {
        sim_at(&call->step, sim->now_us + self->node->spent_us + database_us(self));
    }
    return 0;
}

/* Finishes what is open. Of a process that dies, nothing more is committed. */
static void destroy(edda_backend_t *base) {
    struct sim_backend *self = (struct sim_backend *)base;
    while (self->calls) {
        struct call *call = self->calls;
        bool waits = call->step.index != 0 && call->step.fire == commit;
        if (waits && !self->node->muted) {
            run_transaction(call);
        } else if (!call->committed) {
            call->error = call->error ? call->error : EDDA_E_CANCELLED;
        }
        answer(call);
    }
    edda_deferred_cancel(&self->ready);
    free(self);
}

static const struct edda_backend_interface interface = {
    .name = "simulated", .submit = submit, .destroy = destroy};

edda_backend_t *sim_backend_new(int64_t lease_ms, struct edda_backend_events events) {
    struct sim_backend *self = calloc(1, sizeof(*self));
    EDDA_ASSERT(self && sim->running);
    self->base.interface = &interface;
    self->node = sim->running;
    self->loop = sim->running->loop;
    self->events = events;
    self->ready = (struct edda_deferred){.fire = tell_ready, .context = self};
    self->life = ++sim->truth->lives;
    self->lease_ms = lease_ms;
    self->wall_at_start_ms = edda_clock_wall_ms();
    self->clock_at_start_ms = edda_clock_ms();
    return &self->base;
}
