/* actors/store/actor.h: the store as a role: its backend, its service, its pump. */
#ifndef EDDA_ACTORS_STORE_ACTOR_H
#define EDDA_ACTORS_STORE_ACTOR_H

#include "actors/runtime/role.h"

/* Opens the store in the database of setting DATABASE, or without one in the directory of setting
 * DATA, offers service "store" and pumps its jobs. EDDA_E_CONFLICT: another process holds the
 * directory; EDDA_E_VERSION, EDDA_E_IO, EDDA_E_MEMORY; those of edda_postgres_open. */
int edda_store_main(edda_loop_t *loop, const struct edda_role *role);

#endif
