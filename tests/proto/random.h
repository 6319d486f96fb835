/* tests/proto/random.h: a seeded source of numbers, the same on every machine (splitmix64). */
#ifndef EDDA_TESTS_PROTO_RANDOM_H
#define EDDA_TESTS_PROTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state; /* the seed at first */
};

static inline uint64_t random_next(struct random *random) {
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* 0..bound-1; 0 for bound 0. */
static inline size_t random_below(struct random *random, size_t bound) {
    return bound ? (size_t)(random_next(random) % bound) : 0;
}

static inline void random_bytes(struct random *random, uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(random_next(random) >> 32);
    }
}

#endif
