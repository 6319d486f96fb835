/* actors/text/text.h: what words are, for everyone who indexes, embeds, searches or reranks.
 *
 * Bytes become tokens the same way everywhere: decode UTF-8 (invalid bytes separate), case-fold,
 * strip Latin, Greek and Arabic diacritics, full-width to ASCII; tokens are letter or digit runs of
 * up to 64 bytes; Han and Kana runs give unigrams and bigrams; Thai, Lao, Khmer and Burmese runs
 * give 3- and 4-grams; the language is found by a vote of stopwords and chooses the Snowball
 * stemmer. Code points, never bytes. Source: the measurements behind the built-in defaults,
 * actors/text/README.md.
 *
 * An analyser belongs to one thread. It caches folded words and stems (bounded), because Snowball
 * costs far more than a look-up and every stage sees the same words again and again. */
#ifndef EDDA_ACTORS_TEXT_TEXT_H
#define EDDA_ACTORS_TEXT_TEXT_H

#include "proto/error.h"
#include "proto/types.h"

enum edda_language {
    EDDA_LANGUAGE_AUTO = 0, /* vote; English when nothing votes */
    EDDA_LANGUAGE_NONE,     /* no stemming, no stopwords */
    EDDA_LANGUAGE_ENGLISH,
    EDDA_LANGUAGE_GERMAN,
    EDDA_LANGUAGE_FRENCH,
    EDDA_LANGUAGE_SPANISH,
    EDDA_LANGUAGE_PORTUGUESE,
    EDDA_LANGUAGE_ITALIAN,
    EDDA_LANGUAGE_DUTCH,
    EDDA_LANGUAGE_SWEDISH,
    EDDA_LANGUAGE_NORWEGIAN,
    EDDA_LANGUAGE_DANISH,
    EDDA_LANGUAGE_FINNISH,
    EDDA_LANGUAGE_RUSSIAN,
    EDDA_LANGUAGE_ROMANIAN,
    EDDA_LANGUAGE_HUNGARIAN,
    EDDA_LANGUAGE_TURKISH,
    EDDA_LANGUAGE_ARABIC,
    EDDA_LANGUAGE_GREEK,
    EDDA_LANGUAGE_HINDI,
    EDDA_LANGUAGE_COUNT
};

enum edda_token_kind {
    EDDA_TOKEN_WORD,   /* letters, stemmed */
    EDDA_TOKEN_NUMBER, /* holds a digit: never stemmed, never expanded */
    EDDA_TOKEN_CJK,    /* unigram or bigram of a Han or Kana run, or n-gram of an unspaced script */
};

struct edda_token {
    struct edda_text surface; /* folded */
    struct edda_text stem;    /* equals surface for NUMBER and CJK */
    uint64_t hash;            /* 64-bit hash of the stem; its low 32 bits index the lexical index */
    uint32_t position;        /* token number; the bigram has its first unigram's position */
    uint32_t start;           /* byte range in the source */
    uint32_t end;
    uint8_t kind;
    uint8_t letters; /* code points of the surface */
    bool stopword;   /* of the language used; indexed like others, left out of queries */
};

struct edda_tokens {
    const struct edda_token *items;
    size_t count;
    uint32_t positions;          /* words and characters read; each item's is below it */
    enum edda_language language; /* the one used */
};

typedef struct edda_analyser edda_analyser_t;

/* NULL when memory is short. About 1.5 MiB once warm. */
edda_analyser_t *edda_analyser_new(void);
void edda_analyser_destroy(edda_analyser_t **self_p);

/* Tokens of text in order of their start. Everything returned is borrowed until the next call on
 * this analyser. EDDA_E_MEMORY. */
int edda_analyser_run(edda_analyser_t *self, struct edda_text text, enum edda_language language,
                      struct edda_tokens *ret_tokens) EDDA_MUST_CHECK;

/* The same without the words that the sieve holds back (sieve.h), which only count as positions.
 * language is the one that the sieve was made for. EDDA_E_MEMORY. */
struct edda_sieve;
int edda_analyser_sift(edda_analyser_t *self, struct edda_text text, enum edda_language language,
                       const struct edda_sieve *sieve,
                       struct edda_tokens *ret_tokens) EDDA_MUST_CHECK;

/* The language text is written in by stopword vote; EDDA_LANGUAGE_AUTO when nothing votes. */
enum edda_language edda_analyser_language(edda_analyser_t *self, struct edda_text text);

/* The hash used for stems: stable across builds and machines, stored on disk. */
uint64_t edda_text_hash(const void *data, size_t size);

/* Decodes one code point at *at (< end) and moves on; invalid bytes give 0xFFFD and move one byte.
 */
uint32_t edda_text_next(const char **at, const char *end);

/* Number of code points; invalid bytes count one each. */
size_t edda_text_length(struct edda_text text);

/* The longest prefix of at most `count` code points. */
struct edda_text edda_text_prefix(struct edda_text text, size_t count);

/* Whether text is valid UTF-8 without NUL. */
bool edda_text_valid(struct edda_text text);

/* ASCII white space. */
static inline bool edda_text_is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Without the white space around it; empty when there is nothing else. */
static inline struct edda_text edda_text_trim(struct edda_text text) {
    while (text.size > 0 && edda_text_is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && edda_text_is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

#endif
