/* tests/sim/clock.c: the clocks, randomness, log and rare branches of the node whose code runs. */
#include "actors/runtime/clock.h"

#include <stdarg.h>

#include "actors/runtime/log.h"
#include "proto/buggify.h"
#include "proto/uuid.h"
#include "tests/sim/world.h"

#define RARE_PLACES 4 /* one in so many places is rare in a run */
#define RARE_CHANCE 150

int64_t edda_clock_us(void) {
    EDDA_ASSERT(sim->running);
    sim->running->spent_us += 1;
    return sim_local_us(sim->running);
}

int64_t edda_clock_ms(void) {
    return edda_clock_us() / 1000;
}

int64_t edda_clock_wall_ms(void) {
    EDDA_ASSERT(sim->running);
    return sim_wall_ms(sim->running);
}

struct edda_uuid edda_uuid_new(void) {
    uint8_t bytes[10];
    random_bytes(&sim->dice[SIM_DICE_CODE], bytes, sizeof(bytes));
    return edda_uuid_v7(edda_clock_wall_ms(), bytes);
}

uint32_t edda_random32(void) {
    return (uint32_t)(random_next(&sim->dice[SIM_DICE_CODE]) >> 32);
}

void edda_log_setup(enum edda_log_level level, bool json) {
    (void)level;
    (void)json;
}

void edda_log(enum edda_log_level level, const char *event, const char *format, ...) {
    if (!sim->trace) {
        return;
    }
    char text[512];
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    sim_trace(sim->running ? sim->running->name : "-", "log %s %s", event, text);
}

/* Each place is rare in some runs and never taken in the others, so that the rare branches of a run
 * do not hide each other. */
bool edda_buggify(const char *place) {
    if (!sim_has(SIM_FAULT_RARE)) {
        return false;
    }
    uint64_t hash = sim->seed * UINT64_C(0x9e3779b97f4a7c15);
    for (const char *at = place; *at; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    if ((hash >> 40) % RARE_PLACES != 0 || !sim_chance(SIM_DICE_RARE, RARE_CHANCE)) {
        return false;
    }
    sim->counts.faults[SIM_FAULT_RARE]++;
    sim_trace(sim->running ? sim->running->name : "-", "rare %s", place);
    return true;
}
