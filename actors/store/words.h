/* actors/store/words.h: term vectors of many chunks, and the words that came with them. Pure. */
#ifndef EDDA_ACTORS_STORE_WORDS_H
#define EDDA_ACTORS_STORE_WORDS_H

#include "actors/store/index/terms.h"
#include "actors/store/known.h"
#include "proto/arena.h"

/* A new word of a project. */
struct edda_new_word {
    uint32_t hash;
    struct edda_text text;
};

/* Gathers while chunks are looked at; memory is an arena's. */
struct edda_word_list {
    struct edda_new_word *items;
    size_t count;
    size_t capacity;
};

/* A chunk as its term vector is made of it; all may be absent. */
struct edda_worded {
    struct edda_text title;
    struct edda_text heading;
    struct edda_text text;
};

/* The term vector of one chunk, copied to the arena; its words that are not known yet are added to
 * the list. project 0: not known yet, every word is new. EDDA_E_MEMORY, EDDA_E_LIMIT. */
int edda_words_gather(struct edda_terms *terms, edda_analyser_t *analyser, struct edda_arena *arena,
                      struct edda_known *known, uint64_t project, const struct edda_worded *chunk,
                      struct edda_word_list *words, struct edda_bytes *ret_vector) EDDA_MUST_CHECK;

/* Sorts the list by hash and drops repeats. */
void edda_words_sort(struct edda_word_list *words);

#endif
