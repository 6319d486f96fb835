/* tests/fuzz/fuzz_commands.c: an input as a script of events for the broker's core.
 *
 * The first byte chooses the world. Even: whole messages of any command with any contents from a
 * few connections on both sides, joined or not; odd: the sane but unlucky peers of
 * tests/broker/world.h. After every event all invariants of core.h are counted; at the end every
 * body must have been given back. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "proto/message.h"
#include "tests/broker/world.h"

#define CONNECTIONS 6
#define IDS         5
#define MOST_EVENTS 512

static const char *const ops[] = {"embed", "store.search", "rerank",        "talk.answer",
                                  "own.a", "store.ping",   "broker.status", "nobody.does"};
static const char *const roles[] = {"gateway", "pump", "worker", "king"};
static const char *const offers[] = {"embed", "store,rerank", "talk,own", "embed,embed,store", ""};
static const uint16_t types[] = {
    EDDA_BODY_NONE, EDDA_BODY_EMBED_ARGUMENTS,  EDDA_BODY_EMBEDDINGS, EDDA_BODY_STORE_SEARCH,
    EDDA_BODY_HITS, EDDA_BODY_RERANK_ARGUMENTS, EDDA_BODY_EMPTY,      EDDA_BODY_CREDIT};

#define PICK(array, input) ((array)[fuzz_take((input), 1) % (sizeof(array) / sizeof((array)[0]))])

struct stage {
    struct rig *rig;
    struct fuzz_input *input;
    uint32_t peers[CONNECTIONS]; /* numbers; the first half are front connections */
};

static struct edda_uuid take_id(struct fuzz_input *input) {
    struct edda_uuid id = {{0}};
    id.bytes[0] = (uint8_t)(1 + fuzz_take(input, 1) % IDS);
    return id;
}

static void take_bodies(struct fuzz_input *input, struct edda_envelope *envelope) {
    envelope->body_count = (uint8_t)(fuzz_take(input, 1) % 4);
    for (uint8_t i = 0; i < envelope->body_count; i++) {
        uint16_t type = PICK(types, input);
        envelope->bodies[i] =
            (struct edda_body_descriptor){type, 1, type ? (uint32_t)fuzz_take(input, 1) * 4096 : 0};
    }
}

static void take_route(struct fuzz_input *input, struct edda_envelope *envelope) {
    envelope->route_count = (uint8_t)(1 + fuzz_take(input, 1) % 4);
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        struct edda_route_step *step = &envelope->route[i];
        uint8_t index = (uint8_t)fuzz_take(input, 1);
        step->op = edda_text_of(PICK(ops, input));
        step->on_error = index & 64 ? EDDA_ON_ERROR_SKIP : EDDA_ON_ERROR_FAIL;
        step->budget_ms = index & 32 ? 50 : 0;
        step->arguments = EDDA_NO_ARGUMENTS;
        if (envelope->body_count > 0 && !(index & 16)) {
            step->arguments = index % envelope->body_count;
        }
    }
}

/* What edda_message_decode promises of a command, and nothing more. */
static void send_anything(struct stage *stage, uint32_t peer) {
    struct fuzz_input *input = stage->input;
    struct edda_message message = {.command = (uint8_t)(1 + fuzz_take(input, 1) % EDDA_RESET)};
    struct edda_envelope *envelope = &message.envelope;
    envelope->id = take_id(input);
    envelope->step = (uint8_t)(fuzz_take(input, 1) % 3);
    envelope->attempt = (uint8_t)(fuzz_take(input, 1) % 4);
    switch (message.command) {
    case EDDA_REQ:
        envelope->priority = (uint8_t)(fuzz_take(input, 1) % 10);
        envelope->retries = (uint8_t)(fuzz_take(input, 1) % 3);
        envelope->ttl_ms = (uint32_t)fuzz_take(input, 2);
        envelope->flags = (uint16_t)(fuzz_take(input, 1) & 15);
        take_bodies(input, envelope);
        take_route(input, envelope);
        break;
    case EDDA_DONE:
    case EDDA_PART:
    case EDDA_RESP:
        envelope->sequence = (uint32_t)(fuzz_take(input, 1) % 3);
        envelope->body_count = 1;
        envelope->bodies[0].type = PICK(types, input);
        envelope->bodies[0].bytes = envelope->bodies[0].type ? 100 : 0;
        break;
    case EDDA_FAIL:
        envelope->error.code = -(int)(1 + fuzz_take(input, 1) % 29);
        envelope->error.blame = (uint8_t)(fuzz_take(input, 1) % 3);
        break;
    case EDDA_HELLO:
    case EDDA_WELCOME:
    case EDDA_CREDIT:
    case EDDA_PING:
    case EDDA_PONG:
    case EDDA_RESET:
        /* Their body does not decode; well-made ones come by send_session. */
        envelope->body_count = 1;
        envelope->bodies[0] = (struct edda_body_descriptor){EDDA_BODY_EMPTY, 1, 0};
        break;
    default:
        break;
    }
    rig_send(stage->rig, peer, &message);
}

static void send_session(struct stage *stage, uint32_t peer, uint8_t which) {
    struct fuzz_input *input = stage->input;
    struct edda_uuid id = take_id(input);
    switch (which % 4) {
    case 0:
        rig_hello(stage->rig, peer, PICK(roles, input), PICK(offers, input),
                  (uint16_t)(fuzz_take(input, 1) % 4), fuzz_take(input, 1) % 3,
                  (uint32_t)(fuzz_take(input, 1) % (EDDA_MAX_WORKER_WINDOW + 1)));
        break;
    case 1:
        rig_credit(stage->rig, peer, NULL, fuzz_take(input, 1), (uint64_t)1 << 40);
        break;
    case 2:
        rig_credit(stage->rig, peer, &id, fuzz_take(input, 1), fuzz_take(input, 2));
        break;
    default:
        rig_ping(stage->rig, peer, EDDA_PING, 1, fuzz_take(input, 1), fuzz_take(input, 4));
        break;
    }
}

static void run_event(struct stage *stage) {
    uint8_t what = (uint8_t)fuzz_take(stage->input, 1);
    uint32_t peer = stage->peers[(what >> 4) % CONNECTIONS];
    switch (what % 16) {
    case 0:
        rig_tick(stage->rig, (int64_t)fuzz_take(stage->input, 1) * 20);
        break;
    case 1:
        rig_lose(stage->rig, peer, EDDA_EVENT_UNREACHABLE);
        break;
    case 2:
        rig_lose(stage->rig, peer, what & 64 ? EDDA_EVENT_MALFORMED : EDDA_EVENT_FULL);
        break;
    case 3:
        if (what == 3 + 16 * 15) {
            rig_drain(stage->rig);
        }
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        send_session(stage, peer, what);
        break;
    default:
        send_anything(stage, peer);
        break;
    }
}

static void run_anything(struct fuzz_input *input) {
    struct stage stage = {.rig = rig_new(), .input = input};
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        enum edda_side side = i < CONNECTIONS / 2 ? EDDA_SIDE_FRONT : EDDA_SIDE_BACK;
        stage.peers[i] = rig_stranger(stage.rig, side);
        rig_hello(stage.rig, stage.peers[i], side == EDDA_SIDE_FRONT ? "gateway" : "worker",
                  side == EDDA_SIDE_FRONT ? NULL : offers[i % 3], (uint16_t)(10 + i), 1, 3);
    }
    for (size_t i = 0; i < MOST_EVENTS && !fuzz_is_over(input); i++) {
        run_event(&stage);
    }
    rig_free(&stage.rig);
}

static size_t from_input(void *context, size_t bound) {
    return (size_t)fuzz_take(context, 2) % bound;
}

static void run_world(struct fuzz_input *input) {
    struct world *world = world_new(from_input, input);
    for (size_t i = 0; i < MOST_EVENTS && !fuzz_is_over(input); i++) {
        world_step(world);
    }
    world_free(&world);
}

/* Seen to fail when receive_message() takes any command of anybody (tests/fault/guards/52d.patch).
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, data + size};
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* the rig's assertions, outside a test */
    if (fuzz_take(&input, 1) % 2) {
        run_world(&input);
    } else {
        run_anything(&input);
    }
    return 0;
}
