/* tests/fuzz/fuzz_body.c: two bytes choose the type; decode, encode, decode gives the same record.
 */
#include "tests/fuzz/fuzz.h"

#include "proto/limits.h"
#include "tests/proto/records.h"

#define ARENA_BYTES (16u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, data + size};
    uint16_t type = (uint16_t)fuzz_take(&input, 2);
    struct edda_bytes body = {input.at, (size_t)(input.end - input.at)};
    struct edda_arena arena;
    union any_record record;
    union any_record again;
    edda_arena_init(&arena, ARENA_BYTES);
    if (edda_body_decode(type, body, &arena, &record) == 0) {
        const struct edda_schema *schema = edda_body_schema(type);
        struct edda_buffer buffer;
        edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
        EDDA_ASSERT(edda_body_encode(type, &record, &buffer) == 0);
        EDDA_ASSERT(edda_body_decode(type, edda_buffer_bytes(&buffer), &arena, &again) == 0);
        EDDA_ASSERT(record_equal(schema, &record, &again));
        edda_buffer_done(&buffer);
    }
    edda_arena_done(&arena);
    return 0;
}
