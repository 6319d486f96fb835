/* actors/reranker/rerank.c: reading the passages once, then the features of lexical-1. */
#include "actors/reranker/rerank.h"

#include "actors/text/likeness.h"

#include <math.h>
#include <stdlib.h>

#define WORDS_MAX        64
#define PLACES           256 /* of the query's words by hash */
#define WINDOW_WORDS     30
#define KNOWN_WORDS      4096 /* likeness remembered within one run, by stem */
#define LIKE_LETTERS_MIN 4

#define WEIGHT_PRIOR     1.0
#define WEIGHT_PROXIMITY 0.4
#define WEIGHT_WINDOW    0.15
#define WEIGHT_TITLE     0.4
#define WEIGHT_EARLY     0.1
#define WEIGHT_LIKENESS  0.25
#define WEIGHT_SUM                                                                                 \
    (WEIGHT_PRIOR + WEIGHT_PROXIMITY + WEIGHT_WINDOW + WEIGHT_TITLE + WEIGHT_EARLY +               \
     WEIGHT_LIKENESS)

struct query_word {
    uint64_t hash;
    double idf;
    struct edda_likeness likeness;
    bool likely; /* may be matched by likeness */
};

/* A query word at a place of a passage. */
struct match {
    uint32_t position;
    uint8_t word;
};

/* What a word of the passages is to the query: the words it resembles. */
struct known_word {
    uint64_t hash;
    uint32_t round;
    uint8_t word; /* the query word most like it */
    float likeness;
};

struct passage {
    size_t first_match;
    size_t match_count;
    uint32_t words;            /* tokens read */
    uint64_t title_words;      /* bits of query words in title or heading */
    float likeness[WORDS_MAX]; /* best per query word */
};

struct edda_reranker {
    edda_analyser_t *analyser;
    struct query_word words[WORDS_MAX];
    size_t word_count;
    uint8_t sequence[WORDS_MAX * 2]; /* the query's words in order, as numbers */
    size_t sequence_count;
    uint8_t places[PLACES]; /* number + 1 */
    struct match *matches;
    size_t match_count;
    size_t match_capacity;
    struct passage *passages;
    size_t passage_capacity;
    struct known_word *known;
    uint32_t round;
    enum edda_language language; /* of the query, and so of what can match it */
};

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
    size_t place = hash % PLACES;
    while (self->places[place] && self->words[self->places[place] - 1].hash != hash) {
        place = (place + 1) % PLACES;
    }
    return place;
}

static void add_query_word(edda_reranker_t *self, const struct edda_token *token) {
    size_t place = find_place(self, token->hash);
    if (!self->places[place]) {
        if (self->word_count == WORDS_MAX) {
            return;
        }
        struct query_word *word = &self->words[self->word_count];
        word->hash = token->hash;
        word->idf = 1;
        word->likely = token->kind == EDDA_TOKEN_WORD && token->letters >= LIKE_LETTERS_MIN;
        if (word->likely) {
            edda_likeness_of(token->surface, &word->likeness);
        }
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

static const struct known_word *know_word(edda_reranker_t *self, const struct edda_token *token) {
    struct known_word *known = &self->known[token->hash % KNOWN_WORDS];
    if (known->hash == token->hash && known->round == self->round) {
        return known;
    }
    struct edda_likeness likeness;
    *known = (struct known_word){.hash = token->hash, .round = self->round};
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

static int add_match(edda_reranker_t *self, struct passage *passage, uint32_t position,
                     uint8_t word) {
    if (self->match_count == self->match_capacity) {
        size_t capacity = self->match_capacity * 2 + 256;
        struct match *matches = realloc(self->matches, capacity * sizeof *matches);
        if (!matches) {
            return EDDA_E_MEMORY;
        }
        self->matches = matches;
        self->match_capacity = capacity;
    }
    self->matches[self->match_count++] = (struct match){position, word};
    passage->match_count++;
    return 0;
}

static int read_passage(edda_reranker_t *self, struct edda_text text, struct passage *passage) {
    struct edda_tokens tokens = {0};
    int error = text.size ? edda_analyser_run(self->analyser, text, self->language, &tokens) : 0;
    passage->first_match = self->match_count;
    for (size_t i = 0; !error && i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        uint8_t place = self->places[find_place(self, token->hash)];
        if (place) {
            error = add_match(self, passage, token->position, (uint8_t)(place - 1));
            passage->likeness[place - 1] = 1;
        } else if (token->kind == EDDA_TOKEN_WORD && token->letters >= LIKE_LETTERS_MIN &&
                   !token->stopword) {
            const struct known_word *known = know_word(self, token);
            if (known->likeness > passage->likeness[known->word]) {
                passage->likeness[known->word] = known->likeness;
            }
        }
    }
    if (!error && tokens.count) {
        passage->words = tokens.items[tokens.count - 1].position + 1;
    }
    return error;
}

static int read_title(edda_reranker_t *self, struct edda_text text, struct passage *passage) {
    struct edda_tokens tokens = {0};
    int error = text.size ? edda_analyser_run(self->analyser, text, self->language, &tokens) : 0;
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
        struct passage *room = realloc(self->passages, count * sizeof *room);
        if (!room) {
            return EDDA_E_MEMORY;
        }
        self->passages = room;
        self->passage_capacity = count;
    }
    self->match_count = 0;
    self->round++;
    for (size_t i = 0; !error && i < count; i++) {
        struct passage *passage = &self->passages[i];
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
            const struct passage *passage = &self->passages[i];
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

/* ---- features ---- */

/* Pairs of adjacent query words: the weight of a pair over the distance of its nearest places. */
static double measure_proximity(const edda_reranker_t *self, const struct match *matches,
                                size_t count) {
    double found = 0;
    double all = 0;
    for (size_t pair = 0; pair + 1 < self->sequence_count; pair++) {
        uint8_t first = self->sequence[pair];
        uint8_t second = self->sequence[pair + 1];
        double weight = self->words[first].idf + self->words[second].idf;
        uint32_t nearest = UINT32_MAX;
        uint32_t last_first = UINT32_MAX;
        uint32_t last_second = UINT32_MAX;
        if (first == second) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            uint32_t other = UINT32_MAX;
            if (matches[i].word == first) {
                last_first = matches[i].position;
                other = last_second;
            } else if (matches[i].word == second) {
                last_second = matches[i].position;
                other = last_first;
            }
            if (other != UINT32_MAX && matches[i].position - other < nearest) {
                nearest = matches[i].position - other;
            }
        }
        all += weight;
        if (nearest != UINT32_MAX) {
            found += weight / (double)(nearest > 1 ? nearest : 1);
        }
    }
    return all > 0 ? found / all : 0;
}

/* The largest share of the query within WINDOW_WORDS words. */
static double measure_window(const edda_reranker_t *self, const struct match *matches, size_t count,
                             double total) {
    uint16_t inside[WORDS_MAX] = {0};
    double held = 0;
    double best = 0;
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        if (inside[matches[i].word]++ == 0) {
            held += self->words[matches[i].word].idf;
        }
        while (matches[i].position - matches[from].position >= WINDOW_WORDS) {
            if (--inside[matches[from].word] == 0) {
                held -= self->words[matches[from].word].idf;
            }
            from++;
        }
        best = held > best ? held : best;
    }
    return best / total;
}

static double measure_early(const edda_reranker_t *self, const struct match *matches, size_t count,
                            uint32_t words, double total) {
    uint64_t seen = 0;
    double early = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << matches[i].word;
        if (!(seen & bit)) {
            seen |= bit;
            early += self->words[matches[i].word].idf *
                     (1 - (double)matches[i].position / (double)words);
        }
    }
    return early / total;
}

static double score_passage(const edda_reranker_t *self, const struct passage *passage,
                            double prior, double total) {
    const struct match *matches = self->matches + passage->first_match;
    double title = 0;
    double like = 0;
    for (size_t word = 0; word < self->word_count; word++) {
        double idf = self->words[word].idf;
        title += passage->title_words >> word & 1 ? idf : 0;
        like += idf * (double)passage->likeness[word];
    }
    double score =
        WEIGHT_PRIOR * prior + WEIGHT_TITLE * title / total + WEIGHT_LIKENESS * like / total;
    if (passage->match_count) {
        score += WEIGHT_PROXIMITY * measure_proximity(self, matches, passage->match_count) +
                 WEIGHT_WINDOW * measure_window(self, matches, passage->match_count, total) +
                 WEIGHT_EARLY *
                     measure_early(self, matches, passage->match_count, passage->words, total);
    }
    return score / WEIGHT_SUM;
}

static int compare_order(const void *left, const void *right) {
    const struct edda_rerank_order *a = left;
    const struct edda_rerank_order *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->passage < b->passage ? -1 : 1;
}

int edda_reranker_run(edda_reranker_t *self, struct edda_text query,
                      const struct edda_rerank_passage *passages, size_t count,
                      const struct edda_hit_terms *terms, struct edda_rerank_order *ret_order) {
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
        ret_order[i].passage = (uint32_t)i;
        ret_order[i].score = prior;
        if (total > 0) {
            ret_order[i].score = score_passage(self, &self->passages[i], prior, total);
        }
    }
    if (count > 1) {
        qsort(ret_order, count, sizeof *ret_order, compare_order);
    }
    return 0;
}
