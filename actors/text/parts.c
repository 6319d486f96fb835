#include "actors/text/parts.h"

#include <stdlib.h>

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Whether a cut at `at` leaves an ideographic full stop, or a wide ! or ?, behind. */
static bool ends_wide_sentence(const char *data, size_t at) {
    return at >= 3 && (memcmp(data + at - 3, "\xE3\x80\x82", 3) == 0 ||
                       memcmp(data + at - 3, "\xEF\xBC\x81", 3) == 0 ||
                       memcmp(data + at - 3, "\xEF\xBC\x9F", 3) == 0);
}

/* How good a cut before data[at] is: 4 blank line, 3 line, 2 sentence, 1 space, 0 inside a word. */
static int rank_cut(const char *data, size_t at) {
    char last = data[at - 1];
    if (last == '\n') {
        size_t before = at - 1;
        if (before > 0 && data[before - 1] == '\r')
            before--;
        return before > 0 && data[before - 1] == '\n' ? 4 : 3;
    }
    if (ends_wide_sentence(data, at))
        return 2;
    if (!is_space(last) || is_space(data[at]))
        return 0;
    char mark = at >= 2 ? data[at - 2] : '\0';
    return mark == '.' || mark == '!' || mark == '?' ? 2 : 1;
}

size_t edda_parts_cut(struct edda_text text) {
    if (text.size <= EDDA_PART_BYTES)
        return text.size;
    size_t best = 0;
    int best_rank = 0;
    for (size_t at = EDDA_PART_BYTES; at >= EDDA_PART_BYTES / 2 && best_rank < 4; at--) {
        int rank = rank_cut(text.data, at);
        if (rank > best_rank) {
            best = at;
            best_rank = rank;
        }
    }
    if (best > 0)
        return best;
    size_t at = EDDA_PART_BYTES;
    while (at > EDDA_PART_BYTES - 4 && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at--;
    return ((unsigned char)text.data[at] & 0xC0) == 0x80 ? EDDA_PART_BYTES : at;
}

int edda_parts_init(struct edda_parts *parts, edda_parts_sink *sink, void *context) {
    *parts = (struct edda_parts){.sink = sink, .context = context};
    parts->pending = malloc(EDDA_PART_BYTES + 1);
    return parts->pending != NULL ? 0 : EDDA_E_MEMORY;
}

void edda_parts_done(struct edda_parts *parts) {
    free(parts->pending);
    parts->pending = NULL;
}

static int give_part(struct edda_parts *parts, size_t size) {
    int error = parts->sink(parts->context, (struct edda_text){parts->pending, size}, parts->number,
                            parts->first_byte);
    if (error != 0)
        return error;
    parts->number++;
    parts->first_byte += size;
    parts->pending_bytes -= size;
    memmove(parts->pending, parts->pending + size, parts->pending_bytes);
    return 0;
}

int edda_parts_feed(struct edda_parts *parts, struct edda_text bytes) {
    while (bytes.size > 0) {
        size_t room = EDDA_PART_BYTES + 1 - parts->pending_bytes;
        size_t taken = bytes.size < room ? bytes.size : room;
        memcpy(parts->pending + parts->pending_bytes, bytes.data, taken);
        parts->pending_bytes += taken;
        bytes.data += taken;
        bytes.size -= taken;
        if (parts->pending_bytes <= EDDA_PART_BYTES)
            return 0;
        int error = give_part(
            parts, edda_parts_cut((struct edda_text){parts->pending, parts->pending_bytes}));
        if (error != 0)
            return error;
    }
    return 0;
}

int edda_parts_finish(struct edda_parts *parts) {
    return parts->pending_bytes > 0 ? give_part(parts, parts->pending_bytes) : 0;
}
