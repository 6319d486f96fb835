/* broker/service.h: services by name, the ops that map to them, and who offers them.
 *
 * Services and ops are never forgotten: both are few, and their names outlive every request. */
#ifndef EDDA_BROKER_SERVICE_H
#define EDDA_BROKER_SERVICE_H

#include "broker/state.h"

/* EDDA_E_MEMORY; teardown takes what is half built. */
int edda_service_setup(struct edda_core *core) EDDA_MUST_CHECK;
void edda_service_teardown(struct edda_core *core);

/* NULL when no worker ever offered it. */
struct edda_service *edda_service_find(struct edda_core *core, struct edda_text name);

/* The entry of an op; its service is looked up again while it has none. NULL when it is not known
 * (make: and EDDA_CORE_OPS are). */
struct edda_op_entry *edda_service_op(struct edda_core *core, struct edda_text op, bool make);

/* Who does an op, or NULL. A broker that has just started has not heard of its workers yet: the
 * service of an op of proto/op.h is one whose workers were there until then. */
struct edda_service *edda_service_of(struct edda_core *core, struct edda_text op);

/* Makes a live worker one of a service's, making the service if needed. EDDA_E_LIMIT: too many
 * services. */
int edda_service_join(struct edda_core *core, struct edda_peer *worker,
                      const struct edda_hello_service *offer) EDDA_MUST_CHECK;

/* Takes a worker out of all its services. Call edda_service_drain first if it was LIVE. */
void edda_service_leave(struct edda_core *core, struct edda_peer *worker);

/* The worker takes no new work: it no longer counts as ready anywhere. */
void edda_service_drain(struct edda_core *core, struct edda_peer *worker);

/* Nobody offers it, and its last worker has been away, or the broker been there, for as long as a
 * silent peer would be waited for (liveness x ping): until then it counts as being started again,
 * and requests wait for it. */
bool edda_service_is_gone(const struct edda_core *core, const struct edda_service *service);

/* Something changed: dispatch for these services at the end of the step. */
void edda_service_touch(struct edda_core *core, const struct edda_service *service);
void edda_service_touch_all_of(struct edda_core *core, const struct edda_peer *worker);

/* Keeps a worker empty for the service's queued solo job, and stops doing so. */
void edda_service_hold(struct edda_core *core, struct edda_service *service,
                       struct edda_peer *worker);
void edda_service_unhold(struct edda_core *core, struct edda_service *service);

/* A step of the service took this long. */
void edda_service_observe(struct edda_service *service, struct edda_peer *worker,
                          int64_t elapsed_ms);

/* Estimated wait of what is queued now, and of what goes before a newcomer of this band. */
uint32_t edda_service_wait_ms(const struct edda_service *service);
uint32_t edda_service_wait_of(const struct edda_service *service, uint8_t band);

/* Once a second or so: remembers counts for the rate. */
void edda_service_mark(struct edda_core *core);

#endif
