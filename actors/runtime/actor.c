/* actors/runtime/actor.c: worker sessions, the books of credit, and turning WORK into jobs. */
#include "actors/runtime/actor.h"

#include <stdlib.h>

#include "actors/runtime/actor_state.h"
#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "proto/buggify.h"
#include "proto/op.h"

/* Before the drain is cut: time for RETURN and BYE. */
#define DRAIN_MARGIN_MS 200

static void on_grant(void *context) {
    struct edda_actor *self = context;
    edda_actor_tell_credit(self, false);
}

static void finish_leaving(struct edda_actor *self) {
    if (!self->draining || self->left) {
        return;
    }
    self->left = true;
    for (size_t i = 0; i < self->link_count; i++) {
        edda_link_leave(&self->links[i].link);
    }
    edda_loop_timer_cancel(self->loop, &self->tick);
    edda_loop_timer_cancel(self->loop, &self->grant);
    edda_loop_timer_cancel(self->loop, &self->limit);
    edda_loop_release(self->loop);
}

/* Many jobs may begin or end in one turn: one CREDIT for them all. */
static void plan_grant(struct edda_actor *actor) {
    if (!actor->left && !actor->draining && !actor->grant.index && !EDDA_BUGGIFY("credit_late")) {
        edda_loop_timer_set(actor->loop, &actor->grant, edda_loop_now(actor->loop));
    }
}

void edda_actor_job_left(struct edda_actor *actor, struct edda_actor_link *link, bool orphan,
                         uint64_t bytes) {
    EDDA_ASSERT(actor->running > 0);
    actor->running--;
    link->owed = true;
    if (orphan) {
        EDDA_ASSERT(link->orphans > 0);
        link->orphans--;
    } else {
        EDDA_ASSERT(link->open > 0);
        link->open--;
        link->finished++;
        link->finished_bytes += bytes;
    }
    if (actor->running == 0) {
        finish_leaving(actor);
    }
    plan_grant(actor);
}

static size_t find_operation(const struct edda_actor *self, struct edda_text op) {
    size_t i = 0;
    while (i < self->operation_count && !edda_text_is(op, self->operations[i].op)) {
        i++;
    }
    return i;
}

static bool type_fits(const struct edda_message *message, size_t index, uint16_t wanted) {
    uint16_t given = edda_message_body_type(message, index);
    return given == EDDA_BODY_NONE || given == wanted;
}

/* The WORK was no job: its slot is free again at once. */
static void count_refused(struct edda_actor_link *link, const struct edda_job *job) {
    link->finished++;
    link->finished_bytes += job->wire.message.bodies[0].size + job->wire.message.bodies[1].size;
    link->owed = true;
    if (!link->actor->grant.index && !link->actor->left) {
        edda_loop_timer_set(link->actor->loop, &link->actor->grant,
                            edda_loop_now(link->actor->loop));
    }
}

/* The same attempt at the same step: a message that came twice. */
static bool runs_already(const struct edda_actor_link *link, const struct edda_envelope *work) {
    for (const struct edda_job *job = link->jobs; job; job = job->next) {
        const struct edda_envelope *running = &job->wire.message.envelope;
        if (!job->silent && running->attempt == work->attempt && running->step == work->step &&
            edda_uuid_equal(&running->id, &work->id)) {
            return true;
        }
    }
    return false;
}

/* job->wire holds the WORK. Takes the job. */
static void take_work(struct edda_actor *self, struct edda_actor_link *link, struct edda_job *job) {
    const struct edda_message *message = &job->wire.message;
    const struct edda_op *op = edda_op_find(message->envelope.op);
    size_t operation = find_operation(self, message->envelope.op);
    if (runs_already(link, &message->envelope)) {
        edda_metric_add(EDDA_METRIC_DROPPED, "repeated_work", 1);
        edda_job_free(job); /* the broker counts it once, and so do we */
        return;
    }
    if (self->draining) {
        edda_job_tell_return(job, link);
    } else if (operation == self->operation_count) {
        edda_job_tell_failure(job, link, EDDA_E_NO_SERVICE, EDDA_BLAME_WORKER, 0, NULL);
    } else if (op && (!type_fits(message, 0, op->arguments) || !type_fits(message, 1, op->input))) {
        edda_job_tell_failure(job, link, EDDA_E_TYPE, EDDA_BLAME_JOB, 0, NULL);
    } else if (message->envelope.ttl_ms == 0) {
        edda_job_tell_failure(job, link, EDDA_E_EXPIRED, EDDA_BLAME_JOB, 0, NULL);
    } else {
        edda_job_begin(job, link, operation);
        if (self->link_count > 1) {
            plan_grant(self); /* who uses what it has gets more */
        }
        self->operations[operation].handle(self->stage, job);
        return;
    }
    count_refused(link, job);
    edda_job_free(job);
}

static struct edda_job *find_job(struct edda_actor_link *link, const struct edda_uuid *id) {
    for (struct edda_job *job = link->jobs; job; job = job->next) {
        if (!job->orphan && edda_uuid_equal(&job->wire.message.envelope.id, id)) {
            return job;
        }
    }
    return NULL;
}

static void take_stream_credit(struct edda_job *job, struct edda_wire *wire) {
    struct edda_credit_grant grant;
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    int error = edda_body_decode(EDDA_BODY_CREDIT, wire->message.bodies[0], &arena, &grant);
    edda_arena_done(&arena);
    if (error || !edda_credit_grant(&job->stream, grant.messages, grant.bytes)) {
        return;
    }
    if (job->parked && !job->silent) {
        job->parked = false;
        if (job->on_credit) {
            job->on_credit(job->credit_context); /* may finish the job */
        }
    }
}

static void on_message(void *owner, struct edda_link *base, struct edda_wire *wire) {
    struct edda_actor_link *link = owner;
    struct edda_actor *self = link->actor;
    const struct edda_uuid *id = &wire->message.envelope.id;
    struct edda_job *job;
    switch (wire->message.command) {
    case EDDA_WORK:
        /* The message was received into a spare job: it becomes this one's. */
        job = (struct edda_job *)((char *)wire - offsetof(struct edda_job, wire));
        base->incoming = &edda_job_new(self)->wire;
        take_work(self, link, job);
        return;
    case EDDA_CANCEL:
        job = find_job(link, id);
        if (job) {
            edda_job_abandon(job);
        }
        return;
    case EDDA_CREDIT:
        job = find_job(link, id);
        if (job) {
            take_stream_credit(job, wire);
        }
        return;
    default:
        edda_metric_add(EDDA_METRIC_DROPPED, "wrong_command", 1);
    }
}

static void on_ready(void *owner, struct edda_link *base) {
    struct edda_actor_link *link = owner;
    (void)base;
    link->finished = 0;
    link->finished_bytes = 0;
    link->granted = 0;
    link->granted_bytes = 0;
    link->owed = true;
    if (link->actor->draining) {
        edda_link_tell(&link->link, EDDA_DRAIN, NULL, 0, NULL);
    }
    edda_actor_tell_credit(link->actor, true);
}

/* Abandoning a job calls its handler, which may finish that job or another: begin again each time.
 */
static bool abandon_one(struct edda_actor_link *link) {
    for (struct edda_job *job = link->jobs; job; job = job->next) {
        if (!atomic_load_explicit(&job->cancelled, memory_order_relaxed)) {
            edda_job_abandon(job);
            return true;
        }
    }
    return false;
}

static void on_lost(void *owner, struct edda_link *base) {
    struct edda_actor_link *link = owner;
    (void)base;
    for (struct edda_job *job = link->jobs; job; job = job->next) {
        if (!job->orphan) {
            job->orphan = true;
            job->silent = true;
            link->orphans++;
            link->open--;
        }
    }
    while (abandon_one(link)) {
    }
    plan_grant(link->actor); /* others may have what it had */
}

static void on_ended(void *owner, struct edda_link *base) {
    (void)owner;
    (void)base;
}

/* PING repairs credit that was lost on the way: it repeats the totals. */
static void fill_ping(void *owner, struct edda_link *base, struct edda_ping *ret_ping) {
    struct edda_actor_link *link = owner;
    (void)base;
    ret_ping->messages = link->granted;
    ret_ping->bytes = link->granted_bytes;
}

static const struct edda_link_handler link_handler = {
    .message = on_message,
    .ready = on_ready,
    .lost = on_lost,
    .ended = on_ended,
    .ping = fill_ping,
};

static struct edda_job *find_expired(struct edda_actor_link *link, int64_t now_ms) {
    for (struct edda_job *job = link->jobs; job; job = job->next) {
        if (!job->silent && now_ms >= job->deadline_ms) {
            return job;
        }
    }
    return NULL;
}

void edda_actor_arm(struct edda_actor *actor) {
    int64_t pace_ms = actor->running > 0 ? EDDA_LINK_TICK_MS : EDDA_LINK_REST_MS;
    for (size_t i = 0; i < actor->link_count; i++) {
        int64_t link_ms = edda_link_pace(&actor->links[i].link);
        pace_ms = link_ms < pace_ms ? link_ms : pace_ms;
    }
    int64_t at_ms = edda_loop_now(actor->loop) + pace_ms;
    if (!actor->left && (!actor->tick.index || actor->tick.at_ms > at_ms)) {
        edda_loop_timer_set(actor->loop, &actor->tick, at_ms);
    }
}

static void on_tick(void *context) {
    struct edda_actor *self = context;
    int64_t now_ms = edda_loop_now(self->loop);
    for (size_t i = 0; i < self->link_count; i++) {
        struct edda_job *job;
        edda_link_tick(&self->links[i].link);
        while ((job = find_expired(&self->links[i], now_ms)) != NULL) {
            edda_job_tell_failure(job, job->link, EDDA_E_EXPIRED, EDDA_BLAME_JOB, 0, NULL);
            edda_job_abandon(job);
        }
    }
    edda_actor_tell_credit(self, true);
    edda_actor_arm(self);
}

/* The drain is about to be cut: what still runs goes back to the broker. */
static void on_limit(void *context) {
    struct edda_actor *self = context;
    for (size_t i = 0; i < self->link_count; i++) {
        for (struct edda_job *job = self->links[i].jobs; job; job = job->next) {
            if (!job->silent) {
                edda_job_tell_return(job, &self->links[i]);
                job->silent = true;
            }
        }
    }
    edda_log(EDDA_LOG_WARNING, "drain_cut", "service=%s running=%zu", self->service, self->running);
    finish_leaving(self);
    for (size_t i = 0; i < self->link_count; i++) {
        while (abandon_one(&self->links[i])) {
        }
    }
}

static void on_drain(void *context) {
    struct edda_actor *self = context;
    int64_t deadline_ms = edda_loop_drain_deadline(self->loop);
    int64_t now_ms = edda_loop_now(self->loop);
    self->draining = true;
    edda_loop_hold(self->loop);
    for (size_t i = 0; i < self->link_count; i++) {
        if (edda_link_joined(&self->links[i].link)) {
            edda_link_tell(&self->links[i].link, EDDA_DRAIN, NULL, 0, NULL);
        }
    }
    if (self->running == 0) {
        finish_leaving(self);
        return;
    }
    int64_t margin_ms = (deadline_ms - now_ms) / 4;
    margin_ms = margin_ms < DRAIN_MARGIN_MS ? margin_ms : DRAIN_MARGIN_MS;
    edda_loop_timer_set(self->loop, &self->limit, deadline_ms - margin_ms);
}

static struct edda_text copy_text(char out[EDDA_MAX_NAME + 1], const char *text) {
    size_t size = text ? strnlen(text, EDDA_MAX_NAME) : 0;
    memcpy(out, text ? text : "", size);
    out[size] = '\0';
    return (struct edda_text){size ? out : NULL, size};
}

static void init_links(struct edda_actor *self, const struct edda_actor_options *options) {
    for (size_t i = 0; i < options->broker_count; i++) {
        struct edda_actor_link *link = &self->links[i];
        char back[EDDA_MAX_URL];
        int error = edda_endpoint_back(options->brokers[i], back);
        EDDA_ASSERT(error == 0); /* URLs are checked when settings are read */
        link->actor = self;
        edda_link_init(&link->link, self->loop, options->zmq_context, back, options->curve, i,
                       &self->hello, &link_handler, link);
        link->link.incoming = &edda_job_new(self)->wire;
        self->link_count++;
        edda_link_tick(&link->link);
    }
}

edda_actor_t *edda_actor_new(const struct edda_actor_options *options) {
    EDDA_ASSERT(options->broker_count <= EDDA_CLIENT_MAX_BROKERS);
    EDDA_ASSERT(options->window >= 1 && options->window <= EDDA_MAX_WORKER_WINDOW);
    EDDA_ASSERT(options->operation_count <= EDDA_ACTOR_MAX_OPERATIONS);
    struct edda_actor *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->loop = options->loop;
    self->operations = options->operations;
    self->operation_count = options->operation_count;
    self->window = options->window;
    self->wanted = options->window;
    self->stage = options->stage;
    self->offered = (struct edda_hello_service){
        .name = copy_text(self->service, options->service),
        .model = copy_text(self->model, options->model),
        .dimension = options->dimension,
    };
    self->hello = (struct edda_hello){
        .node = edda_uuid_new(),
        .incarnation = (uint64_t)edda_clock_wall_ms(),
        .role = EDDA_TEXT("worker"),
        .name = copy_text(self->name, options->name),
        .services = {&self->offered, 1},
        .window = options->window,
    };
    for (size_t i = 0; i < self->operation_count; i++) {
        self->seconds_cells[i] = edda_metric_cell(EDDA_METRIC_JOB_SECONDS, self->operations[i].op);
    }
    self->done_cell = edda_metric_cell(EDDA_METRIC_JOBS, edda_error_name(0));
    self->tick = (struct edda_timer){.fire = on_tick, .context = self, .name = "actor"};
    self->grant = (struct edda_timer){.fire = on_grant, .context = self, .name = "actor_grant"};
    self->limit = (struct edda_timer){.fire = on_limit, .context = self, .name = "actor_limit"};
    int error = edda_loop_on_drain(self->loop, on_drain, self);
    EDDA_ASSERT(error == 0);
    init_links(self, options);
    edda_actor_arm(self);
    return self;
}

void edda_actor_destroy(edda_actor_t **self_p) {
    struct edda_actor *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(self->running == 0);
    edda_loop_timer_cancel(self->loop, &self->tick);
    edda_loop_timer_cancel(self->loop, &self->grant);
    edda_loop_timer_cancel(self->loop, &self->limit);
    for (size_t i = 0; i < self->link_count; i++) {
        edda_link_leave(&self->links[i].link);
        struct edda_wire *wire = self->links[i].link.incoming;
        edda_link_done(&self->links[i].link);
        edda_job_free((struct edda_job *)((char *)wire - offsetof(struct edda_job, wire)));
    }
    while (self->spare) {
        struct edda_job *job = self->spare;
        self->spare = job->next;
        free(job);
    }
    free(self);
    *self_p = NULL;
}

void edda_actor_set_window(edda_actor_t *self, uint32_t window) {
    EDDA_ASSERT(window <= self->window);
    if (window == self->wanted) {
        return;
    }
    self->wanted = window;
    for (size_t i = 0; i < self->link_count; i++) {
        self->links[i].owed = true;
    }
    edda_actor_tell_credit(self, true);
}

size_t edda_actor_running(const edda_actor_t *self) {
    return self->running;
}

size_t edda_actor_brokers_live(const edda_actor_t *self) {
    size_t live = 0;
    for (size_t i = 0; i < self->link_count; i++) {
        live += edda_link_live(&self->links[i].link);
    }
    return live;
}
