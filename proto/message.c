/* proto/message.c: the parts of a message against each other, by one table of what commands carry.
 */
#include "proto/message.h"

#include "proto/body.h"
#include "proto/uuid.h"

/* What a command must carry besides F0 and an envelope. */
struct rule {
    bool id;
    uint8_t least_bodies;
    uint8_t most_bodies;
    uint16_t body_type; /* of its body when that never varies */
};

static const struct rule rules[] = {
    [EDDA_HELLO] = {false, 1, 1, EDDA_BODY_HELLO},
    [EDDA_WELCOME] = {false, 1, 1, EDDA_BODY_WELCOME},
    [EDDA_CREDIT] = {false, 1, 1, EDDA_BODY_CREDIT},
    [EDDA_REQ] = {true, 0, EDDA_MAX_BODIES, 0},
    [EDDA_RESP] = {true, 1, 1, 0},
    [EDDA_WORK] = {true, 2, 2, 0},
    [EDDA_DONE] = {true, 1, 1, 0},
    [EDDA_PART] = {true, 1, 1, 0},
    [EDDA_PROGRESS] = {true, 0, 0, 0},
    [EDDA_FAIL] = {true, 0, 0, 0},
    [EDDA_RETURN] = {true, 0, 0, 0},
    [EDDA_CANCEL] = {true, 0, 0, 0},
    [EDDA_PING] = {false, 1, 1, EDDA_BODY_PING},
    [EDDA_PONG] = {false, 1, 1, EDDA_BODY_PING},
    [EDDA_DRAIN] = {false, 0, 0, 0},
    [EDDA_BYE] = {false, 0, 0, 0},
    [EDDA_RESET] = {false, 1, 1, EDDA_BODY_RESET},
};

static int check_sizes(const struct edda_bytes *frames, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (frames[i].size > EDDA_MAX_FRAME_BYTES) {
            return EDDA_E_LIMIT;
        }
        total += frames[i].size;
    }
    return total > EDDA_MAX_MESSAGE_BYTES ? EDDA_E_LIMIT : 0;
}

static int check_bodies(const struct edda_envelope *envelope, const struct edda_bytes *bodies,
                        size_t count) {
    if (envelope->body_count != count) {
        return EDDA_E_MALFORMED;
    }
    for (size_t i = 0; i < count; i++) {
        const struct edda_body_descriptor *descriptor = &envelope->bodies[i];
        bool absent_with_bytes = descriptor->type == EDDA_BODY_NONE && bodies[i].size > 0;
        if (descriptor->bytes != bodies[i].size || absent_with_bytes) {
            return EDDA_E_MALFORMED;
        }
    }
    return 0;
}

static bool route_is_whole(const struct edda_envelope *envelope) {
    for (size_t i = 0; i < envelope->route_count; i++) {
        uint8_t arguments = envelope->route[i].arguments;
        if (arguments != EDDA_NO_ARGUMENTS && arguments >= envelope->body_count) {
            return false;
        }
    }
    return envelope->route_count > 0;
}

static int check_command(uint8_t command, const struct edda_envelope *envelope) {
    const struct rule *rule = &rules[command];
    bool whole = envelope->body_count >= rule->least_bodies &&
                 envelope->body_count <= rule->most_bodies &&
                 (rule->body_type == 0 || envelope->bodies[0].type == rule->body_type) &&
                 (!rule->id || !edda_uuid_is_nil(&envelope->id)) &&
                 (command != EDDA_WORK || envelope->op.size > 0) &&
                 (command != EDDA_REQ || route_is_whole(envelope)) &&
                 (command != EDDA_FAIL || envelope->error.code != 0);
    return whole ? 0 : EDDA_E_MALFORMED;
}

int edda_message_decode(const struct edda_bytes *frames, size_t count,
                        struct edda_message *ret_message) {
    if (count == 0) {
        return EDDA_E_MALFORMED;
    }
    struct edda_frame frame;
    int error = edda_frame_decode(frames[0], &frame);
    if (error) {
        return error;
    }
    if (count > EDDA_MAX_FRAMES) {
        return EDDA_E_LIMIT;
    }
    if (count < 2) {
        return EDDA_E_MALFORMED;
    }
    error = check_sizes(frames, count);
    if (error) {
        return error;
    }
    error = edda_envelope_decode(frames[1], &ret_message->envelope);
    if (error) {
        return error;
    }
    error = check_bodies(&ret_message->envelope, frames + 2, count - 2);
    if (error) {
        return error;
    }
    ret_message->command = frame.command;
    memcpy(ret_message->bodies, frames + 2, (count - 2) * sizeof(*frames));
    return check_command(frame.command, &ret_message->envelope);
}

int edda_message_encode(const struct edda_message *message, uint8_t ret_frame[EDDA_FRAME_BYTES],
                        struct edda_buffer *out_envelope) {
    struct edda_frame frame = {.major = EDDA_PROTOCOL_MAJOR, .command = message->command};
    edda_frame_encode(&frame, ret_frame);
    return edda_envelope_encode(&message->envelope, out_envelope);
}

uint16_t edda_message_body_type(const struct edda_message *message, size_t index) {
    return index < message->envelope.body_count ? message->envelope.bodies[index].type : 0;
}
