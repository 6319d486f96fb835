/* proto/message.h: a whole message as slices: F0, envelope, bodies, checked against each other.
 *
 * Pure: the frames' bytes belong to the caller and must outlive the message. */
#ifndef EDDA_PROTO_MESSAGE_H
#define EDDA_PROTO_MESSAGE_H

#include "proto/command.h"
#include "proto/envelope.h"
#include "proto/frame.h"

struct edda_message {
    uint8_t command; /* enum edda_command */
    struct edda_envelope envelope;
    struct edda_bytes bodies[EDDA_MAX_BODIES]; /* envelope.body_count of them */
};

/* frames[0] is F0 (no routing id). Checks counts, sizes, total size, that each descriptor's bytes
 * equal its frame, and that the command carries what it must: an id where one is needed, an op on
 * WORK, a route on REQ whose arguments exist, two bodies on WORK, one on DONE, RESP and PART, an
 * error on FAIL. EDDA_E_MALFORMED, EDDA_E_LIMIT, EDDA_E_VERSION. */
int edda_message_decode(const struct edda_bytes *frames, size_t count,
                        struct edda_message *ret_message) EDDA_MUST_CHECK;

/* Writes F0 and the envelope (body descriptors as given in message->envelope) to the two outputs;
 * the caller sends them followed by the bodies. EDDA_E_LIMIT: the envelope does not fit. */
int edda_message_encode(const struct edda_message *message, uint8_t ret_frame[EDDA_FRAME_BYTES],
                        struct edda_buffer *out_envelope) EDDA_MUST_CHECK;

/* The type tag of body `index`, 0 if there is no such body or it is absent. */
uint16_t edda_message_body_type(const struct edda_message *message, size_t index);

#endif
