/* tests/provider/counters.h: what came, what was sent, and the last requests word for word. */
#ifndef EDDA_TESTS_PROVIDER_COUNTERS_H
#define EDDA_TESTS_PROVIDER_COUNTERS_H

#include "tests/provider/request.h"

#define FAKE_RECORDED 100
#define FAKE_BATCHES  1000
#define FAKE_PATHS    1000

struct fake_kind_counters {
    int64_t requests;
    int64_t open;
    int64_t most_open;
    int64_t failed;                 /* answered with another status than 200 */
    int64_t cancelled;              /* the client left before the response was complete */
    int64_t items;                  /* texts or documents, of requests answered with 200 */
    int64_t tokens;                 /* sent, of chats */
    uint32_t batches[FAKE_BATCHES]; /* items of each request, refused ones too: a ring */
    int64_t batch_count;
};

struct fake_record {
    char method[16];
    struct edda_buffer target;
    struct edda_buffer headers; /* name NUL value NUL ... in order */
    struct edda_buffer body;
};

struct fake_counters {
    struct fake_kind_counters kinds[FAKE_KINDS];
    json_t *paths; /* requests by path, without the query; reference */
    int64_t connections;
    int64_t connections_open; /* not reset */
    int64_t open;
    int64_t most_open;
    int64_t last_cancelled_us; /* CLOCK_MONOTONIC when the last client's leaving was seen */
    int64_t bytes_in;          /* of bodies */
    int64_t bytes_out;         /* of bodies, as handed to the socket's library */
    struct fake_record records[FAKE_RECORDED];
    int64_t record_count;
};

void fake_counters_init(struct fake_counters *counters);
void fake_counters_done(struct fake_counters *counters);

/* Everything to zero but what is open. */
void fake_counters_reset(struct fake_counters *counters);

void fake_counters_begin(struct fake_counters *counters, enum fake_kind kind);
void fake_counters_end(struct fake_counters *counters, enum fake_kind kind, int64_t bytes,
                       int64_t tokens);
void fake_counters_request(struct fake_counters *counters, const struct fake_request *request);

/* The slot of the next record, empty; its memory is used again. */
struct fake_record *fake_counters_record(struct fake_counters *counters);

/* JSON for /control. */
void fake_counters_write(const struct fake_counters *counters, struct edda_buffer *out);
void fake_counters_write_records(const struct fake_counters *counters, int64_t last,
                                 struct edda_buffer *out);

#endif
