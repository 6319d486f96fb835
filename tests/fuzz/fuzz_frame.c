/* tests/fuzz/fuzz_frame.c: F0: what is accepted is written back as it was. */
#include "tests/fuzz/fuzz.h"

#include "proto/frame.h"

/* Seen to fail when edda_frame_decode() takes a byte that must be zero
 * (tests/fault/guards/52.patch). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct edda_frame frame;
    uint8_t again[EDDA_FRAME_BYTES];
    if (edda_frame_decode((struct edda_bytes){data, size}, &frame) == 0) {
        edda_frame_encode(&frame, again);
        EDDA_ASSERT(size == sizeof(again) && memcmp(data, again, size) == 0);
    }
    return 0;
}
