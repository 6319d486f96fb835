/* actors/store/index/vocabulary.c: words by trigram and by prefix, and the search for near ones. */
#include "actors/store/index/vocabulary.h"

#include <stdlib.h>

#define LETTERS_MAX    EDDA_TERM_LETTERS_MAX
#define PREFIX_LETTERS 4
#define DICE_MIN       0.5f
#define AHEAD          8 /* words fetched before they are compared */

/* A word's code points and the distinct trigrams of "<word>". */
struct spelled {
    uint32_t points[LETTERS_MAX];
    uint64_t trigrams[LETTERS_MAX];
    size_t length;
    size_t trigram_count;
    uint32_t letters;
};

static uint64_t join_three(uint32_t a, uint32_t b, uint32_t c) {
    return (uint64_t)a << 42 | (uint64_t)b << 21 | c;
}

/* 0 when the text has more letters than we keep. */
static size_t decode_word(struct edda_text text, uint32_t points[LETTERS_MAX]) {
    const char *at = text.data;
    const char *end = at + text.size;
    size_t length = 0;
    while (at < end) {
        if (length == LETTERS_MAX) {
            return 0;
        }
        points[length++] = edda_text_next(&at, end);
    }
    return length;
}

static void spell_trigrams(struct spelled *word) {
    uint32_t before = '<';
    word->trigram_count = 0;
    word->letters = 0;
    for (size_t i = 0; i < word->length; i++) {
        uint32_t next = i + 1 < word->length ? word->points[i + 1] : '>';
        uint64_t trigram = join_three(before, word->points[i], next);
        size_t seen = 0;
        while (seen < word->trigram_count && word->trigrams[seen] != trigram) {
            seen++;
        }
        if (seen == word->trigram_count) {
            word->trigrams[word->trigram_count++] = trigram;
        }
        word->letters |= UINT32_C(1) << (word->points[i] & 31);
        before = word->points[i];
    }
}

static bool spell_word(struct edda_text text, struct spelled *ret_word) {
    ret_word->length = decode_word(text, ret_word->points);
    spell_trigrams(ret_word);
    return ret_word->length > 0;
}

static uint64_t prefix_key(const uint32_t *points) {
    return join_three(points[0], points[1], points[2]) ^ (uint64_t)points[3] << 43;
}

void edda_vocabulary_done(struct edda_vocabulary *self) {
    for (size_t i = 0; i < self->list_count; i++) {
        free(self->lists[i].items);
    }
    free(self->lists);
    free(self->words);
    free(self->texts);
    edda_map_done(&self->trigrams);
    edda_map_done(&self->prefixes);
    *self = (struct edda_vocabulary){0};
}

size_t edda_vocabulary_bytes(const struct edda_vocabulary *self) {
    return self->words_capacity * sizeof *self->words + self->texts_capacity +
           self->lists_capacity * sizeof *self->lists + self->list_bytes +
           (self->trigrams.size + self->prefixes.size) * sizeof *self->trigrams.entries;
}

void edda_vocabulary_scratch_done(struct edda_vocabulary_scratch *scratch) {
    free(scratch->shared);
    free(scratch->touched);
    *scratch = (struct edda_vocabulary_scratch){0};
}

static int append_word(struct edda_vocabulary *self, struct edda_map *map, uint64_t key,
                       uint32_t word) {
    uint32_t number = edda_map_get(map, key);
    if (number == EDDA_MAP_NONE) {
        int error = EDDA_GROW(self->lists, self->lists_capacity, self->list_count + 1);
        if (!error) {
            error = edda_map_put(map, key, (uint32_t)self->list_count);
        }
        if (error) {
            return error;
        }
        number = (uint32_t)self->list_count++;
        self->lists[number] = (struct edda_word_list){0};
    }
    struct edda_word_list *list = &self->lists[number];
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity + list->capacity / 2 + 2;
        uint32_t *items = realloc(list->items, capacity * sizeof *items);
        if (!items) {
            return EDDA_E_MEMORY;
        }
        self->list_bytes += (capacity - list->capacity) * sizeof *items;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = word;
    return 0;
}

int edda_vocabulary_put(struct edda_vocabulary *self, struct edda_lexical *lexical, uint32_t term,
                        struct edda_text text) {
    struct spelled word;
    if (text.size > UINT8_MAX || !spell_word(text, &word) || word.length < EDDA_TERM_LETTERS_MIN) {
        return 0;
    }
    if (self->texts_bytes > UINT32_MAX - text.size || self->word_count >= UINT32_MAX - 1) {
        return EDDA_E_LIMIT;
    }
    int error = EDDA_GROW(self->words, self->words_capacity, self->word_count + 1);
    if (!error) {
        error = EDDA_GROW(self->texts, self->texts_capacity, self->texts_bytes + text.size);
    }
    if (error) {
        return error;
    }
    uint32_t number = (uint32_t)self->word_count;
    self->words[number] = (struct edda_vocabulary_word){
        .term = term,
        .text = (uint32_t)self->texts_bytes,
        .letters = word.letters,
        .bytes = (uint8_t)text.size,
        .length = (uint8_t)word.length,
        .trigrams = (uint8_t)word.trigram_count,
    };
    memcpy(self->texts + self->texts_bytes, text.data, text.size);
    self->texts_bytes += text.size;
    self->word_count++;
    lexical->terms[term].word = number;
    /* A word whose lists cannot all be made is found by fewer trigrams: a miss, not a lie. */
    for (size_t i = 0; !error && i < word.trigram_count; i++) {
        error = append_word(self, &self->trigrams, word.trigrams[i], number);
    }
    if (!error && word.length >= PREFIX_LETTERS) {
        error = append_word(self, &self->prefixes, prefix_key(word.points), number);
    }
    return error;
}

/* Keeps the best EDDA_EXPANSIONS in order: weight, then df, then hash. */
struct best_words {
    struct edda_expansion *found;
    size_t count;
};

static bool is_better(const struct edda_lexical *lexical, const struct edda_expansion *a,
                      const struct edda_expansion *b) {
    const struct edda_postings *left = &lexical->terms[a->term];
    const struct edda_postings *right = &lexical->terms[b->term];
    if (a->weight != b->weight) {
        return a->weight > b->weight;
    }
    return left->df != right->df ? left->df > right->df : left->hash < right->hash;
}

static void keep_best(struct best_words *best, const struct edda_lexical *lexical, uint32_t term,
                      float weight) {
    struct edda_expansion added = {term, weight};
    size_t at = best->count;
    if (at == EDDA_EXPANSIONS) {
        if (!is_better(lexical, &added, &best->found[at - 1])) {
            return;
        }
        at--;
    } else {
        best->count++;
    }
    for (; at > 0 && is_better(lexical, &added, &best->found[at - 1]); at--) {
        best->found[at] = best->found[at - 1];
    }
    best->found[at] = added;
}

static struct edda_text word_text(const struct edda_vocabulary *self,
                                  const struct edda_vocabulary_word *word) {
    return (struct edda_text){self->texts + word->text, word->bytes};
}

/* Distinct trigrams of `word` that the candidate has too. */
static size_t count_shared(const struct spelled *word, const uint32_t *points, size_t length) {
    uint64_t theirs[LETTERS_MAX];
    uint32_t before = '<';
    size_t shared = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t next = i + 1 < length ? points[i + 1] : '>';
        theirs[i] = join_three(before, points[i], next);
        before = points[i];
    }
    for (size_t i = 0; i < word->trigram_count; i++) {
        for (size_t k = 0; k < length; k++) {
            if (word->trigrams[i] == theirs[k]) {
                shared++;
                break;
            }
        }
    }
    return shared;
}

size_t edda_vocabulary_variants(const struct edda_vocabulary *self,
                                const struct edda_lexical *lexical, uint32_t term,
                                struct edda_text text,
                                struct edda_expansion ret_found[EDDA_EXPANSIONS]) {
    struct spelled word;
    struct best_words best = {ret_found, 0};
    if (!spell_word(text, &word) || word.length < EDDA_EXPANDED_LETTERS_MIN) {
        return 0;
    }
    uint32_t number = edda_map_get(&self->prefixes, prefix_key(word.points));
    if (number == EDDA_MAP_NONE) {
        return 0;
    }
    const struct edda_word_list *list = &self->lists[number];
    for (uint32_t i = 0; i < list->count; i++) {
        const struct edda_vocabulary_word *other = &self->words[list->items[i]];
        __builtin_prefetch(&self->words[list->items[i + AHEAD < list->count ? i + AHEAD : i]]);
        uint32_t points[LETTERS_MAX];
        size_t both = word.trigram_count + other->trigrams;
        size_t fewer = word.trigram_count < other->trigrams ? word.trigram_count : other->trigrams;
        if (other->term == term || 4 * fewer < both) {
            continue;
        }
        size_t length = decode_word(word_text(self, other), points);
        if (memcmp(points, word.points, PREFIX_LETTERS * sizeof *points) != 0) {
            continue;
        }
        float dice = 2.0f * (float)count_shared(&word, points, length) / (float)both;
        if (dice >= DICE_MIN && lexical->terms[other->term].df > 0) {
            keep_best(&best, lexical, other->term, EDDA_VARIANT_WEIGHT * dice);
        }
    }
    return best.count;
}

unsigned edda_vocabulary_distance(const uint32_t *left, size_t left_count, const uint32_t *right,
                                  size_t right_count, unsigned limit) {
    unsigned rows[3][LETTERS_MAX + 1];
    unsigned *two_back = rows[0];
    unsigned *back = rows[1];
    unsigned *row = rows[2];
    for (size_t k = 0; k <= right_count; k++) {
        back[k] = (unsigned)k;
    }
    for (size_t i = 1; i <= left_count; i++) {
        unsigned least = row[0] = (unsigned)i;
        for (size_t k = 1; k <= right_count; k++) {
            unsigned cost = back[k - 1] + (left[i - 1] != right[k - 1]);
            unsigned edit = (back[k] < row[k - 1] ? back[k] : row[k - 1]) + 1;
            cost = edit < cost ? edit : cost;
            if (i > 1 && k > 1 && left[i - 1] == right[k - 2] && left[i - 2] == right[k - 1] &&
                two_back[k - 2] + 1 < cost) {
                cost = two_back[k - 2] + 1;
            }
            row[k] = cost;
            least = cost < least ? cost : least;
        }
        /* + 1: a swap reaches two rows back, and the least of a row grows by at most one. */
        if (least > limit + 1) {
            return limit + 1;
        }
        unsigned *free_row = two_back;
        two_back = back;
        back = row;
        row = free_row;
    }
    return back[right_count] <= limit ? back[right_count] : limit + 1;
}

static float compare_words(const struct edda_vocabulary *self, const struct spelled *word,
                           const struct edda_vocabulary_word *other, size_t shared) {
    float dice = 2.0f * (float)shared / (float)(word->trigram_count + other->trigrams);
    float best = dice >= DICE_MIN ? dice : 0;
    unsigned limit = word->length >= 6 ? 2 : 1;
    size_t longer = word->length > other->length ? word->length : other->length;
    size_t shorter = word->length + other->length - longer;
    /* Each edit adds or takes at most one kind of letter on either side. */
    unsigned missing = (unsigned)__builtin_popcount(word->letters & ~other->letters);
    unsigned added = (unsigned)__builtin_popcount(other->letters & ~word->letters);
    if (longer - shorter > limit || missing > limit || added > limit) {
        return best;
    }
    uint32_t points[LETTERS_MAX];
    size_t length = decode_word(word_text(self, other), points);
    unsigned distance = edda_vocabulary_distance(word->points, word->length, points, length, limit);
    float near = 1.0f - (float)distance / (float)longer;
    return distance <= limit && near > best ? near : best;
}

int edda_vocabulary_neighbours(const struct edda_vocabulary *self,
                               const struct edda_lexical *lexical,
                               struct edda_vocabulary_scratch *scratch, struct edda_text text,
                               struct edda_expansion ret_found[EDDA_EXPANSIONS],
                               size_t *ret_count) {
    struct spelled word;
    struct best_words best = {ret_found, 0};
    size_t known = scratch->shared_capacity;
    size_t touched = 0;
    *ret_count = 0;
    if (!spell_word(text, &word) || word.length < EDDA_EXPANDED_LETTERS_MIN) {
        return 0;
    }
    int error = EDDA_GROW(scratch->shared, scratch->shared_capacity, self->word_count);
    if (!error && scratch->shared_capacity > known) {
        memset(scratch->shared + known, 0, scratch->shared_capacity - known);
    }
    if (!error) {
        error = EDDA_GROW(scratch->touched, scratch->touched_capacity, self->word_count + 1);
    }
    if (error) {
        return error;
    }
    for (size_t i = 0; i < word.trigram_count; i++) {
        uint32_t number = edda_map_get(&self->trigrams, word.trigrams[i]);
        const struct edda_word_list none = {0};
        const struct edda_word_list *list = number == EDDA_MAP_NONE ? &none : &self->lists[number];
        for (uint32_t k = 0; k < list->count; k++) {
            uint32_t other = list->items[k];
            scratch->touched[touched] = other;
            touched += scratch->shared[other]++ == 0;
        }
    }
    for (size_t i = 0; i < touched; i++) {
        const struct edda_vocabulary_word *other = &self->words[scratch->touched[i]];
        size_t shared = scratch->shared[scratch->touched[i]];
        __builtin_prefetch(&self->words[scratch->touched[i + AHEAD < touched ? i + AHEAD : i]]);
        scratch->shared[scratch->touched[i]] = 0;
        float weight = compare_words(self, &word, other, shared);
        if (weight > 0 && lexical->terms[other->term].df > 0) {
            keep_best(&best, lexical, other->term, weight);
        }
    }
    *ret_count = best.count;
    return 0;
}
