/* actors/reranker/assemble.c: hits are looked at best first, each against the passages that have a
 * place already: at most EDDA_MAX_CANDIDATES of them, so that all against all is cheap. */
#include "actors/reranker/assemble.h"

#define LEAST_OVERLAP 8 /* bytes that two chunks share are one and the same from here on */
#define MOST_OVERLAP  2048

struct piece {
    const struct edda_hit *hit;
    struct piece *next; /* the chunk behind it in the document */
};

struct passage {
    const struct edda_hit *best;
    struct piece *first;
    struct piece *last;
    size_t bytes; /* of its pieces together: never less than the joined text */
    bool waiting; /* its memo has enough places */
    bool gone;    /* part of another now */
};

struct assembly {
    struct passage *passages; /* by rank */
    size_t count;
    size_t places; /* taken: neither waiting nor gone */
    size_t wanted;
    size_t memo_places;
};

static bool same_text(struct edda_text a, struct edda_text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_memo(const struct edda_hit *a, const struct edda_hit *b) {
    return memcmp(&a->memo, &b->memo, sizeof a->memo) == 0;
}

static bool is_known(const struct assembly *assembly, const struct edda_hit *hit) {
    for (size_t i = 0; i < assembly->count; i++) {
        const struct passage *passage = &assembly->passages[i];
        for (const struct piece *piece = passage->gone ? NULL : passage->first; piece;
             piece = piece->next) {
            if (same_text(piece->hit->text, hit->text)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether b begins where a ends. */
static bool follows(const struct passage *a, const struct passage *b) {
    const struct edda_hit *end = a->last->hit;
    const struct edda_hit *begin = b->first->hit;
    return same_memo(end, begin) && end->number + 1 == begin->number &&
           begin->start >= end->start && same_text(end->heading, begin->heading) &&
           a->bytes + b->bytes <= EDDA_ASSEMBLE_BYTES;
}

/* Of two passages that touch, the better ranked one takes the other in. */
static bool join(struct assembly *assembly, struct passage *better, struct passage *worse) {
    if (follows(better, worse)) {
        better->last->next = worse->first;
        better->last = worse->last;
    } else if (follows(worse, better)) {
        worse->last->next = better->first;
        better->first = worse->first;
    } else {
        return false;
    }
    better->bytes += worse->bytes;
    worse->gone = true;
    assembly->places -= worse->waiting ? 0 : 1;
    return true;
}

/* Joins the passage at the end of the list with those that it touches: one before, one behind. */
static void join_last(struct assembly *assembly) {
    size_t now = assembly->count - 1;
    for (size_t i = 0; i < now; i++) {
        struct passage *passage = &assembly->passages[i];
        if (!passage->gone && join(assembly, passage, &assembly->passages[now])) {
            now = i;
            break;
        }
    }
    for (size_t i = now + 1; now < assembly->count - 1 && i < assembly->count; i++) {
        struct passage *passage = &assembly->passages[i];
        if (!passage->gone && join(assembly, &assembly->passages[now], passage)) {
            break;
        }
    }
}

static size_t places_of(const struct assembly *assembly, const struct edda_hit *hit) {
    size_t places = 0;
    for (size_t i = 0; i < assembly->count; i++) {
        const struct passage *passage = &assembly->passages[i];
        places += !passage->gone && !passage->waiting && same_memo(passage->best, hit) ? 1 : 0;
    }
    return places;
}

static void add_hit(struct assembly *assembly, const struct edda_hit *hit, struct piece *piece) {
    bool waiting = places_of(assembly, hit) >= assembly->memo_places;
    *piece = (struct piece){.hit = hit};
    assembly->passages[assembly->count++] = (struct passage){
        .best = hit,
        .first = piece,
        .last = piece,
        .bytes = hit->text.size,
        .waiting = waiting,
    };
    assembly->places += waiting ? 0 : 1;
    join_last(assembly);
}

/* Bytes at the beginning of next that the text before it has at its end already. */
static size_t overlap_of(struct edda_text before, const struct edda_hit *last,
                         const struct edda_hit *next) {
    size_t most = before.size < next->text.size ? before.size : next->text.size;
    size_t told = last->end > next->start ? last->end - next->start : 0;
    if (told > 0 && told <= most &&
        memcmp(before.data + before.size - told, next->text.data, told) == 0) {
        return told;
    }
    /* Text that is not the document's own bytes, as of HTML: ranges do not count its bytes. */
    most = most > MOST_OVERLAP ? MOST_OVERLAP : most;
    for (size_t size = most; told > 0 && size >= LEAST_OVERLAP; size--) {
        if (memcmp(before.data + before.size - size, next->text.data, size) == 0) {
            return size;
        }
    }
    return 0;
}

static int write_text(const struct passage *passage, struct edda_arena *arena,
                      struct edda_text *ret_text) {
    size_t room = passage->bytes;
    for (const struct piece *piece = passage->first; piece; piece = piece->next) {
        room++; /* a line's end between two */
    }
    char *text = edda_arena_take(arena, room);
    struct edda_text written = {text, 0};
    if (!text) {
        return EDDA_E_MEMORY;
    }
    const struct edda_hit *last = NULL;
    for (const struct piece *piece = passage->first; piece; piece = piece->next) {
        const struct edda_hit *hit = piece->hit;
        size_t skipped = last ? overlap_of(written, last, hit) : 0;
        if (last && skipped == 0) {
            text[written.size++] = '\n';
        }
        memcpy(text + written.size, hit->text.data + skipped, hit->text.size - skipped);
        written.size += hit->text.size - skipped;
        last = hit;
    }
    *ret_text = written;
    return 0;
}

static int make_hit(const struct passage *passage, struct edda_arena *arena,
                    struct edda_hit *ret_hit) {
    const struct edda_hit *first = passage->first->hit;
    *ret_hit = *passage->best;
    if (passage->first == passage->last) {
        return 0;
    }
    ret_hit->number = first->number;
    ret_hit->heading = first->heading;
    ret_hit->start = first->start;
    ret_hit->end = passage->last->hit->end;
    return write_text(passage, arena, &ret_hit->text);
}

/* Those that waited come behind, as far as there is room. */
static int write_hits(struct assembly *assembly, struct edda_arena *arena,
                      struct edda_hit_list *ret_hits) {
    ret_hits->count = 0;
    for (int waiting = 0; waiting < 2; waiting++) {
        for (size_t i = 0; i < assembly->count && ret_hits->count < assembly->wanted; i++) {
            const struct passage *passage = &assembly->passages[i];
            if (passage->gone || passage->waiting != (waiting == 1)) {
                continue;
            }
            int error = make_hit(passage, arena, &ret_hits->items[ret_hits->count++]);
            if (error) {
                return error;
            }
        }
    }
    return 0;
}

int edda_assemble(struct edda_hits *hits, uint32_t top_k, struct edda_arena *arena) {
    size_t count = hits->hits.count;
    struct assembly assembly = {.wanted = top_k > 0 && top_k < count ? top_k : count};
    assembly.memo_places = (assembly.wanted + 1) / 2;
    if (assembly.memo_places < EDDA_ASSEMBLE_MEMO) {
        assembly.memo_places = EDDA_ASSEMBLE_MEMO;
    }
    struct piece *pieces = edda_arena_take(arena, (count + 1) * sizeof *pieces);
    struct edda_hit_list list = {
        .items = edda_arena_take(arena, (count + 1) * sizeof *list.items),
    };
    assembly.passages = edda_arena_take(arena, (count + 1) * sizeof *assembly.passages);
    if (!pieces || !list.items || !assembly.passages) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count && assembly.places < assembly.wanted; i++) {
        if (!is_known(&assembly, &hits->hits.items[i])) {
            add_hit(&assembly, &hits->hits.items[i], &pieces[i]);
        }
    }
    int error = write_hits(&assembly, arena, &list);
    if (!error) {
        hits->hits = list;
    }
    return error;
}
