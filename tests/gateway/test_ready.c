/* tests/gateway/test_ready.c: /readyz says yes when a search can be answered whole, else what is
 * missing. */
#include "proto/body_peer.h"
#include "tests/gateway/live_gateway.h"
#include "tests/proto/cmocka.h"

#define STAGES 4

struct world {
    const char *stages[STAGES]; /* which have a worker */
    bool database;
    bool draining; /* the broker is */
    int status;    /* wanted */
    const char *json;
};

#define NOT_READY "{\"status\":\"not ready\",\"checks\":{\"draining\":false,"

static const struct world worlds[] = {
    {{"embed", "rerank"},
     true,
     false,
     200,
     "{\"status\":\"ready\",\"checks\":{\"draining\":false,\"broker\":true,\"store\":true,"
     "\"embed\":true,\"rerank\":true,\"chunk\":false,\"llm\":false}}"},
    {{"rerank", "chunk", "llm"},
     true,
     false,
     503,
     NOT_READY "\"broker\":true,\"store\":true,\"embed\":false,\"rerank\":true,\"chunk\":true,"
               "\"llm\":true}}"},
    {{"embed"},
     true,
     false,
     503,
     NOT_READY "\"broker\":true,\"store\":true,\"embed\":true,\"rerank\":false,\"chunk\":false,"
               "\"llm\":false}}"},
    {{"embed", "rerank"},
     false,
     false,
     503,
     NOT_READY "\"broker\":true,\"store\":false,\"embed\":true,\"rerank\":true,\"chunk\":false,"
               "\"llm\":false}}"},
    {{"embed", "rerank"},
     true,
     true,
     503,
     NOT_READY "\"broker\":false,\"store\":true,\"embed\":true,\"rerank\":true,\"chunk\":false,"
               "\"llm\":false}}"},
};

/* Answers the gateway's look at its broker and its store. */
static void show(struct live_gateway *live, const struct world *world) {
    struct edda_service_status items[STAGES];
    struct edda_broker_status status = {.draining = world->draining, .services = {items, 0}};
    const struct edda_store_pong pong = {.database = world->database};
    const struct edda_store_statistics statistics = {.memos = 1};
    for (size_t i = 0; i < STAGES && world->stages[i]; i++) {
        items[status.services.count++] =
            (struct edda_service_status){.name = edda_text_of(world->stages[i]), .workers = 1};
    }
    for (int i = 0; i < 3; i++) {
        struct edda_text op;
        struct edda_uuid id = take_call(live, &op);
        if (edda_text_is(op, "broker.status")) {
            answer_call(live, &id, EDDA_BODY_BROKER_STATUS, &status);
        } else if (edda_text_is(op, "store.ping")) {
            answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
        } else {
            answer_call(live, &id, EDDA_BODY_STORE_STATISTICS, &statistics);
        }
    }
}

static void what_a_search_needs_makes_it_ready(void **state) {
    static const char *const flags[] = {"--grace-ms", "0", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        struct live_gateway *live = live_gateway_start(flags);
        int fd = send_http(live, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
        show(live, &worlds[i]);
        expect_http_json(live, fd, worlds[i].status, worlds[i].json);
        live_gateway_stop(&live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_search_needs_makes_it_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
