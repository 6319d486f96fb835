/* actors/provider/provider.c: the line before a provider, and what is done with its answers. */
#include "actors/provider/provider_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/deferred.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"

#define LOOK_MS    200 /* at deadlines of those that wait */
#define NAME_BYTES 32

struct edda_provider {
    struct edda_provider_options options;
    char name[NAME_BYTES];
    struct edda_limit limit;
    struct edda_call_line queries; /* waiting */
    struct edda_call_line bulk;
    struct edda_call_line resting; /* between two tries */
    struct edda_call_line running;
    struct edda_timer timer;
    struct edda_deferred change;
    char reason[EDDA_MAX_ERROR_TEXT + 1]; /* of the last call that failed; "" */
    uint32_t told;                        /* the window on_change was last called for */
    bool closed;                          /* for the log */
    bool blamed;
    bool pumping;
    edda_cell_t *seconds;
    edda_cell_t *open_cell;
};

static void pump(edda_provider_t *self);

/* The last of a call: its owner is told, its memory goes. */
static void end_call(struct edda_provider_call *call, const struct edda_provider_reply *reply) {
    void (*on_done)(void *, const struct edda_provider_reply *) = call->request.on_done;
    void *context = call->request.context;
    edda_call_dispose(call);
    on_done(context, reply);
}

static void fail_call(struct edda_provider_call *call, int error, int64_t wait_ms,
                      const char *text) {
    struct edda_provider_reply reply = {
        .error = error,
        .blame = EDDA_BLAME_OUTSIDE,
        .retry_after_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX,
        .began = call->began,
    };
    if (text) {
        (void)snprintf(reply.text, sizeof reply.text, "%s: %s", call->provider->name, text);
    } else {
        (void)snprintf(reply.text, sizeof reply.text, "%s", edda_provider_reason(call->provider));
    }
    end_call(call, &reply);
}

/* ---- the window ---- */

static void tell_change(void *context) {
    edda_provider_t *self = context;
    if (self->options.on_change) {
        self->options.on_change(self->options.context);
    }
}

static void note_window(edda_provider_t *self) {
    int64_t now_ms = edda_loop_now(self->options.loop);
    uint32_t window = edda_limit_window(&self->limit, now_ms);
    bool closed = self->limit.state != EDDA_LIMIT_CLOSED;
    if (closed != self->closed) {
        self->closed = closed;
        edda_cell_set(self->open_cell, closed);
        edda_log(closed ? EDDA_LOG_WARNING : EDDA_LOG_INFO, "provider", "name=%s answers=%s",
                 self->name, closed ? "no" : "yes");
    }
    if (window != self->told) {
        self->told = window;
        edda_loop_defer(self->options.loop, &self->change);
    }
}

uint32_t edda_provider_window(const edda_provider_t *self, int64_t *ret_wait_ms) {
    int64_t now_ms = edda_loop_now(self->options.loop);
    if (ret_wait_ms) {
        *ret_wait_ms = edda_limit_closed_ms(&self->limit, now_ms);
    }
    return edda_limit_window(&self->limit, now_ms);
}

const char *edda_provider_reason(const edda_provider_t *self) {
    return self->reason;
}

void edda_provider_blame(edda_provider_t *self) {
    self->blamed = true;
}

/* ---- answers ---- */

static const char *outcome_name(enum edda_outcome outcome) {
    static const char *const names[] = {"good", "refused", "failed", "timeout", "dropped"};
    return names[outcome];
}

static void count_end(edda_provider_t *self, uint32_t turn, enum edda_outcome outcome,
                      int64_t retry_after_ms) {
    edda_metric_add(EDDA_METRIC_PROVIDER_CALLS, outcome_name(outcome), 1);
    edda_limit_end(&self->limit, turn, outcome, retry_after_ms, edda_loop_now(self->options.loop),
                   edda_random32());
}

/* A transfer that brought no answer. */
static void judge_transfer(edda_provider_t *self, const struct edda_outbound_result *result,
                           struct edda_provider_reply *reply, enum edda_outcome *ret_outcome,
                           bool *ret_again) {
    reply->error = result->error;
    reply->blame = result->error == EDDA_E_MEMORY ? EDDA_BLAME_WORKER : EDDA_BLAME_OUTSIDE;
    *ret_outcome = result->error == EDDA_E_TIMEOUT ? EDDA_OUTCOME_TIMEOUT : EDDA_OUTCOME_FAILED;
    *ret_again = result->error == EDDA_E_UNAVAILABLE || result->error == EDDA_E_TIMEOUT;
    if (result->error == EDDA_E_LIMIT) {
        reply->error = EDDA_E_FAILED; /* EDDA_E_LIMIT is the provider's word for a large request */
    }
    (void)snprintf(reply->text, sizeof reply->text, "%s: %s", self->name, result->reason);
}

/* A success must also make sense. */
static void check_body(struct edda_provider_call *call, struct edda_provider_reply *reply,
                       enum edda_outcome *outcome, bool *again) {
    int error = 0;
    if (!reply->error && call->request.check) {
        error = call->request.check(call->request.context, reply->body);
    }
    if (error) {
        reply->error = error;
        reply->blame = EDDA_BLAME_OUTSIDE;
        *outcome = EDDA_OUTCOME_FAILED;
        *again = true;
        (void)snprintf(reply->text, sizeof reply->text, "%s: the answer makes no sense",
                       call->provider->name);
    }
}

/* True: the call rests, to be tried again. */
static bool try_again(struct edda_provider_call *call, int64_t retry_after_ms) {
    edda_provider_t *self = call->provider;
    int64_t now_ms = edda_loop_now(self->options.loop);
    int64_t wait_ms = edda_limit_backoff_ms(call->tried, edda_random32());
    int64_t closed_ms = edda_limit_closed_ms(&self->limit, now_ms);
    wait_ms = retry_after_ms > wait_ms ? retry_after_ms : wait_ms;
    wait_ms = closed_ms > wait_ms ? closed_ms : wait_ms;
    if (call->tries <= 1 || call->began || now_ms + wait_ms >= call->request.deadline_ms ||
        (closed_ms > 0 && !call->request.bulk)) {
        return false;
    }
    call->tries--;
    call->again_ms = now_ms + wait_ms;
    edda_call_append(call, &self->resting);
    edda_metric_add(EDDA_METRIC_PROVIDER_RETRIES, NULL, 1);
    return true;
}

static uint32_t choose_wait(edda_provider_t *self, int64_t retry_after_ms) {
    int64_t closed_ms = edda_limit_closed_ms(&self->limit, edda_loop_now(self->options.loop));
    int64_t wait_ms = retry_after_ms > closed_ms ? retry_after_ms : closed_ms;
    return wait_ms < EDDA_LIMIT_HOLD_MAX_MS ? (uint32_t)wait_ms : EDDA_LIMIT_HOLD_MAX_MS;
}

static void on_result(void *context, const struct edda_outbound_result *result) {
    struct edda_provider_call *call = context;
    edda_provider_t *self = call->provider;
    struct edda_provider_reply reply = {.began = call->began};
    enum edda_outcome outcome;
    bool again;
    uint32_t turn = call->turn;
    call->transfer = NULL;
    edda_call_unlink(call);
    edda_cell_observe(self->seconds, (double)(edda_clock_us() - call->began_us) / 1e6);
    int64_t retry_after_ms = edda_retry_after_ms(result->retry_after, edda_clock_wall_ms());
    if (result->error) {
        judge_transfer(self, result, &reply, &outcome, &again);
    } else {
        edda_provider_judge(self->name, result->status, result->body, &reply, &outcome, &again);
        reply.body = result->body;
        check_body(call, &reply, &outcome, &again);
    }
    if (reply.error) {
        memcpy(self->reason, reply.text, sizeof self->reason);
        count_end(self, turn, outcome, reply.error == EDDA_E_UNAVAILABLE ? retry_after_ms : 0);
        if (!again || !try_again(call, retry_after_ms)) {
            reply.retry_after_ms = choose_wait(self, retry_after_ms);
            end_call(call, &reply);
        }
    } else {
        self->blamed = false;
        end_call(call, &reply);
        count_end(self, turn, self->blamed ? EDDA_OUTCOME_FAILED : outcome, 0);
        self->blamed = false;
    }
    pump(self);
}

static void on_data(void *context, struct edda_bytes data) {
    struct edda_provider_call *call = context;
    call->began = true;
    call->request.on_data(call->request.context, data);
}

/* ---- the line ---- */

/* Admitted: goes out. EDDA_E_LIMIT: the outbound is full of others' transfers; it waits on. */
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
        edda_limit_end(&self->limit, call->turn, EDDA_OUTCOME_DROPPED, 0,
                       edda_loop_now(self->options.loop), 0);
        return error;
    }
    call->tried++;
    call->began_us = edda_clock_us();
    edda_call_append(call, &self->running);
    if (call->paused) {
        edda_transfer_pause(call->transfer, true);
    }
    return 0;
}

/* Those that cannot wait are told so at once. */
static void refuse_queries(edda_provider_t *self, int64_t wait_ms) {
    size_t count = self->queries.count; /* those that come meanwhile are refused by send */
    while (count-- > 0 && self->queries.first) {
        fail_call(self->queries.first, EDDA_E_UNAVAILABLE, wait_ms, NULL);
    }
}

static void wake_rested(edda_provider_t *self, int64_t now_ms) {
    struct edda_provider_call *next;
    for (struct edda_provider_call *call = self->resting.first; call; call = next) {
        next = call->next;
        if (call->again_ms <= now_ms) {
            edda_call_prepend(call, call->request.bulk ? &self->bulk : &self->queries);
        }
    }
}

static void expire_list(struct edda_call_line *list, int64_t now_ms) {
    struct edda_provider_call *call = list->first;
    while (call) {
        if (call->request.deadline_ms <= now_ms) {
            fail_call(call, EDDA_E_EXPIRED, 0, "no turn by the deadline");
            call = list->first; /* the callback may have cancelled any */
        } else {
            call = call->next;
        }
    }
}

static void arm(edda_provider_t *self, int64_t wait_ms) {
    int64_t now_ms = edda_loop_now(self->options.loop);
    int64_t closed_ms = edda_limit_closed_ms(&self->limit, now_ms);
    int64_t at_ms = INT64_MAX;
    if (self->queries.count + self->bulk.count + self->resting.count > 0) {
        at_ms = now_ms + LOOK_MS;
    }
    if (wait_ms > 0 && now_ms + wait_ms < at_ms) {
        at_ms = now_ms + wait_ms;
    }
    /* Also with nobody in line: who narrowed its window waits to hear that it is open. */
    if (closed_ms > 0 && now_ms + closed_ms < at_ms) {
        at_ms = now_ms + closed_ms;
    }
    for (struct edda_provider_call *call = self->resting.first; call; call = call->next) {
        at_ms = call->again_ms < at_ms ? call->again_ms : at_ms;
    }
    if (at_ms == INT64_MAX) {
        edda_loop_timer_cancel(self->options.loop, &self->timer);
    } else {
        edda_loop_timer_set(self->options.loop, &self->timer, at_ms);
    }
}

/* Starts what may start. Callbacks in here may come back: the outer turn goes on with it. */
static void pump(edda_provider_t *self) {
    int64_t wait_ms = 0;
    if (self->pumping) {
        return;
    }
    self->pumping = true;
    for (;;) {
        int64_t now_ms = edda_loop_now(self->options.loop);
        int64_t closed_ms = edda_limit_closed_ms(&self->limit, now_ms);
        wake_rested(self, now_ms);
        if (closed_ms > 0 && self->queries.first) {
            refuse_queries(self, closed_ms);
            continue;
        }
        struct edda_provider_call *call =
            self->queries.first ? self->queries.first : self->bulk.first;
        if (!call || !edda_limit_admit(&self->limit, now_ms, &call->turn, &wait_ms)) {
            break;
        }
        int error = start_call(call);
        if (error == EDDA_E_LIMIT) {
            wait_ms = LOOK_MS;
            break;
        }
        if (error) {
            fail_call(call, error, 0, edda_error_text(error));
        }
    }
    self->pumping = false;
    note_window(self);
    arm(self, wait_ms);
}

static void on_timer(void *context) {
    edda_provider_t *self = context;
    int64_t now_ms = edda_loop_now(self->options.loop);
    expire_list(&self->resting, now_ms);
    expire_list(&self->queries, now_ms);
    expire_list(&self->bulk, now_ms);
    pump(self);
}

/* ---- the interface ---- */

int edda_provider_send(edda_provider_t *self, const struct edda_provider_request *request,
                       edda_provider_call_t **ret_call, int64_t *ret_wait_ms) {
    EDDA_ASSERT(request->tries <= EDDA_PROVIDER_TRIES);
    *ret_wait_ms = edda_limit_closed_ms(&self->limit, edda_loop_now(self->options.loop));
    if (*ret_wait_ms > 0 && !request->bulk) {
        return EDDA_E_UNAVAILABLE;
    }
    if (self->queries.count + self->bulk.count + self->resting.count >= EDDA_PROVIDER_WAITING) {
        return EDDA_E_BUSY;
    }
    struct edda_provider_call *call = edda_call_make(self, request);
    if (!call) {
        return EDDA_E_MEMORY;
    }
    edda_call_append(call, request->bulk ? &self->bulk : &self->queries);
    *ret_call = call;
    /* In the next phase: nothing of it may be heard from within here. */
    if (!self->timer.index || self->timer.at_ms > edda_loop_now(self->options.loop)) {
        edda_loop_timer_set(self->options.loop, &self->timer, edda_loop_now(self->options.loop));
    }
    return 0;
}

void edda_provider_cancel(edda_provider_call_t **call_p) {
    struct edda_provider_call *call = *call_p;
    *call_p = NULL;
    if (!call) {
        return;
    }
    edda_provider_t *self = call->provider;
    bool ran = call->transfer != NULL;
    if (ran) {
        edda_transfer_cancel(&call->transfer);
        count_end(self, call->turn, self->blamed ? EDDA_OUTCOME_FAILED : EDDA_OUTCOME_DROPPED, 0);
    }
    self->blamed = false;
    edda_call_dispose(call);
    if (ran) {
        edda_loop_timer_set(self->options.loop, &self->timer, edda_loop_now(self->options.loop));
    }
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
    edda_limit_init(&self->limit, options->concurrency, options->per_minute,
                    edda_loop_now(options->loop));
    self->told = options->concurrency;
    self->timer = (struct edda_timer){.fire = on_timer, .context = self, .name = "provider_line"};
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
    struct edda_call_line *lists[] = {&self->queries, &self->bulk, &self->resting, &self->running};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        while (lists[i]->first) {
            struct edda_provider_call *call = lists[i]->first;
            if (call->transfer) {
                edda_transfer_cancel(&call->transfer);
            }
            edda_call_dispose(call);
        }
    }
    edda_loop_timer_cancel(self->options.loop, &self->timer);
    edda_deferred_cancel(&self->change);
    free(self);
    *self_p = NULL;
}
