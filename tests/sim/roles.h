/* tests/sim/roles.h: what the nodes are. */
#ifndef EDDA_TESTS_SIM_ROLES_H
#define EDDA_TESTS_SIM_ROLES_H

#include "actors/runtime/actor.h"
#include "tests/sim/world.h"

/* Of the plan's brokers, by number. */
extern const char *const sim_urls[SIM_BROKERS];

extern const struct sim_role sim_role_broker;
extern const struct sim_role sim_role_gateway;
extern const struct sim_role sim_role_store;
extern const struct sim_role sim_role_chunker;
extern const struct sim_role sim_role_embedder;
extern const struct sim_role sim_role_reranker;
extern const struct sim_role sim_role_llm;

/* Its provider is away, or back: it grants nothing, or as before. */
void sim_worker_outage(struct sim_node *node, bool away);

#endif
