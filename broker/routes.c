/* broker/routes.c: an array of connections and a table over their routing ids. */
#include "broker/routes.h"

#define TABLE_CAPACITY 4096

_Static_assert(TABLE_CAPACITY >= 2 * EDDA_CORE_PEERS, "probes stay short");

int edda_routes_init(struct edda_routes *routes) {
    memset(routes, 0, sizeof(*routes));
    edda_table_init(&routes->table, TABLE_CAPACITY);
    /* Low numbers first: the core walks up to the highest it has seen. */
    for (uint32_t number = EDDA_CORE_PEERS; number > 0; number--) {
        routes->free_numbers[routes->free_count++] = number - 1;
    }
    return routes->table.entries ? 0 : EDDA_E_MEMORY;
}

void edda_routes_done(struct edda_routes *routes) {
    edda_table_done(&routes->table);
}

uint32_t edda_routes_number(struct edda_routes *routes, uint8_t port, const uint8_t *id,
                            size_t size) {
    EDDA_ASSERT(size > 0 && size <= EDDA_ROUTE_BYTES);
    uint32_t hash = edda_hash_bytes(id, size, port);
    uint32_t place = hash;
    uint32_t number;
    while ((number = edda_table_next(&routes->table, hash, &place)) != EDDA_TABLE_NONE) {
        const struct edda_route *route = &routes->items[number];
        if (route->port == port && route->id_size == size && memcmp(route->id, id, size) == 0) {
            return number;
        }
    }
    EDDA_ASSERT(routes->free_count > 0);
    number = routes->free_numbers[--routes->free_count];
    struct edda_route *route = &routes->items[number];
    memcpy(route->id, id, size);
    route->id_size = (uint8_t)size;
    route->port = port;
    route->hash = hash;
    route->generation++;
    edda_table_insert(&routes->table, hash, number);
    return number;
}

const struct edda_route *edda_routes_find(const struct edda_routes *routes, uint32_t number) {
    const struct edda_route *route = &routes->items[number];
    return route->id_size ? route : NULL;
}

void edda_routes_forget(struct edda_routes *routes, uint32_t number) {
    struct edda_route *route = &routes->items[number];
    EDDA_ASSERT(route->id_size > 0);
    edda_table_remove(&routes->table, route->hash, number);
    route->id_size = 0;
    routes->free_numbers[routes->free_count++] = number;
}
