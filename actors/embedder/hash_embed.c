#include "actors/embedder/hash_embed.h"

#include "actors/text/grams.h"
#include "actors/text/text.h"

#include <math.h>
#include <stdlib.h>

#define STEM_WEIGHT    0.5f
#define GRAM_WEIGHT    0.75f /* shared by all grams of the word */
#define SHORTEST_GRAM  3
#define LONGEST_GRAM   5
#define LEAST_SLOTS    64
#define FIRST_DISTINCT 1024 /* slots */
#define KEEP_DISTINCT  16384

/* One distinct surface of the text. */
struct distinct {
    const struct edda_token *token; /* NULL: empty */
    uint64_t hash;                  /* of the surface */
    uint32_t count;
};

struct edda_hash_embed {
    edda_analyser_t *analyser;
    struct distinct *slots;
    size_t slot_capacity;
    size_t slot_count;    /* in use: a power of two that depends on the text alone, as the order of
                             additions does, so that equal texts give equal bits */
    float logarithms[64]; /* 1 + ln tf of small tf */
};

edda_hash_embed_t *edda_hash_embed_new(void) {
    struct edda_hash_embed *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->analyser = edda_analyser_new();
    self->slots = malloc(FIRST_DISTINCT * sizeof *self->slots);
    self->slot_capacity = FIRST_DISTINCT;
    for (size_t i = 1; i < 64; i++)
        self->logarithms[i] = 1.0f + logf((float)i);
    if (self->analyser == NULL || self->slots == NULL)
        edda_hash_embed_destroy(&self);
    return self;
}

void edda_hash_embed_destroy(edda_hash_embed_t **self_p) {
    if (*self_p == NULL)
        return;
    edda_analyser_destroy(&(*self_p)->analyser);
    free((*self_p)->slots);
    free(*self_p);
    *self_p = NULL;
}

/* Empties the table of distinct words, sized for count tokens. */
static int clear_slots(edda_hash_embed_t *self, size_t count) {
    self->slot_count = LEAST_SLOTS;
    while (self->slot_count < count * 2) /* at most half full */
        self->slot_count *= 2;
    bool too_small = self->slot_count > self->slot_capacity;
    bool too_large = self->slot_capacity > KEEP_DISTINCT && self->slot_count <= FIRST_DISTINCT;
    if (too_small || too_large) {
        size_t capacity = too_small ? self->slot_count : FIRST_DISTINCT;
        struct distinct *slots = realloc(self->slots, capacity * sizeof *slots);
        if (slots == NULL)
            return EDDA_E_MEMORY;
        self->slots = slots;
        self->slot_capacity = capacity;
    }
    memset(self->slots, 0, self->slot_count * sizeof *self->slots);
    return 0;
}

static void count_token(edda_hash_embed_t *self, const struct edda_token *token) {
    uint64_t hash = edda_text_hash(token->surface.data, token->surface.size);
    size_t at = hash & (self->slot_count - 1);
    while (self->slots[at].token != NULL &&
           (self->slots[at].hash != hash ||
            !edda_text_equal(self->slots[at].token->surface, token->surface)))
        at = (at + 1) & (self->slot_count - 1);
    if (self->slots[at].token == NULL) {
        self->slots[at].token = token;
        self->slots[at].hash = hash;
    }
    self->slots[at].count++;
}

/* The low bits of a mixed hash name the column, the top bit the sign. */
static inline void add_feature(float *vector, uint64_t hash, float weight) {
    vector[hash % EDDA_HASH_EMBED_DIMENSION] += hash >> 63 ? -weight : weight;
}

static void add_word(const struct distinct *word, float weight, float *vector) {
    /* Mixed once more, so that a stem never shares its column with an equal gram's by design. */
    add_feature(vector, edda_gram_mix(word->token->hash, 0x5EED), weight * STEM_WEIGHT);
    struct edda_gram_word framed;
    edda_gram_word_init(&framed, word->token->surface, '<', '>');
    size_t grams = 0;
    for (size_t points = SHORTEST_GRAM; points <= LONGEST_GRAM && points <= framed.length; points++)
        grams += edda_gram_count(&framed, points);
    float share = weight * GRAM_WEIGHT / (float)grams;
    for (size_t points = SHORTEST_GRAM; points <= LONGEST_GRAM && points <= framed.length; points++)
        for (size_t i = 0, count = edda_gram_count(&framed, points); i < count; i++)
            add_feature(vector, edda_gram_hash(&framed, i, points), share);
}

static void normalise(float *vector) {
    double sum = 0;
    for (size_t i = 0; i < EDDA_HASH_EMBED_DIMENSION; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (sum <= 0)
        return;
    float scale = (float)(1.0 / sqrt(sum));
    for (size_t i = 0; i < EDDA_HASH_EMBED_DIMENSION; i++)
        vector[i] *= scale;
}

int edda_hash_embed_text(edda_hash_embed_t *self, struct edda_text text, float *ret_vector) {
    struct edda_tokens tokens;
    int error = edda_analyser_run(self->analyser, text, EDDA_LANGUAGE_AUTO, &tokens);
    if (error == 0)
        error = clear_slots(self, tokens.count);
    if (error != 0)
        return error;
    memset(ret_vector, 0, EDDA_HASH_EMBED_DIMENSION * sizeof *ret_vector);
    for (size_t i = 0; i < tokens.count; i++)
        count_token(self, &tokens.items[i]);
    for (size_t i = 0; i < self->slot_count; i++) {
        const struct distinct *word = &self->slots[i];
        if (word->token == NULL)
            continue;
        float weight =
            word->count < 64 ? self->logarithms[word->count] : 1.0f + logf((float)word->count);
        add_word(word, weight, ret_vector);
    }
    normalise(ret_vector);
    return 0;
}
