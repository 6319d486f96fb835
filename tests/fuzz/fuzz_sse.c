/* tests/fuzz/fuzz_sse.c: a stream in one piece, in pieces of any size, and read the slow and
 * obvious way, gives the same events. The first bytes choose: where to stop, where to cut. */
#include <stdlib.h>

#include "actors/provider/sse.h"
#include "tests/fuzz/fuzz.h"
#include "tests/proto/random.h"

struct hearing {
    struct edda_buffer log; /* events, each text behind its size */
    size_t stop_after;      /* events; 0: never */
    size_t count;
};

static void note_text(struct edda_buffer *log, struct edda_text text) {
    EDDA_ASSERT(text.data);
    (void)edda_buffer_append(log, &text.size, sizeof text.size);
    EDDA_ASSERT(edda_buffer_append(log, text.data, text.size) == 0);
}

static int note_event(void *context, struct edda_text event, struct edda_text data) {
    struct hearing *hearing = context;
    note_text(&hearing->log, event);
    note_text(&hearing->log, data);
    return ++hearing->count == hearing->stop_after ? 7 : 0;
}

/* By the reader; most: bytes of a piece. */
static int read_pieces(struct edda_bytes stream, size_t most, struct random *random,
                       struct hearing *hearing) {
    struct edda_event_reader reader;
    int stop = 0;
    edda_event_reader_init(&reader, note_event, hearing);
    for (size_t at = 0; at < stream.size && !stop;) {
        size_t left = stream.size - at;
        size_t size = 1 + random_below(random, most);
        size = size < left ? size : left;
        uint8_t *piece = fuzz_copy(stream.data + at, size);
        stop = edda_event_reader_feed(&reader, (struct edda_bytes){piece, size});
        free(piece);
        at += size;
    }
    edda_event_reader_done(&reader);
    return stop;
}

/* ---- the same by the letter of the standard, with the whole stream at hand ---- */

struct plain {
    struct hearing *hearing;
    char name[64];
    size_t name_size;
    struct edda_buffer data; /* a line break behind each line */
};

static int dispatch(struct plain *plain) {
    int stop = 0;
    if (plain->data.size > 0) {
        stop = note_event(plain->hearing,
                          plain->name_size ? (struct edda_text){plain->name, plain->name_size}
                                           : EDDA_TEXT("message"),
                          (struct edda_text){(const char *)plain->data.data, plain->data.size - 1});
    }
    plain->name_size = 0;
    edda_buffer_reset(&plain->data);
    return stop;
}

static bool is_field(struct edda_text line, const char *name, struct edda_text *ret_value) {
    size_t size = strlen(name);
    *ret_value = EDDA_TEXT("");
    if (edda_text_is(line, name)) {
        return true;
    }
    if (line.size <= size || memcmp(line.data, name, size) != 0 || line.data[size] != ':') {
        return false;
    }
    size += line.size > size + 1 && line.data[size + 1] == ' ' ? 2 : 1;
    *ret_value = (struct edda_text){line.data + size, line.size - size};
    return true;
}

static int take_plain_line(struct plain *plain, struct edda_text line) {
    struct edda_text value;
    if (line.size == 0) {
        return dispatch(plain);
    }
    if (is_field(line, "data", &value)) {
        (void)edda_buffer_append(&plain->data, value.data, value.size);
        (void)edda_buffer_append(&plain->data, "\n", 1);
    } else if (is_field(line, "event", &value)) {
        plain->name_size = value.size < sizeof plain->name ? value.size : sizeof plain->name;
        memcpy(plain->name, value.data, plain->name_size);
    }
    return 0;
}

static int read_plainly(struct edda_bytes stream, struct hearing *hearing) {
    struct plain plain = {.hearing = hearing};
    const char *at = (const char *)stream.data;
    const char *end = at + stream.size;
    int stop = 0;
    edda_buffer_init(&plain.data, EDDA_SSE_DATA);
    if (stream.size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        at += 3;
    }
    while (at < end && !stop) {
        const char *from = at;
        while (at < end && *at != '\n' && *at != '\r') {
            at++;
        }
        if (at == end) {
            break;
        }
        stop = take_plain_line(&plain, (struct edda_text){from, (size_t)(at - from)});
        at += end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : at < end ? 1 : 0;
    }
    edda_buffer_done(&plain.data);
    return stop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, data + size};
    size_t stop_after = (size_t)fuzz_take(&input, 1);
    struct random random = {fuzz_take(&input, 2)};
    struct edda_bytes stream = {input.at, (size_t)(input.end - input.at)};
    struct hearing heard[3];
    int stopped[3];
    for (size_t i = 0; i < 3; i++) {
        heard[i] = (struct hearing){.stop_after = stop_after};
        edda_buffer_init(&heard[i].log, (size_t)64 << 20);
    }
    stopped[0] = read_plainly(stream, &heard[0]);
    stopped[1] = read_pieces(stream, SIZE_MAX / 2, &random, &heard[1]);
    stopped[2] = read_pieces(stream, 1 + random_below(&random, 16), &random, &heard[2]);
    for (size_t i = 1; i < 3; i++) {
        EDDA_ASSERT(stopped[i] == stopped[0] && heard[i].count == heard[0].count);
        EDDA_ASSERT(heard[i].log.size == heard[0].log.size);
        EDDA_ASSERT(heard[0].log.size == 0 ||
                    memcmp(heard[i].log.data, heard[0].log.data, heard[0].log.size) == 0);
    }
    for (size_t i = 0; i < 3; i++) {
        edda_buffer_done(&heard[i].log);
    }
    return 0;
}
