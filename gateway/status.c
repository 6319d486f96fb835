/* gateway/status.c: one look in flight at a time; those who come meanwhile wait for it. */
#include "gateway/status.h"

#include <stdlib.h>

#define ARENA_MAXIMUM ((size_t)4 * 1024 * 1024)
#define MAX_QUESTIONS (EDDA_CLIENT_MAX_BROKERS + 2)

struct question {
    edda_status_t *status;
    edda_call_t *call;
    uint16_t type;    /* of the answer */
    void *ret_record; /* in status->next */
    bool *ret_answered;
};

struct edda_status {
    edda_gateway_t *gateway;
    struct edda_status_view view;
    struct edda_arena arena; /* what view points into */
    struct edda_status_view next;
    struct edda_arena next_arena;
    struct edda_store_pong pong;
    bool ponged;
    int64_t looked_ms; /* when view was made; INT64_MIN / 2: never */
    struct question questions[MAX_QUESTIONS];
    size_t open;
    struct edda_visit *waiters;
};

edda_status_t *edda_status_new(edda_gateway_t *gateway) {
    edda_status_t *self = calloc(1, sizeof *self);
    if (self) {
        self->gateway = gateway;
        self->looked_ms = INT64_MIN / 2;
        edda_arena_init(&self->arena, ARENA_MAXIMUM);
        edda_arena_init(&self->next_arena, ARENA_MAXIMUM);
    }
    return self;
}

void edda_status_destroy(edda_status_t **self_p) {
    if (*self_p) {
        EDDA_ASSERT((*self_p)->open == 0);
        edda_arena_done(&(*self_p)->arena);
        edda_arena_done(&(*self_p)->next_arena);
        free(*self_p);
        *self_p = NULL;
    }
}

static void finish_look(edda_status_t *self) {
    struct edda_arena old = self->arena;
    self->next.store_answers = self->ponged && self->pong.database;
    self->view = self->next;
    self->arena = self->next_arena;
    self->next_arena = old;
    edda_arena_done(&self->next_arena);
    self->looked_ms = edda_loop_now(self->gateway->loop);
    while (self->waiters) {
        struct edda_visit *visit = self->waiters;
        self->waiters = visit->next_waiter;
        visit->waiting = false;
        visit->on_status(visit);
    }
}

static void take_answer(void *context, const struct edda_reply *reply) {
    struct question *question = context;
    edda_status_t *self = question->status;
    question->call = NULL;
    if (!reply->error && reply->type == question->type) {
        /* The bytes go with the callback, the view stays. */
        uint8_t *copy = edda_arena_take(&self->next_arena, reply->body.size + 1);
        if (copy) {
            memcpy(copy, reply->body.data, reply->body.size);
            struct edda_bytes body = {copy, reply->body.size};
            *question->ret_answered = edda_body_decode(question->type, body, &self->next_arena,
                                                       question->ret_record) == 0;
        }
    }
    if (--self->open == 0) {
        finish_look(self);
    }
}

static void ask(edda_status_t *self, size_t index, const char *op, int broker, uint16_t type,
                void *ret_record, bool *ret_answered) {
    struct question *question = &self->questions[index];
    *question = (struct question){self, NULL, type, ret_record, ret_answered};
    struct edda_step step = {.op = op, .type = EDDA_BODY_EMPTY};
    struct edda_request request = {
        .steps = &step,
        .step_count = 1,
        .ttl_ms = EDDA_STATUS_TTL_MS,
        .project = EDDA_TEXT("default"),
        .broker = broker,
        .on_reply = take_answer,
        .context = question,
    };
    if (edda_client_call(self->gateway->client, &request, &question->call) == 0) {
        self->open++;
    }
}

static void look(edda_status_t *self) {
    const edda_gateway_t *gateway = self->gateway;
    size_t count = gateway->role->connect_count;
    count = count > EDDA_CLIENT_MAX_BROKERS ? EDDA_CLIENT_MAX_BROKERS : count;
    self->next = (struct edda_status_view){.broker_count = count};
    self->ponged = false;
    for (size_t i = 0; i < count; i++) {
        if (edda_client_broker_live(gateway->client, i)) {
            ask(self, i, "broker.status", (int)i, EDDA_BODY_BROKER_STATUS,
                &self->next.brokers[i].status, &self->next.brokers[i].answered);
        }
    }
    if (self->open > 0) {
        ask(self, count, "store.ping", -1, EDDA_BODY_STORE_PONG, &self->pong, &self->ponged);
        ask(self, count + 1, "store.statistics", -1, EDDA_BODY_STORE_STATISTICS,
            &self->next.statistics, &self->next.counted);
    }
}

static bool is_fresh(const edda_status_t *self) {
    int64_t age_ms = edda_loop_now(self->gateway->loop) - self->looked_ms;
    return age_ms <= (self->view.store_answers ? EDDA_STATUS_FRESH_MS : EDDA_STATUS_ABSENT_MS);
}

void edda_status_want(edda_status_t *self, struct edda_visit *visit, edda_visit_fn then) {
    if (is_fresh(self)) {
        then(visit);
        return;
    }
    visit->on_status = then;
    visit->waiting = true;
    visit->next_waiter = self->waiters;
    self->waiters = visit;
    if (self->open == 0) {
        if (!self->gateway->closing) {
            look(self);
        }
        if (self->open == 0) {
            finish_look(self);
        }
    }
}

void edda_status_forget(edda_status_t *self, struct edda_visit *visit) {
    for (struct edda_visit **at = &self->waiters; *at; at = &(*at)->next_waiter) {
        if (*at == visit) {
            *at = visit->next_waiter;
            break;
        }
    }
    visit->waiting = false;
}

const struct edda_status_view *edda_status_view(const edda_status_t *self) {
    return &self->view;
}

size_t edda_status_brokers_live(const struct edda_status_view *view) {
    size_t live = 0;
    for (size_t i = 0; i < view->broker_count; i++) {
        live += view->brokers[i].answered && !view->brokers[i].status.draining;
    }
    return live;
}

static void add_service(struct edda_service_status *sum, const struct edda_service_status *one) {
    sum->workers += one->workers;
    sum->window += one->window;
    sum->queued += one->queued;
    sum->queued_bytes += one->queued_bytes;
    sum->running += one->running;
    sum->done += one->done;
    sum->failed += one->failed;
    sum->requeued += one->requeued;
    sum->rate += one->rate;
    sum->oldest_ms = one->oldest_ms > sum->oldest_ms ? one->oldest_ms : sum->oldest_ms;
    sum->step_ms = one->step_ms > sum->step_ms ? one->step_ms : sum->step_ms;
    if (!sum->model.data) {
        sum->model = one->model;
    }
}

struct edda_service_status edda_status_service(const struct edda_status_view *view,
                                               struct edda_text name) {
    struct edda_service_status sum = {.name = name};
    for (size_t i = 0; i < view->broker_count; i++) {
        const struct edda_service_statuses *services = &view->brokers[i].status.services;
        for (size_t k = 0; view->brokers[i].answered && k < services->count; k++) {
            if (edda_text_equal(services->items[k].name, name)) {
                add_service(&sum, &services->items[k]);
            }
        }
    }
    return sum;
}

/* Whether a broker before this one, or an entry before this one, has the name. */
static bool is_repeated(const struct edda_status_view *view, size_t broker, size_t entry) {
    struct edda_text name = view->brokers[broker].status.services.items[entry].name;
    for (size_t i = 0; i <= broker; i++) {
        const struct edda_service_statuses *services = &view->brokers[i].status.services;
        size_t count = i == broker ? entry : services->count;
        for (size_t k = 0; view->brokers[i].answered && k < count; k++) {
            if (edda_text_equal(services->items[k].name, name)) {
                return true;
            }
        }
    }
    return false;
}

bool edda_status_name(const struct edda_status_view *view, size_t n, struct edda_text *ret_name) {
    for (size_t i = 0; i < view->broker_count; i++) {
        const struct edda_service_statuses *services = &view->brokers[i].status.services;
        for (size_t k = 0; view->brokers[i].answered && k < services->count; k++) {
            if (!is_repeated(view, i, k) && n-- == 0) {
                *ret_name = services->items[k].name;
                return true;
            }
        }
    }
    return false;
}
