#include "actors/text/words.h"

#include "actors/text/stopword.h"

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
    edda_words_t *self = aligned_alloc(64, (sizeof *self + 63) / 64 * 64);
    if (self != NULL)
        memset(self, 0, sizeof *self);
    return self;
}

void edda_words_destroy(edda_words_t **self_p) {
    if (*self_p == NULL)
        return;
    for (size_t i = 0; i < EDDA_LANGUAGE_COUNT; i++)
        if ((*self_p)->stemmers[i] != NULL)
            sb_stemmer_delete((*self_p)->stemmers[i]);
    free(*self_p);
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

static bool is_hit(const struct slot *slot, struct edda_text run, enum edda_language language) {
    return slot->key_size == run.size && slot->language == language &&
           memcmp(slot->payload, run.data, run.size) == 0;
}

void edda_words_find(edda_words_t *self, struct edda_text run, enum edda_language language,
                     struct edda_word *ret_word) {
    size_t index = (edda_text_hash(run.data, run.size) + (uint64_t)language * 0x9E3779B9u) % SLOTS;
    struct slot *slot = &self->slots[index];
    if (!is_hit(slot, run, language)) {
        slot = &self->slots[index ^ 1];
        if (!is_hit(slot, run, language)) {
            work_out(self, run, language, ret_word);
            struct slot *pair = &self->slots[index & ~(size_t)1];
            pair->turn ^= 1;
            remember(&self->slots[(index & ~(size_t)1) + pair->turn], run, language, ret_word);
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
