#include "actors/chunker/piece.h"

#include "actors/text/sentence.h"
#include "actors/text/text.h"
#include "actors/text/tokens.h"

#include <stdlib.h>

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
        .units = units + EDDA_UNITS_A_CHARACTER,
        .path = (uint32_t)(pieces->path_count - 1),
        .rank = (uint8_t)rank,
    };
}

static bool trim_range(struct edda_text text, size_t *start, size_t *end) {
    while (*start < *end && edda_text_is_blank(text.data[*start]))
        ++*start;
    while (*end > *start && edda_text_is_blank(text.data[*end - 1]))
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
        units += edda_units_next(&at, last, &blank_before);
        if (units > limit && from > text.data + start) {
            at = from;
            break;
        }
        if (*from == '\n' && units >= limit / 2)
            line = at;
        else if (edda_text_is_blank(*from))
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
    uint32_t units = edda_units_of((struct edda_text){pieces->text.data + start, end - start});
    if (units + EDDA_UNITS_A_CHARACTER <= pieces->whole_units) {
        add_one(pieces, start, end, units, rank);
        return;
    }
    while (start < end) {
        size_t cut = find_break(pieces->text, start, end, pieces->broken_units);
        size_t from = start;
        size_t to = cut;
        if (trim_range(pieces->text, &from, &to)) {
            struct edda_text part = {pieces->text.data + from, to - from};
            add_one(pieces, from, to, edda_units_of(part), rank);
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
