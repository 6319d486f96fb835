/* broker/routes.h: connections' routing ids and the small numbers the core knows them by.
 *
 * A number is given at a connection's first message and freed by edda_routes_forget. Freed numbers
 * are reused; the generation tells an old use from a new one. */
#ifndef EDDA_BROKER_ROUTES_H
#define EDDA_BROKER_ROUTES_H

#include "broker/core.h"
#include "broker/table.h"

#define EDDA_ROUTE_BYTES 64

struct edda_route {
    uint8_t id[EDDA_ROUTE_BYTES];
    uint8_t id_size; /* 0: not in use */
    uint8_t port;    /* which of the broker's sockets */
    uint32_t hash;
    uint32_t generation;
};

struct edda_routes {
    struct edda_route items[EDDA_CORE_PEERS];
    uint32_t free_numbers[EDDA_CORE_PEERS];
    uint32_t free_count;
    struct edda_table table;
};

/* EDDA_E_MEMORY. */
int edda_routes_init(struct edda_routes *routes) EDDA_MUST_CHECK;
void edda_routes_done(struct edda_routes *routes);

/* The number of a connection, a new one at need. The core forgets all but EDDA_MAX_PEERS of them
 * within a step, so there always is one. size is 1..EDDA_ROUTE_BYTES. */
uint32_t edda_routes_number(struct edda_routes *routes, uint8_t port, const uint8_t *id,
                            size_t size);

/* NULL when the number is not in use. */
const struct edda_route *edda_routes_find(const struct edda_routes *routes, uint32_t number);

void edda_routes_forget(struct edda_routes *routes, uint32_t number);

#endif
