/* tests/provider/words.h: texts as bags of words: vectors and scores that make sense to a search.
 *
 * A word is a run of letters and digits, lower-cased (ASCII); a character of a script without
 * blanks is one by itself. Every word counts for four signed columns chosen by its hash and the
 * model's, so texts that share words are near, and two models' vectors have nothing in common.
 * Numbers are whole millionths: the same vector comes out of its base64 and of its decimals. */
#ifndef EDDA_TESTS_PROVIDER_WORDS_H
#define EDDA_TESTS_PROVIDER_WORDS_H

#include "proto/types.h"

#define FAKE_MILLION       1000000
#define FAKE_DIMENSION_MAX 32768

/* Starts as {text, 0}. */
struct fake_words {
    struct edda_text text;
    size_t at;
};

bool fake_words_next(struct fake_words *words, uint64_t *ret_hash);
size_t fake_words_count(struct edda_text text);

/* Of a model's name. */
uint64_t fake_words_seed(const char *model);

/* Fills millionths[0..dimension), of length about one: never all zero. dimension: 1 to
 * FAKE_DIMENSION_MAX. Returns how many words the text has. */
size_t fake_words_vector(uint64_t seed, struct edda_text text, size_t dimension,
                         int32_t *millionths);

/* The share of the query's distinct words that the document has; 0 for a query without words. */
double fake_words_score(struct edda_text query, struct edda_text document);

#endif
