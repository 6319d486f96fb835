/* tests/provider/words.c: words, their hashes, and what is made of them. */
#include "tests/provider/words.h"

#include <math.h>

#define COLUMNS     4
#define QUERY_WORDS 256 /* more of a query are not looked at */

static unsigned char byte_at(const struct fake_words *words, size_t at) {
    return at < words->text.size ? (unsigned char)words->text.data[at] : 0;
}

static bool is_plain(unsigned char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* Bytes of the character at `at`, which begins with 0x80 or more. */
static size_t length_at(const struct fake_words *words, size_t at) {
    unsigned char lead = byte_at(words, at);
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return length < words->text.size - at ? length : words->text.size - at;
}

/* U+0080 to U+00BF, U+2000 to U+2FFF, U+3000 to U+303F: blanks, quotes, dashes, full stops. */
static bool is_punctuation(const struct fake_words *words, size_t at) {
    unsigned char lead = byte_at(words, at);
    return lead == 0xc2 || lead == 0xe2 || (lead == 0xe3 && byte_at(words, at + 1) == 0x80);
}

/* Scripts without blanks, and what is above the basic plane. */
static bool stands_alone(const struct fake_words *words, size_t at) {
    return byte_at(words, at) >= 0xe3 && !is_punctuation(words, at);
}

static bool is_separator(const struct fake_words *words, size_t at) {
    unsigned char byte = byte_at(words, at);
    return byte < 0x80 ? !is_plain(byte) : is_punctuation(words, at);
}

static uint64_t add_byte(uint64_t hash, unsigned char byte) {
    return (hash ^ byte) * 0x100000001b3u; /* FNV-1a */
}

#define FNV_BASIS 0xcbf29ce484222325u

static uint64_t add_character(struct fake_words *words, uint64_t hash) {
    for (size_t length = length_at(words, words->at); length > 0; length--) {
        hash = add_byte(hash, byte_at(words, words->at++));
    }
    return hash;
}

bool fake_words_next(struct fake_words *words, uint64_t *ret_hash) {
    uint64_t hash = FNV_BASIS;
    while (words->at < words->text.size && is_separator(words, words->at)) {
        words->at += byte_at(words, words->at) < 0x80 ? 1 : length_at(words, words->at);
    }
    if (words->at >= words->text.size) {
        return false;
    }
    if (stands_alone(words, words->at)) {
        *ret_hash = add_character(words, hash);
        return true;
    }
    while (words->at < words->text.size && !is_separator(words, words->at) &&
           !stands_alone(words, words->at)) {
        unsigned char byte = byte_at(words, words->at);
        if (byte >= 0x80) {
            hash = add_character(words, hash);
        } else {
            hash = add_byte(hash, byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 32) : byte);
            words->at++;
        }
    }
    *ret_hash = hash;
    return true;
}

size_t fake_words_count(struct edda_text text) {
    struct fake_words words = {text, 0};
    uint64_t hash;
    size_t count = 0;
    while (fake_words_next(&words, &hash)) {
        count++;
    }
    return count;
}

/* splitmix64's finish: every bit of the result depends on every bit of the number. */
static uint64_t mix(uint64_t number) {
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

static uint64_t hash_all(struct edda_text text) {
    uint64_t hash = FNV_BASIS;
    for (size_t i = 0; i < text.size; i++) {
        hash = add_byte(hash, (unsigned char)text.data[i]);
    }
    return hash;
}

uint64_t fake_words_seed(const char *model) {
    return mix(hash_all(edda_text_of(model)) + 1);
}

/* Scaled, not divided with a rest: a division for every column would be half the cost of a text. */
static void add_word(uint64_t seed, uint64_t hash, uint32_t dimension, int32_t *sums) {
    uint64_t bits = mix(hash ^ seed);
    for (size_t i = 0; i < COLUMNS; i++, bits >>= 16) {
        uint32_t column = (((uint32_t)bits & 0xffff) >> 1) * dimension >> 15;
        sums[column] += (bits & 1) ? 1 : -1;
    }
}

static double length_of(const int32_t *sums, size_t dimension) {
    int64_t squares = 0;
    for (size_t i = 0; i < dimension; i++) {
        squares += (int64_t)sums[i] * sums[i];
    }
    return sqrt((double)squares);
}

size_t fake_words_vector(uint64_t seed, struct edda_text text, size_t dimension,
                         int32_t *millionths) {
    struct fake_words words = {text, 0};
    uint64_t hash;
    size_t count = 0;
    memset(millionths, 0, dimension * sizeof *millionths);
    while (fake_words_next(&words, &hash)) {
        add_word(seed, hash, (uint32_t)dimension, millionths);
        count++;
    }
    double length = length_of(millionths, dimension);
    if (length <= 0) { /* no words, or words that cancel out */
        millionths[mix(hash_all(text) ^ seed) % dimension] = 1;
        length = 1;
    }
    float factor = (float)(FAKE_MILLION / length);
    for (size_t i = 0; i < dimension; i++) {
        if (millionths[i] != 0) {
            millionths[i] = (int32_t)lrintf((float)millionths[i] * factor);
        }
    }
    return count;
}

static size_t list_distinct(struct edda_text text, uint64_t *hashes) {
    struct fake_words words = {text, 0};
    uint64_t hash;
    size_t count = 0;
    while (count < QUERY_WORDS && fake_words_next(&words, &hash)) {
        size_t at = 0;
        while (at < count && hashes[at] != hash) {
            at++;
        }
        if (at == count) {
            hashes[count++] = hash;
        }
    }
    return count;
}

double fake_words_score(struct edda_text query, struct edda_text document) {
    struct fake_words words = {document, 0};
    uint64_t wanted[QUERY_WORDS];
    uint64_t hash;
    size_t count = list_distinct(query, wanted);
    size_t missing = count;
    while (missing > 0 && fake_words_next(&words, &hash)) {
        for (size_t i = 0; i < missing; i++) {
            if (wanted[i] == hash) {
                wanted[i] = wanted[--missing];
                break;
            }
        }
    }
    return count == 0 ? 0 : (double)(count - missing) / (double)count;
}
