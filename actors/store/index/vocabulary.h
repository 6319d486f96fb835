/* actors/store/index/vocabulary.h: the texts of the terms and how near two words are.
 *
 * A query word is widened over the words that occur in the project, which answers typing errors and
 * word forms no stemmer joins. Two ways, both on code points of stems:
 *   variants   of a word that occurs: at least 4 leading letters the same and trigram Dice >= .5;
 *              similarity .7 * Dice
 *   neighbours of a word that does not: shares a trigram of "<word>", and either an edit distance
 *              (insert, delete, replace, swap) of at most 1 for 4-5 letters, 2 above, which gives
 *              1 - distance / longer length, or Dice >= .5, which gives Dice; the larger counts
 * The best 5 of each; ties: the larger document frequency, then the smaller hash.
 * Words are of 3 to 32 letters without a digit; those with df 0 are never proposed.
 * Threads: readers at once with a vocabulary scratch each; edda_vocabulary_put alone. */
#ifndef EDDA_ACTORS_STORE_INDEX_VOCABULARY_H
#define EDDA_ACTORS_STORE_INDEX_VOCABULARY_H

#include "actors/store/index/lexical.h"

#define EDDA_EXPANSIONS           5
#define EDDA_EXPANDED_LETTERS_MIN 4
#define EDDA_VARIANT_WEIGHT       0.7f

struct edda_word_list {
    uint32_t *items; /* owned */
    uint32_t count;
    uint32_t capacity;
};

struct edda_vocabulary_word {
    uint32_t term;    /* in the lexical index */
    uint32_t text;    /* where its bytes begin in texts */
    uint32_t letters; /* bit (code point mod 32) of each letter: to refuse far words cheaply */
    uint8_t bytes;
    uint8_t length;   /* code points */
    uint8_t trigrams; /* distinct ones of "<word>" */
};

struct edda_vocabulary {
    struct edda_vocabulary_word *words;
    size_t words_capacity;
    size_t word_count;
    char *texts;
    size_t texts_capacity;
    size_t texts_bytes;
    struct edda_word_list *lists; /* words by trigram and by first four letters */
    size_t lists_capacity;
    size_t list_count;
    struct edda_map trigrams; /* trigram -> list */
    struct edda_map prefixes; /* first four letters -> list */
    size_t list_bytes;
};

struct edda_vocabulary_scratch {
    uint8_t *shared; /* trigrams shared, by word; all zero between calls */
    size_t shared_capacity;
    uint32_t *touched;
    size_t touched_capacity;
};

struct edda_expansion {
    uint32_t term;
    float weight;
};

void edda_vocabulary_done(struct edda_vocabulary *self);
size_t edda_vocabulary_bytes(const struct edda_vocabulary *self);
void edda_vocabulary_scratch_done(struct edda_vocabulary_scratch *scratch);

/* Adds the text of term, which must have none yet; sets the term's word. Texts outside 3 to 32
 * letters are left out. EDDA_E_MEMORY, EDDA_E_LIMIT. */
int edda_vocabulary_put(struct edda_vocabulary *self, struct edda_lexical *lexical, uint32_t term,
                        struct edda_text text) EDDA_MUST_CHECK;

/* Words like `text` which occurs as `term` (df > 0): at most EDDA_EXPANSIONS; returns how many. */
size_t edda_vocabulary_variants(const struct edda_vocabulary *self,
                                const struct edda_lexical *lexical, uint32_t term,
                                struct edda_text text,
                                struct edda_expansion ret_found[EDDA_EXPANSIONS]);

/* Words near `text`, which does not occur. *ret_count of them. EDDA_E_MEMORY. */
int edda_vocabulary_neighbours(const struct edda_vocabulary *self,
                               const struct edda_lexical *lexical,
                               struct edda_vocabulary_scratch *scratch, struct edda_text text,
                               struct edda_expansion ret_found[EDDA_EXPANSIONS],
                               size_t *ret_count) EDDA_MUST_CHECK;

/* Optimal string alignment distance of two words of at most 32 code points; more than `limit` is
 * given as limit + 1. */
unsigned edda_vocabulary_distance(const uint32_t *left, size_t left_count, const uint32_t *right,
                                  size_t right_count, unsigned limit);

#endif
