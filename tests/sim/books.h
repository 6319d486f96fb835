/* tests/sim/books.h: what brokers, workers and clients have written down, compared with each other
 * and written to the log. */
#ifndef EDDA_TESTS_SIM_BOOKS_H
#define EDDA_TESTS_SIM_BOOKS_H

#include "proto/types.h"
#include "tests/sim/world.h"

/* The counters of a broker's life, as a line. */
void sim_books_balance(struct sim_node *broker);

/* Queued and running ones. */
size_t sim_books_requests(const struct sim_node *broker);

/* Every invariant of a broker's core, and its memory against its caps. */
void sim_books_check(struct sim_node *broker);

/* When nothing is open: all credit is back, on both sides of every session. */
void sim_books_close(void);

/* Messages that were sent are messages that were read or lost. */
void sim_books_moved(void);

/* ---- one side of a session, for the other to compare; broker is an index ---- */

struct sim_worker_side {
    struct edda_uuid node;
    bool live;
    uint64_t granted;
    uint64_t finished;
    uint64_t finished_bytes;
    uint32_t orphans;
    uint32_t wanted; /* its window as it is set now */
};

struct sim_client_side {
    struct edda_uuid node;
    bool live;
    size_t open_calls;
};

struct sim_worker_side sim_worker_side(const struct sim_node *node, size_t broker);
struct sim_client_side sim_client_side(const struct sim_node *node, size_t broker);

/* False when it never heard of credit for this service there. */
bool sim_client_credit(const struct sim_node *node, size_t broker, const char *service,
                       uint64_t *ret_granted, uint64_t *ret_sent);

#endif
