/* actors/store/pump.c: the client that drives durable jobs. */
#include "actors/store/pump.h"

#include <stdlib.h>

#include "actors/runtime/client.h"
#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/store/claiming.h"
#include "actors/store/route.h"
#include "proto/buggify.h"
#include "proto/fault_point.h"

#define CALL_TTL_MS 300000
#define RETRY_MS    1000 /* after a database error */
#define PRIORITY    9

/* One job in flight. */
struct flight {
    struct flight *next;
    struct flight *previous;
    edda_pump_t *pump;
    struct edda_lease lease;
    enum edda_job_kind kind;
    edda_call_t *call;
};

/* A report or renewal on its way to the backend. */
struct report {
    edda_pump_t *pump;
    struct edda_failure failure;
    char reason[EDDA_JOB_REASON];
};

struct renewal {
    edda_pump_t *pump;
    struct edda_leases leases;
    struct edda_lease items[];
};

struct edda_pump {
    struct edda_pump_options options;
    edda_client_t *client;
    struct flight *flights;
    size_t in_flight;
    size_t in_flight_of[EDDA_JOB_KINDS];
    size_t open;   /* operations in the backend */
    bool released; /* the leases of earlier lives are */
    bool claiming; /* a claim is in the backend */
    struct edda_claiming decision;
    struct edda_timer pause[EDDA_JOB_KINDS]; /* set: nothing of that kind is claimed */
    bool draining;
    bool held; /* holds the loop until the drain is done */
    bool stopped;
    struct edda_timer due; /* the next claim */
    struct edda_timer renew;
    struct edda_route route;
};

static void claim(edda_pump_t *self);

size_t edda_pump_in_flight(const edda_pump_t *self) {
    return self->in_flight;
}

/* Whether the drain is over; then the loop may end. */
static void look_at_drain(edda_pump_t *self) {
    if (self->held && self->in_flight == 0 && self->open == 0) {
        self->held = false;
        edda_client_leave(self->client);
        edda_loop_release(self->options.loop);
    }
}

static int submit(edda_pump_t *self, enum edda_backend_operation operation, const void *arguments,
                  edda_backend_done_fn done, void *context) {
    struct edda_backend_request request = {
        .operation = operation, .arguments = arguments, .done = done, .context = context};
    int error = edda_backend_submit(self->options.backend, &request);
    self->open += error == 0;
    return error;
}

static void claim_in(edda_pump_t *self, int64_t wait_ms) {
    if (!self->draining && !self->stopped) {
        edda_loop_timer_set(self->options.loop, &self->due,
                            edda_loop_now(self->options.loop) + wait_ms);
    }
}

static void on_due(void *context) {
    edda_pump_wake(context);
}

static void on_credit(void *context) {
    claim(context);
}

/* ---- reports ---- */

static const char *event_name(enum edda_job_event event) {
    switch (event) {
    case EDDA_JOB_RETURNED:
        return "returned";
    case EDDA_JOB_UNSERVED:
        return "unserved";
    case EDDA_JOB_OUTSIDE:
        return "outside";
    case EDDA_JOB_DIED:
        return "worker_died";
    default:
        return "failed";
    }
}

static void on_reported(void *context, const struct edda_backend_answer *answer) {
    struct report *report = context;
    edda_pump_t *self = report->pump;
    const struct edda_failed *failed = answer->record;
    self->open--;
    if (answer->error) {
        /* Its lease will be over, then it is claimed again. */
        edda_log(EDDA_LOG_WARNING, "job_report_failed", "job=%llu error=%s",
                 (unsigned long long)report->failure.lease.job, edda_error_name(answer->error));
    } else if (failed->dead) {
        edda_log(EDDA_LOG_ERROR, "job_dead", "job=%llu reason=\"%s\"",
                 (unsigned long long)report->failure.lease.job, report->reason);
    } else if (!failed->stale) {
        edda_metric_add(EDDA_METRIC_STORE_REDELIVERED, event_name(report->failure.event), 1);
    }
    free(report);
    if (!self->stopped) {
        edda_pump_wake(self);
        look_at_drain(self);
    }
}

static void report_failure(edda_pump_t *self, struct edda_lease lease, enum edda_job_event event,
                           const struct edda_reply *reply) {
    struct report *report = EDDA_BUGGIFY("report_lost") ? NULL : calloc(1, sizeof(*report));
    if (!report) {
        return; /* as if the report were lost: the lease ends */
    }
    struct edda_text text = reply ? reply->detail.text : (struct edda_text){NULL, 0};
    if (text.size == 0 && reply) {
        text = edda_text_of(edda_error_text(reply->error));
    }
    size_t size = edda_job_reason(text, report->reason);
    report->pump = self;
    report->failure = (struct edda_failure){
        .lease = lease,
        .event = event,
        .retry_after_ms = reply ? reply->detail.retry_after_ms : 0,
        .reason = {report->reason, size},
    };
    if (submit(self, EDDA_BACKEND_FAIL, &report->failure, on_reported, report)) {
        free(report);
    }
}

/* ---- flights ---- */

static void end_flight(struct flight *flight) {
    edda_pump_t *self = flight->pump;
    *(flight->previous ? &flight->previous->next : &self->flights) = flight->next;
    if (flight->next) {
        flight->next->previous = flight->previous;
    }
    self->in_flight--;
    self->in_flight_of[flight->kind]--;
    free(flight);
}

static bool is_paused(const edda_pump_t *self, size_t kind) {
    return self->pause[kind].index != 0;
}

/* What one job of a kind is refused for, all of them would be: the kind waits, and its jobs keep
 * their places. Those that were under way together are one refusal. */
static void note_service(edda_pump_t *self, enum edda_job_kind kind, int error) {
    if (error != EDDA_E_NO_SERVICE) {
        edda_claiming_serve(&self->decision, kind);
    } else if (!is_paused(self, kind) && !self->draining) {
        edda_loop_timer_set(self->options.loop, &self->pause[kind],
                            edda_loop_now(self->options.loop) +
                                edda_claiming_refuse(&self->decision, kind, edda_random32()));
    }
}

static void on_reply(void *context, const struct edda_reply *reply) {
    struct flight *flight = context;
    edda_pump_t *self = flight->pump;
    struct edda_lease lease = flight->lease;
    enum edda_job_kind kind = flight->kind;
    end_flight(flight);
    if (self->stopped) {
        return;
    }
    note_service(self, kind, reply->error);
    if (reply->error) {
        report_failure(self, lease, edda_job_event_of(reply->error, reply->detail.blame), reply);
    }
    claim(self);
    look_at_drain(self);
}

static int call_steps(edda_pump_t *self, const struct edda_claimed *job, struct flight *flight) {
    uint64_t key[2] = {job->job, job->token};
    struct edda_request request = {
        .steps = self->route.steps,
        .step_count = self->route.count,
        .project = job->project,
        .priority = PRIORITY,
        .ttl_ms = CALL_TTL_MS,
        .flags = job->solo ? EDDA_FLAG_SOLO : 0,
        .fence = job->token,
        .idempotency = {(const uint8_t *)key, sizeof(key)},
        .broker = -1,
        .on_reply = on_reply,
        .context = flight,
    };
    return edda_client_call(self->client, &request, &flight->call);
}

/* Sends a claimed job; what cannot be sent goes back. */
static void send_job(edda_pump_t *self, const struct edda_claimed *job) {
    struct edda_lease lease = {job->job, job->token, job->memo};
    EDDA_FAULT_POINT("pump.after_claim");
    struct flight *flight = self->draining ? NULL : calloc(1, sizeof(*flight));
    int error =
        flight ? edda_route_make(&self->route, job, self->options.chunk_tokens) : EDDA_E_BUSY;
    if (!error) {
        flight->pump = self;
        flight->lease = lease;
        flight->kind = job->kind;
        error = call_steps(self, job, flight);
    }
    if (error) {
        free(flight);
        report_failure(self, lease, EDDA_JOB_RETURNED, NULL);
        return;
    }
    flight->next = self->flights;
    if (self->flights) {
        self->flights->previous = flight;
    }
    self->flights = flight;
    self->in_flight++;
    self->in_flight_of[job->kind]++;
}

/* ---- claims ---- */

static void on_claimed(void *context, const struct edda_backend_answer *answer) {
    edda_pump_t *self = context;
    const struct edda_claims *claims = answer->record;
    self->open--;
    self->claiming = false;
    if (self->stopped) {
        return;
    }
    if (answer->error) {
        edda_log(EDDA_LOG_WARNING, "claim_failed", "error=%s", edda_error_name(answer->error));
        edda_claiming_fail(&self->decision);
        claim_in(self, RETRY_MS);
    } else {
        for (size_t i = 0; i < claims->count; i++) {
            send_job(self, &claims->items[i]);
        }
        claim_in(self, edda_claiming_end(&self->decision, claims->wait_ms));
    }
    look_at_drain(self);
}

static void on_released(void *context, const struct edda_backend_answer *answer) {
    edda_pump_t *self = context;
    self->open--;
    self->claiming = false;
    if (self->stopped) {
        return;
    }
    self->released = answer->error == 0;
    if (self->released) {
        const struct edda_store_count *count = answer->record;
        if (count->count) {
            edda_log(EDDA_LOG_INFO, "leases_released", "jobs=%llu",
                     (unsigned long long)count->count);
        }
        claim(self);
    } else {
        claim_in(self, RETRY_MS);
    }
    look_at_drain(self);
}

static struct edda_claiming_room find_room(const edda_pump_t *self) {
    size_t jobs =
        self->in_flight < self->options.window ? self->options.window - self->in_flight : 0;
    struct edda_claiming_room room = {.jobs = jobs > 1 && EDDA_BUGGIFY("claim_one") ? 1 : jobs};
    for (unsigned i = 0; i < EDDA_JOB_KINDS; i++) {
        room.credit[i] = edda_client_credit(self->client, edda_route_service(i));
        room.in_flight[i] = self->in_flight_of[i];
        room.paused[i] = is_paused(self, i);
    }
    return room;
}

/* Claims as much as may be sent. Without room nothing is done: a reply or credit brings us back. */
static void claim(edda_pump_t *self) {
    int error = 0;
    if (self->draining || self->stopped || self->claiming) {
        return;
    }
    if (!self->released) {
        error = submit(self, EDDA_BACKEND_RELEASE, NULL, on_released, self);
    } else {
        struct edda_claiming_room room = find_room(self);
        int64_t wait_ms = edda_claiming_look(&self->decision, &room);
        if (wait_ms == EDDA_CLAIMING_IDLE) {
            return;
        }
        if (wait_ms != EDDA_CLAIMING_ASK) {
            claim_in(self, wait_ms);
            return;
        }
        error = submit(self, EDDA_BACKEND_CLAIM, &self->decision.claim, on_claimed, self);
    }
    self->claiming = error == 0;
    if (error) {
        claim_in(self, RETRY_MS);
    }
}

void edda_pump_wake(void *pump) {
    edda_pump_t *self = pump;
    edda_claiming_wake(&self->decision, self->claiming);
    claim(self);
}

/* ---- leases ---- */

static void on_renewed(void *context, const struct edda_backend_answer *answer) {
    struct renewal *renewal = context;
    edda_pump_t *self = renewal->pump;
    self->open--;
    if (answer->error) {
        edda_log(EDDA_LOG_WARNING, "renewal_failed", "jobs=%zu error=%s", renewal->leases.count,
                 edda_error_name(answer->error));
    }
    free(renewal);
    if (!self->stopped) {
        look_at_drain(self);
    }
}

static void on_renew(void *context) {
    edda_pump_t *self = context;
    edda_loop_timer_set(self->options.loop, &self->renew,
                        edda_loop_now(self->options.loop) + self->options.lease_ms / 3);
    if (self->in_flight == 0 || EDDA_BUGGIFY("renewal_lost")) {
        return;
    }
    struct renewal *renewal =
        calloc(1, sizeof(*renewal) + self->in_flight * sizeof(renewal->items[0]));
    if (!renewal) {
        return;
    }
    renewal->pump = self;
    renewal->leases.items = renewal->items;
    for (struct flight *flight = self->flights; flight; flight = flight->next) {
        renewal->items[renewal->leases.count++] = flight->lease;
    }
    if (submit(self, EDDA_BACKEND_RENEW, &renewal->leases, on_renewed, renewal)) {
        free(renewal);
    }
}

/* ---- life ---- */

static void cancel_pauses(edda_pump_t *self) {
    for (size_t i = 0; i < EDDA_JOB_KINDS; i++) {
        edda_loop_timer_cancel(self->options.loop, &self->pause[i]);
    }
}

static void on_drain(void *context) {
    edda_pump_t *self = context;
    if (self->stopped) {
        return;
    }
    self->draining = true;
    self->held = true;
    edda_loop_hold(self->options.loop);
    edda_loop_timer_cancel(self->options.loop, &self->due);
    edda_loop_timer_cancel(self->options.loop, &self->renew);
    cancel_pauses(self);
    while (self->flights) {
        struct flight *flight = self->flights;
        struct edda_lease lease = flight->lease;
        edda_client_cancel(self->client, &flight->call);
        end_flight(flight);
        report_failure(self, lease, EDDA_JOB_RETURNED, NULL);
    }
    look_at_drain(self);
}

edda_pump_t *edda_pump_new(const struct edda_pump_options *options) {
    EDDA_ASSERT(options->window > 0 && options->lease_ms > 0);
    edda_pump_t *self = calloc(1, sizeof(*self));
    if (!self) {
        return NULL;
    }
    self->options = *options;
    edda_route_init(&self->route);
    self->due = (struct edda_timer){.fire = on_due, .context = self, .name = "pump"};
    self->renew = (struct edda_timer){.fire = on_renew, .context = self, .name = "pump renew"};
    for (size_t i = 0; i < EDDA_JOB_KINDS; i++) {
        self->pause[i] = (struct edda_timer){.fire = on_due, .context = self, .name = "pump pause"};
    }
    self->client = edda_client_new(&(struct edda_client_options){
        .loop = options->loop,
        .zmq_context = options->zmq_context,
        .brokers = options->brokers,
        .broker_count = options->broker_count,
        .curve = options->curve,
        .role = "pump",
        .name = options->name,
        .on_change = on_credit,
        .context = self,
    });
    if (!self->client || edda_loop_on_drain(options->loop, on_drain, self)) {
        edda_pump_stop(self);
        edda_pump_free(&self);
        return NULL;
    }
    edda_loop_timer_set(options->loop, &self->renew,
                        edda_loop_now(options->loop) + options->lease_ms / 3);
    claim(self);
    return self;
}

void edda_pump_stop(edda_pump_t *self) {
    if (!self || self->stopped) {
        return;
    }
    self->stopped = true;
    edda_loop_timer_cancel(self->options.loop, &self->due);
    edda_loop_timer_cancel(self->options.loop, &self->renew);
    cancel_pauses(self);
    edda_client_destroy(&self->client);
    EDDA_ASSERT(!self->flights);
}

void edda_pump_free(edda_pump_t **self_p) {
    edda_pump_t *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(self->stopped && self->open == 0);
    edda_route_done(&self->route);
    free(self);
    *self_p = NULL;
}
