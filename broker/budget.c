/* broker/budget.c: tokens are counted in the unit that one step earns. */
#include "broker/budget.h"

#define TOKEN EDDA_BUDGET_SHARE
#define FLOOR ((uint32_t)EDDA_BUDGET_FLOOR * TOKEN)
#define MOST  ((uint32_t)EDDA_BUDGET_TOKENS * TOKEN)

void edda_budget_init(struct edda_budget *self, int64_t now_ms) {
    *self = (struct edda_budget){.tenths = FLOOR, .at_ms = now_ms};
}

void edda_budget_earn(struct edda_budget *self) {
    if (self->tenths < MOST) {
        self->tenths++;
    }
}

static void pay_time(struct edda_budget *self, int64_t now_ms) {
    int64_t tokens = (now_ms - self->at_ms) / EDDA_BUDGET_TOKEN_MS;
    self->at_ms += tokens * EDDA_BUDGET_TOKEN_MS;
    if (self->tenths < FLOOR) {
        uint32_t missing = FLOOR - self->tenths;
        self->tenths += tokens < EDDA_BUDGET_FLOOR && (uint32_t)tokens * TOKEN < missing
                            ? (uint32_t)tokens * TOKEN
                            : missing;
    }
}

bool edda_budget_spend(struct edda_budget *self, int64_t now_ms) {
    pay_time(self, now_ms);
    if (self->tenths < TOKEN) {
        return false;
    }
    self->tenths -= TOKEN;
    return true;
}
