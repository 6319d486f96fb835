/* tests/fuzz/fuzz_terms.c: any bytes as a term vector: refused, or indexed, searched and removed.
 *
 * A vector that the reader takes must be one that the index takes, and one that is taken away must
 * leave no counts behind. */
#include "actors/store/index/index.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static bool reads(struct edda_bytes blob) {
    struct edda_terms_reader reader;
    uint32_t before = 0;
    size_t count = 0;
    int more = edda_terms_open(&reader, blob);
    if (more) {
        return false;
    }
    while ((more = edda_terms_next(&reader)) > 0) {
        EDDA_ASSERT(count == 0 || reader.hash > before);
        EDDA_ASSERT(reader.tf > 0 && reader.tf < 256);
        before = reader.hash;
        count++;
    }
    return more == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = fuzz_copy(data, size);
    edda_index_t *index = edda_index_new(NULL);
    struct edda_memo_attributes attributes = {0};
    struct edda_index_chunk chunk = {.terms = {copy, size}};
    EDDA_ASSERT(index);
    bool sound = reads(chunk.terms);
    for (uint64_t memo = 1; memo <= 3; memo++) {
        chunk.uuid.bytes[0] = (uint8_t)memo;
        EDDA_ASSERT((edda_index_add(index, memo, &chunk) == 0) == sound);
        EDDA_ASSERT(edda_index_publish(index, memo, &attributes, memo - 1) == 0);
    }
    EDDA_ASSERT(edda_index_chunks(index) == (sound ? 1 : 0));
    EDDA_ASSERT(edda_index_compact(index) == 0);
    edda_index_remove(index, 3);
    EDDA_ASSERT(edda_index_chunks(index) == 0 && edda_index_memos(index) == 0);
    edda_index_destroy(&index);
    free(copy);
    return 0;
}
