/* actors/store/index/gram_scan.h: the character 4-grams of running text, one pass, no tokens made.
 *
 * A text becomes one stream of folded code points in which everything between words is a single
 * '_':
 * "_the_cat_". Every four in a row are looked at; a gram is one whose inner two are no '_', so that
 * it lies in one framed word. Han and Kana give each code point and each pair, the other unspaced
 * scripts threes and fours. Folding is that of actors/text code point by code point; accents
 * written as marks of their own (U+0300..U+036F) are dropped. Keys are 32-bit hashes, the same for
 * queries and texts; they live in memory only.
 *
 * Most text is ASCII, and there nothing depends on where words end: a block of bytes is folded
 * sixteen at a time and every four in a row of the result are looked up. A second '_' in a row does
 * no harm, as no gram has two. The length in grams is the letters less the words. Threads: a folder
 * belongs to one thread. */
#ifndef EDDA_ACTORS_STORE_INDEX_GRAM_SCAN_H
#define EDDA_ACTORS_STORE_INDEX_GRAM_SCAN_H

#include "actors/text/fold.h"
#include "actors/text/text.h"

#include <endian.h>

#define EDDA_GRAM_POINTS        4
#define EDDA_FOLDER_POINTS      65536
#define EDDA_FOLDER_CLASS_SHIFT 24
#define EDDA_FOLDER_SECOND      0x80000000u /* it folds to two code points or more */

/* What is known of the code points below 65536: class << 24 | folded; 0: not asked yet. */
struct edda_folder {
    uint32_t *entries; /* owned, pages touched as needed */
};

/* EDDA_E_MEMORY. */
int edda_folder_init(struct edda_folder *folder) EDDA_MUST_CHECK;
void edda_folder_done(struct edda_folder *folder);

/* The entry of a code point, worked out at its first use. */
uint32_t edda_folder_learn(struct edda_folder *folder, uint32_t point);

/* Up to three more code points of a fold (beyond its first); returns how many. */
size_t edda_folder_rest(uint32_t point, uint32_t ret_points[3]);

static inline uint32_t edda_folder_find(struct edda_folder *folder, uint32_t point) {
    if (point < EDDA_FOLDER_POINTS && folder->entries[point]) {
        return folder->entries[point];
    }
    return edda_folder_learn(folder, point);
}

/* The key of four ASCII characters, the first in the lowest byte. */
static inline uint32_t edda_gram_ascii_key(uint32_t four) {
    return four * 0x9E3779B1u;
}

/* The key of four code points, 16 bits each, the last in the lowest bits. */
static inline uint32_t edda_gram_key(uint64_t window) {
    if ((window & UINT64_C(0xFF80FF80FF80FF80)) == 0) {
        uint64_t packed = (window | window >> 8) & UINT64_C(0x0000FFFF0000FFFF);
        return edda_gram_ascii_key(__builtin_bswap32((uint32_t)(packed | packed >> 16)));
    }
    return (uint32_t)(window * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

/* The key of the last `count` (1..3) code points of an unspaced run. */
static inline uint32_t edda_gram_short_key(uint64_t window, unsigned count) {
    uint64_t mask = (UINT64_C(1) << (16 * count)) - 1;
    return (uint32_t)(((window & mask) | (uint64_t)count << 48) * UINT64_C(0xD1B54A32D192ED03) >>
                      32);
}

/* Whether a window is a gram of one word: four code points seen, no '_' inside. */
static inline bool edda_gram_is_whole(uint64_t window) {
    return window >> 48 != 0 && (window >> 16 & 0xFFFF) != '_' && (window >> 32 & 0xFFFF) != '_';
}

struct edda_gram_stream {
    uint64_t window;   /* the last four code points */
    uint32_t length;   /* letters less words, and the grams of unspaced runs */
    uint32_t unspaced; /* code points of the unspaced run going on; else 0 */
};

/* Called (inlined) with the key of every window; whole: it is a gram of one word. */
typedef void (*edda_gram_emit_fn)(void *context, bool whole, uint32_t key);

static inline __attribute__((always_inline)) void edda_gram_push(struct edda_gram_stream *stream,
                                                                 uint32_t point,
                                                                 edda_gram_emit_fn emit,
                                                                 void *context) {
    bool gap = point == '_';
    if (gap && (stream->window & 0xFFFF) == '_') {
        return;
    }
    stream->window = stream->window << 16 | (point & 0xFFFF);
    stream->length += gap ? UINT32_MAX : 1; /* -1 or 1 modulo 2^32 */
    emit(context, edda_gram_is_whole(stream->window), edda_gram_key(stream->window));
}

static inline __attribute__((always_inline)) void
edda_gram_push_unspaced(struct edda_gram_stream *stream, uint32_t point, unsigned shortest,
                        edda_gram_emit_fn emit, void *context) {
    if (stream->unspaced == 0) {
        edda_gram_push(stream, '_', emit, context);
    }
    stream->window = stream->window << 16 | (point & 0xFFFF);
    stream->unspaced++;
    for (unsigned size = shortest; size <= shortest + 1 && size <= stream->unspaced; size++) {
        emit(context, true,
             size < EDDA_GRAM_POINTS ? edda_gram_short_key(stream->window, size)
                                     : edda_gram_key(stream->window));
        stream->length++;
    }
}

/* Everything beyond ASCII. */
static inline __attribute__((always_inline)) void
edda_gram_push_other(struct edda_folder *folder, struct edda_gram_stream *stream, uint32_t point,
                     edda_gram_emit_fn emit, void *context) {
    uint32_t entry = edda_folder_find(folder, point);
    uint32_t kind = entry >> EDDA_FOLDER_CLASS_SHIFT & 0x7F;
    uint32_t folded = entry & 0xFFFF;
    if (kind == EDDA_FOLD_CJK || kind == EDDA_FOLD_UNSPACED) {
        edda_gram_push_unspaced(stream, folded, kind == EDDA_FOLD_CJK ? 1 : 3, emit, context);
        return;
    }
    if (stream->unspaced) {
        stream->unspaced = 0;
        stream->window = '_';
    }
    if (kind == EDDA_FOLD_SEPARATOR) {
        edda_gram_push(stream, '_', emit, context);
    } else if (folded != 0) {
        edda_gram_push(stream, folded, emit, context);
        if (entry & EDDA_FOLDER_SECOND) {
            uint32_t rest[3];
            size_t count = edda_folder_rest(point, rest);
            for (size_t i = 0; i < count; i++) {
                edda_gram_push(stream, rest[i], emit, context);
            }
        }
    }
}

#define EDDA_GRAM_BLOCK   512
#define EDDA_GRAM_RUN_MIN 16 /* bytes of ASCII from where on blocks pay */

/* Where the ASCII that begins at `at` ends. */
const char *edda_gram_ascii_end(const char *at, const char *end);

/* A folded ASCII byte: a letter or digit in lower case, or '_'. */
uint8_t edda_gram_fold_byte(uint8_t byte);

/* The same for count (1..EDDA_GRAM_BLOCK) bytes. `before` is the folded byte before them. Returns
 * letters less words' ends, modulo 2^32. ret_folded has room for 16 bytes more than count. */
uint32_t edda_gram_fold_ascii(const char *from, size_t count, uint8_t before, uint8_t *ret_folded);

/* Every window that lies within from..end, at least EDDA_GRAM_RUN_MIN bytes; leaves the stream as
 * after them. `before` as above. */
static inline __attribute__((always_inline)) void
edda_gram_push_ascii(struct edda_gram_stream *stream, uint8_t before, const char *from,
                     const char *end, edda_gram_emit_fn emit, void *context) {
    uint8_t folded[EDDA_GRAM_BLOCK + 32];
    uint8_t *block = folded + 3; /* before it, from the second on, the end of the block before */
    uint8_t *at = block;
    uint32_t four = 0;
    while (from < end) {
        size_t left = (size_t)(end - from);
        size_t count = left < EDDA_GRAM_BLOCK ? left : EDDA_GRAM_BLOCK;
        stream->length += edda_gram_fold_ascii(from, count, before, block);
        for (const uint8_t *stop = block + count - 3; at < stop; at++) {
            memcpy(&four, at, 4);
            four = le32toh(four);
            emit(context, (four >> 8 & 0xFF) != '_' && (four >> 16 & 0xFF) != '_',
                 edda_gram_ascii_key(four));
        }
        before = block[count - 1];
        memmove(folded, block + count - 3, 3);
        at = folded;
        from += count;
    }
    stream->window = (uint64_t)(four & 0xFF) << 48 | (uint64_t)(four >> 8 & 0xFF) << 32 |
                     (uint64_t)(four >> 16 & 0xFF) << 16 | four >> 24;
}

/* The ASCII from..end. */
static inline __attribute__((always_inline)) void
edda_gram_push_run(struct edda_gram_stream *stream, const char *from, const char *end,
                   edda_gram_emit_fn emit, void *context) {
    if (stream->unspaced) {
        stream->unspaced = 0;
        stream->window = '_';
    }
    if (end - from < EDDA_GRAM_RUN_MIN) {
        for (; from < end; from++) {
            edda_gram_push(stream, edda_gram_fold_byte((uint8_t)*from), emit, context);
        }
        return;
    }
    /* The windows that began before the run end within its first three; then those inside it. */
    uint8_t before = (stream->window & 0xFFFF) == '_' ? '_' : 'a';
    uint32_t length = stream->length;
    for (size_t i = 0; i < EDDA_GRAM_POINTS - 1; i++) {
        edda_gram_push(stream, edda_gram_fold_byte((uint8_t)from[i]), emit, context);
    }
    stream->length = length; /* the run counts its own */
    edda_gram_push_ascii(stream, before, from, end, emit, context);
}

/* Looks at every gram of text; returns how many there are, repeated ones counted. */
static inline __attribute__((always_inline)) uint32_t edda_gram_scan(struct edda_folder *folder,
                                                                     struct edda_text text,
                                                                     edda_gram_emit_fn emit,
                                                                     void *context) {
    struct edda_gram_stream stream = {.window = '_'};
    const char *at = text.data;
    const char *end = at + text.size;
    while (at < end) {
        if ((unsigned char)*at < 0x80) {
            const char *from = at;
            at = edda_gram_ascii_end(at, end);
            edda_gram_push_run(&stream, from, at, emit, context);
        } else {
            edda_gram_push_other(folder, &stream, edda_text_next(&at, end), emit, context);
        }
    }
    if (!stream.unspaced) {
        edda_gram_push(&stream, '_', emit, context);
    }
    return stream.length;
}

#endif
