/* broker/emit.h: the actions a step makes, one function per kind.
 *
 * A returned action is valid until the next call here; its message is zero but for the command. */
#ifndef EDDA_BROKER_EMIT_H
#define EDDA_BROKER_EMIT_H

#include "broker/state.h"

/* A message to a joined peer; stamps when it was sent to. */
struct edda_action *edda_emit_send(struct edda_core *core, struct edda_peer *peer, uint8_t command);

/* A session command whose body is action->record, for the caller to fill. */
struct edda_action *edda_emit_record(struct edda_core *core, struct edda_peer *peer,
                                     uint8_t command, uint16_t type);

/* Puts body into the message as its next one. Borrowed. */
void edda_emit_body(struct edda_action *action, const struct edda_body *body);

/* RESET with an error code, to a number that need not have joined. Counted. */
void edda_emit_reset(struct edda_core *core, uint32_t number, int code);

/* Gives the body's handle back to the loop and forgets it. */
void edda_emit_release(struct edda_core *core, struct edda_body *body);

void edda_emit_forget(struct edda_core *core, uint32_t number);

void edda_emit_drained(struct edda_core *core);

/* event is static; name lives until the next step; code 0: no reason. */
void edda_emit_note(struct edda_core *core, const char *event, struct edda_text name, int code,
                    uint64_t count);

#endif
