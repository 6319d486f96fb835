/* actors/runtime/outbox.c: frames in one array, messages in another, both emptied from the front.
 *
 * Indexes go back to 0 when all is sent, so a flush that sends all, which is every one of a ROUTER,
 * finds room without a ring; a blocked DEALER takes nothing until its outbox is empty again. */
#include "actors/runtime/outbox.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "proto/buggify.h"

struct kept {
    uint64_t tag;
    uint8_t frame_count;
};

struct edda_outbox_slots {
    size_t first; /* message */
    size_t first_frame;
    size_t end_frame;
    struct kept messages[EDDA_OUTBOX_MESSAGES];
    zmq_msg_t frames[EDDA_OUTBOX_FRAMES]; /* first_frame..end_frame are initialised */
};

static void flush_deferred(void *context) {
    struct edda_outbox *outbox = context;
    edda_outbox_flush(outbox);
    if (outbox->after) {
        outbox->after(outbox->context);
    }
}

int edda_outbox_open(struct edda_outbox *outbox, edda_loop_t *loop, void *socket,
                     edda_outbox_refused_fn refused, edda_task_fn after, void *context) {
    EDDA_ASSERT(!outbox->socket && !outbox->slots);
    *outbox = (struct edda_outbox){.loop = loop,
                                   .deferred = {.fire = flush_deferred, .context = outbox},
                                   .refused = refused,
                                   .after = after,
                                   .context = context};
    outbox->slots = malloc(sizeof *outbox->slots);
    if (!outbox->slots) {
        return EDDA_E_MEMORY;
    }
    outbox->slots->first = outbox->slots->first_frame = outbox->slots->end_frame = 0;
    outbox->socket = socket;
    return 0;
}

size_t edda_outbox_close(struct edda_outbox *outbox, bool send) {
    if (!outbox->socket) {
        return 0;
    }
    if (send) {
        edda_outbox_flush(outbox);
    }
    struct edda_outbox_slots *slots = outbox->slots;
    size_t dropped = outbox->count;
    edda_wire_close_frames(&slots->frames[slots->first_frame],
                           slots->end_frame - slots->first_frame);
    edda_deferred_cancel(&outbox->deferred);
    free(slots);
    *outbox = (struct edda_outbox){0};
    return dropped;
}

/* Whether the message is dealt with: sent, or refused for good. */
static bool send_kept(struct edda_outbox *outbox, const struct kept *message) {
    struct edda_outbox_slots *slots = outbox->slots;
    zmq_msg_t *frames = &slots->frames[slots->first_frame];
    int error = edda_wire_send_frames(outbox->socket, frames, message->frame_count);
    if (error == EDDA_E_AGAIN && !outbox->refused) {
        return false;
    }
    if (error) {
        if (outbox->refused) {
            outbox->refused(outbox->context, message->tag, error, frames, message->frame_count);
        } else {
            edda_metric_add(EDDA_METRIC_DROPPED, "unsent", 1);
        }
        edda_wire_close_frames(frames, message->frame_count);
    }
    return true;
}

void edda_outbox_flush(struct edda_outbox *outbox) {
    if (outbox->count == 0) {
        return;
    }
    struct edda_outbox_slots *slots = outbox->slots;
    outbox->blocked = false;
    while (outbox->count > 0) {
        const struct kept *message = &slots->messages[slots->first];
        if (!send_kept(outbox, message)) {
            outbox->blocked = true;
            return;
        }
        slots->first++;
        slots->first_frame += message->frame_count;
        outbox->count--;
    }
    slots->first = slots->first_frame = slots->end_frame = 0;
    outbox->flushed_us = edda_clock_us();
}

zmq_msg_t *edda_outbox_room(struct edda_outbox *outbox) {
    if (outbox->blocked) {
        edda_outbox_flush(outbox);
    }
    if (!outbox->socket || outbox->blocked) {
        return NULL;
    }
    return &outbox->slots->frames[outbox->slots->end_frame];
}

/* Whether the callback that runs now, or the last flush in it, began too long ago. */
static bool is_late(const struct edda_outbox *outbox) {
    int64_t since_us = edda_loop_stamp_us(outbox->loop);
    if (since_us == 0) {
        return true; /* no loop runs that would flush soon */
    }
    since_us = outbox->flushed_us > since_us ? outbox->flushed_us : since_us;
    return edda_clock_us() - since_us >= EDDA_OUTBOX_HOLD_US;
}

void edda_outbox_add(struct edda_outbox *outbox, size_t count, uint64_t tag) {
    struct edda_outbox_slots *slots = outbox->slots;
    EDDA_ASSERT(!outbox->blocked && count > 0 && count <= EDDA_MAX_SEND_FRAMES);
    slots->messages[slots->first + outbox->count] =
        (struct kept){.tag = tag, .frame_count = (uint8_t)count};
    slots->end_frame += count;
    outbox->count++;
    /* A flush empties an outbox or blocks it: in both cases the next message finds its room. */
    if (slots->first + outbox->count == EDDA_OUTBOX_MESSAGES ||
        slots->end_frame + EDDA_MAX_SEND_FRAMES > EDDA_OUTBOX_FRAMES || is_late(outbox) ||
        EDDA_BUGGIFY("outbox_early")) {
        edda_outbox_flush(outbox);
    } else {
        edda_loop_defer(outbox->loop, &outbox->deferred);
    }
}
