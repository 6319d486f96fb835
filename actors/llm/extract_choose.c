/* actors/llm/extract_choose.c: which sentences are given, in which order, and how they are written.
 */
#include "actors/llm/extractive_state.h"
#include "actors/text/tokens.h"
#include "proto/limits.h"

#define OWN_LEAST    0.1  /* share of the question in the sentence itself */
#define SHARE_LEAST  0.2  /* of the question in and around the best one */
#define SCORE_LEAST  0.45 /* of the best one */
#define OTHERS_LEAST 0.75 /* of the best one's score */
#define LOOKED_AT    24   /* for the others, best first */
#define REPEAT       0.8  /* of the shorter one's words in the longer */
#define REPEAT_WORDS 128
#define LEAN         0.25 /* share of the question that the sentence before must add to be given */

#define LINE_ALONE "Quoted from your documents (no language model is configured):"
#define LINE       "Quoted from your documents (no language model was asked):"
#define NONE_ALONE                                                                                 \
    "Your documents do not seem to answer this (no language model is configured; only quotes "     \
    "can be given)."
#define NONE                                                                                       \
    "Your documents do not seem to answer this (no language model was asked; only quotes can be "  \
    "given)."

/* ---- repeats ---- */

struct word_list {
    uint64_t hashes[REPEAT_WORDS];
    size_t count;
};

static int list_words(edda_extractor_t *self, struct edda_text text, struct word_list *list) {
    struct edda_tokens tokens = {0};
    int error = edda_analyser_run(self->analyser, text, self->language, &tokens);
    list->count = 0;
    for (size_t i = 0; !error && i < tokens.count && list->count < REPEAT_WORDS; i++) {
        list->hashes[list->count++] = tokens.items[i].hash;
    }
    return error;
}

static bool repeats(const struct word_list *a, const struct word_list *b) {
    const struct word_list *shorter = a->count < b->count ? a : b;
    const struct word_list *longer = a->count < b->count ? b : a;
    size_t shared = 0;
    for (size_t i = 0; i < shorter->count; i++) {
        size_t k = 0;
        while (k < longer->count && longer->hashes[k] != shorter->hashes[i]) {
            k++;
        }
        shared += k < longer->count;
    }
    return (double)shared >= REPEAT * (double)shorter->count;
}

/* ---- the choice ---- */

struct choice {
    size_t items[EDDA_EXTRACT_SENTENCES]; /* sentences, as they were chosen */
    struct word_list words[EDDA_EXTRACT_SENTENCES];
    size_t count;
    uint32_t tokens;
};

static bool is_chosen(const struct choice *choice, size_t sentence) {
    for (size_t i = 0; i < choice->count; i++) {
        if (choice->items[i] == sentence) {
            return true;
        }
    }
    return false;
}

/* Adds it when there is room and it repeats none. */
static int choose(edda_extractor_t *self, struct choice *choice, size_t sentence) {
    uint32_t tokens = edda_tokens_of(self->sentences[sentence].quote.text);
    if (choice->count == EDDA_EXTRACT_SENTENCES || is_chosen(choice, sentence) ||
        (choice->count > 0 && choice->tokens + tokens > EDDA_EXTRACT_TOKENS)) {
        return 0;
    }
    struct word_list *words = &choice->words[choice->count];
    int error = list_words(self, self->sentences[sentence].quote.text, words);
    for (size_t i = 0; !error && i < choice->count; i++) {
        if (repeats(words, &choice->words[i])) {
            return 0;
        }
    }
    if (!error) {
        choice->items[choice->count++] = sentence;
        choice->tokens += tokens;
    }
    return error;
}

/* "It was built in 1889." says little without what was said before. */
static int choose_support(edda_extractor_t *self, struct choice *choice, size_t best) {
    const struct edda_sentence *sentence = &self->sentences[best];
    uint64_t added = 0;
    double share = 0;
    if (sentence->first) {
        return 0;
    }
    added = (sentence - 1)->held & ~(sentence->held | sentence->alike);
    for (; added; added &= added - 1) {
        share += self->words[__builtin_ctzll(added)].idf / self->total;
    }
    return share >= LEAN ? choose(self, choice, best - 1) : 0;
}

/* The best sentence that comes after `last` in order of score; sentence_count: none. */
static size_t find_next(const edda_extractor_t *self, size_t last) {
    size_t best = self->sentence_count;
    for (size_t i = 0; i < self->sentence_count; i++) {
        const struct edda_sentence *one = &self->sentences[i];
        bool after = last == self->sentence_count || one->score < self->sentences[last].score ||
                     (one->score == self->sentences[last].score && i > last);
        if (after && one->own >= OWN_LEAST &&
            (best == self->sentence_count || one->score > self->sentences[best].score)) {
            best = i;
        }
    }
    return best;
}

static int choose_all(edda_extractor_t *self, struct choice *choice) {
    size_t best = find_next(self, self->sentence_count);
    if (best == self->sentence_count || self->sentences[best].score < SCORE_LEAST ||
        self->sentences[best].share < SHARE_LEAST) {
        return 0;
    }
    int error = choose(self, choice, best);
    if (!error) {
        error = choose_support(self, choice, best);
    }
    size_t one = best;
    for (size_t looked = 0; !error && looked < LOOKED_AT; looked++) {
        one = find_next(self, one);
        if (one == self->sentence_count ||
            self->sentences[one].score < OTHERS_LEAST * self->sentences[best].score) {
            break;
        }
        error = choose(self, choice, one);
    }
    return error;
}

/* ---- the writing ---- */

struct writing {
    const edda_extractor_t *self;
    struct edda_arena *arena;
    struct edda_extract *extract;
    struct edda_buffer out; /* one piece */
    int error;
};

static void end_piece(struct writing *writing) {
    struct edda_text text = {(const char *)writing->out.data, writing->out.size};
    struct edda_text copy = edda_arena_text(writing->arena, text);
    if (writing->out.error || !copy.data) {
        writing->error = EDDA_E_MEMORY;
        return;
    }
    writing->extract->pieces.items[writing->extract->pieces.count++] = copy;
    edda_buffer_reset(&writing->out);
}

static void write_line(struct writing *writing, const char *line) {
    (void)edda_buffer_append_text(&writing->out, line);
    end_piece(writing);
}

static void write_sentence(struct writing *writing, size_t sentence, bool begins) {
    const struct edda_sentence *one = &writing->self->sentences[sentence];
    (void)edda_buffer_append_text(&writing->out, begins ? "\n\n" : " ");
    (void)edda_buffer_append_text(&writing->out, one->quote.begun ? "… " : "");
    edda_quote_write(&writing->out, one->quote.text, true);
    (void)edda_buffer_printf(&writing->out, "%s [[%u]]", one->quote.cut ? " …" : "", one->hit + 1);
    end_piece(writing);
}

/* The chosen sentences of one passage, in their order there. */
static void write_group(struct writing *writing, const struct choice *choice, uint32_t hit) {
    const struct edda_sentence *sentences = writing->self->sentences;
    size_t written = SIZE_MAX;
    bool begins = true;
    for (;;) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < choice->count; i++) {
            size_t one = choice->items[i];
            if (sentences[one].hit == hit && (written == SIZE_MAX || one > written) && one < next) {
                next = one;
            }
        }
        if (next == SIZE_MAX) {
            return;
        }
        write_sentence(writing, next, begins);
        written = next;
        begins = false;
    }
}

static void write_choice(struct writing *writing, const struct choice *choice) {
    const struct edda_sentence *sentences = writing->self->sentences;
    for (size_t i = 0; i < choice->count; i++) {
        uint32_t hit = sentences[choice->items[i]].hit;
        bool written = false;
        for (size_t k = 0; k < i; k++) {
            written |= sentences[choice->items[k]].hit == hit;
        }
        if (!written) {
            write_group(writing, choice, hit);
        }
    }
}

int edda_extract_choose(edda_extractor_t *self, bool alone, struct edda_arena *arena,
                        struct edda_extract *ret_extract) {
    struct choice choice = {.count = 0};
    struct writing writing = {.self = self, .arena = arena, .extract = ret_extract};
    int error = choose_all(self, &choice);
    ret_extract->found = choice.count > 0;
    ret_extract->pieces.items =
        edda_arena_take(arena, (1 + EDDA_EXTRACT_SENTENCES) * sizeof *ret_extract->pieces.items);
    if (error || !ret_extract->pieces.items) {
        return error ? error : EDDA_E_MEMORY;
    }
    edda_buffer_init(&writing.out, EDDA_MAX_ANSWER_BYTES);
    if (ret_extract->found) {
        write_line(&writing, alone ? LINE_ALONE : LINE);
        write_choice(&writing, &choice);
    } else {
        write_line(&writing, alone ? NONE_ALONE : NONE);
    }
    edda_buffer_done(&writing.out);
    return writing.error;
}
