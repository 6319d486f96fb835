/* actors/runtime/outbox.h: whole messages of one socket, kept until the loop's turn allows and then
 * sent back to back.
 *
 *   make frames in edda_outbox_room, edda_outbox_add, ... --end of a phase of the turn--> the
 * socket
 *
 * A message that meets an empty pipe wakes its reader: two system calls here, three there and a
 * switch of threads. Messages sent back to back wake it once.
 *
 * Invariants: messages leave in the order they were added, all of them before the loop sleeps. One
 * is kept for at most EDDA_OUTBOX_HOLD_US of a callback's time: what comes from a callback that has
 * taken longer is sent at once, and outside a running loop everything is.
 *
 * States: closed, open, and blocked: the socket takes nothing now. A blocked outbox is full; it is
 * tried again whenever room is asked for, and by edda_outbox_flush when the owner hears that the
 * socket became writable. The outbox of a ROUTER never blocks: what one peer's pipe refuses is
 * dropped and told to `refused`, and the messages to other peers go on.
 *
 * Threads: the loop's. Limits: EDDA_OUTBOX_MESSAGES and EDDA_OUTBOX_FRAMES, which lie in one
 * allocation for the socket's life. */
#ifndef EDDA_RUNTIME_OUTBOX_H
#define EDDA_RUNTIME_OUTBOX_H

#include "actors/runtime/deferred.h"
#include "actors/runtime/wire.h"

#define EDDA_OUTBOX_MESSAGES 128
#define EDDA_OUTBOX_FRAMES   512
#define EDDA_OUTBOX_HOLD_US  200

/* error: EDDA_E_AGAIN (the peer's pipe is full) or EDDA_E_UNAVAILABLE (it is gone); tag as given
 * with the message, whose frames are whole and borrowed. May not add to the outbox. */
typedef void (*edda_outbox_refused_fn)(void *context, uint64_t tag, int error, zmq_msg_t *frames,
                                       size_t count);

struct edda_outbox_slots; /* owned */

struct edda_outbox {
    edda_loop_t *loop;
    void *socket; /* borrowed; NULL while closed */
    struct edda_outbox_slots *slots;
    size_t count;
    bool blocked;
    int64_t flushed_us;
    struct edda_deferred deferred;
    edda_outbox_refused_fn refused; /* NULL on a DEALER */
    edda_task_fn after;             /* NULL, or what follows a flush at the end of a phase */
    void *context;                  /* of both */
};

/* Opens a zero-initialised or closed outbox. It must not be moved while open. refused: NULL for a
 * DEALER. EDDA_E_MEMORY. */
int edda_outbox_open(struct edda_outbox *outbox, edda_loop_t *loop, void *socket,
                     edda_outbox_refused_fn refused, edda_task_fn after,
                     void *context) EDDA_MUST_CHECK;

/* Closes it, after a last flush when `send`; the socket itself stays. Returns how many messages
 * were dropped. Takes a closed outbox. */
size_t edda_outbox_close(struct edda_outbox *outbox, bool send);

/* Where EDDA_MAX_SEND_FRAMES frames of the next message can be made; nothing happens to the outbox
 * until edda_outbox_add. NULL while closed or blocked. */
zmq_msg_t *edda_outbox_room(struct edda_outbox *outbox);

/* The first count frames of the room last given are one message. */
void edda_outbox_add(struct edda_outbox *outbox, size_t count, uint64_t tag);

/* Sends what is kept, now. */
void edda_outbox_flush(struct edda_outbox *outbox);

#endif
