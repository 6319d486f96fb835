/* actors/text/words.h: the analyser's memory of words it has folded and stemmed.
 *
 * A fixed table (16,384 words, 1 MiB) keyed by the raw run with its ASCII letters in lower case and
 * the language; two places a word, the older gives way. The answer never depends on what is
 * remembered: a forgotten word is worked out again. One thread. */
#ifndef EDDA_ACTORS_TEXT_WORDS_H
#define EDDA_ACTORS_TEXT_WORDS_H

#include "actors/text/fold.h"
#include "actors/text/text.h"

typedef struct edda_words edda_words_t;

/* One folded and stemmed word. Views point into the table or into a scratch word: valid until the
 * next edda_words_find. */
struct edda_word {
    struct edda_text surface; /* size 0: nothing left after folding */
    struct edda_text stem;
    uint64_t hash;      /* of the stem */
    uint32_t languages; /* stopword of: bits as in stopword.h */
    uint8_t kind;       /* enum edda_token_kind */
    uint8_t letters;
    bool surface_is_run; /* the same bytes */
    bool stem_is_prefix; /* of the surface */
};

edda_words_t *edda_words_new(void);
void edda_words_destroy(edda_words_t **self_p);

/* Has the memory fetch what it may know of run, so that finding it a little later does not wait. */
void edda_words_expect(const edda_words_t *self, struct edda_text run, enum edda_language language);

/* The word of a run of at most EDDA_FOLD_BYTES, stemmed for language (AUTO and NONE: not stemmed).
 */
void edda_words_find(edda_words_t *self, struct edda_text run, enum edda_language language,
                     struct edda_word *ret_word);

#endif
