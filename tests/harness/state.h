/* tests/harness/state.h: what a scenario and its fakes hold, for the harness's own files. */
#ifndef EDDA_TESTS_HARNESS_STATE_H
#define EDDA_TESTS_HARNESS_STATE_H

#include "actors/runtime/role.h"
#include "actors/runtime/socket.h"
#include "actors/runtime/wire.h"
#include "proto/arena.h"
#include "tests/harness/scenario.h"

#define FAKE_CREDITS  16
#define FAKE_NAME     32
#define FAKE_SERVICES 128

struct inbox_item {
    struct edda_wire wire; /* not moved after it was received */
    struct inbox_item *next;
};

struct edda_fake {
    edda_scenario_t *scenario;
    edda_fake_t *next;
    void *socket; /* NULL after kill_peer */
    const edda_curve_t *curve;
    bool back;
    bool frozen;
    bool welcomed;
    uint32_t pongs;
    char role[FAKE_NAME];
    char services[FAKE_SERVICES];
    uint32_t window;
    struct edda_uuid node;
    uint64_t incarnation;
    uint64_t granted; /* workers: messages, cumulative */
    struct {
        char service[EDDA_MAX_NAME + 1];
        uint64_t messages;
    } credits[FAKE_CREDITS]; /* clients: what the broker granted */
    struct inbox_item *first;
    struct inbox_item *last;
};

struct edda_scenario {
    uint32_t ping_ms;
    void *context;
    char url[EDDA_MAX_URL];
    char back_url[EDDA_MAX_URL];
    char folder[64]; /* of ipc sockets, or of the authorized file; empty: none */
    char authorized[80];
    edda_curve_t *broker_curve; /* of transport "curve"; else NULL */
    edda_curve_t *peer_curve;   /* of all its peers: whoever has it may be everything */
    const char *urls[1];
    struct edda_role role;
    edda_config_t *config;
    edda_thread_t *thread;
    edda_loop_t *loop; /* the broker's, valid while `state` is SCENARIO_SERVES */
    _Atomic int state;
    edda_fake_t *fakes;
    edda_fake_t *watcher;    /* asks for status */
    struct edda_arena arena; /* of the last status */
    struct edda_broker_status status;
};

enum { SCENARIO_STARTS, SCENARIO_SERVES, SCENARIO_ENDED };

/* Reads what is there for every fake, waiting at most this long for the first. */
void fake_read_all(edda_scenario_t *scenario, int64_t wait_ms);

/* The next message kept for it, waited for; NULL after wait_ms. The caller frees it. */
struct inbox_item *fake_take(edda_fake_t *fake, int64_t wait_ms);
void fake_free_item(struct inbox_item **item_p);

/* The next message, which must be this command, about this request when id is given; else the test
 * fails. The caller frees it. */
struct inbox_item *fake_expect(edda_fake_t *fake, enum edda_command command,
                               const struct edda_uuid *id);

/* A WORK's fields, of an item that stays the caller's. */
struct fake_work fake_read_work(const struct inbox_item *item);

edda_fake_t *fake_new(edda_scenario_t *scenario, bool back, const edda_curve_t *curve);
void fake_destroy(edda_fake_t *fake);

/* Sends, waiting for a connection that is being made. Fails the test after SCENARIO_WAIT_MS. */
void fake_send(edda_fake_t *fake, const struct edda_message *message,
               const struct edda_bytes *bodies, size_t count);
void fake_send_record(edda_fake_t *fake, enum edda_command command, const struct edda_uuid *id,
                      uint16_t type, const void *record);

#endif
