/* ops/eval/statistics.h: how sure a figure is: bootstrap intervals, a paired randomisation test,
 * percentiles.
 *
 * Random numbers come from a seed alone, so the same values give the same answers on any machine.
 * Pure. */
#ifndef EDDA_OPS_EVAL_STATISTICS_H
#define EDDA_OPS_EVAL_STATISTICS_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_BOOTSTRAP_ROUNDS    1000
#define EDDA_RANDOMISATION_FLIPS 10000

/* xorshift64*: never 0 inside. Source: Vigna, An experimental exploration of Marsaglia's xorshift
 * generators, scrambled. */
struct edda_random {
    uint64_t state;
};

struct edda_random edda_random_seeded(uint64_t seed);
uint64_t edda_random_next(struct edda_random *random);

/* 0..below - 1, for a small below > 0. */
size_t edda_random_below(struct edda_random *random, size_t below);

/* 0..1, 1 not included. */
double edda_random_share(struct edda_random *random);

double edda_mean(const double *values, size_t count);

/* Sorts values; the smallest one that a share (0..1) of them does not exceed; 0 for none. */
double edda_percentile(double *values, size_t count, double share);

struct edda_interval {
    double low;
    double high;
};

/* The middle 95 % of the means of EDDA_BOOTSTRAP_ROUNDS samples drawn with replacement. */
struct edda_interval edda_bootstrap(const double *values, size_t count, uint64_t seed);

/* Two-sided p of the mean of differences being this far from 0 by chance: the share of
 * EDDA_RANDOMISATION_FLIPS random assignments of signs (the one seen counted in) that come as far.
 * 1 without values. */
double edda_randomisation(const double *differences, size_t count, uint64_t seed);

#endif
