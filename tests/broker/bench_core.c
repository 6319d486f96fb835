/* tests/broker/bench_core.c: what the broker's core costs per request, without sockets.
 *
 * Usage: bench_core [requests] [steps]. A step is a WORK, its DONE and a CREDIT; 64 in flight. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "broker/core.h"
#include "proto/body.h"

#define IN_FLIGHT 64
#define CLIENT    0
#define WORKER    1
#define LARGE     ((uint64_t)1 << 50)

static edda_core_t *core;
static struct edda_actions actions;
static int64_t now_ms = 1000;
static uint64_t asked;
static uint64_t answered;
static uint64_t granted = IN_FLIGHT;
static struct {
    struct edda_uuid id;
    uint8_t step;
    uint8_t attempt;
} work[4 * IN_FLIGHT];
static size_t work_count;

static double cpu_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void step(uint32_t peer, const struct edda_message *message) {
    static int handle;
    void *bodies[EDDA_MAX_BODIES] = {&handle, &handle, &handle, &handle};
    const struct edda_event event = {
        .kind = EDDA_EVENT_MESSAGE,
        .peer = peer,
        .side = peer == CLIENT ? EDDA_SIDE_FRONT : EDDA_SIDE_BACK,
        .permit = &edda_permit_local,
        .message = message,
        .bodies = bodies,
    };
    edda_core_step(core, &event, now_ms, &actions);
    for (size_t i = 0; i < actions.count; i++) {
        const struct edda_action *action = &actions.items[i];
        if (action->kind != EDDA_ACTION_SEND) {
            continue;
        }
        answered += action->message.command == EDDA_RESP;
        if (action->message.command == EDDA_WORK) {
            work[work_count].id = action->message.envelope.id;
            work[work_count].step = action->message.envelope.step;
            work[work_count++].attempt = action->message.envelope.attempt;
        }
    }
}

static void send_record(uint32_t peer, uint8_t command, uint16_t type, const void *record) {
    struct edda_buffer buffer;
    struct edda_message message = {.command = command};
    edda_buffer_init(&buffer, 4096);
    if (edda_body_encode(type, record, &buffer) != 0) {
        exit(1);
    }
    message.envelope.body_count = 1;
    message.envelope.bodies[0] = (struct edda_body_descriptor){type, 1, (uint32_t)buffer.size};
    message.bodies[0] = edda_buffer_bytes(&buffer);
    step(peer, &message);
    edda_buffer_done(&buffer);
}

static void join(void) {
    struct edda_hello_service service = {.name = EDDA_TEXT("own")};
    struct edda_hello hello = {.node = {{1}}, .role = EDDA_TEXT("gateway")};
    send_record(CLIENT, EDDA_HELLO, EDDA_BODY_HELLO, &hello);
    hello = (struct edda_hello){
        .node = {{2}}, .role = EDDA_TEXT("worker"), .window = IN_FLIGHT, .services = {&service, 1}};
    send_record(WORKER, EDDA_HELLO, EDDA_BODY_HELLO, &hello);
    const struct edda_credit_grant grant = {.messages = granted, .bytes = LARGE};
    send_record(WORKER, EDDA_CREDIT, EDDA_BODY_CREDIT, &grant);
}

static void ask(uint8_t steps) {
    static struct edda_message message = {.command = EDDA_REQ};
    struct edda_envelope *envelope = &message.envelope;
    uint64_t number = ++asked * 0x9e3779b97f4a7c15u;
    memcpy(envelope->id.bytes, &now_ms, 8);
    memcpy(envelope->id.bytes + 8, &number, 8);
    envelope->ttl_ms = 5000;
    envelope->project = EDDA_TEXT("default");
    envelope->traceparent = EDDA_TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    envelope->route_count = envelope->body_count = steps;
    for (uint8_t i = 0; i < steps; i++) {
        envelope->route[i] = (struct edda_route_step){EDDA_TEXT("own.thing"), 0, 0, i};
        envelope->bodies[i] = (struct edda_body_descriptor){EDDA_BODY_EMPTY, 1, 200};
    }
    step(CLIENT, &message);
}

static void do_one(void) {
    static struct edda_message message = {.command = EDDA_DONE};
    --work_count;
    message.envelope.id = work[work_count].id;
    message.envelope.step = work[work_count].step;
    message.envelope.attempt = work[work_count].attempt;
    message.envelope.body_count = 1;
    message.envelope.bodies[0] = (struct edda_body_descriptor){EDDA_BODY_EMPTY, 1, 200};
    step(WORKER, &message);
    /* An actor tells its credit with every result or two: here with every one. */
    const struct edda_credit_grant grant = {.messages = ++granted, .bytes = LARGE};
    send_record(WORKER, EDDA_CREDIT, EDDA_BODY_CREDIT, &grant);
}

int main(int argc, char **argv) {
    uint64_t requests = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint8_t steps = argc > 2 ? (uint8_t)strtoul(argv[2], NULL, 10) : 1;
    const struct edda_core_options options = {.now_ms = now_ms};
    if (steps < 1 || steps > 4 || !(core = edda_core_new(&options))) {
        return 1;
    }
    join();
    double begin = cpu_seconds();
    while (answered < requests) {
        for (int i = 0; i < IN_FLIGHT && asked - answered < IN_FLIGHT; i++) {
            ask(steps);
        }
        while (work_count > 0) {
            do_one();
        }
        now_ms += asked % 1024 == 0;
    }
    double used = cpu_seconds() - begin;
    printf("%llu requests of %u steps: %.0f ns each\n", (unsigned long long)answered, steps,
           used * 1e9 / (double)answered);
    edda_core_destroy(&core, &actions);
    edda_actions_done(&actions);
    return 0;
}
