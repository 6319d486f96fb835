/* tests/fuzz/fuzz_envelope.c: F1: what is decoded can be encoded, and is then a fixed point. */
#include "tests/fuzz/fuzz.h"

#include "proto/envelope.h"

/* Seen to fail when edda_walk() does not look what is left (tests/fault/guards/52b.patch). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct edda_envelope envelope;
    if (edda_envelope_decode((struct edda_bytes){data, size}, &envelope) != 0) {
        return 0;
    }
    struct edda_buffer first;
    struct edda_buffer second;
    edda_buffer_init(&first, EDDA_MAX_ENVELOPE_BYTES);
    edda_buffer_init(&second, EDDA_MAX_ENVELOPE_BYTES);
    EDDA_ASSERT(edda_envelope_encode(&envelope, &first) == 0);
    EDDA_ASSERT(edda_envelope_decode(edda_buffer_bytes(&first), &envelope) == 0);
    EDDA_ASSERT(edda_envelope_encode(&envelope, &second) == 0);
    EDDA_ASSERT(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    edda_buffer_done(&second);
    edda_buffer_done(&first);
    return 0;
}
