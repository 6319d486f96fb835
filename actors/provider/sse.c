/* actors/provider/sse.c: one pass over the bytes; only what is not complete is kept. */
#include "actors/provider/sse.h"

void edda_event_reader_init(struct edda_event_reader *reader, edda_event_fn on_event,
                            void *context) {
    *reader = (struct edda_event_reader){.on_event = on_event, .context = context};
    edda_buffer_init(&reader->line, EDDA_SSE_LINE);
    edda_buffer_init(&reader->data, EDDA_SSE_DATA);
}

void edda_event_reader_done(struct edda_event_reader *reader) {
    edda_buffer_done(&reader->line);
    edda_buffer_done(&reader->data);
}

static struct edda_text text_of(const struct edda_buffer *buffer) {
    return (struct edda_text){buffer->data ? (const char *)buffer->data : "", buffer->size};
}

/* A blank line: the event is complete. One without data is none. */
static int dispatch(struct edda_event_reader *reader) {
    struct edda_text event = {reader->event, reader->event_size};
    struct edda_text data = text_of(&reader->data);
    bool has_data = reader->has_data;
    int stop = 0;
    reader->event_size = 0;
    reader->has_data = false;
    if (has_data) {
        stop = reader->on_event(reader->context, event.size ? event : EDDA_TEXT("message"), data);
    }
    edda_buffer_reset(&reader->data);
    return stop;
}

static int take_field(struct edda_event_reader *reader, struct edda_text name,
                      struct edda_text value) {
    if (edda_text_is(name, "data")) {
        if (reader->has_data) {
            (void)edda_buffer_append(&reader->data, "\n", 1);
        }
        reader->has_data = true;
        return edda_buffer_append(&reader->data, value.data, value.size);
    }
    if (edda_text_is(name, "event")) {
        size_t room = sizeof reader->event;
        reader->event_size = value.size < room ? value.size : room;
        memcpy(reader->event, value.data, reader->event_size);
    }
    return 0; /* id and retry are for browsers; the rest is unknown */
}

static int take_fields(struct edda_event_reader *reader, struct edda_text line) {
    if (line.size == 0) {
        return dispatch(reader);
    }
    const char *colon = memchr(line.data, ':', line.size);
    if (!colon) {
        return take_field(reader, line, EDDA_TEXT(""));
    }
    struct edda_text name = {line.data, (size_t)(colon - line.data)};
    struct edda_text value = {colon + 1, line.size - name.size - 1};
    if (name.size == 0) {
        return 0; /* a comment */
    }
    if (value.size > 0 && value.data[0] == ' ') {
        value.data++;
        value.size--;
    }
    return take_field(reader, name, value);
}

static int take_line(struct edda_event_reader *reader, struct edda_text line) {
    static const char mark[] = "\xef\xbb\xbf";
    if (!reader->begun) {
        reader->begun = true;
        if (line.size >= 3 && memcmp(line.data, mark, 3) == 0) {
            line = (struct edda_text){line.data + 3, line.size - 3};
        }
    }
    return take_fields(reader, line);
}

/* The line ends here: what was kept of it, and these bytes. */
static int end_line(struct edda_event_reader *reader, struct edda_text rest) {
    struct edda_text line = rest;
    if (rest.size > EDDA_SSE_LINE) {
        return EDDA_E_LIMIT;
    }
    if (reader->line.size > 0) {
        int error = edda_buffer_append(&reader->line, rest.data, rest.size);
        if (error) {
            return error;
        }
        line = text_of(&reader->line);
    }
    int stop = take_line(reader, line);
    edda_buffer_reset(&reader->line);
    return stop;
}

static size_t find_line_end(const char *data, size_t size) {
    size_t at = 0;
    while (at < size && data[at] != '\n' && data[at] != '\r') {
        at++;
    }
    return at;
}

int edda_event_reader_feed(struct edda_event_reader *reader, struct edda_bytes bytes) {
    const char *data = (const char *)bytes.data;
    size_t at = 0;
    while (at < bytes.size) {
        if (reader->after_cr) {
            reader->after_cr = false;
            if (data[at] == '\n') {
                at++;
                continue;
            }
        }
        size_t length = find_line_end(data + at, bytes.size - at);
        if (at + length == bytes.size) {
            return edda_buffer_append(&reader->line, data + at, length);
        }
        reader->after_cr = data[at + length] == '\r';
        int stop = end_line(reader, (struct edda_text){data + at, length});
        if (stop) {
            return stop;
        }
        at += length + 1;
    }
    return 0;
}
