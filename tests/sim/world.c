/* tests/sim/world.c: time, chance, and the log. */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdlib.h>

#define LINE_BYTES 1024

struct sim_world *sim;

/* ---- time ---- */

void sim_at(struct edda_timer *timer, int64_t at_us) {
    edda_timers_set(&sim->timers, timer, at_us > sim->now_us ? at_us : sim->now_us);
}

void sim_cancel(struct edda_timer *timer) {
    edda_timers_cancel(&sim->timers, timer);
}

bool sim_step(void) {
    struct edda_timer *timer = edda_timers_take(&sim->timers, SIM_NEVER - 1);
    if (!timer) {
        return false;
    }
    EDDA_ASSERT(timer->at_ms >= sim->now_us);
    sim->now_us = timer->at_ms;
    timer->fire(timer->context);
    return true;
}

/* Time passes within a turn too, for its own node alone. */
static int64_t node_now_us(const struct sim_node *node) {
    return sim->now_us + (sim->running == node ? node->spent_us : 0);
}

/* What a clock shows that time after the world's beginning. */
static int64_t drifted_us(const struct sim_node *node, int64_t world_us) {
    return node->clock_us + world_us + world_us * node->drift_ppm / 1000000;
}

int64_t sim_local_us(const struct sim_node *node) {
    return drifted_us(node, node_now_us(node));
}

int64_t sim_wall_ms(const struct sim_node *node) {
    return INT64_C(1700000000000) + node->wall_ms + node_now_us(node) / 1000;
}

int64_t sim_world_us(const struct sim_node *node, int64_t local_us) {
    int64_t at_us = (local_us - node->clock_us) * 1000000 / (1000000 + node->drift_ppm);
    while (drifted_us(node, at_us) < local_us) {
        at_us++;
    }
    return at_us;
}

/* ---- chance ---- */

size_t sim_below(enum sim_dice dice, size_t bound) {
    return random_below(&sim->dice[dice], bound);
}

int64_t sim_between(enum sim_dice dice, int64_t low, int64_t high) {
    return low + (int64_t)sim_below(dice, (size_t)(high - low + 1));
}

bool sim_chance(enum sim_dice dice, uint32_t per_mille) {
    return per_mille > 0 && sim_below(dice, 1000) < per_mille;
}

int64_t sim_around(enum sim_dice dice, int64_t mean_us) {
    int64_t time_us = sim_between(dice, mean_us / 4, mean_us * 3 / 2);
    return sim_chance(dice, 20) ? time_us * 10 : time_us;
}

static const char *const fault_names[] = {
#define SIM_FAULT(name, text, what) text,
#include "tests/sim/fault.def"
#undef SIM_FAULT
};

bool sim_is_broken(enum sim_break broken, uint32_t per_mille) {
    return sim->broken == broken && sim_chance(SIM_DICE_RARE, per_mille);
}

const char *sim_fault_name(enum sim_fault fault) {
    return fault_names[fault];
}

bool sim_has(enum sim_fault fault) {
    return sim->faulty && (sim->plan.faults >> fault & 1);
}

/* ---- the log ---- */

static void mix_hash(const char *line, size_t size) {
    for (size_t i = 0; i < size; i++) {
        sim->hash = (sim->hash ^ (uint8_t)line[i]) * UINT64_C(1099511628211);
    }
}

static size_t write_line(char line[LINE_BYTES], const char *node, const char *event,
                         const char *format, va_list arguments) {
    int head = snprintf(line, LINE_BYTES, "%lld %s %s ", (long long)sim->now_us, node, event);
    EDDA_ASSERT(head > 0 && head < LINE_BYTES / 2);
    int body = vsnprintf(line + head, LINE_BYTES - (size_t)head, format, arguments);
    EDDA_ASSERT(body >= 0);
    size_t size = (size_t)head + (size_t)body;
    return size < LINE_BYTES ? size : LINE_BYTES - 1;
}

void sim_event(const char *node, const char *event, const char *format, ...) {
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t size = write_line(line, node, event, format, arguments);
    va_end(arguments);
    mix_hash(line, size);
    checker_line(sim->checker, line, size);
    if (sim->trace) {
        fprintf(sim->trace, "%s\n", line);
    }
}

void sim_trace(const char *node, const char *format, ...) {
    if (!sim->trace) {
        return;
    }
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)write_line(line, node, "#", format, arguments);
    va_end(arguments);
    fprintf(sim->trace, "%s\n", line);
}
