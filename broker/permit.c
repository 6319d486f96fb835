/* broker/permit.c: the table of permit.h as three questions. */
#include "broker/permit.h"

#include "proto/op.h"

const struct edda_permit edda_permit_local = {.roles = EDDA_PERMIT_LOCAL};
const struct edda_permit edda_permit_none = {.identity = UINT64_MAX};

static const struct {
    const char *role;
    unsigned permit;
    unsigned asks; /* EDDA_ASKED_BY_ bit; 0: everything */
} clients[] = {
    {"gateway", EDDA_PERMIT_GATEWAY, EDDA_ASKED_BY_GATEWAY},
    {"pump", EDDA_PERMIT_STORE, EDDA_ASKED_BY_PUMP},
    {"cli", EDDA_PERMIT_CLI, 0},
};

#define CLIENT_ROLES (sizeof clients / sizeof clients[0])

bool edda_permit_joins(const struct edda_permit *permit, struct edda_text role) {
    unsigned wanted = 0;
    for (size_t i = 0; i < CLIENT_ROLES; i++) {
        if (edda_text_is(role, clients[i].role)) {
            wanted = clients[i].permit;
        }
    }
    bool worker = edda_text_is(role, "worker");
    if (permit->roles & EDDA_PERMIT_LOCAL) {
        return worker || wanted != 0;
    }
    return worker ? permit->service_count > 0 ||
                        (permit->roles & (EDDA_PERMIT_STORE | EDDA_PERMIT_STAGES)) != 0
                  : (permit->roles & wanted) != 0;
}

bool edda_permit_offers(const struct edda_permit *permit, struct edda_text service) {
    bool store = edda_text_is(service, "store");
    unsigned all = store ? EDDA_PERMIT_STORE : EDDA_PERMIT_STAGES;
    if (permit->roles & (EDDA_PERMIT_LOCAL | all)) {
        return true;
    }
    for (size_t i = 0; i < permit->service_count; i++) {
        if (edda_text_equal(permit->services[i], service)) {
            return true;
        }
    }
    return false;
}

bool edda_permit_asks(const struct edda_permit *permit, struct edda_text role,
                      struct edda_text op) {
    if (permit->roles & EDDA_PERMIT_LOCAL) {
        return true;
    }
    const struct edda_op *known = edda_op_find(op);
    for (size_t i = 0; i < CLIENT_ROLES; i++) {
        if (edda_text_is(role, clients[i].role) && (permit->roles & clients[i].permit)) {
            return clients[i].asks == 0 || (known && (known->askers & clients[i].asks));
        }
    }
    return false;
}
