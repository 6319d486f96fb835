/* tests/sim/office.h: the people outside: what each wants, and what they were told.
 *
 * An author wants a memo taken and asks with the same key, at any gateway, until that is answered;
 * then perhaps wants it deleted. The others ask once. */
#ifndef EDDA_TESTS_SIM_OFFICE_H
#define EDDA_TESTS_SIM_OFFICE_H

#include "actors/runtime/client.h"
#include "tests/sim/world.h"

#define SIM_PARTS 3

enum sim_want {
    SIM_WANT_ACCEPT,
    SIM_WANT_DELETE,
    SIM_WANT_SEARCH,
    SIM_WANT_CHAT,
    SIM_WANT_LOOK,
    SIM_WANT_NOTHING,
};

struct sim_asker {
    enum sim_want want;
    size_t number;
    struct edda_timer next; /* asks, or asks again */
    bool asks;              /* at a gateway now */
    /* authors */
    bool poison;
    bool deletes;
    uint32_t parts;
    uint32_t chunks[SIM_PARTS];
    struct edda_uuid memo; /* as it was accepted */
    bool seen;             /* processed: it must stay so */
    /* lookers */
    struct sim_asker *author;
};

struct sim_office {
    struct sim_asker *askers;
    size_t count;
    size_t open; /* that still want something */
};

struct sim_office *sim_office_new(void);
void sim_office_free(struct sim_office **self_p);

/* The one end of asking at a gateway. reply is NULL when the gateway is gone or goes: nobody
 * answered. */
void sim_office_told(struct sim_asker *asker, const struct edda_reply *reply, uint32_t parts);

/* The asker changed its mind. */
void sim_office_withdrawn(struct sim_asker *asker);

/* Asks at a gateway that is up. */
void sim_gateway_ask(struct sim_node *node, struct sim_asker *asker);

#endif
