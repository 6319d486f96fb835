/* actors/provider/sse.h: bytes into lines, lines into server-sent events.
 *
 *   bytes -> lines (LF, CRLF or CR; a byte order mark at the very beginning is passed over)
 *         -> fields data, event, id, retry and comments, joined to events at each blank line
 *
 * A stream may be cut anywhere, in the middle of a character too: what is not complete waits, and
 * is dropped with the reader, as the standard says. Pure; zero-initialised by init. Limits:
 * EDDA_SSE_LINE bytes a line, EDDA_SSE_DATA an event's data; 64 bytes of an event's name, the rest
 * is not looked at. Bytes are not checked to be UTF-8. Source:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6. */
#ifndef EDDA_ACTORS_PROVIDER_SSE_H
#define EDDA_ACTORS_PROVIDER_SSE_H

#include "proto/buffer.h"
#include "proto/types.h"

#define EDDA_SSE_LINE ((size_t)1024 * 1024)
#define EDDA_SSE_DATA ((size_t)1024 * 1024)

/* event: "message" when the stream names none. data: the joined lines; borrowed for the call. Not 0
 * stops the feeding. */
typedef int (*edda_event_fn)(void *context, struct edda_text event, struct edda_text data);

struct edda_event_reader {
    struct edda_buffer line;
    struct edda_buffer data;
    char event[64];
    size_t event_size;
    bool has_data;
    bool begun;    /* past a byte order mark */
    bool after_cr; /* an LF now belongs to the line that just ended */
    edda_event_fn on_event;
    void *context;
};

void edda_event_reader_init(struct edda_event_reader *reader, edda_event_fn on_event,
                            void *context);
void edda_event_reader_done(struct edda_event_reader *reader);

/* EDDA_E_LIMIT, EDDA_E_MEMORY: the stream cannot be read on. What on_event returned, when not 0. */
int edda_event_reader_feed(struct edda_event_reader *reader,
                           struct edda_bytes bytes) EDDA_MUST_CHECK;

#endif
