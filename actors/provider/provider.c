/* actors/provider/provider.c: the line before a provider, and what is done with its answers. */
#include "actors/provider/provider_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"

#define CROWDED_MS 20 /* the outbound is full of others' transfers: looked at again */

static int64_t get_now(const edda_provider_t *self) {
    return edda_loop_now(self->options.loop);
}

/* At the end of the phase: calls that wake now are in line by then. */
static void want_pump(void *context) {
    edda_provider_t *self = context;
    edda_loop_defer(self->options.loop, &self->pump);
}

static void count(const char *result) {
    edda_metric_add(EDDA_METRIC_PROVIDER_CALLS, result, 1);
}

/* ---- the window ---- */

static void tell_change(void *context) {
    edda_provider_t *self = context;
    if (self->options.on_change) {
        self->options.on_change(self->options.context);
    }
}

/* last: what the call that opened or closed the breaker got; NULL when time did. */
static void note_window(edda_provider_t *self, const struct edda_provider_reply *last) {
    uint32_t window = edda_limit_window(&self->limit, get_now(self));
    bool down = self->limit.state != EDDA_LIMIT_CLOSED;
    if (down != self->down) {
        self->down = down;
        /* A count: several of this name share the cell. */
        edda_cell_add(self->open_cell, down ? 1 : UINT64_MAX);
        if (down) {
            edda_log(EDDA_LOG_WARNING, "provider_down",
                     "provider=%s error=%s status=%d pause_ms=%lld text=\"%s\"", self->name,
                     last ? edda_error_name(last->error) : "", last ? last->status : 0,
                     (long long)edda_limit_closed_ms(&self->limit, get_now(self)), self->reason);
        } else {
            edda_log(EDDA_LOG_INFO, "provider_up", "provider=%s", self->name);
        }
    }
    if (window != self->told) {
        self->told = window;
        edda_loop_defer(self->options.loop, &self->change);
    }
}

uint32_t edda_provider_window(const edda_provider_t *self, int64_t *ret_wait_ms) {
    if (ret_wait_ms) {
        *ret_wait_ms = edda_limit_closed_ms(&self->limit, get_now(self));
    }
    return edda_limit_window(&self->limit, get_now(self));
}

bool edda_provider_wants_probe(const edda_provider_t *self) {
    return edda_limit_wants_probe(&self->limit, get_now(self));
}

const char *edda_provider_failing(const edda_provider_t *self) {
    return self->failing ? self->reason : NULL;
}

const char *edda_provider_reason(const edda_provider_t *self) {
    return self->reason;
}

void edda_provider_blame(edda_provider_t *self) {
    self->blamed = true;
}

/* ---- ends of calls ---- */

/* The last of a call: its memory goes, its owner is told. */
static void end_call(struct edda_provider_call *call, const struct edda_provider_reply *reply) {
    void (*on_done)(void *, const struct edda_provider_reply *) = call->request.on_done;
    void *context = call->request.context;
    edda_call_dispose(call);
    on_done(context, reply);
}

/* A call that got no turn. text: NULL: the reason for all. */
static void fail_call(struct edda_provider_call *call, int error, int64_t wait_ms,
                      const char *text) {
    edda_provider_t *self = call->provider;
    struct edda_provider_reply reply = {
        .error = error,
        .blame = error == EDDA_E_MEMORY ? EDDA_BLAME_WORKER : EDDA_BLAME_OUTSIDE,
        .retry_after_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX,
    };
    if (text) {
        (void)snprintf(reply.text, sizeof reply.text, "%s: %s", self->name, text);
    } else {
        memcpy(reply.text, self->reason, sizeof reply.text);
    }
    end_call(call, &reply);
}

static void end_turn(edda_provider_t *self, uint32_t turn, enum edda_outcome outcome,
                     int64_t retry_after_ms, const struct edda_provider_reply *reply) {
    static const char *const names[] = {"good", "refused", "failed", "timeout", "cancelled"};
    count(names[outcome]);
    edda_limit_end(&self->limit, turn, outcome, retry_after_ms, get_now(self), edda_random32());
    note_window(self, reply);
    want_pump(self);
}

/* ---- in line ---- */

static void on_call_time(void *context) {
    struct edda_provider_call *call = context;
    edda_provider_t *self = call->provider;
    struct edda_call_line *line = call->request.bulk ? &self->bulk : &self->queries;
    if (call->list == &self->resting) {
        edda_call_prepend(call, line); /* who was tried goes before those who were not */
        edda_loop_timer_set(self->options.loop, &call->timer, call->request.deadline_ms);
        want_pump(self);
    } else {
        count("expired");
        fail_call(call, EDDA_E_EXPIRED, edda_limit_closed_ms(&self->limit, get_now(self)),
                  "no turn by the deadline");
    }
}

/* False: it is not tried again. Else it rests. */
static bool try_again(struct edda_provider_call *call, int64_t retry_after_ms) {
    edda_provider_t *self = call->provider;
    int64_t now_ms = get_now(self);
    int64_t wait_ms = edda_limit_backoff_ms(call->tried, edda_random32());
    int64_t closed_ms = edda_limit_closed_ms(&self->limit, now_ms);
    if (call->tries <= 1 || call->began) {
        return false;
    }
    /* A query does not wait for a provider that is down, but for one that says when. */
    if (self->limit.state != EDDA_LIMIT_CLOSED && !call->request.bulk) {
        return false;
    }
    wait_ms = retry_after_ms > wait_ms ? retry_after_ms : wait_ms;
    wait_ms = closed_ms > wait_ms ? closed_ms : wait_ms;
    if (wait_ms >= call->request.deadline_ms - now_ms ||
        (call->request.patience_ms > 0 && wait_ms > call->request.patience_ms)) {
        return false;
    }
    call->tries--;
    edda_call_append(call, &self->resting);
    edda_loop_timer_set(self->options.loop, &call->timer, now_ms + wait_ms);
    edda_metric_add(EDDA_METRIC_PROVIDER_RETRIES, NULL, 1);
    return true;
}

/* ---- answers ---- */

static void end_badly(struct edda_provider_call *call, struct edda_provider_reply *reply,
                      const struct edda_verdict *verdict, int64_t retry_after_ms) {
    edda_provider_t *self = call->provider;
    if (verdict->outcome != EDDA_OUTCOME_GOOD && verdict->outcome != EDDA_OUTCOME_DROPPED) {
        memcpy(self->reason, reply->text, sizeof self->reason);
        self->failing = true;
    }
    end_turn(self, call->turn, verdict->outcome, retry_after_ms, reply);
    if (verdict->again && try_again(call, retry_after_ms)) {
        return;
    }
    int64_t wait_ms = edda_limit_closed_ms(&self->limit, get_now(self));
    wait_ms = retry_after_ms > wait_ms ? retry_after_ms : wait_ms;
    reply->retry_after_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    end_call(call, reply);
}

/* What its owner saw in the answer counts for more than that it came. */
static void note_blame(edda_provider_t *self, struct edda_provider_reply *reply) {
    if (self->blamed) {
        reply->error = EDDA_E_FAILED;
        (void)snprintf(self->reason, sizeof self->reason, "%s: " EDDA_NONSENSE, self->name);
    }
}

/* The owner looks at it first: it may blame the provider. */
static void end_well(struct edda_provider_call *call, struct edda_provider_reply *reply) {
    edda_provider_t *self = call->provider;
    uint32_t turn = call->turn;
    self->blamed = false;
    end_call(call, reply);
    note_blame(self, reply);
    self->failing = self->blamed;
    end_turn(self, turn, self->blamed ? EDDA_OUTCOME_FAILED : EDDA_OUTCOME_GOOD, 0, reply);
    self->blamed = false;
}

static void on_result(void *context, const struct edda_outbound_result *result) {
    struct edda_provider_call *call = context;
    struct edda_provider_reply reply = {.began = call->began};
    call->transfer = NULL;
    edda_call_unlink(call);
    edda_cell_observe(call->provider->seconds, (double)(edda_clock_us() - call->began_us) / 1e6);
    struct edda_verdict verdict = edda_call_judge(call, result, &reply);
    if (call->looking) {
        call->status = result->status;
        edda_call_append(call, &call->provider->running); /* until edda_provider_checked */
        return;
    }
    if (!reply.error) {
        end_well(call, &reply);
        return;
    }
    int64_t retry_after_ms = reply.error == EDDA_E_UNAVAILABLE
                                 ? edda_retry_after_ms(result->retry_after, edda_clock_wall_ms())
                                 : 0;
    end_badly(call, &reply, &verdict, retry_after_ms);
}

void edda_provider_checked(edda_provider_call_t *call, int error) {
    EDDA_ASSERT(call->looking && error != EDDA_E_AGAIN);
    struct edda_provider_reply reply = {.status = call->status, .began = call->began};
    struct edda_verdict verdict = {EDDA_OUTCOME_GOOD, false};
    call->looking = false;
    edda_call_unlink(call);
    edda_call_judge_look(call, error, &reply, &verdict);
    if (reply.error) {
        end_badly(call, &reply, &verdict, 0);
    } else {
        end_well(call, &reply);
    }
}

static void on_data(void *context, struct edda_bytes data) {
    struct edda_provider_call *call = context;
    call->began = true;
    call->request.on_data(call->request.context, data);
}

/* ---- going out ---- */

/* EDDA_E_LIMIT: the outbound is full; the call stays in line. */
static int start_call(struct edda_provider_call *call) {
    edda_provider_t *self = call->provider;
    const struct edda_provider_request *request = &call->request;
    struct edda_outbound_request outbound = {
        .method = request->method,
        .url = request->url,
        .headers = request->headers,
        .body = request->body,
        .response_maximum = request->response_maximum,
        .deadline_ms = request->deadline_ms,
        .on_data = request->on_data ? on_data : NULL,
        .on_done = on_result,
        .context = call,
    };
    int error = edda_outbound_send(self->options.outbound, &outbound, &call->transfer);
    if (error) {
        edda_limit_end(&self->limit, call->turn, EDDA_OUTCOME_DROPPED, 0, get_now(self), 0);
        return error;
    }
    call->tried++;
    call->began_us = edda_clock_us();
    edda_loop_timer_cancel(self->options.loop, &call->timer);
    edda_call_append(call, &self->running);
    if (call->paused) {
        edda_transfer_pause(call->transfer, true);
    }
    return 0;
}

/* Those that cannot wait are told so at once. */
static void refuse_queries(edda_provider_t *self) {
    int64_t closed_ms = edda_limit_closed_ms(&self->limit, get_now(self));
    while (closed_ms > 0 && self->queries.first) {
        count("closed");
        fail_call(self->queries.first, EDDA_E_UNAVAILABLE, closed_ms, NULL);
    }
}

/* Returns how long until time alone lets the next one go; -1: it does not. */
static int64_t start_all(edda_provider_t *self) {
    struct edda_provider_call *call;
    int64_t wait_ms;
    while ((call = self->queries.first ? self->queries.first : self->bulk.first) != NULL) {
        if (!edda_limit_admit(&self->limit, get_now(self), &call->turn, &wait_ms)) {
            return wait_ms;
        }
        int error = start_call(call);
        if (error == EDDA_E_LIMIT) {
            return CROWDED_MS;
        }
        if (error) {
            fail_call(call, error, 0, edda_error_text(error));
        }
        refuse_queries(self); /* it may have been a probe */
    }
    return -1;
}

static void pump(void *context) {
    edda_provider_t *self = context;
    self->busy = true;
    refuse_queries(self);
    int64_t wait_ms = start_all(self);
    self->busy = false;
    note_window(self, NULL);
    /* Also with nobody in line: who narrowed its window waits to hear that it is wide again. */
    if (edda_limit_window(&self->limit, get_now(self)) == 0) {
        wait_ms = edda_limit_closed_ms(&self->limit, get_now(self));
    }
    if (wait_ms < 0) {
        edda_loop_timer_cancel(self->options.loop, &self->timer);
    } else {
        edda_loop_timer_set(self->options.loop, &self->timer, get_now(self) + wait_ms);
    }
}

/* ---- the interface ---- */

static int check_request(edda_provider_t *self, const struct edda_provider_request *request,
                         int64_t *ret_wait_ms) {
    *ret_wait_ms = edda_limit_closed_ms(&self->limit, get_now(self));
    if (*ret_wait_ms > 0 && !request->bulk) {
        count("closed");
        return EDDA_E_UNAVAILABLE;
    }
    if (self->queries.count + self->bulk.count + self->resting.count >= EDDA_PROVIDER_WAITING) {
        count("busy");
        return EDDA_E_BUSY;
    }
    return edda_outbound_check(request->url, request->headers);
}

int edda_provider_send(edda_provider_t *self, const struct edda_provider_request *request,
                       edda_provider_call_t **ret_call, int64_t *ret_wait_ms) {
    EDDA_ASSERT(request->tries <= EDDA_PROVIDER_TRIES);
    int error = check_request(self, request, ret_wait_ms);
    if (error) {
        return error;
    }
    struct edda_provider_call *call = edda_call_make(self, request);
    if (!call) {
        return EDDA_E_MEMORY;
    }
    call->timer =
        (struct edda_timer){.fire = on_call_time, .context = call, .name = "provider_call"};
    edda_loop_timer_set(self->options.loop, &call->timer, request->deadline_ms);
    edda_call_append(call, request->bulk ? &self->bulk : &self->queries);
    want_pump(self);
    *ret_call = call;
    return 0;
}

void edda_provider_cancel(edda_provider_call_t **call_p) {
    struct edda_provider_call *call = *call_p;
    *call_p = NULL;
    if (!call) {
        return;
    }
    edda_provider_t *self = call->provider;
    if (call->transfer || call->looking) {
        /* Owners cancel at the deadline too, often a little before us. */
        bool expired = call->transfer && get_now(self) >= call->request.deadline_ms;
        enum edda_outcome outcome = self->blamed ? EDDA_OUTCOME_FAILED
                                    : expired    ? edda_call_judge_expired(call, call->began)
                                                 : EDDA_OUTCOME_DROPPED;
        struct edda_provider_reply reply = {.error = EDDA_E_CANCELLED};
        note_blame(self, &reply);
        edda_transfer_cancel(&call->transfer);
        end_turn(self, call->turn, outcome, 0, &reply);
    }
    self->blamed = false;
    edda_call_dispose(call);
}

void edda_provider_pause(edda_provider_call_t *call, bool paused) {
    call->paused = paused;
    if (call->transfer) {
        edda_transfer_pause(call->transfer, paused);
    }
}

edda_provider_t *edda_provider_new(const struct edda_provider_options *options) {
    edda_provider_t *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->options = *options;
    (void)snprintf(self->name, sizeof self->name, "%s", options->name);
    (void)snprintf(self->reason, sizeof self->reason, "%s: asked to wait", self->name);
    edda_limit_init(&self->limit, options->concurrency, options->per_minute, get_now(self));
    self->told = options->concurrency;
    self->timer = (struct edda_timer){.fire = want_pump, .context = self, .name = "provider_line"};
    self->pump = (struct edda_deferred){.fire = pump, .context = self};
    self->change = (struct edda_deferred){.fire = tell_change, .context = self};
    self->seconds = edda_metric_cell(EDDA_METRIC_PROVIDER_SECONDS, self->name);
    self->open_cell = edda_metric_cell(EDDA_METRIC_PROVIDER_OPEN, self->name);
    return self;
}

void edda_provider_destroy(edda_provider_t **self_p) {
    edda_provider_t *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(!self->busy);
    struct edda_call_line *lists[] = {&self->queries, &self->bulk, &self->resting, &self->running};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        while (lists[i]->first) {
            struct edda_provider_call *call = lists[i]->first;
            edda_transfer_cancel(&call->transfer);
            edda_call_dispose(call);
        }
    }
    edda_loop_timer_cancel(self->options.loop, &self->timer);
    edda_deferred_cancel(&self->pump);
    edda_deferred_cancel(&self->change);
    if (self->down) {
        edda_cell_add(self->open_cell, UINT64_MAX);
    }
    free(self);
    *self_p = NULL;
}
