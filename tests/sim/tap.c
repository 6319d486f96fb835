/* tests/sim/tap.c: messages to lines of the log. */
#include "tests/sim/tap.h"

#include "proto/body.h"
#include "proto/body_peer.h"
#include "proto/message.h"
#include "proto/uuid.h"

static uint8_t command_of(struct sim_packet *packet) {
    const uint8_t *first = zmq_msg_data(&packet->frames[0]);
    return zmq_msg_size(&packet->frames[0]) == EDDA_FRAME_BYTES ? first[3] : 0;
}

static bool decode(struct sim_packet *packet, struct edda_message *message) {
    struct edda_bytes frames[SIM_MAX_FRAMES];
    for (size_t i = 0; i < packet->count; i++) {
        frames[i].data = zmq_msg_data(&packet->frames[i]);
        frames[i].size = zmq_msg_size(&packet->frames[i]);
    }
    return packet->count <= EDDA_MAX_FRAMES &&
           edda_message_decode(frames, packet->count, message) == 0;
}

static void trace_message(const struct sim_connection *connection, int from,
                          const struct edda_message *message, const char *what) {
    const struct edda_envelope *envelope = &message->envelope;
    const uint8_t *id = envelope->id.bytes;
    sim_trace(connection->nodes[from]->name, "%s %s %s@%u %02x%02x step=%u attempt=%u %.*s%s%s",
              what, edda_command_name(message->command), connection->nodes[1 - from]->name,
              connection->number, id[14], id[15], envelope->step, envelope->attempt,
              (int)envelope->op.size, envelope->op.data ? envelope->op.data : "",
              envelope->error.code ? " " : "",
              envelope->error.code ? edda_error_name(envelope->error.code) : "");
}

static void note_request(const struct sim_connection *connection,
                         const struct edda_message *message) {
    const struct edda_envelope *envelope = &message->envelope;
    char id[EDDA_UUID_TEXT];
    uint64_t job;
    if (envelope->fence == 0 || envelope->idempotency.size != 16) {
        return;
    }
    edda_uuid_format(&envelope->id, id);
    memcpy(&job, envelope->idempotency.data, sizeof(job));
    sim_event(connection->nodes[SIM_DEALER]->name, "requested", "request=%s job=%llu token=%llu",
              id, (unsigned long long)job, (unsigned long long)envelope->fence);
}

static void note_work(const struct sim_connection *connection, const struct edda_message *message) {
    char id[EDDA_UUID_TEXT];
    edda_uuid_format(&message->envelope.id, id);
    sim_event(connection->nodes[SIM_ROUTER]->name, "dispatched",
              "request=%s worker=%s peer=%u bytes=%zu", id, connection->nodes[SIM_DEALER]->name,
              connection->number, message->bodies[0].size + message->bodies[1].size);
}

static void note_failure(const struct sim_connection *connection,
                         const struct edda_message *message) {
    char id[EDDA_UUID_TEXT];
    edda_uuid_format(&message->envelope.id, id);
    if (message->envelope.error.blame != EDDA_BLAME_OUTSIDE) {
        sim_event(connection->nodes[SIM_DEALER]->name, "refused", "request=%s", id);
    }
}

/* Credit of a session is told again with the next PING; that of a stream is not. */
static bool may_be_lost(const struct edda_message *message) {
    struct edda_uuid nil = {{0}};
    return message->command == EDDA_CREDIT && edda_uuid_equal(&message->envelope.id, &nil);
}

bool sim_tap_sent(struct sim_connection *connection, int from, struct sim_packet *packet) {
    struct edda_message message;
    uint8_t command = command_of(packet);
    bool wanted = command == EDDA_REQ || command == EDDA_WORK || command == EDDA_FAIL ||
                  command == EDDA_CREDIT;
    if ((!wanted && !sim->trace) || !decode(packet, &message)) {
        return false;
    }
    if (sim->trace) {
        trace_message(connection, from, &message, "sends");
    }
    if (from == SIM_DEALER && command == EDDA_REQ) {
        note_request(connection, &message);
    } else if (from == SIM_ROUTER && command == EDDA_WORK) {
        note_work(connection, &message);
    } else if (from == SIM_DEALER && command == EDDA_FAIL) {
        note_failure(connection, &message);
    }
    return sim_has(SIM_FAULT_LOSE_CREDIT) && may_be_lost(&message) &&
           sim_chance(SIM_DICE_NETWORK, sim->plan.lose_credit);
}

static void note_grant(const struct sim_connection *connection, uint64_t messages, uint64_t bytes) {
    sim_event(connection->nodes[SIM_ROUTER]->name, "granted", "peer=%u messages=%llu bytes=%llu",
              connection->number, (unsigned long long)messages, (unsigned long long)bytes);
}

/* What a broker hears of a worker's credit. */
static void read_grant(const struct sim_connection *connection,
                       const struct edda_message *message) {
    struct edda_arena arena;
    struct edda_credit_grant credit;
    struct edda_ping ping;
    edda_arena_init(&arena, 4096);
    if (message->command == EDDA_CREDIT) {
        if (edda_body_decode(EDDA_BODY_CREDIT, message->bodies[0], &arena, &credit) == 0) {
            note_grant(connection, credit.messages, credit.bytes);
        }
    } else if (edda_body_decode(EDDA_BODY_PING, message->bodies[0], &arena, &ping) == 0 &&
               ping.messages > 0) {
        note_grant(connection, ping.messages, ping.bytes);
    }
    edda_arena_done(&arena);
}

void sim_tap_read(struct sim_connection *connection, int end, struct sim_packet *packet) {
    struct edda_message message;
    uint8_t command = command_of(packet);
    bool grants = end == SIM_ROUTER &&
                  (command == EDDA_CREDIT || command == EDDA_PING || command == EDDA_PONG);
    if ((!grants && !sim->trace) || !decode(packet, &message)) {
        return;
    }
    if (sim->trace) {
        trace_message(connection, 1 - end, &message, "is read:");
    }
    /* Stream credit has an id and comes from clients. */
    struct edda_uuid nil = {{0}};
    if (grants && edda_uuid_equal(&message.envelope.id, &nil)) {
        read_grant(connection, &message);
    }
}
