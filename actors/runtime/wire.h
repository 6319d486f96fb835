/* actors/runtime/wire.h: one message with the frames its views point into: received, kept, sent.
 *
 * Frames are moved or shared (zmq_msg_move, zmq_msg_copy count references), bodies never copied.
 * A ROUTER's message begins with the peer's routing id. */
#ifndef EDDA_RUNTIME_WIRE_H
#define EDDA_RUNTIME_WIRE_H

#include <zmq.h>

#include "actors/runtime/certificate.h"
#include "proto/message.h"

#define EDDA_MAX_ROUTING_ID  64
#define EDDA_MAX_SEND_FRAMES (EDDA_MAX_FRAMES + 1) /* and the routing id */

struct edda_wire {
    uint8_t routing_id[EDDA_MAX_ROUTING_ID];
    size_t routing_id_size; /* 0 on DEALERs */
    /* Of a guarded ROUTER's messages: the sender's public key, as the handshake proved it for the
     * connection this message came through; "" when there is none. Only kept when `keyed`. */
    bool keyed;
    char key[EDDA_CURVE_KEY_TEXT];
    zmq_msg_t frames[EDDA_MAX_FRAMES];
    size_t frame_count;          /* of initialised frames */
    struct edda_message message; /* views into frames */
};

/* keyed is the owner's to set. */
void edda_wire_init(struct edda_wire *wire);
void edda_wire_done(struct edda_wire *wire);

/* Reads one whole message without blocking into an initialised, empty wire. EDDA_E_AGAIN: none
 * there. EDDA_E_MALFORMED, EDDA_E_LIMIT, EDDA_E_VERSION: one was read and dropped; routing_id and
 * key say whose it was. */
int edda_wire_receive(void *socket, bool router, struct edda_wire *wire) EDDA_MUST_CHECK;

/* The frame of body `index`, for moving or copying elsewhere. A moved frame takes its bytes along:
 * message.bodies[index] is not to be read after. A wire itself must not be moved: small frames lie
 * within it. */
zmq_msg_t *edda_wire_body(struct edda_wire *wire, size_t index);

/* Makes the frames of one message in frames[0..EDDA_MAX_SEND_FRAMES), which are not initialised:
 * the routing id (NULL on DEALERs), message's F0 and envelope, then shares of bodies[0..count):
 * they stay the caller's (a NULL body makes an empty frame). message->envelope.bodies must describe
 * them. Returns how many were made; EDDA_E_LIMIT: the envelope does not fit; EDDA_E_MEMORY. */
int edda_wire_make(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                   const struct edda_message *message, zmq_msg_t *const *bodies,
                   size_t count) EDDA_MUST_CHECK;

/* The same with bodies that are plain bytes, copied into new frames. */
int edda_wire_make_bytes(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                         const struct edda_message *message, const struct edda_bytes *bodies,
                         size_t count) EDDA_MUST_CHECK;

/* A session command (HELLO, WELCOME, CREDIT, PING, PONG, RESET, or one without body when type is 0)
 * with its body encoded from record. id may be NULL. Errors as above. */
int edda_wire_make_session(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                           uint8_t command, const struct edda_uuid *id, uint16_t type,
                           const void *record) EDDA_MUST_CHECK;

/* Sends the frames of one message, which are empty and closed after it. EDDA_E_AGAIN: the queue is
 * full, nothing was sent. EDDA_E_UNAVAILABLE: the peer is gone. After an error all of them are
 * still to be closed or, after EDDA_E_AGAIN, may be sent again. */
int edda_wire_send_frames(void *socket, zmq_msg_t *frames, size_t count) EDDA_MUST_CHECK;
void edda_wire_close_frames(zmq_msg_t *frames, size_t count);

#endif
