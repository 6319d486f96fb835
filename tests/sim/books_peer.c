/* tests/sim/books_peer.c: workers' and clients' side of the books, from actor_state.h and
 * client_state.h. */
#include "actors/runtime/actor_state.h"
#include "actors/runtime/client_state.h"
#include "tests/sim/books.h"

struct sim_worker_side sim_worker_side(const struct sim_node *node, size_t broker) {
    const struct edda_actor *actor = node->role->actor(node);
    const struct edda_actor_link *link = &actor->links[broker];
    return (struct sim_worker_side){
        .node = actor->hello.node,
        .live = edda_link_live(&link->link),
        .granted = link->granted,
        .finished = link->finished,
        .finished_bytes = link->finished_bytes,
        .orphans = link->orphans,
        .wanted = actor->wanted,
    };
}

struct sim_client_side sim_client_side(const struct sim_node *node, size_t broker) {
    const struct edda_client *client = node->role->client(node);
    return (struct sim_client_side){
        .node = client->hello.node,
        .live = edda_link_live(&client->brokers[broker].link),
        .open_calls = client->open_calls,
    };
}

bool sim_client_credit(const struct sim_node *node, size_t broker, const char *service,
                       uint64_t *ret_granted, uint64_t *ret_sent) {
    const struct edda_client *client = node->role->client(node);
    for (size_t i = 0; i < client->service_count; i++) {
        const struct edda_service_credit *credit = &client->brokers[broker].services[i];
        if (strcmp(client->services[i], service) == 0 && credit->known) {
            *ret_granted = credit->credit.granted_messages;
            *ret_sent = credit->credit.sent_messages;
            return true;
        }
    }
    return false;
}
