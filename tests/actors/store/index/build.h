/* tests/actors/store/index/build.h: small collections of random words, and an index built of them.
 */
#ifndef EDDA_TESTS_INDEX_BUILD_H
#define EDDA_TESTS_INDEX_BUILD_H

#include "actors/store/index/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BUILD_DIMENSION 32
#define BUILD_MODEL     EDDA_TEXT("test-32")

struct build_chunk {
    struct edda_uuid uuid;
    uint64_t memo;
    char title[64];
    char text[512];
    float vector[BUILD_DIMENSION];
};

struct build {
    uint64_t seed;
    edda_analyser_t *analyser;
    edda_index_scratch_t *scratch;
    struct edda_terms terms;
};

static inline uint32_t build_random(struct build *build, uint32_t below) {
    build->seed ^= build->seed << 13;
    build->seed ^= build->seed >> 7;
    build->seed ^= build->seed << 17;
    return (uint32_t)((build->seed >> 16) % below);
}

static inline void build_init(struct build *build, uint64_t seed) {
    *build = (struct build){.seed = seed * 2654435761u + 1};
    build->analyser = edda_analyser_new();
    build->scratch = edda_index_scratch_new(build->analyser);
    assert_non_null(build->scratch);
    assert_int_equal(edda_terms_init(&build->terms), 0);
}

static inline void build_done(struct build *build) {
    edda_terms_done(&build->terms);
    edda_index_scratch_destroy(&build->scratch);
    edda_analyser_destroy(&build->analyser);
}

/* A pronounceable word; small numbers are frequent ones. */
static inline void build_word(uint32_t number, char out[16]) {
    static const char *const parts[] = {"ba", "ker", "lom", "ti", "sur", "vane", "pod", "mil"};
    snprintf(out, 16, "%s%s%s", parts[number % 8], parts[number / 8 % 8], parts[number / 64 % 8]);
}

static inline void build_text(struct build *build, size_t words, char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < words; i++) {
        char word[16];
        uint32_t range = 1u << (1 + build_random(build, 9));
        build_word(build_random(build, range), word);
        used += (size_t)snprintf(out + used, size - used, "%s ", word);
    }
}

static inline struct build_chunk build_chunk(struct build *build, uint64_t memo) {
    struct build_chunk chunk = {.memo = memo};
    for (size_t i = 0; i < 16; i++) {
        chunk.uuid.bytes[i] = (uint8_t)build_random(build, 256);
    }
    build_text(build, 2, chunk.title, sizeof chunk.title);
    build_text(build, 3 + build_random(build, 25), chunk.text, sizeof chunk.text);
    for (size_t i = 0; i < BUILD_DIMENSION; i++) {
        chunk.vector[i] = (float)build_random(build, 2001) / 1000.0f - 1.0f;
    }
    return chunk;
}

static inline int build_add(struct build *build, edda_index_t *index,
                            const struct build_chunk *chunk) {
    int error = edda_terms_make(&build->terms, build->analyser, edda_text_of(chunk->title),
                                (struct edda_text){0}, edda_text_of(chunk->text));
    assert_int_equal(error, 0);
    for (size_t i = 0; i < build->terms.count; i++) {
        assert_int_equal(
            edda_index_put_term(index, build->terms.items[i].hash, build->terms.items[i].text), 0);
    }
    struct edda_index_chunk item = {
        .uuid = chunk->uuid,
        .terms = edda_buffer_bytes(&build->terms.vector),
        .model = BUILD_MODEL,
        .dimension = BUILD_DIMENSION,
        .vector = {(const uint8_t *)chunk->vector, sizeof chunk->vector},
    };
    return edda_index_add(index, chunk->memo, &item);
}

static inline void build_publish(edda_index_t *index, uint64_t memo, uint64_t replaces) {
    struct edda_memo_attributes attributes = {.title = EDDA_TEXT("a title")};
    assert_int_equal(edda_index_publish(index, memo, &attributes, replaces), 0);
}

static inline struct edda_index_result build_search_many(struct build *build, edda_index_t *index,
                                                         const char *text, const float *vector,
                                                         uint32_t limit) {
    struct edda_index_result result;
    struct edda_index_query query = {.text = edda_text_of(text), .limit = limit};
    if (vector) {
        query.model = BUILD_MODEL;
        query.dimension = BUILD_DIMENSION;
        query.vector =
            (struct edda_floats){(const uint8_t *)vector, BUILD_DIMENSION * sizeof *vector};
    }
    assert_int_equal(edda_index_search(index, build->scratch, &query, &result), 0);
    return result;
}

static inline struct edda_index_result build_search(struct build *build, edda_index_t *index,
                                                    const char *text, const float *vector) {
    return build_search_many(build, index, text, vector, 0);
}

#endif
