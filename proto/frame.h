/* proto/frame.h: F0, the fixed eight bytes that begin every message.
 *
 *   byte  0    1    2      3        4..5             6..7
 *        'E'  'D'  major  command  flags (LE u16)   reserved, zero
 *
 * Nothing else of a message is looked at before F0 has been accepted. */
#ifndef EDDA_PROTO_FRAME_H
#define EDDA_PROTO_FRAME_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_FRAME_BYTES 8

struct edda_frame {
    uint8_t major;
    uint8_t command; /* enum edda_command */
    uint16_t flags;  /* none defined in major 1: receivers ignore unknown bits */
};

/* The eight bytes: the signature, then what frame says. */
void edda_frame_encode(const struct edda_frame *frame, uint8_t ret_bytes[EDDA_FRAME_BYTES]);

/* EDDA_E_MALFORMED: not 8 bytes, wrong signature, unknown command, reserved bytes not zero.
 * EDDA_E_VERSION: signature right, major not ours. */
int edda_frame_decode(struct edda_bytes bytes, struct edda_frame *ret_frame) EDDA_MUST_CHECK;

#endif
