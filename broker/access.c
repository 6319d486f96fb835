/* broker/access.c: a permit against a HELLO, a session, a route. */
#include "broker/access.h"

#include "broker/emit.h"
#include "broker/peers.h"

struct edda_text edda_access_role(struct edda_text role, enum edda_side side) {
    static const struct edda_text clients[] = {{"gateway", 7}, {"pump", 4}, {"cli", 3}};
    static const struct edda_text worker = {"worker", 6};
    if (side == EDDA_SIDE_BACK) {
        return edda_text_equal(role, worker) ? worker : (struct edda_text){0};
    }
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        if (edda_text_equal(role, clients[i])) {
            return clients[i];
        }
    }
    return (struct edda_text){0};
}

/* On either side, and while its requests are remembered. */
static bool is_of_another(const struct edda_core *core, const struct edda_uuid *node,
                          uint64_t identity) {
    for (uint32_t i = 0; i < core->peer_high; i++) {
        const struct edda_peer *peer = core->peers[i];
        if (peer && edda_uuid_equal(&peer->node, node) && peer->identity != identity) {
            return true;
        }
    }
    for (uint32_t i = 0; i < core->client_high; i++) {
        const struct edda_client *client = &core->clients[i];
        if (client->used && edda_uuid_equal(&client->node, node) && client->identity != identity) {
            return true;
        }
    }
    return false;
}

static bool has_its_sessions(const struct edda_core *core, uint64_t identity) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->peer_high; i++) {
        count += core->peers[i] && core->peers[i]->identity == identity;
    }
    return count >= EDDA_MAX_PEERS_PER_KEY;
}

int edda_access_admits(const struct edda_core *core, const struct edda_permit *permit,
                       const struct edda_hello *hello) {
    bool worker = edda_text_is(hello->role, "worker");
    bool allowed = edda_permit_joins(permit, hello->role);
    if (permit->identity == edda_permit_none.identity) {
        return EDDA_E_DENIED;
    }
    for (size_t i = 0; worker && i < hello->services.count; i++) {
        allowed = allowed && edda_permit_offers(permit, hello->services.items[i].name);
    }
    if (!allowed) {
        return EDDA_E_ROLE;
    }
    if (is_of_another(core, &hello->node, permit->identity)) {
        return EDDA_E_DENIED;
    }
    bool local = permit->identity == edda_permit_local.identity;
    return !local && has_its_sessions(core, permit->identity) ? EDDA_E_BUSY : 0;
}

bool edda_access_keeps(const struct edda_peer *peer, const struct edda_permit *permit) {
    if (permit->roles & EDDA_PERMIT_LOCAL) {
        return true;
    }
    bool allowed = edda_permit_joins(permit, peer->role);
    for (uint32_t i = 0; i < peer->service_count; i++) {
        allowed = allowed && edda_permit_offers(permit, edda_text_of(peer->services[i]->name));
    }
    return allowed;
}

bool edda_access_asks(const struct edda_peer *peer, const struct edda_permit *permit,
                      const struct edda_envelope *envelope, uint8_t *ret_step) {
    for (uint8_t i = 0; i < envelope->route_count; i++) {
        if (!edda_permit_asks(permit, peer->role, envelope->route[i].op)) {
            *ret_step = i;
            return false;
        }
    }
    return true;
}

void edda_access_review(struct edda_core *core, const edda_authorized_t *authorized) {
    for (uint32_t i = 0; i < core->peer_high; i++) {
        struct edda_peer *peer = core->peers[i];
        if (!peer || peer->identity == edda_permit_local.identity) {
            continue;
        }
        if (!edda_access_keeps(peer, edda_authorized_find_identity(authorized, peer->identity))) {
            edda_peers_gone(core, peer, EDDA_LOSS_ORDERLY, EDDA_E_DENIED, EDDA_E_DENIED);
        }
    }
}
