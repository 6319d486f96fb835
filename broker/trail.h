/* broker/trail.h: what the loop leaves behind of notes and messages: lines in the log, and points
 * at which tests have it die. */
#ifndef EDDA_BROKER_TRAIL_H
#define EDDA_BROKER_TRAIL_H

#include "actors/runtime/log.h"
#include "broker/core.h"
#include "proto/command.h"
#include "proto/fault_point.h"

/* As "broker.received.REQ store.accept": a route is named by its first op. */
static inline void pass_point(const char *what, const struct edda_message *message) {
    const struct edda_envelope *envelope = &message->envelope;
    struct edda_text op = envelope->route_count > 0 ? envelope->route[0].op : envelope->op;
    EDDA_FAULT_POINT("broker.%s.%s%s%.*s", what, edda_command_name(message->command),
                     op.size > 0 ? " " : "", (int)op.size, op.size > 0 ? op.data : "");
}

static inline void write_note(const struct edda_note *note) {
    edda_log(note->reason ? EDDA_LOG_WARNING : EDDA_LOG_INFO, note->event,
             "name=\"%.*s\" count=%llu reason=%s", (int)note->name.size,
             note->name.data ? note->name.data : "", (unsigned long long)note->count,
             note->reason ? note->reason : "-");
}

#endif
