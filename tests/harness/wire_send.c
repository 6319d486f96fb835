/* tests/harness/wire_send.c: see wire_send.h. */
#include "tests/harness/wire_send.h"

static int send_made(void *socket, zmq_msg_t *frames, int made) {
    if (made < 0) {
        return made;
    }
    int error = edda_wire_send_frames(socket, frames, (size_t)made);
    if (error) {
        edda_wire_close_frames(frames, (size_t)made);
    }
    return error;
}

int wire_send(void *socket, const uint8_t *routing_id, size_t routing_id_size,
              const struct edda_message *message, zmq_msg_t *const *bodies, size_t count) {
    zmq_msg_t frames[EDDA_MAX_SEND_FRAMES];
    int made = edda_wire_make(frames, routing_id, routing_id_size, message, bodies, count);
    return send_made(socket, frames, made);
}

int wire_send_bytes(void *socket, const uint8_t *routing_id, size_t routing_id_size,
                    const struct edda_message *message, const struct edda_bytes *bodies,
                    size_t count) {
    zmq_msg_t frames[EDDA_MAX_SEND_FRAMES];
    int made = edda_wire_make_bytes(frames, routing_id, routing_id_size, message, bodies, count);
    return send_made(socket, frames, made);
}

int wire_send_session(void *socket, const uint8_t *routing_id, size_t routing_id_size,
                      uint8_t command, const struct edda_uuid *id, uint16_t type,
                      const void *record) {
    zmq_msg_t frames[EDDA_MAX_SEND_FRAMES];
    int made =
        edda_wire_make_session(frames, routing_id, routing_id_size, command, id, type, record);
    return send_made(socket, frames, made);
}
