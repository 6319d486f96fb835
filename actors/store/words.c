/* actors/store/words.c: what the search index needs of a chunk, made once. */
#include "actors/store/words.h"

#include <stdlib.h>

static int add_word(struct edda_arena *arena, const struct edda_term *term,
                    struct edda_word_list *words) {
    if (words->count == words->capacity) {
        size_t capacity = words->capacity ? words->capacity * 2 : 256;
        struct edda_new_word *larger = edda_arena_take(arena, capacity * sizeof(*larger));
        if (!larger) {
            return EDDA_E_MEMORY;
        }
        if (words->count) {
            memcpy(larger, words->items, words->count * sizeof(*larger));
        }
        words->items = larger;
        words->capacity = capacity;
    }
    struct edda_text copy = edda_arena_text(arena, term->text);
    if (!copy.data) {
        return EDDA_E_MEMORY;
    }
    words->items[words->count++] = (struct edda_new_word){term->hash, copy};
    return 0;
}

int edda_words_gather(struct edda_terms *terms, edda_analyser_t *analyser, struct edda_arena *arena,
                      struct edda_known *known, uint64_t project, const struct edda_worded *chunk,
                      struct edda_word_list *words, struct edda_bytes *ret_vector) {
    int error = edda_terms_make(terms, analyser, chunk->title, chunk->heading, chunk->text);
    for (size_t i = 0; !error && i < terms->count; i++) {
        if (project == 0 || !edda_known_has(known, project, terms->items[i].hash)) {
            error = add_word(arena, &terms->items[i], words);
        }
    }
    uint8_t *copy = error ? NULL : edda_arena_take(arena, terms->vector.size);
    if (!error && !copy) {
        error = EDDA_E_MEMORY;
    }
    if (!error) {
        memcpy(copy, terms->vector.data, terms->vector.size);
        *ret_vector = (struct edda_bytes){copy, terms->vector.size};
    }
    return error;
}

static int by_hash(const void *a, const void *b) {
    uint32_t left = ((const struct edda_new_word *)a)->hash;
    uint32_t right = ((const struct edda_new_word *)b)->hash;
    return (left > right) - (left < right);
}

void edda_words_sort(struct edda_word_list *words) {
    size_t kept = 0;
    if (words->count) {
        qsort(words->items, words->count, sizeof(*words->items), by_hash);
    }
    for (size_t i = 0; i < words->count; i++) {
        if (kept == 0 || words->items[i].hash != words->items[kept - 1].hash) {
            words->items[kept++] = words->items[i];
        }
    }
    words->count = kept;
}
