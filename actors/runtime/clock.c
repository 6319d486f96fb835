/* actors/runtime/clock.c: vDSO clocks, and random bytes fetched from the kernel a page at a time.
 */
#include "actors/runtime/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "proto/uuid.h"

/* getrandom costs a system call; ids are made several times a request. */
#define RANDOM_BYTES 512

struct random_store {
    uint8_t bytes[RANDOM_BYTES];
    size_t left;
};

static _Thread_local struct random_store thread_random;

static int64_t read_us(clockid_t clock) {
    struct timespec now;
    EDDA_ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t edda_clock_us(void) {
    return read_us(CLOCK_MONOTONIC);
}

int64_t edda_clock_ms(void) {
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t edda_clock_wall_ms(void) {
    return read_us(CLOCK_REALTIME) / 1000;
}

static void refill_random(struct random_store *store) {
    size_t filled = 0;
    while (filled < RANDOM_BYTES) {
        ssize_t got = getrandom(store->bytes + filled, RANDOM_BYTES - filled, 0);
        EDDA_ASSERT(got > 0 || errno == EINTR);
        filled += got > 0 ? (size_t)got : 0;
    }
    store->left = RANDOM_BYTES;
}

/* Bytes handed out are wiped, so that a core dump does not tell the ids already given. */
static void take_random(uint8_t *out, size_t size) {
    struct random_store *store = &thread_random;
    if (store->left < size) {
        refill_random(store);
    }
    uint8_t *from = store->bytes + RANDOM_BYTES - store->left;
    memcpy(out, from, size);
    memset(from, 0, size);
    store->left -= size;
}

struct edda_uuid edda_uuid_new(void) {
    uint8_t random[10];
    take_random(random, sizeof random);
    return edda_uuid_v7(edda_clock_wall_ms(), random);
}

uint32_t edda_random32(void) {
    uint32_t value;
    take_random((uint8_t *)&value, sizeof value);
    return value;
}
