/* actors/store/index/gram_scan.h: the character 4-grams of running text, one pass, no tokens made.
 *
 * A word is framed as "_word_"; a gram is four code points of the frame, or the frame when it is
 * shorter. Han and Kana give each code point and each pair, the other unspaced scripts threes and
 * fours. Folding is that of actors/text code point by code point; accents written as marks of their
 * own (U+0300..U+036F) are dropped. Keys are 32-bit hashes, the same for queries and texts; they
 * live in memory only.
 * Threads: a folder belongs to one thread. */
#ifndef EDDA_ACTORS_STORE_INDEX_GRAM_SCAN_H
#define EDDA_ACTORS_STORE_INDEX_GRAM_SCAN_H

#include "actors/text/fold.h"
#include "actors/text/text.h"

#define EDDA_GRAM_POINTS 4
#define EDDA_FOLDER_POINTS 65536
#define EDDA_FOLDER_CLASS_SHIFT 24
#define EDDA_FOLDER_SECOND 0x80000000u /* it folds to two code points or more */

/* What is known of the code points below 65536: class << 24 | folded; 0: not asked yet. */
struct edda_folder {
    uint32_t *entries; /* owned, pages touched as needed */
};

/* The entry of a code point, worked out at its first use. */
uint32_t edda_folder_learn(struct edda_folder *folder, uint32_t point);

static inline uint32_t edda_folder_find(struct edda_folder *folder, uint32_t point) {
    if (point < EDDA_FOLDER_POINTS && folder->entries[point]) {
        return folder->entries[point];
    }
    return edda_folder_learn(folder, point);
}

/* The key of `count` (1..4) code points in the low 16 * count bits of window. */
static inline uint32_t edda_gram_key(uint64_t window, unsigned count) {
    if (count < EDDA_GRAM_POINTS) {
        window = (window & ((UINT64_C(1) << (16 * count)) - 1)) | (uint64_t)count << 48;
    }
    window *= UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(window >> 32);
}

/* Up to three more code points of a fold (beyond its first); returns how many. */
size_t edda_folder_rest(uint32_t point, uint32_t ret_points[3]);

struct edda_gram_window {
    uint64_t points; /* the last four, 16 bits each */
    unsigned count;  /* of the current run, its frame included */
    uint8_t kind;    /* enum edda_fold_class of the run; 0: between runs */
};

/* Calls `emit` (inlined) for each gram of text. */
typedef void (*edda_gram_emit_fn)(void *context, uint32_t key);

static inline __attribute__((always_inline)) void
edda_gram_close(struct edda_gram_window *window, edda_gram_emit_fn emit, void *context) {
    if (window->kind == EDDA_FOLD_LETTER) {
        window->points = window->points << 16 | '_';
        window->count++;
        emit(context, edda_gram_key(window->points, window->count < 4 ? window->count : 4));
    }
    window->kind = 0;
    window->count = 0;
}

static inline __attribute__((always_inline)) void
edda_gram_letter(struct edda_gram_window *window, uint32_t point, edda_gram_emit_fn emit,
                 void *context) {
    if (window->kind != EDDA_FOLD_LETTER) {
        edda_gram_close(window, emit, context);
        *window = (struct edda_gram_window){'_', 1, EDDA_FOLD_LETTER};
    }
    window->points = window->points << 16 | (point & 0xFFFF);
    if (++window->count >= EDDA_GRAM_POINTS) {
        emit(context, edda_gram_key(window->points, EDDA_GRAM_POINTS));
    }
}

static inline __attribute__((always_inline)) void
edda_gram_unspaced(struct edda_gram_window *window, uint32_t point, uint8_t kind,
                   edda_gram_emit_fn emit, void *context) {
    unsigned shortest = kind == EDDA_FOLD_CJK ? 1 : 3;
    if (window->kind != kind) {
        edda_gram_close(window, emit, context);
        *window = (struct edda_gram_window){0, 0, kind};
    }
    window->points = window->points << 16 | (point & 0xFFFF);
    window->count++;
    for (unsigned size = shortest; size <= shortest + 1 && size <= window->count; size++) {
        emit(context, edda_gram_key(window->points, size));
    }
}

/* Everything beyond ASCII. */
static inline __attribute__((always_inline)) void
edda_gram_other(struct edda_folder *folder, struct edda_gram_window *window, uint32_t point,
                edda_gram_emit_fn emit, void *context) {
    uint32_t entry = edda_folder_find(folder, point);
    uint32_t kind = entry >> EDDA_FOLDER_CLASS_SHIFT & 0x7F;
    uint32_t folded = entry & 0xFFFF;
    if (kind == EDDA_FOLD_SEPARATOR) {
        edda_gram_close(window, emit, context);
    } else if (kind == EDDA_FOLD_CJK || kind == EDDA_FOLD_UNSPACED) {
        edda_gram_unspaced(window, folded, (uint8_t)kind, emit, context);
    } else if (folded != 0) {
        edda_gram_letter(window, folded, emit, context);
        if (entry & EDDA_FOLDER_SECOND) {
            uint32_t rest[3];
            size_t count = edda_folder_rest(point, rest);
            for (size_t i = 0; i < count; i++) {
                edda_gram_letter(window, rest[i], emit, context);
            }
        }
    }
}

/* ASCII letters and digits, folded; 0: separators. */
extern const uint8_t edda_gram_ascii[128];

static inline __attribute__((always_inline)) void
edda_gram_scan(struct edda_folder *folder, struct edda_text text, edda_gram_emit_fn emit,
               void *context) {
    struct edda_gram_window window = {0};
    const char *at = text.data;
    const char *end = at + text.size;
    while (at < end) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x80) {
            at++;
            if (edda_gram_ascii[byte]) {
                edda_gram_letter(&window, edda_gram_ascii[byte], emit, context);
            } else if (window.kind) {
                edda_gram_close(&window, emit, context);
            }
        } else {
            edda_gram_other(folder, &window, edda_text_next(&at, end), emit, context);
        }
    }
    edda_gram_close(&window, emit, context);
}

#endif
