/* tests/fuzz/fuzz_message.c: an input cut into frames, each behind its size in four bytes. */
#include "tests/fuzz/fuzz.h"

#include "proto/message.h"

#define MOST_FRAMES (EDDA_MAX_FRAMES + 3)

/* What the rest of the house relies on without looking again. */
static void check_promises(const struct edda_message *message) {
    const struct edda_envelope *envelope = &message->envelope;
    EDDA_ASSERT(edda_command_allowed(message->command, ~0u));
    EDDA_ASSERT(envelope->body_count <= EDDA_MAX_BODIES);
    for (size_t i = 0; i < envelope->body_count; i++) {
        EDDA_ASSERT(message->bodies[i].size == envelope->bodies[i].bytes);
        EDDA_ASSERT(envelope->bodies[i].type != 0 || message->bodies[i].size == 0);
    }
    EDDA_ASSERT(envelope->route_count <= EDDA_MAX_ROUTE);
    EDDA_ASSERT(message->command != EDDA_REQ || envelope->route_count > 0);
    for (size_t i = 0; message->command == EDDA_REQ && i < envelope->route_count; i++) {
        uint8_t arguments = envelope->route[i].arguments;
        EDDA_ASSERT(envelope->route[i].op.size > 0);
        EDDA_ASSERT(arguments == EDDA_NO_ARGUMENTS || arguments < envelope->body_count);
    }
    EDDA_ASSERT(message->command != EDDA_FAIL || envelope->error.code < 0);
    EDDA_ASSERT(message->command != EDDA_WORK || envelope->op.size > 0);
}

/* Seen to fail when check_bodies() does not compare sizes (tests/fault/guards/52c.patch). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, data + size};
    struct edda_bytes frames[MOST_FRAMES] = {{NULL, 0}};
    uint8_t *copies[MOST_FRAMES];
    size_t count = 0;
    while (!fuzz_is_over(&input) && count < MOST_FRAMES) {
        size_t left = (size_t)fuzz_take(&input, 4);
        size_t rest = (size_t)(input.end - input.at);
        left = left < rest ? left : rest;
        copies[count] = fuzz_copy(input.at, left);
        frames[count] = (struct edda_bytes){copies[count], left};
        input.at += left;
        count++;
    }
    struct edda_message message;
    if (edda_message_decode(frames, count, &message) == 0) {
        uint8_t frame[EDDA_FRAME_BYTES];
        struct edda_buffer envelope;
        struct edda_message again;
        check_promises(&message);
        edda_buffer_init(&envelope, EDDA_MAX_ENVELOPE_BYTES);
        EDDA_ASSERT(edda_message_encode(&message, frame, &envelope) == 0);
        frames[0] = (struct edda_bytes){frame, sizeof(frame)};
        frames[1] = edda_buffer_bytes(&envelope);
        EDDA_ASSERT(edda_message_decode(frames, count, &again) == 0);
        EDDA_ASSERT(again.command == message.command);
        check_promises(&again);
        edda_buffer_done(&envelope);
    }
    for (size_t i = 0; i < count; i++) {
        __builtin_free(copies[i]);
    }
    return 0;
}
