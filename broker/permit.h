/* broker/permit.h: what one peer may do: the decisions about roles, stages and operations.
 *
 * A peer that comes over inproc, ipc or plain tcp has edda_permit_local: the operating system has
 * decided who reaches those. One that comes over CURVE has what the authorized file says of its
 * public key, looked up anew for every message. Whoever has no permit may do nothing.
 *
 *   role in the file   may join as      and there
 *   gateway            client gateway   ask for the operations op.def gives to GATEWAY
 *   store              client pump      ask for those of PUMP
 *                      worker           offer the service store
 *   cli                client cli       ask for everything
 *   worker:NAME        worker           offer the service NAME
 *   worker:*           worker           offer every service but the store
 *
 * Pure. */
#ifndef EDDA_BROKER_PERMIT_H
#define EDDA_BROKER_PERMIT_H

#include "proto/types.h"

#define EDDA_PERMIT_GATEWAY 1u
#define EDDA_PERMIT_STORE   2u
#define EDDA_PERMIT_CLI     4u
#define EDDA_PERMIT_STAGES  8u  /* worker:* */
#define EDDA_PERMIT_LOCAL   16u /* everything */

struct edda_permit {
    uint64_t identity; /* of the key, the same for its whole life in this broker; 0: local */
    unsigned roles;    /* EDDA_PERMIT_ bits */
    struct edda_text name;
    const struct edda_text *services; /* of worker:NAME */
    size_t service_count;
};

extern const struct edda_permit edda_permit_local;

/* Of a key that is not authorized, or not any more. */
extern const struct edda_permit edda_permit_none;

/* Whether the peer may be a client ("gateway", "pump", "cli") or a "worker" of something. */
bool edda_permit_joins(const struct edda_permit *permit, struct edda_text role);

/* Whether a worker may offer this service. */
bool edda_permit_offers(const struct edda_permit *permit, struct edda_text service);

/* Whether a client that joined as `role` may ask for an operation. */
bool edda_permit_asks(const struct edda_permit *permit, struct edda_text role, struct edda_text op);

#endif
