/* ops/eval/statistics.c: see statistics.h. */
#include "ops/eval/statistics.h"

#include <math.h>
#include <stdlib.h>

#define ROUNDING 1e-12 /* sums of the same numbers in another order are equal */

struct edda_random edda_random_seeded(uint64_t seed) {
    /* One step of splitmix64, so that seeds that differ little give streams that differ much. */
    uint64_t mixed = seed + UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    mixed ^= mixed >> 31;
    return (struct edda_random){mixed ? mixed : 1};
}

uint64_t edda_random_next(struct edda_random *random) {
    uint64_t x = random->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

size_t edda_random_below(struct edda_random *random, size_t below) {
    return (size_t)((edda_random_next(random) >> 32) * (uint64_t)below >> 32);
}

double edda_random_share(struct edda_random *random) {
    return (double)(edda_random_next(random) >> 11) * 0x1p-53;
}

double edda_mean(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count > 0 ? sum / (double)count : 0;
}

static int compare_values(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

double edda_percentile(double *values, size_t count, double share) {
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare_values);
    size_t place = (size_t)ceil(share * (double)count);
    return values[place == 0 ? 0 : place > count ? count - 1 : place - 1];
}

struct edda_interval edda_bootstrap(const double *values, size_t count, uint64_t seed) {
    struct edda_random random = edda_random_seeded(seed);
    double means[EDDA_BOOTSTRAP_ROUNDS];
    for (size_t round = 0; round < EDDA_BOOTSTRAP_ROUNDS; round++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += values[edda_random_below(&random, count)];
        means[round] = count > 0 ? sum / (double)count : 0;
    }
    struct edda_interval interval = {.low = edda_percentile(means, EDDA_BOOTSTRAP_ROUNDS, 0.025)};
    interval.high = edda_percentile(means, EDDA_BOOTSTRAP_ROUNDS, 0.975);
    return interval;
}

double edda_randomisation(const double *differences, size_t count, uint64_t seed) {
    struct edda_random random = edda_random_seeded(seed);
    double seen = fabs(edda_mean(differences, count)) * (double)count;
    size_t as_far = 1;
    for (size_t flip = 0; flip < EDDA_RANDOMISATION_FLIPS; flip++) {
        double sum = 0;
        uint64_t signs = 0;
        for (size_t i = 0; i < count; i++) {
            signs = i % 64 == 0 ? edda_random_next(&random) : signs >> 1;
            sum += signs & 1 ? differences[i] : -differences[i];
        }
        as_far += fabs(sum) >= seen - ROUNDING;
    }
    return (double)as_far / (EDDA_RANDOMISATION_FLIPS + 1);
}
