/* actors/llm/extractive.c: reading the question and the passages once, then each sentence's score.
 */
#include "actors/llm/extractive.h"

#include <stdlib.h>

#include "actors/llm/extractive_state.h"
#include "actors/llm/source.h"

#define SENTENCES_MAX    8192
#define LIKE_LETTERS_MIN 4
#define NEAR             3 /* words between two that are a pair */

#define WEIGHT_ALIKE   0.6
#define WEIGHT_BEFORE  0.35
#define WEIGHT_ASKED   0.9 /* by the sentence before, a question */
#define WEIGHT_HEADING 0.3
#define WEIGHT_BEHIND  0.1
#define WEIGHT_PAIRS   0.3
#define WEIGHT_PASSAGE 0.3
#define WEIGHT_NUMBER  0.15
#define SHARE_QUESTION 0.33
#define SHARE_CODE     0.7

edda_extractor_t *edda_extractor_new(edda_analyser_t *analyser) {
    edda_extractor_t *self = calloc(1, sizeof *self);
    if (self) {
        self->analyser = analyser;
    }
    return self;
}

void edda_extractor_destroy(edda_extractor_t **self_p) {
    edda_extractor_t *self = *self_p;
    if (self) {
        free(self->sentences);
        free(self);
    }
    *self_p = NULL;
}

/* ---- the question ---- */

/* EDDA_EXTRACT_WORDS: it is none of the question's. */
static size_t find_word(const edda_extractor_t *self, uint64_t hash) {
    for (size_t i = 0; i < self->word_count; i++) {
        if (self->words[i].hash == hash) {
            return i;
        }
    }
    return EDDA_EXTRACT_WORDS;
}

/* A word the collection says nothing of counts as its rarest. */
static double find_idf(const struct edda_hit_terms *terms, uint64_t hash) {
    double rarest = 0;
    for (size_t i = 0; i < terms->count; i++) {
        if (terms->items[i].hash == hash) {
            return terms->items[i].idf;
        }
        rarest = terms->items[i].idf > rarest ? terms->items[i].idf : rarest;
    }
    return terms->count > 0 ? rarest : 1;
}

static void add_word(edda_extractor_t *self, const struct edda_token *token,
                     const struct edda_hit_terms *terms) {
    if (self->word_count == EDDA_EXTRACT_WORDS ||
        find_word(self, token->hash) != EDDA_EXTRACT_WORDS) {
        return;
    }
    struct edda_question_word *word = &self->words[self->word_count++];
    word->hash = token->hash;
    word->idf = find_idf(terms, token->hash);
    word->likely = token->kind == EDDA_TOKEN_WORD && token->letters >= LIKE_LETTERS_MIN;
    if (word->likely) {
        edda_likeness_of(token->surface, &word->likeness);
    }
}

/* Words that ask for a time or an amount, folded. "how" asks for one only with its next word. */
static bool asks_number(const struct edda_token *token, const struct edda_token *before) {
    static const char *const alone[] = {
        "when",   "year",   "date",    "wann",    "wieviel", "jahr",    "quand", "combien", "annee",
        "cuando", "cuanto", "cuantos", "cuantas", "когда",   "сколько", "多少",  "何时",    "时候",
        "哪年",   "多久",   "多大",    "多长",    "多高",    "几个",    "几年"};
    static const char *const behind_how[] = {"many", "much", "long", "old",  "tall",
                                             "far",  "high", "big",  "fast", "viele"};
    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++) {
        if (edda_text_is(token->surface, alone[i])) {
            return true;
        }
    }
    bool after_how =
        before && (edda_text_is(before->surface, "how") || edda_text_is(before->surface, "wie"));
    for (size_t i = 0; after_how && i < sizeof behind_how / sizeof behind_how[0]; i++) {
        if (edda_text_is(token->surface, behind_how[i])) {
            return true;
        }
    }
    return false;
}

/* A question that does not say its language is read in that of the first passage. */
static int read_question(edda_extractor_t *self, struct edda_text query,
                         const struct edda_hits *hits) {
    struct edda_tokens tokens = {0};
    size_t meaning = 0;
    self->word_count = 0;
    self->asks_number = false;
    self->total = 0;
    self->pair_total = 0;
    self->language = edda_analyser_language(self->analyser, query);
    if (self->language == EDDA_LANGUAGE_AUTO && hits->hits.count > 0) {
        self->language = edda_analyser_language(self->analyser, hits->hits.items[0].text);
    }
    int error = edda_analyser_run(self->analyser, query, self->language, &tokens);
    self->language = tokens.language;
    for (size_t i = 0; !error && i < tokens.count; i++) {
        meaning += !tokens.items[i].stopword;
        self->asks_number |= asks_number(&tokens.items[i], i > 0 ? &tokens.items[i - 1] : NULL);
    }
    for (size_t i = 0; !error && i < tokens.count; i++) {
        if (!tokens.items[i].stopword || meaning == 0) {
            add_word(self, &tokens.items[i], &hits->terms);
        }
    }
    for (size_t i = 0; i < self->word_count; i++) {
        self->total += self->words[i].idf;
        self->pair_total += i > 0 ? self->words[i - 1].idf + self->words[i].idf : 0;
    }
    return error;
}

/* ---- the passages ---- */

static bool ends_with(struct edda_text text, const char *end) {
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

static bool ends_in_question(struct edda_text text) {
    static const char *const closers[] = {"\"", "'", ")",  "]",  "*", "”",
                                          "’",  "»", "」", "』", "）"};
    for (size_t i = 0; i < sizeof closers / sizeof closers[0]; i++) {
        if (ends_with(text, closers[i])) {
            text.size -= strlen(closers[i]);
            break;
        }
    }
    return ends_with(text, "?") || ends_with(text, "？");
}

static int add_sentence(edda_extractor_t *self, struct edda_quote quote, uint32_t hit, bool first) {
    if (self->sentence_count == self->sentence_capacity) {
        size_t capacity = self->sentence_capacity * 2 + 64;
        struct edda_sentence *larger = realloc(self->sentences, capacity * sizeof *larger);
        if (!larger) {
            return EDDA_E_MEMORY;
        }
        self->sentences = larger;
        self->sentence_capacity = capacity;
    }
    self->sentences[self->sentence_count++] = (struct edda_sentence){
        .quote = quote, .hit = hit, .first = first, .asks = ends_in_question(quote.text)};
    return 0;
}

/* Where each word of the question stood last in the sentence being read, from 1; 0: nowhere. */
struct places {
    uint32_t at[EDDA_EXTRACT_WORDS];
};

static void note_match(struct edda_sentence *sentence, struct places *places, size_t word,
                       uint32_t position) {
    uint32_t here = position + 1;
    sentence->held |= UINT64_C(1) << word;
    places->at[word] = here;
    if (word > 0 && places->at[word - 1] && here - places->at[word - 1] <= NEAR) {
        sentence->pairs |= UINT64_C(1) << (word - 1);
    }
    if (word + 1 < EDDA_EXTRACT_WORDS && places->at[word + 1] &&
        here - places->at[word + 1] <= NEAR) {
        sentence->pairs |= UINT64_C(1) << word;
    }
}

static const char *end_of(const struct edda_sentence *sentence) {
    return sentence->quote.text.data + sentence->quote.text.size;
}

/* The tokens of a passage given to its sentences, both in order. */
static void match_tokens(edda_extractor_t *self, size_t first, struct edda_text text,
                         struct edda_tokens tokens) {
    struct places places = {{0}};
    size_t at = first;
    for (size_t i = 0; i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        const char *start = text.data + token->start;
        while (at < self->sentence_count && start >= end_of(&self->sentences[at])) {
            at++;
            places = (struct places){{0}};
        }
        if (at == self->sentence_count || start < self->sentences[at].quote.text.data) {
            continue; /* of a heading or a mark */
        }
        struct edda_sentence *sentence = &self->sentences[at];
        size_t word = find_word(self, token->hash);
        sentence->words++;
        if (word < EDDA_EXTRACT_WORDS) {
            note_match(sentence, &places, word, token->position);
        } else {
            sentence->number |= token->kind == EDDA_TOKEN_NUMBER;
        }
    }
}

static int read_hit(edda_extractor_t *self, const struct edda_hit *hit, uint32_t number) {
    struct edda_tokens tokens = {0};
    struct edda_quotes quotes;
    struct edda_quote quote;
    size_t first = self->sentence_count;
    int error = 0;
    edda_quotes_begin(&quotes, hit->text);
    while (!error && self->sentence_count < SENTENCES_MAX && edda_quotes_next(&quotes, &quote)) {
        error = add_sentence(self, quote, number, self->sentence_count == first);
    }
    if (!error && hit->text.size > 0) {
        error = edda_analyser_run(self->analyser, hit->text, self->language, &tokens);
    }
    if (!error) {
        match_tokens(self, first, hit->text, tokens);
    }
    return error;
}

/* The bits of the question's words in a text. */
static int read_words(edda_extractor_t *self, struct edda_text text, uint64_t *held) {
    struct edda_tokens tokens = {0};
    int error = text.size ? edda_analyser_run(self->analyser, text, self->language, &tokens) : 0;
    for (size_t i = 0; !error && i < tokens.count; i++) {
        size_t word = find_word(self, tokens.items[i].hash);
        *held |= word < EDDA_EXTRACT_WORDS ? UINT64_C(1) << word : 0;
    }
    return error;
}

/* ---- words of similar spelling ---- */

/* The words that no sentence holds. */
static uint64_t find_missing(const edda_extractor_t *self) {
    uint64_t held = 0;
    uint64_t missing = 0;
    for (size_t i = 0; i < self->sentence_count; i++) {
        held |= self->sentences[i].held;
    }
    for (size_t i = 0; i < self->word_count; i++) {
        missing |= self->words[i].likely && !(held >> i & 1) ? UINT64_C(1) << i : 0;
    }
    return missing;
}

static uint64_t find_alike(const edda_extractor_t *self, uint64_t missing,
                           struct edda_text surface) {
    struct edda_likeness likeness;
    uint64_t alike = 0;
    edda_likeness_of(surface, &likeness);
    for (size_t i = 0; i < self->word_count; i++) {
        if (missing >> i & 1 && edda_likeness_compare(&self->words[i].likeness, &likeness) > 0) {
            alike |= UINT64_C(1) << i;
        }
    }
    return alike;
}

/* Looks again, for words that were mistyped or are there in another form only. */
static int match_alike(edda_extractor_t *self, uint64_t missing) {
    int error = 0;
    for (size_t i = 0; !error && i < self->sentence_count; i++) {
        struct edda_sentence *sentence = &self->sentences[i];
        struct edda_tokens tokens = {0};
        error = edda_analyser_run(self->analyser, sentence->quote.text, self->language, &tokens);
        for (size_t k = 0; !error && k < tokens.count; k++) {
            const struct edda_token *token = &tokens.items[k];
            if (token->kind == EDDA_TOKEN_WORD && token->letters >= LIKE_LETTERS_MIN &&
                !token->stopword) {
                sentence->alike |= find_alike(self, missing, token->surface);
            }
        }
    }
    return error;
}

/* ---- scores ---- */

static double weigh(const edda_extractor_t *self, uint64_t words) {
    double sum = 0;
    for (; words; words &= words - 1) {
        sum += self->words[__builtin_ctzll(words)].idf;
    }
    return sum;
}

static double weigh_pairs(const edda_extractor_t *self, uint64_t pairs) {
    double sum = 0;
    for (; pairs; pairs &= pairs - 1) {
        int i = __builtin_ctzll(pairs);
        sum += self->words[i].idf + self->words[i + 1].idf;
    }
    return self->pair_total > 0 ? sum / self->pair_total : 0;
}

/* The weight of `words` that are not yet known, which then are. */
static double weigh_new(const edda_extractor_t *self, uint64_t words, uint64_t *known) {
    double sum = weigh(self, words & ~*known);
    *known |= words;
    return sum;
}

/* passage: of the best one's score. */
static void score_sentence(const edda_extractor_t *self, size_t i, double passage,
                           uint64_t heading) {
    struct edda_sentence *sentence = &self->sentences[i];
    bool last = i + 1 == self->sentence_count || self->sentences[i + 1].first;
    const struct edda_sentence *before = sentence->first ? NULL : sentence - 1;
    const struct edda_sentence *behind = last ? NULL : sentence + 1;
    uint64_t known = 0;
    double words = weigh_new(self, sentence->held, &known);
    words += WEIGHT_ALIKE * weigh_new(self, sentence->alike, &known);
    sentence->own = words / self->total;
    if (before) {
        double weight = before->asks ? WEIGHT_ASKED : WEIGHT_BEFORE;
        words += weight * weigh_new(self, before->held | before->alike, &known);
    }
    words += WEIGHT_HEADING * weigh_new(self, heading, &known);
    if (behind) {
        words += WEIGHT_BEHIND * weigh_new(self, behind->held, &known);
    }
    sentence->share = words / self->total;
    sentence->score = sentence->share + WEIGHT_PAIRS * weigh_pairs(self, sentence->pairs) +
                      WEIGHT_PASSAGE * passage +
                      (self->asks_number && sentence->number ? WEIGHT_NUMBER : 0);
    sentence->score *= sentence->asks ? SHARE_QUESTION : sentence->quote.code ? SHARE_CODE : 1;
}

static double best_score(const struct edda_hit_list *hits, size_t count) {
    double best = 0;
    for (size_t i = 0; i < count; i++) {
        best = hits->items[i].score > best ? hits->items[i].score : best;
    }
    return best;
}

static int score_sentences(edda_extractor_t *self, const struct edda_hit_list *hits, size_t count) {
    double best = best_score(hits, count);
    uint64_t heading = 0;
    int error = 0;
    for (size_t i = 0; !error && i < self->sentence_count; i++) {
        const struct edda_hit *hit = &hits->items[self->sentences[i].hit];
        if (self->sentences[i].first) {
            heading = 0;
            error = read_words(self, hit->title, &heading);
            error = error ? error : read_words(self, hit->heading, &heading);
        }
        score_sentence(self, i, best > 0 ? hit->score / best : 0, heading);
    }
    return error;
}

/* ---- the whole ---- */

static int read_hits(edda_extractor_t *self, const struct edda_hit_list *hits, size_t count) {
    int error = 0;
    self->sentence_count = 0;
    for (size_t i = 0; !error && i < count; i++) {
        error = read_hit(self, &hits->items[i], (uint32_t)i);
    }
    uint64_t missing = error ? 0 : find_missing(self);
    return missing ? match_alike(self, missing) : error;
}

int edda_extractor_run(edda_extractor_t *self, const struct edda_llm_answer *arguments,
                       const struct edda_hits *hits, bool alone, struct edda_arena *arena,
                       struct edda_extract *ret_extract) {
    size_t count = edda_sources_wanted(&hits->hits, arguments->passages);
    struct edda_source *sources = edda_arena_take(arena, (count + 1) * sizeof *sources);
    if (!sources) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        sources[i] = edda_source_of(&hits->hits.items[i], (uint32_t)i + 1);
    }
    *ret_extract = (struct edda_extract){.sources = {sources, count}};
    int error = read_question(self, arguments->query, hits);
    if (!error) {
        error = read_hits(self, &hits->hits, self->total > 0 ? count : 0);
    }
    if (!error) {
        error = score_sentences(self, &hits->hits, count);
    }
    return error ? error : edda_extract_choose(self, alone, arena, ret_extract);
}
