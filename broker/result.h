/* broker/result.h: what workers say about the steps they were sent. */
#ifndef EDDA_BROKER_RESULT_H
#define EDDA_BROKER_RESULT_H

#include "broker/state.h"

/* DONE, FAIL, RETURN, PART, PROGRESS. Results of another worker or attempt are counted late. */
void edda_result_receive(struct edda_core *core, struct edda_peer *worker,
                         const struct edda_event *event);

/* The WORK never left: whatever becomes of the worker, this step did not do it. worker may be NULL.
 */
void edda_result_unsent(struct edda_core *core, const struct edda_peer *worker,
                        const struct edda_envelope *work);

#endif
