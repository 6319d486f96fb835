/* proto/frame.c: F0 to bytes and back. */
#include "proto/frame.h"

#include "proto/command.h"
#include "proto/limits.h"

void edda_frame_encode(const struct edda_frame *frame, uint8_t ret_bytes[EDDA_FRAME_BYTES]) {
    ret_bytes[0] = 'E';
    ret_bytes[1] = 'D';
    ret_bytes[2] = frame->major;
    ret_bytes[3] = frame->command;
    ret_bytes[4] = (uint8_t)(frame->flags & 0xff);
    ret_bytes[5] = (uint8_t)(frame->flags >> 8);
    ret_bytes[6] = 0;
    ret_bytes[7] = 0;
}

int edda_frame_decode(struct edda_bytes bytes, struct edda_frame *ret_frame) {
    const uint8_t *data = bytes.data;
    if (bytes.size != EDDA_FRAME_BYTES || data[0] != 'E' || data[1] != 'D') {
        return EDDA_E_MALFORMED;
    }
    /* Before the rest: another major may give other meanings to the bytes that follow. */
    if (data[2] != EDDA_PROTOCOL_MAJOR) {
        return EDDA_E_VERSION;
    }
    if (data[6] != 0 || data[7] != 0 || !edda_command_allowed(data[3], ~0u)) {
        return EDDA_E_MALFORMED;
    }
    ret_frame->major = data[2];
    ret_frame->command = data[3];
    ret_frame->flags = (uint16_t)(data[4] | data[5] << 8);
    return 0;
}
