/* actors/reranker/rerank.c: reading the passages once, then the features of lexical-1. */
#include "actors/reranker/rerank.h"

#include "actors/reranker/state.h"

#include <math.h>
#include <stdlib.h>

#define KNOWN_WORDS      4096 /* likeness remembered within one run, by stem */
#define LIKE_LETTERS_MIN 4
#define LIKE_MIN         0.4f /* what stands for a word of the query where it stands */

edda_reranker_t *edda_reranker_new(edda_analyser_t *analyser) {
    edda_reranker_t *self = calloc(1, sizeof *self);
    if (self) {
        self->analyser = analyser;
        self->known = calloc(KNOWN_WORDS, sizeof *self->known);
    }
    if (self && !self->known) {
        free(self);
        self = NULL;
    }
    return self;
}

void edda_reranker_destroy(edda_reranker_t **self_p) {
    edda_reranker_t *self = *self_p;
    if (self) {
        free(self->matches);
        free(self->passages);
        free(self->features);
        free(self->known);
        free(self);
    }
    *self_p = NULL;
}

double edda_rerank_prior(size_t i, size_t count) {
    return count ? 1.0 - (double)i / (double)count : 0;
}

/* ---- the query ---- */

static size_t find_place(const edda_reranker_t *self, uint64_t hash) {
    size_t place = hash % EDDA_RERANK_PLACES;
    while (self->places[place] && self->words[self->places[place] - 1].hash != hash) {
        place = (place + 1) % EDDA_RERANK_PLACES;
    }
    return place;
}

static void add_query_word(edda_reranker_t *self, const struct edda_token *token) {
    size_t place = find_place(self, token->hash);
    if (!self->places[place]) {
        if (self->word_count == EDDA_RERANK_WORDS) {
            return;
        }
        struct edda_rerank_word *word = &self->words[self->word_count];
        word->hash = token->hash;
        word->idf = 1;
        word->likely = token->kind == EDDA_TOKEN_WORD && token->letters >= LIKE_LETTERS_MIN;
        if (word->likely) {
            edda_likeness_of(token->surface, &word->likeness);
        }
        edda_sieve_add(&self->sieve, token->stem);
        self->places[place] = (uint8_t)++self->word_count;
    }
    if (self->sequence_count < sizeof self->sequence) {
        self->sequence[self->sequence_count++] = (uint8_t)(self->places[place] - 1);
    }
}

/* A query that does not say its language is read in that of the first passage. */
static int read_query(edda_reranker_t *self, struct edda_text query,
                      const struct edda_rerank_passage *passages, size_t count) {
    struct edda_tokens tokens = {0};
    size_t meaning = 0;
    self->word_count = 0;
    self->sequence_count = 0;
    memset(self->places, 0, sizeof self->places);
    if (query.size == 0) {
        return 0;
    }
    self->language = edda_analyser_language(self->analyser, query);
    if (self->language == EDDA_LANGUAGE_AUTO && count > 0) {
        self->language = edda_analyser_language(self->analyser, passages[0].text);
    }
    int error = edda_analyser_run(self->analyser, query, self->language, &tokens);
    self->language = tokens.language;
    edda_sieve_init(&self->sieve, self->language);
    for (size_t i = 0; !error && i < tokens.count; i++) {
        meaning += !tokens.items[i].stopword;
    }
    for (size_t i = 0; !error && i < tokens.count; i++) {
        if (!tokens.items[i].stopword || meaning == 0) {
            add_query_word(self, &tokens.items[i]);
        }
    }
    return error;
}

/* ---- the passages ---- */

/* The first spelling of a stem speaks for it. */
static const struct edda_rerank_known *know_word(edda_reranker_t *self,
                                                 const struct edda_token *token) {
    struct edda_rerank_known *known = &self->known[token->hash % KNOWN_WORDS];
    if (known->hash == token->hash && known->round == self->round) {
        return known;
    }
    struct edda_likeness likeness;
    *known = (struct edda_rerank_known){.hash = token->hash, .round = self->round};
    edda_likeness_of(token->surface, &likeness);
    for (size_t i = 0; i < self->word_count; i++) {
        if (!self->words[i].likely) {
            continue;
        }
        float like = edda_likeness_compare(&self->words[i].likeness, &likeness);
        if (like > known->likeness) {
            known->likeness = like;
            known->word = (uint8_t)i;
        }
    }
    return known;
}

static int add_match(edda_reranker_t *self, struct edda_rerank_read *passage,
                     struct edda_rerank_match match) {
    if (self->match_count == self->match_capacity) {
        size_t capacity = self->match_capacity * 2 + 256;
        struct edda_rerank_match *matches = realloc(self->matches, capacity * sizeof *matches);
        if (!matches) {
            return EDDA_E_MEMORY;
        }
        self->matches = matches;
        self->match_capacity = capacity;
    }
    self->matches[self->match_count++] = match;
    passage->match_count++;
    return 0;
}

/* The words of text that begin as one of the query does, and those that are not of ASCII alone. */
static int sift(edda_reranker_t *self, struct edda_text text, struct edda_tokens *ret_tokens) {
    return text.size == 0
               ? 0
               : edda_analyser_sift(self->analyser, text, self->language, &self->sieve, ret_tokens);
}

static int read_passage(edda_reranker_t *self, struct edda_text text,
                        struct edda_rerank_read *passage) {
    struct edda_tokens tokens = {0};
    int error = sift(self, text, &tokens);
    passage->first_match = self->match_count;
    for (size_t i = 0; !error && i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        uint8_t place = self->places[find_place(self, token->hash)];
        if (place) {
            struct edda_rerank_match match = {token->position, 1, (uint8_t)(place - 1)};
            error = add_match(self, passage, match);
            passage->likeness[place - 1] = 1;
        } else if (token->kind == EDDA_TOKEN_WORD && token->letters >= LIKE_LETTERS_MIN &&
                   !token->stopword) {
            const struct edda_rerank_known *known = know_word(self, token);
            if (known->likeness > passage->likeness[known->word]) {
                passage->likeness[known->word] = known->likeness;
            }
            if (known->likeness >= LIKE_MIN) {
                struct edda_rerank_match match = {token->position, known->likeness, known->word};
                error = add_match(self, passage, match);
            }
        }
    }
    passage->words = tokens.positions;
    return error;
}

static int read_title(edda_reranker_t *self, struct edda_text text,
                      struct edda_rerank_read *passage) {
    struct edda_tokens tokens = {0};
    int error = sift(self, text, &tokens);
    for (size_t i = 0; !error && i < tokens.count; i++) {
        uint8_t place = self->places[find_place(self, tokens.items[i].hash)];
        if (place) {
            passage->title_words |= UINT64_C(1) << (place - 1);
        }
    }
    return error;
}

static int read_passages(edda_reranker_t *self, const struct edda_rerank_passage *passages,
                         size_t count) {
    int error = 0;
    if (count > self->passage_capacity) {
        struct edda_rerank_read *room = realloc(self->passages, count * sizeof *room);
        if (!room) {
            return EDDA_E_MEMORY;
        }
        self->passages = room;
        self->passage_capacity = count;
    }
    self->match_count = 0;
    self->round++;
    for (size_t i = 0; !error && i < count; i++) {
        struct edda_rerank_read *passage = &self->passages[i];
        memset(passage, 0, sizeof *passage);
        error = read_passage(self, passages[i].text, passage);
        if (!error) {
            error = read_title(self, passages[i].title, passage);
        }
        if (!error) {
            error = read_title(self, passages[i].heading, passage);
        }
    }
    return error;
}

/* ---- what the collection knows ---- */

static void weigh_by_passages(edda_reranker_t *self, size_t count) {
    for (size_t word = 0; word < self->word_count; word++) {
        double df = 0;
        for (size_t i = 0; i < count; i++) {
            const struct edda_rerank_read *passage = &self->passages[i];
            df += passage->likeness[word] >= 1 || (passage->title_words >> word & 1);
        }
        self->words[word].idf = log(1 + ((double)count - df + 0.5) / (df + 0.5));
    }
}

/* A word the collection says nothing of counts as its rarest. */
static void weigh_by_terms(edda_reranker_t *self, const struct edda_hit_terms *terms) {
    double rarest = 0;
    for (size_t i = 0; i < terms->count; i++) {
        rarest = terms->items[i].idf > rarest ? terms->items[i].idf : rarest;
    }
    for (size_t word = 0; word < self->word_count; word++) {
        self->words[word].idf = rarest;
        for (size_t i = 0; i < terms->count; i++) {
            if (terms->items[i].hash == self->words[word].hash) {
                self->words[word].idf = terms->items[i].idf;
            }
        }
    }
}

static int compare_order(const void *left, const void *right) {
    const struct edda_rerank_order *a = left;
    const struct edda_rerank_order *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->passage < b->passage ? -1 : 1;
}

static int measure(edda_reranker_t *self, struct edda_text query,
                   const struct edda_rerank_passage *passages, size_t count,
                   const struct edda_hit_terms *terms,
                   double (*ret_features)[EDDA_RERANK_FEATURES]) {
    double total = 0;
    int error = read_query(self, query, passages, count);
    if (!error && self->word_count) {
        error = read_passages(self, passages, count);
    }
    if (error) {
        return error;
    }
    if (terms && terms->count) {
        weigh_by_terms(self, terms);
    } else if (self->word_count) {
        weigh_by_passages(self, count);
    }
    for (size_t word = 0; word < self->word_count; word++) {
        total += self->words[word].idf;
    }
    for (size_t i = 0; i < count; i++) {
        double prior = passages[i].prior < 0 ? 0 : passages[i].prior > 1 ? 1 : passages[i].prior;
        if (total > 0) {
            edda_rerank_measure(self, &self->passages[i], total, ret_features[i]);
        } else {
            memset(ret_features[i], 0, sizeof ret_features[i]);
        }
        ret_features[i][EDDA_RERANK_PRIOR] = prior;
    }
    return 0;
}

int edda_reranker_run(edda_reranker_t *self, struct edda_text query,
                      const struct edda_rerank_passage *passages, size_t count,
                      const struct edda_hit_terms *terms, uint32_t without,
                      struct edda_rerank_order *ret_order) {
    if (count > self->features_capacity) {
        double(*room)[EDDA_RERANK_FEATURES] = realloc(self->features, count * sizeof *room);
        if (!room) {
            return EDDA_E_MEMORY;
        }
        self->features = room;
        self->features_capacity = count;
    }
    int error = measure(self, query, passages, count, terms, self->features);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        ret_order[i].passage = (uint32_t)i;
        ret_order[i].score = edda_rerank_score(self->features[i], without);
    }
    if (count > 1) {
        qsort(ret_order, count, sizeof *ret_order, compare_order);
    }
    return 0;
}
