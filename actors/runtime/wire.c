/* actors/runtime/wire.c: frames in, frames out; the only file that receives or sends.
 *
 * A small frame lives inside its zmq_msg_t, so a wire with a message in it must not be moved. */
#include "actors/runtime/wire.h"

#include <errno.h>

#include "proto/body.h"

/* ThreadSanitizer does not see libzmq's own ordering between a send and its receive: say it. */
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
static char order;
#define ORDER_RELEASE() __tsan_release(&order)
#define ORDER_ACQUIRE() __tsan_acquire(&order)
#else
#define ORDER_RELEASE() ((void)0)
#define ORDER_ACQUIRE() ((void)0)
#endif

#define SESSION_BODY_BYTES 16384

static void forget(struct edda_wire *wire) {
    wire->frame_count = 0;
    wire->routing_id_size = 0;
    wire->key[0] = '\0';
}

void edda_wire_init(struct edda_wire *wire) {
    wire->keyed = false;
    forget(wire);
}

void edda_wire_done(struct edda_wire *wire) {
    for (size_t i = 0; i < wire->frame_count; i++) {
        zmq_msg_close(&wire->frames[i]);
    }
    forget(wire);
}

/* Reads and forgets the rest of a message. */
static void skip_frames(void *socket, bool more) {
    zmq_msg_t frame;
    while (more) {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
            more = false;
        } else {
            more = zmq_msg_more(&frame);
        }
        zmq_msg_close(&frame);
    }
}

/* One frame into the next free place. *ret_more: whether another follows. */
static int receive_frame(void *socket, struct edda_wire *wire, bool *ret_more) {
    zmq_msg_t *frame = &wire->frames[wire->frame_count];
    zmq_msg_init(frame);
    int size;
    do {
        size = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        zmq_msg_close(frame);
        return EDDA_E_AGAIN;
    }
    wire->frame_count++;
    *ret_more = zmq_msg_more(frame);
    return 0;
}

/* Closes the frames but keeps whose they were. */
static int refuse(struct edda_wire *wire, int error) {
    for (size_t i = 0; i < wire->frame_count; i++) {
        zmq_msg_close(&wire->frames[i]);
    }
    wire->frame_count = 0;
    return error;
}

/* Asked of a frame of the message itself: before libzmq 4.3.5 a routing id that was looked at
 * before it was read has lost its metadata. */
static void read_key(struct edda_wire *wire) {
    const char *user = zmq_msg_gets(&wire->frames[0], "User-Id");
    if (user && strlen(user) == EDDA_CURVE_KEY_TEXT - 1) {
        memcpy(wire->key, user, EDDA_CURVE_KEY_TEXT);
    }
}

static int receive_routing_id(void *socket, struct edda_wire *wire, bool *ret_more) {
    int error = receive_frame(socket, wire, ret_more);
    if (error) {
        return error;
    }
    size_t size = zmq_msg_size(&wire->frames[0]);
    if (size > EDDA_MAX_ROUTING_ID) {
        /* libzmq's own have 5 bytes: a peer that chose its name is none of ours. */
        skip_frames(socket, *ret_more);
        return refuse(wire, EDDA_E_LIMIT);
    }
    memcpy(wire->routing_id, zmq_msg_data(&wire->frames[0]), size);
    wire->routing_id_size = size;
    zmq_msg_close(&wire->frames[0]);
    wire->frame_count = 0;
    return 0;
}

int edda_wire_receive(void *socket, bool router, struct edda_wire *wire) {
    EDDA_ASSERT(wire->frame_count == 0);
    bool more = true;
    forget(wire);
    if (router) {
        int error = receive_routing_id(socket, wire, &more);
        if (error) {
            return error;
        }
    }
    while (more) {
        if (wire->frame_count == EDDA_MAX_FRAMES) {
            skip_frames(socket, true);
            return refuse(wire, EDDA_E_LIMIT);
        }
        int error = receive_frame(socket, wire, &more);
        if (!error && wire->keyed && wire->frame_count == 1) {
            read_key(wire);
        }
        if (error) {
            return wire->frame_count == 0 && !router ? error : refuse(wire, EDDA_E_MALFORMED);
        }
    }
    ORDER_ACQUIRE();
    struct edda_bytes slices[EDDA_MAX_FRAMES];
    for (size_t i = 0; i < wire->frame_count; i++) {
        slices[i].data = zmq_msg_data(&wire->frames[i]);
        slices[i].size = zmq_msg_size(&wire->frames[i]);
    }
    int error = edda_message_decode(slices, wire->frame_count, &wire->message);
    return error ? refuse(wire, error) : 0;
}

zmq_msg_t *edda_wire_body(struct edda_wire *wire, size_t index) {
    EDDA_ASSERT(index < wire->message.envelope.body_count && index + 2 < wire->frame_count);
    return &wire->frames[index + 2];
}

static int explain_send(int number) {
    switch (number) {
    case EAGAIN:
        return EDDA_E_AGAIN;
    case EHOSTUNREACH:
        return EDDA_E_UNAVAILABLE;
    case ENOMEM:
        return EDDA_E_MEMORY;
    default:
        return EDDA_E_UNAVAILABLE; /* ETERM, ENOTSOCK: the socket's life is over */
    }
}

static int send_frame(zmq_msg_t *frame, void *socket, bool more) {
    int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    int result;
    do {
        result = zmq_msg_send(frame, socket, flags);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? explain_send(errno) : 0;
}

void edda_wire_close_frames(zmq_msg_t *frames, size_t count) {
    for (size_t i = 0; i < count; i++) {
        zmq_msg_close(&frames[i]);
    }
}

/* Only the first frame can be refused for room: libzmq takes the rest of a message it has begun. A
 * frame that was sent is an empty one after it. */
int edda_wire_send_frames(void *socket, zmq_msg_t *frames, size_t count) {
    ORDER_RELEASE();
    for (size_t i = 0; i < count; i++) {
        int error = send_frame(&frames[i], socket, i + 1 < count);
        if (error) {
            return i == 0 ? error : EDDA_E_UNAVAILABLE;
        }
    }
    return 0;
}

/* Routing id, F0 and envelope. Returns how many frames were made, or an error and none. */
static int make_head(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                     const struct edda_message *message) {
    uint8_t first[EDDA_FRAME_BYTES];
    uint8_t bytes[EDDA_MAX_ENVELOPE_BYTES + 1];
    /* On the stack and as large as it may get, so it never grows: no allocation per message. */
    struct edda_buffer envelope = {
        .data = bytes, .capacity = sizeof bytes - 1, .maximum = sizeof bytes - 1};
    int error = edda_message_encode(message, first, &envelope);
    if (error) {
        return error;
    }
    int count = 0;
    if (routing_id && zmq_msg_init_size(&frames[count], routing_id_size) == 0) {
        memcpy(zmq_msg_data(&frames[count++]), routing_id, routing_id_size);
    }
    if (zmq_msg_init_size(&frames[count], EDDA_FRAME_BYTES) == 0) {
        memcpy(zmq_msg_data(&frames[count++]), first, EDDA_FRAME_BYTES);
    }
    if (zmq_msg_init_size(&frames[count], envelope.size) == 0) {
        memcpy(zmq_msg_data(&frames[count++]), envelope.data, envelope.size);
    }
    if (count != (routing_id ? 3 : 2)) {
        edda_wire_close_frames(frames, (size_t)count);
        return EDDA_E_MEMORY;
    }
    return count;
}

int edda_wire_make(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                   const struct edda_message *message, zmq_msg_t *const *bodies, size_t count) {
    EDDA_ASSERT(count <= EDDA_MAX_BODIES && count == message->envelope.body_count);
    int made = make_head(frames, routing_id, routing_id_size, message);
    for (size_t i = 0; made > 0 && i < count; i++) {
        zmq_msg_init(&frames[made]);
        if (bodies[i]) {
            zmq_msg_copy(&frames[made], bodies[i]);
        }
        made++;
    }
    return made;
}

int edda_wire_make_bytes(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                         const struct edda_message *message, const struct edda_bytes *bodies,
                         size_t count) {
    EDDA_ASSERT(count <= EDDA_MAX_BODIES && count == message->envelope.body_count);
    int made = make_head(frames, routing_id, routing_id_size, message);
    for (size_t i = 0; made > 0 && i < count; i++) {
        if (zmq_msg_init_size(&frames[made], bodies[i].size) != 0) {
            edda_wire_close_frames(frames, (size_t)made);
            return EDDA_E_MEMORY;
        }
        if (bodies[i].size) {
            memcpy(zmq_msg_data(&frames[made]), bodies[i].data, bodies[i].size);
        }
        made++;
    }
    return made;
}

int edda_wire_make_session(zmq_msg_t *frames, const uint8_t *routing_id, size_t routing_id_size,
                           uint8_t command, const struct edda_uuid *id, uint16_t type,
                           const void *record) {
    struct edda_message message = {.command = command};
    struct edda_bytes body = {NULL, 0};
    uint8_t bytes[SESSION_BODY_BYTES];
    struct edda_buffer buffer = {
        .data = bytes, .capacity = sizeof bytes - 1, .maximum = sizeof bytes - 1};
    if (id) {
        message.envelope.id = *id;
    }
    if (type != 0) {
        int error = edda_body_encode(type, record, &buffer);
        if (error) {
            return error;
        }
        body = edda_buffer_bytes(&buffer);
        message.envelope.body_count = 1;
        message.envelope.bodies[0] = (struct edda_body_descriptor){
            .type = type,
            .version = edda_body_schema(type)->version,
            .bytes = (uint32_t)body.size,
        };
    }
    return edda_wire_make_bytes(frames, routing_id, routing_id_size, &message, &body,
                                type != 0 ? 1 : 0);
}
