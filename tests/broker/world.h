/* tests/broker/world.h: a small world around the core: clients, workers, and everything that can
 * happen to them, chosen by a source of numbers (a seed, or a fuzzer's input).
 *
 * Workers grant, work, fail, return, stream, repeat themselves, hang, die and come back; clients
 * ask, repeat, cancel, vanish and come back, sending again what was not answered. Messages from
 * peers may be lost only with their connection, as in ZeroMQ. What must hold is checked as it
 * happens: a worker is never sent more than it granted; a client that keeps to its credit is never
 * refused for it; no more terminal replies than requests sent; no WORK for an answered request; and
 * after every 64th event all of edda_core_check. world_settle then lets everything end, and checks
 * that every request of a client that stayed has its reply. */
#ifndef EDDA_TESTS_BROKER_WORLD_H
#define EDDA_TESTS_BROKER_WORLD_H

#include "tests/broker/rig.h"

/* 0..bound-1. */
typedef size_t (*world_choose_fn)(void *context, size_t bound);

struct world;

struct world *world_new(world_choose_fn choose, void *context);
void world_free(struct world **self_p);

/* One thing happens. */
void world_step(struct world *self);

/* No more faults: time passes and workers work until nothing is open. */
void world_settle(struct world *self);

struct world_counts {
    size_t asked;
    size_t answered;
    size_t failed;
    size_t refused;
    size_t deaths;
    size_t resets;
};

struct world_counts world_counts(const struct world *self);

#endif
