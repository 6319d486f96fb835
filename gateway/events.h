/* gateway/events.h: an answer as server-sent events, at the pace of the client that reads them.
 *
 *   ": ping"  token...  (": ping" in silence)  ->  tail: references, error, done  ->  end
 *
 * Parts wait here as text and become events when the client has room for them. The worker may be at
 * most EDDA_EVENTS_PARTS parts and EDDA_EVENTS_BYTES ahead of the client: it is granted more as the
 * client takes them, so that a client that reads slowly slows the model down and holds no memory
 * but the answer as far as it has come, which a broken answer is saved from.
 *
 * Each event is one line of less than 64 KiB, the most that one of the SDKs reads: a part too large
 * for that becomes several tokens. Threads: the loop's.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6. */
#ifndef EDDA_GATEWAY_EVENTS_H
#define EDDA_GATEWAY_EVENTS_H

#include "gateway/visit.h"

#define EDDA_EVENTS_PARTS 16
#define EDDA_EVENTS_BYTES ((size_t)64 * 1024)
#define EDDA_EVENT_LINE   ((size_t)64 * 1024 - 1)

struct edda_waiting_part {
    size_t text; /* bytes of it that are no event yet */
    size_t body; /* bytes of credit it has cost */
};

struct edda_events {
    struct edda_visit *visit;
    struct edda_buffer text; /* the answer so far */
    size_t shown;            /* bytes of text that are events already */
    struct edda_waiting_part parts[EDDA_EVENTS_PARTS + 1]; /* a ring */
    size_t first;
    size_t count;
    struct edda_buffer out; /* being taken by the client */
    size_t out_taken;
    size_t out_parts; /* parts that end in out, and what they have cost */
    size_t out_bytes;
    struct edda_buffer tail; /* after all parts */
    size_t tail_moved;
    uint64_t taken_parts; /* by the client */
    uint64_t taken_bytes;
    uint64_t granted_parts;
    uint64_t granted_bytes;
    bool flowing; /* visit->call is the one whose parts these are */
    bool begun;
    bool ended;
    int64_t ping_ms;  /* the longest silence */
    int64_t given_ms; /* when the client took something last */
    struct edda_timer ping;
};

/* In zeroed memory of the visit's work. */
void edda_events_init(struct edda_events *events, struct edda_visit *visit, int64_t ping_ms);
void edda_events_done(struct edda_events *events);

/* Answers the visit: 200 and the first ": ping". Nothing when it has been answered. */
void edda_events_begin(struct edda_events *events);

/* A part of the call begun with the grants EDDA_EVENTS_PARTS and EDDA_EVENTS_BYTES. Text is copied;
 * body_bytes is what the message had. EDDA_E_LIMIT: more than was granted, or the answer is over
 * EDDA_MAX_ANSWER_BYTES. EDDA_E_MEMORY. */
int edda_events_part(struct edda_events *events, struct edda_text text,
                     size_t body_bytes) EDDA_MUST_CHECK;

/* Text of the answer that came in no part. Errors as above. */
int edda_events_rest(struct edda_events *events, struct edda_text text) EDDA_MUST_CHECK;

/* The answer so far, borrowed until more comes. */
struct edda_text edda_events_text(const struct edda_events *events);

/* Where to write the lines that follow all parts: each begun by edda_event_open, closed by
 * edda_event_close. */
struct edda_buffer *edda_events_tail(struct edda_events *events);
void edda_event_open(struct edda_buffer *out, const char *type);
void edda_event_close(struct edda_buffer *out);

/* The tail has grown; last: it is whole. */
void edda_events_flush(struct edda_events *events, bool last);

#endif
