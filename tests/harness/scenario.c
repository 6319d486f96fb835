/* tests/harness/scenario.c: a broker on a thread, its life, and what it says of itself. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "broker/broker.h"
#include "proto/body.h"
#include "proto/uuid.h"
#include "tests/harness/port.h"
#include "tests/harness/state.h"
#include "tests/proto/cmocka.h"

#define JOIN_MS   5000
#define TCP_TRIES 20

static int run_broker(edda_loop_t *loop, const struct edda_role *role) {
    edda_scenario_t *self = role->context;
    edda_broker_t *broker = NULL;
    const struct edda_broker_options options = {
        .loop = loop,
        .zmq_context = role->zmq_context,
        .urls = role->listen,
        .url_count = role->listen_count,
        .ping_ms = self->ping_ms,
        .liveness = SCENARIO_LIVENESS,
        .curve = self->broker_curve,
        .authorized = self->authorized,
    };
    int result = edda_broker_new(&options, &broker);
    if (result == 0) {
        self->loop = loop;
        atomic_store(&self->state, SCENARIO_SERVES);
        result = edda_loop_run(loop);
        edda_broker_destroy(&broker);
    }
    atomic_store(&self->state, SCENARIO_ENDED);
    return result;
}

static void wait_for_state(edda_scenario_t *self, int64_t wait_ms) {
    int64_t until_ms = edda_clock_ms() + wait_ms;
    while (atomic_load(&self->state) == SCENARIO_STARTS && edda_clock_ms() < until_ms) {
        usleep(200);
    }
}

static void join_broker(edda_scenario_t *self) {
    int result = 0;
    if (self->thread && edda_thread_join(&self->thread, JOIN_MS, &result) != 0) {
        fail_msg("the broker's thread does not end");
    }
}

/* Whether it serves. */
static bool start_broker(edda_scenario_t *self) {
    atomic_store(&self->state, SCENARIO_STARTS);
    self->thread = edda_thread_new(&self->role, run_broker);
    assert_non_null(self->thread);
    wait_for_state(self, SCENARIO_WAIT_MS);
    if (atomic_load(&self->state) != SCENARIO_SERVES) {
        join_broker(self);
        return false;
    }
    return true;
}

static void kill_broker(edda_scenario_t *self) {
    if (atomic_load(&self->state) == SCENARIO_SERVES) {
        edda_loop_stop(self->loop);
    }
    join_broker(self);
}

static void make_folder(edda_scenario_t *self) {
    snprintf(self->folder, sizeof(self->folder), "/tmp/edda-scenario-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
}

const char *scenario_broker_key(const edda_scenario_t *self) {
    return edda_curve_public(self->broker_curve);
}

void scenario_authorize(edda_scenario_t *self, const char *lines) {
    FILE *file = fopen(self->authorized, "we");
    assert_non_null(file);
    fprintf(file, "peer %s gateway store cli worker:*\n%s", edda_curve_public(self->peer_curve),
            lines);
    assert_int_equal(fclose(file), 0);
}

static void make_keys(edda_scenario_t *self) {
    char message[256];
    make_folder(self);
    snprintf(self->authorized, sizeof(self->authorized), "%s/authorized", self->folder);
    assert_int_equal(edda_curve_new(&self->broker_curve), 0);
    assert_int_equal(edda_curve_new(&self->peer_curve), 0);
    assert_int_equal(edda_curve_trust(self->peer_curve, edda_curve_public(self->broker_curve),
                                      message, sizeof(message)),
                     0);
    scenario_authorize(self, "");
}

static void choose_url(edda_scenario_t *self, const char *transport) {
    static _Atomic unsigned count;
    unsigned number = atomic_fetch_add(&count, 1);
    if (strcmp(transport, "inproc") == 0) {
        snprintf(self->url, sizeof(self->url), "inproc://scenario-%u", number);
    } else if (strcmp(transport, "ipc") == 0) {
        make_folder(self);
        snprintf(self->url, sizeof(self->url), "ipc://%s/broker", self->folder);
    } else {
        assert_true(strcmp(transport, "tcp") == 0 || strcmp(transport, "curve") == 0);
        (void)free_tcp_url(self->url);
    }
    assert_int_equal(edda_endpoint_back(self->url, self->back_url), 0);
}

edda_scenario_t *scenario_start(const char *transport) {
    return scenario_start_with_ping(transport, SCENARIO_PING_MS);
}

edda_scenario_t *scenario_start_with_ping(const char *transport, uint32_t ping_ms) {
    edda_scenario_t *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    self->ping_ms = ping_ms;
    if (!transport) {
        const char *wanted = getenv("EDDA_FLOW_TRANSPORT");
        transport = wanted ? wanted : "inproc";
    }
    if (strcmp(transport, "curve") == 0) {
        make_keys(self);
    }
    self->context = zmq_ctx_new();
    self->urls[0] = self->url;
    self->role = (struct edda_role){
        .name = "broker",
        .zmq_context = self->context,
        .listen = self->urls,
        .listen_count = 1,
        .context = self,
    };
    edda_arena_init(&self->arena, 1024 * 1024);
    bool serves = false;
    for (int i = 0; i < TCP_TRIES && !serves; i++) {
        choose_url(self, transport); /* a tcp port may be taken */
        serves = start_broker(self);
    }
    assert_true(serves);
    return self;
}

static void remove_folder(const edda_scenario_t *self) {
    static const char *const names[] = {"broker", "broker.back", "broker.lock", "broker.back.lock",
                                        "authorized"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", self->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(self->folder);
}

void scenario_stop(edda_scenario_t **self_p) {
    edda_scenario_t *self = *self_p;
    while (self->fakes) {
        edda_fake_t *fake = self->fakes;
        self->fakes = fake->next;
        fake_destroy(fake);
    }
    kill_broker(self);
    zmq_ctx_term(self->context);
    edda_arena_done(&self->arena);
    if (self->folder[0]) {
        remove_folder(self);
    }
    edda_curve_destroy(&self->broker_curve);
    edda_curve_destroy(&self->peer_curve);
    free(self);
    *self_p = NULL;
}

/* libzmq's own thread gives endpoints back, a moment after they were unbound. */
void scenario_restart(edda_scenario_t *self) {
    int64_t until_ms = edda_clock_ms() + SCENARIO_WAIT_MS;
    kill_broker(self);
    while (!start_broker(self)) {
        assert_true(edda_clock_ms() < until_ms);
        usleep(1000);
    }
}

void scenario_drain(edda_scenario_t *self) {
    edda_thread_drain(self->thread, SCENARIO_WAIT_MS * 10);
}

bool scenario_ended(edda_scenario_t *self, int64_t wait_ms) {
    int64_t until_ms = edda_clock_ms() + wait_ms;
    while (atomic_load(&self->state) != SCENARIO_ENDED && edda_clock_ms() < until_ms) {
        fake_read_all(self, 5);
    }
    return atomic_load(&self->state) == SCENARIO_ENDED;
}

const char *scenario_url(const edda_scenario_t *self) {
    return self->url;
}

void *scenario_context(const edda_scenario_t *self) {
    return self->context;
}

const edda_curve_t *scenario_curve(const edda_scenario_t *self) {
    return self->peer_curve;
}

void scenario_sleep(edda_scenario_t *self, int64_t wait_ms) {
    int64_t until_ms = edda_clock_ms() + wait_ms;
    int64_t left_ms;
    while ((left_ms = until_ms - edda_clock_ms()) > 0) {
        fake_read_all(self, left_ms);
    }
}

const struct edda_broker_status *scenario_status(edda_scenario_t *self) {
    if (!self->watcher) {
        self->watcher = scenario_client(self, "cli");
    }
    struct edda_uuid id = send_req(self->watcher, "broker.status");
    struct inbox_item *item = fake_take(self->watcher, SCENARIO_WAIT_MS);
    assert_non_null(item);
    assert_int_equal(item->wire.message.command, EDDA_RESP);
    assert_true(edda_uuid_equal(&item->wire.message.envelope.id, &id));
    edda_arena_done(&self->arena);
    edda_arena_init(&self->arena, 1024 * 1024);
    int result = edda_body_decode(EDDA_BODY_BROKER_STATUS, item->wire.message.bodies[0],
                                  &self->arena, &self->status);
    /* Texts of the status point into the message: what is looked at by name is copied. */
    for (size_t i = 0; result == 0 && i < self->status.services.count; i++) {
        struct edda_service_status *service = &self->status.services.items[i];
        service->name = edda_arena_text(&self->arena, service->name);
        service->model = edda_arena_text(&self->arena, service->model);
    }
    fake_free_item(&item);
    assert_int_equal(result, 0);
    return &self->status;
}

void expect_balance(edda_scenario_t *self) {
    const struct edda_broker_status *status = scenario_status(self);
    assert_int_equal(status->admitted, status->ended + status->queued + status->running);
    if (status->queued + status->running != 0) {
        fail_msg("still open: %u queued, %u running", status->queued, status->running);
    }
    assert_int_equal(status->pending_bytes, 0);
}
