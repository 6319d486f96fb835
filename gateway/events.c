/* gateway/events.c: text in, lines out, credit back. */
#include "gateway/events.h"

#include "gateway/write.h"
#include "proto/limits.h"

#define PING          ": ping\n\n"
#define PIECE         ((size_t)8 * 1024) /* of text a line; six times as much when all is escaped */
#define MAX_TAIL      (4 * EDDA_EVENT_LINE)
#define MAX_RING      (EDDA_EVENTS_PARTS + 1)
#define STREAM_TYPE   "text/event-stream"
#define STREAM_CACHED "no-cache"

_Static_assert(6 * PIECE + 64 <= EDDA_EVENT_LINE, "an escaped piece fits a line");

static void set_ping(struct edda_events *events) {
    edda_loop_timer_set(events->visit->gateway->loop, &events->ping,
                        events->given_ms + events->ping_ms);
}

static bool is_empty(const struct edda_events *events) {
    return events->out_taken == events->out.size && events->count == 0 &&
           events->tail_moved == events->tail.size;
}

static void fire_ping(void *context) {
    struct edda_events *events = context;
    int64_t now_ms = edda_loop_now(events->visit->gateway->loop);
    if (events->ended) {
        return;
    }
    if (!is_empty(events)) {
        events->given_ms = now_ms; /* the client has enough to read */
    } else if (now_ms - events->given_ms >= events->ping_ms) {
        EDDA_WRITE(&events->out, PING);
        events->given_ms = now_ms;
        edda_exchange_wake(events->visit->exchange);
    }
    set_ping(events);
}

void edda_events_init(struct edda_events *events, struct edda_visit *visit, int64_t ping_ms) {
    *events = (struct edda_events){
        .visit = visit,
        .ping_ms = ping_ms,
        .granted_parts = EDDA_EVENTS_PARTS,
        .granted_bytes = EDDA_EVENTS_BYTES,
        .ping = {.fire = fire_ping, .context = events, .name = "chat_ping"},
    };
    edda_buffer_init(&events->text, EDDA_MAX_ANSWER_BYTES);
    edda_buffer_init(&events->out, MAX_TAIL);
    edda_buffer_init(&events->tail, MAX_TAIL);
}

void edda_events_done(struct edda_events *events) {
    if (events->visit) {
        edda_loop_timer_cancel(events->visit->gateway->loop, &events->ping);
    }
    edda_buffer_done(&events->text);
    edda_buffer_done(&events->out);
    edda_buffer_done(&events->tail);
}

/* Told in halves of the window: not a message for every part. */
static void grant_more(struct edda_events *events) {
    bool low = events->granted_parts - events->taken_parts <= EDDA_EVENTS_PARTS / 2 ||
               events->granted_bytes - events->taken_bytes <= EDDA_EVENTS_BYTES / 2;
    if (!low || !events->flowing || !events->visit->call) {
        return;
    }
    events->granted_parts = events->taken_parts + EDDA_EVENTS_PARTS;
    events->granted_bytes = events->taken_bytes + EDDA_EVENTS_BYTES;
    edda_client_grant(events->visit->gateway->client, events->visit->call, events->granted_parts,
                      events->granted_bytes);
}

/* How much of the text goes into one line, not cut within a character. */
static size_t measure_piece(const char *text, size_t size) {
    if (size <= PIECE) {
        return size;
    }
    size = PIECE;
    while (size > PIECE - 4 && ((unsigned char)text[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

void edda_event_open(struct edda_buffer *out, const char *type) {
    (void)edda_buffer_printf(out, "data: {\"type\":\"%s\"", type);
}

void edda_event_close(struct edda_buffer *out) {
    EDDA_WRITE(out, "}\n\n");
}

static void show_part(struct edda_events *events) {
    struct edda_waiting_part *part = &events->parts[events->first];
    const char *text = (const char *)events->text.data + events->shown;
    size_t size = measure_piece(text, part->text);
    if (size > 0) {
        edda_event_open(&events->out, "token");
        EDDA_WRITE(&events->out, ",\"content\":");
        edda_write_text(&events->out, (struct edda_text){text, size});
        edda_event_close(&events->out);
    }
    events->shown += size;
    part->text -= size;
    if (part->text == 0) {
        events->out_parts += part->body > 0;
        events->out_bytes += part->body;
        events->first = (events->first + 1) % MAX_RING;
        events->count--;
    }
}

/* The next line, or all that stands in the tail. False: there is nothing. */
static bool fill_out(struct edda_events *events) {
    edda_buffer_reset(&events->out);
    events->out_taken = 0;
    if (events->count > 0) {
        show_part(events);
        return true;
    }
    size_t left = events->tail.size - events->tail_moved;
    if (left > 0) {
        (void)edda_buffer_append(&events->out, events->tail.data + events->tail_moved, left);
        events->tail_moved = events->tail.size;
    }
    return left > 0;
}

static void settle_out(struct edda_events *events) {
    events->taken_parts += events->out_parts;
    events->taken_bytes += events->out_bytes;
    if (events->out_parts > 0) {
        events->out_parts = events->out_bytes = 0;
        grant_more(events);
    }
}

static int64_t pull(void *context, edda_exchange_t *exchange, char *data, size_t size) {
    struct edda_events *events = context;
    size_t given = 0;
    (void)exchange;
    while (given < size && !events->out.error && !events->tail.error) {
        size_t left = events->out.size - events->out_taken;
        if (left == 0) {
            settle_out(events);
            if (!fill_out(events)) {
                break;
            }
            continue;
        }
        size_t piece = left < size - given ? left : size - given;
        memcpy(data + given, events->out.data + events->out_taken, piece);
        events->out_taken += piece;
        given += piece;
    }
    if (events->out.error || events->tail.error) {
        return EDDA_HTTP_BROKEN;
    }
    if (given > 0) {
        events->given_ms = edda_loop_now(events->visit->gateway->loop);
        return (int64_t)given;
    }
    return events->ended ? EDDA_HTTP_END : 0;
}

void edda_events_begin(struct edda_events *events) {
    struct edda_http_response response = {
        .status = 200,
        .content_type = STREAM_TYPE,
        .cache_control = STREAM_CACHED,
        .live = true,
    };
    if (events->begun || edda_exchange_answered(events->visit->exchange)) {
        return;
    }
    events->begun = true;
    EDDA_WRITE(&events->out, PING);
    events->given_ms = edda_loop_now(events->visit->gateway->loop);
    set_ping(events);
    edda_exchange_stream(events->visit->exchange, &response, pull, events);
}

static int add_part(struct edda_events *events, struct edda_text text, size_t body_bytes) {
    if (text.size == 0 && body_bytes == 0) {
        return 0;
    }
    if (events->count == MAX_RING) {
        return EDDA_E_LIMIT;
    }
    int error = edda_buffer_append(&events->text, text.data, text.size);
    if (error) {
        return error;
    }
    size_t last = (events->first + events->count) % MAX_RING;
    events->parts[last] = (struct edda_waiting_part){text.size, body_bytes};
    events->count++;
    if (events->begun) {
        edda_exchange_wake(events->visit->exchange);
    }
    return 0;
}

int edda_events_part(struct edda_events *events, struct edda_text text, size_t body_bytes) {
    return events->count >= EDDA_EVENTS_PARTS ? EDDA_E_LIMIT : add_part(events, text, body_bytes);
}

int edda_events_rest(struct edda_events *events, struct edda_text text) {
    return add_part(events, text, 0);
}

struct edda_text edda_events_text(const struct edda_events *events) {
    return (struct edda_text){events->text.data ? (const char *)events->text.data : "",
                              events->text.size};
}

struct edda_buffer *edda_events_tail(struct edda_events *events) {
    return &events->tail;
}

void edda_events_flush(struct edda_events *events, bool last) {
    events->ended = events->ended || last;
    edda_exchange_wake(events->visit->exchange);
}
