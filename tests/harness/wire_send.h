/* tests/harness/wire_send.h: a message made and sent in one, for peers of tests. The product's go
 * through an outbox (actors/runtime/outbox.h). */
#ifndef EDDA_TESTS_WIRE_SEND_H
#define EDDA_TESTS_WIRE_SEND_H

#include "actors/runtime/wire.h"

/* Errors of edda_wire_make and edda_wire_send_frames; nothing is left to close. */
int wire_send(void *socket, const uint8_t *routing_id, size_t routing_id_size,
              const struct edda_message *message, zmq_msg_t *const *bodies,
              size_t count) EDDA_MUST_CHECK;
int wire_send_bytes(void *socket, const uint8_t *routing_id, size_t routing_id_size,
                    const struct edda_message *message, const struct edda_bytes *bodies,
                    size_t count) EDDA_MUST_CHECK;
int wire_send_session(void *socket, const uint8_t *routing_id, size_t routing_id_size,
                      uint8_t command, const struct edda_uuid *id, uint16_t type,
                      const void *record) EDDA_MUST_CHECK;

#endif
