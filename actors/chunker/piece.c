#include "actors/chunker/piece.h"

#include "actors/chunker/sentence.h"
#include "actors/text/text.h"

#include <stdlib.h>

#define CHARACTER_UNITS 2u

static bool is_within(uint32_t value, uint32_t first, uint32_t last) {
    return value >= first && value <= last;
}

/* Scripts whose tokenizers give about one token a character. */
static bool is_dense(uint32_t point) {
    return is_within(point, 0x0E00, 0x0EFF) || is_within(point, 0x1000, 0x109F) ||
           is_within(point, 0x1780, 0x17FF) || is_within(point, 0x2E80, 0x9FFF) ||
           is_within(point, 0xAC00, 0xD7A3) || is_within(point, 0xF900, 0xFAFF) ||
           is_within(point, 0xFF66, 0xFF9D) || is_within(point, 0x20000, 0x3FFFD);
}

/* Units of the code point at *at, which is moved behind it. */
static uint32_t weigh_next(const char **at, const char *end, bool *blank_before) {
    if ((unsigned char)**at < 0x80) {
        bool blank = edda_is_blank(*(*at)++);
        uint32_t units = blank && *blank_before ? 0 : CHARACTER_UNITS;
        *blank_before = blank;
        return units;
    }
    *blank_before = false;
    return is_dense(edda_text_next(at, end)) ? EDDA_UNITS_A_TOKEN : CHARACTER_UNITS;
}

uint32_t edda_pieces_units(struct edda_text text) {
    const char *at = text.data;
    const char *end = text.data + text.size;
    bool blank_before = false;
    uint32_t units = 0;
    while (at < end)
        units += weigh_next(&at, end, &blank_before);
    return units;
}

void edda_pieces_init(struct edda_pieces *pieces, struct edda_text text, struct edda_arena *arena,
                      uint32_t target_tokens) {
    *pieces = (struct edda_pieces){.text = text, .arena = arena};
    pieces->whole_units = target_tokens * EDDA_UNITS_A_TOKEN;
    pieces->broken_units = pieces->whole_units / 4;
}

void edda_pieces_done(struct edda_pieces *pieces) {
    free(pieces->items);
    free(pieces->paths);
    *pieces = (struct edda_pieces){.error = 0};
}

/* Room for one more; false, with the error noted, when memory is short. */
static bool grow(struct edda_pieces *pieces, void **list, size_t count, size_t *capacity,
                 size_t item_bytes) {
    if (count < *capacity)
        return true;
    size_t larger = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(*list, larger * item_bytes);
    if (grown == NULL) {
        pieces->error = EDDA_E_MEMORY;
        return false;
    }
    *list = grown;
    *capacity = larger;
    return true;
}

void edda_pieces_path(struct edda_pieces *pieces, struct edda_text path) {
    void *list = pieces->paths;
    if (pieces->error != 0 ||
        !grow(pieces, &list, pieces->path_count, &pieces->path_capacity, sizeof *pieces->paths))
        return;
    pieces->paths = list;
    struct edda_text copy = {NULL, 0};
    if (path.size > 0 && (copy = edda_arena_text(pieces->arena, path)).data == NULL) {
        pieces->error = EDDA_E_MEMORY;
        return;
    }
    pieces->paths[pieces->path_count++] = copy;
}

static void add_one(struct edda_pieces *pieces, size_t start, size_t end, uint32_t units,
                    enum edda_rank rank) {
    void *list = pieces->items;
    if (pieces->error != 0 ||
        !grow(pieces, &list, pieces->count, &pieces->capacity, sizeof *pieces->items))
        return;
    pieces->items = list;
    EDDA_ASSERT(pieces->path_count > 0);
    pieces->items[pieces->count++] = (struct edda_piece){
        .start = (uint32_t)start,
        .end = (uint32_t)end,
        .units = units + CHARACTER_UNITS,
        .path = (uint32_t)(pieces->path_count - 1),
        .rank = (uint8_t)rank,
    };
}

static bool trim_range(struct edda_text text, size_t *start, size_t *end) {
    while (*start < *end && edda_is_blank(text.data[*start]))
        ++*start;
    while (*end > *start && edda_is_blank(text.data[*end - 1]))
        --*end;
    return *start < *end;
}

/* Where to end a piece that begins at start and may have `limit` units: behind the last line end in
 * its second half, else behind the last space, else between two code points. */
static size_t find_break(struct edda_text text, size_t start, size_t end, uint32_t limit) {
    const char *at = text.data + start;
    const char *last = text.data + end;
    const char *line = NULL;
    const char *space = NULL;
    bool blank_before = false;
    uint32_t units = 0;
    while (at < last) {
        const char *from = at;
        units += weigh_next(&at, last, &blank_before);
        if (units > limit && from > text.data + start) {
            at = from;
            break;
        }
        if (*from == '\n' && units >= limit / 2)
            line = at;
        else if (edda_is_blank(*from))
            space = at;
    }
    if (at == last)
        return end;
    const char *best = line != NULL ? line : space != NULL ? space : at;
    return (size_t)(best - text.data);
}

void edda_pieces_add(struct edda_pieces *pieces, size_t start, size_t end, enum edda_rank rank) {
    if (!trim_range(pieces->text, &start, &end))
        return;
    uint32_t units = edda_pieces_units((struct edda_text){pieces->text.data + start, end - start});
    if (units + CHARACTER_UNITS <= pieces->whole_units) {
        add_one(pieces, start, end, units, rank);
        return;
    }
    while (start < end) {
        size_t cut = find_break(pieces->text, start, end, pieces->broken_units);
        size_t from = start;
        size_t to = cut;
        if (trim_range(pieces->text, &from, &to)) {
            struct edda_text part = {pieces->text.data + from, to - from};
            add_one(pieces, from, to, edda_pieces_units(part), rank);
            rank = EDDA_RANK_WORD;
        }
        start = cut;
    }
}

void edda_pieces_add_prose(struct edda_pieces *pieces, size_t start, size_t end,
                           enum edda_rank rank) {
    while (start < end) {
        size_t next =
            start + edda_sentence_next((struct edda_text){pieces->text.data + start, end - start});
        edda_pieces_add(pieces, start, next, rank);
        start = next;
        rank = EDDA_RANK_SENTENCE;
    }
}

int edda_pieces_finish(struct edda_pieces *pieces) {
    uint32_t rest = 0;
    for (size_t i = pieces->count; i-- > 0;) {
        struct edda_piece *piece = &pieces->items[i];
        rest += piece->units;
        piece->rest = rest;
        if (piece->rank >= EDDA_RANK_BLOCK)
            rest = 0;
    }
    return pieces->error;
}
