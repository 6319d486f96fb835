/* tests/fuzz/fuzz.h: what a fuzzer of ours is made of.
 *
 * A fuzzer is one file fuzz_x.c with the function below, one line edda_fuzz(fuzz_x ...) in
 * CMakeLists.txt, and a folder corpus/fuzz_x of small inputs. It runs in two ways: under ctest as
 * replay_fuzz_x with any compiler, and with -DEDDA_FUZZ=ON and clang as libFuzzer's fuzz_x. An
 * input that once broke something is committed to the corpus. */
#ifndef EDDA_TESTS_FUZZ_FUZZ_H
#define EDDA_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "proto/types.h"

/* One input; the bytes are the caller's. Returns 0. What must hold is said with EDDA_ASSERT; what
 * must not be read or leaked is found by the sanitizers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes bytes from the front of an input, for fuzzers that read it as a script. */
struct fuzz_input {
    const uint8_t *at;
    const uint8_t *end;
};

/* The next size bytes as a little-endian number; zeros once the input is over. */
static inline uint64_t fuzz_take(struct fuzz_input *input, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size && input->at < input->end; i++) {
        value |= (uint64_t)*input->at++ << (8 * i);
    }
    return value;
}

static inline bool fuzz_is_over(const struct fuzz_input *input) {
    return input->at == input->end;
}

/* A heap copy of exactly size bytes, so that the sanitizer sees a read of one byte more. The caller
 * frees it. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size) {
    uint8_t *copy = __builtin_malloc(size ? size : 1);
    EDDA_ASSERT(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

#endif
