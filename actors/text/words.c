#include "actors/text/words.h"

#include "actors/text/stopword.h"

#include <endian.h>
#include <libstemmer.h>
#include <stdlib.h>

#define SLOTS         16384
#define PAYLOAD_BYTES 42

/* One cache line. The payload holds the key, then the surface unless it equals the key, then the
 * stem unless it is a prefix of the surface. Words that do not fit are not remembered. */
struct slot {
    uint64_t hash;
    uint32_t languages;
    uint8_t language; /* AUTO (0) with key_size 0: empty */
    uint8_t key_size;
    uint8_t surface_at;
    uint8_t surface_size;
    uint8_t stem_at;
    uint8_t stem_size;
    uint8_t kind;
    uint8_t letters;
    uint8_t turn; /* in even slots: which of the pair gives way next */
    char payload[PAYLOAD_BYTES + 1];
};
_Static_assert(sizeof(struct slot) == 64, "a word is one cache line");

struct edda_words {
    struct slot slots[SLOTS];
    void *allocated;                                  /* what to free: we begin at a cache line */
    struct sb_stemmer *stemmers[EDDA_LANGUAGE_COUNT]; /* made when first needed */
    struct edda_folded scratch;                       /* of the last word not remembered */
    char scratch_stem[EDDA_FOLD_BYTES];
};

static const char *const stemmer_names[EDDA_LANGUAGE_COUNT] = {
    [EDDA_LANGUAGE_ENGLISH] = "english",       [EDDA_LANGUAGE_GERMAN] = "german",
    [EDDA_LANGUAGE_FRENCH] = "french",         [EDDA_LANGUAGE_SPANISH] = "spanish",
    [EDDA_LANGUAGE_PORTUGUESE] = "portuguese", [EDDA_LANGUAGE_ITALIAN] = "italian",
    [EDDA_LANGUAGE_DUTCH] = "dutch",           [EDDA_LANGUAGE_SWEDISH] = "swedish",
    [EDDA_LANGUAGE_NORWEGIAN] = "norwegian",   [EDDA_LANGUAGE_DANISH] = "danish",
    [EDDA_LANGUAGE_FINNISH] = "finnish",       [EDDA_LANGUAGE_RUSSIAN] = "russian",
    [EDDA_LANGUAGE_ROMANIAN] = "romanian",     [EDDA_LANGUAGE_HUNGARIAN] = "hungarian",
    [EDDA_LANGUAGE_TURKISH] = "turkish",       [EDDA_LANGUAGE_ARABIC] = "arabic",
    [EDDA_LANGUAGE_GREEK] = "greek",           [EDDA_LANGUAGE_HINDI] = "hindi",
};

edda_words_t *edda_words_new(void) {
    /* calloc leaves the pages of words not yet met untouched. */
    void *allocated = calloc(1, sizeof(struct edda_words) + 63);
    if (allocated == NULL)
        return NULL;
    edda_words_t *self = (edda_words_t *)(((uintptr_t)allocated + 63) & ~(uintptr_t)63);
    self->allocated = allocated;
    return self;
}

void edda_words_destroy(edda_words_t **self_p) {
    if (*self_p == NULL)
        return;
    for (size_t i = 0; i < EDDA_LANGUAGE_COUNT; i++)
        if ((*self_p)->stemmers[i] != NULL)
            sb_stemmer_delete((*self_p)->stemmers[i]);
    free((*self_p)->allocated);
    *self_p = NULL;
}

/* A language whose stemmer this libstemmer lacks, or has no memory for, keeps its words whole. */
static struct edda_text stem_word(edda_words_t *self, struct edda_text surface,
                                  enum edda_language language) {
    if (stemmer_names[language] == NULL)
        return surface;
    if (self->stemmers[language] == NULL)
        self->stemmers[language] = sb_stemmer_new(stemmer_names[language], NULL);
    struct sb_stemmer *stemmer = self->stemmers[language];
    if (stemmer == NULL)
        return surface;
    const sb_symbol *stem =
        sb_stemmer_stem(stemmer, (const sb_symbol *)surface.data, (int)surface.size);
    int size = stem != NULL ? sb_stemmer_length(stemmer) : 0;
    if (size <= 0 || size > EDDA_FOLD_BYTES)
        return surface;
    if ((size_t)size <= surface.size && memcmp(stem, surface.data, (size_t)size) == 0)
        return (struct edda_text){surface.data, (size_t)size};
    memcpy(self->scratch_stem, stem, (size_t)size);
    return (struct edda_text){self->scratch_stem, (size_t)size};
}

static void work_out(edda_words_t *self, struct edda_text run, enum edda_language language,
                     struct edda_word *word) {
    edda_fold_run(run, &self->scratch);
    word->surface = (struct edda_text){self->scratch.bytes, self->scratch.size};
    word->stem = word->surface;
    word->letters = self->scratch.letters;
    word->kind = self->scratch.digit ? EDDA_TOKEN_NUMBER : EDDA_TOKEN_WORD;
    word->languages =
        edda_stopword_languages(edda_text_hash(word->surface.data, word->surface.size));
    if (word->kind == EDDA_TOKEN_WORD && word->surface.size > 0)
        word->stem = stem_word(self, word->surface, language);
    word->hash = edda_text_hash(word->stem.data, word->stem.size);
    word->surface_is_run = edda_text_equal(run, word->surface);
    word->stem_is_prefix = word->stem.data == word->surface.data;
}

static void remember(struct slot *slot, struct edda_text run, enum edda_language language,
                     const struct edda_word *word) {
    size_t need = run.size + (word->surface_is_run ? 0 : word->surface.size) +
                  (word->stem_is_prefix ? 0 : word->stem.size);
    if (need > PAYLOAD_BYTES)
        return;
    char *at = slot->payload;
    memcpy(at, run.data, run.size);
    slot->surface_at = 0;
    at += run.size;
    if (!word->surface_is_run) {
        slot->surface_at = (uint8_t)(at - slot->payload);
        memcpy(at, word->surface.data, word->surface.size);
        at += word->surface.size;
    }
    slot->stem_at = slot->surface_at;
    if (!word->stem_is_prefix) {
        slot->stem_at = (uint8_t)(at - slot->payload);
        memcpy(at, word->stem.data, word->stem.size);
    }
    slot->hash = word->hash;
    slot->languages = word->languages;
    slot->language = (uint8_t)language;
    slot->key_size = (uint8_t)run.size;
    slot->surface_size = (uint8_t)word->surface.size;
    slot->stem_size = (uint8_t)word->stem.size;
    slot->kind = word->kind;
    slot->letters = word->letters;
}

/* A run as two words when it is short, which nearly all are: hashed and compared in registers. */
struct key {
    struct edda_text run;
    uint64_t low_mask;
    uint64_t high_mask;
    uint64_t low;
    uint64_t high;
};

static inline uint64_t load_64(const char *at) {
    uint64_t value;
    memcpy(&value, at, 8);
    return le64toh(value);
}

static inline size_t find_slot(struct key *key, enum edda_language language) {
    size_t size = key->run.size;
    if (size <= 16) {
        key->low_mask = ~UINT64_C(0) >> (size < 8 ? 64 - 8 * size : 0);
        key->high_mask = size > 8 ? ~UINT64_C(0) >> (128 - 8 * size) : 0;
        key->low = load_64(key->run.data) & key->low_mask;
        key->high = load_64(key->run.data + 8) & key->high_mask;
    } else {
        key->low = edda_text_hash(key->run.data, size);
        key->high = 0;
    }
    uint64_t mixed = (key->low ^ (key->high << 29 | key->high >> 35)) + size;
    mixed = (mixed + (uint64_t)language) * UINT64_C(0x9E3779B97F4A7C15);
    return (mixed ^ mixed >> 32) * UINT64_C(0xD1B54A32D192ED03) >> 50;
}
_Static_assert(SLOTS == 1 << 14, "find_slot gives 14 bits");

static inline bool is_hit(const struct slot *slot, const struct key *key,
                          enum edda_language language) {
    size_t size = key->run.size;
    if (size > 16)
        return slot->key_size == size && slot->language == language &&
               memcmp(slot->payload, key->run.data, size) == 0;
    uint64_t differs = (load_64(slot->payload) & key->low_mask) ^ key->low;
    differs |= (load_64(slot->payload + 8) & key->high_mask) ^ key->high;
    differs |= (uint64_t)(slot->key_size ^ size) | (uint64_t)(slot->language ^ (uint8_t)language);
    return differs == 0;
}

/* The place of the pair that gives way: an empty one, the word's own first; then each in its turn.
 */
static struct slot *choose_slot(edda_words_t *self, size_t index) {
    struct slot *own = &self->slots[index];
    struct slot *other = &self->slots[index ^ 1];
    if (own->key_size == 0)
        return own;
    if (other->key_size == 0)
        return other;
    struct slot *pair = &self->slots[index & ~(size_t)1];
    pair->turn ^= 1;
    return &pair[pair->turn];
}

void edda_words_expect(const edda_words_t *self, struct edda_text run,
                       enum edda_language language) {
    struct key key = {.run = run};
    size_t index = find_slot(&key, language);
    __builtin_prefetch(&self->slots[index]);
    __builtin_prefetch(&self->slots[index ^ 1]);
}

void edda_words_find(edda_words_t *self, struct edda_text run, enum edda_language language,
                     struct edda_word *ret_word) {
    struct key key = {.run = run};
    size_t index = find_slot(&key, language);
    struct slot *slot = &self->slots[index];
    if (!is_hit(slot, &key, language)) {
        slot = &self->slots[index ^ 1];
        if (!is_hit(slot, &key, language)) {
            work_out(self, run, language, ret_word);
            remember(choose_slot(self, index), run, language, ret_word);
            return;
        }
    }
    ret_word->surface = (struct edda_text){slot->payload + slot->surface_at, slot->surface_size};
    ret_word->stem = (struct edda_text){slot->payload + slot->stem_at, slot->stem_size};
    ret_word->hash = slot->hash;
    ret_word->languages = slot->languages;
    ret_word->kind = slot->kind;
    ret_word->letters = slot->letters;
    ret_word->surface_is_run = slot->surface_at == 0;
    ret_word->stem_is_prefix = slot->stem_at == slot->surface_at;
}
