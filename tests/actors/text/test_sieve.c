/* tests/actors/text/test_sieve.c: what a sieve holds back has no stem of the question. */
#include "actors/text/sieve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define QUESTION_WORDS 8
#define WORDS_MAX      4096

struct list {
    enum edda_language language;
    const char *words;
};

#define EDDA_STOPWORDS(name, list_words) {EDDA_LANGUAGE_##name, list_words},
static const struct list lists[] = {
#include "actors/text/stopword_germanic.def"
#include "actors/text/stopword_others.def"
#include "actors/text/stopword_romance.def"
};
#undef EDDA_STOPWORDS

/* Families of English words whose stems are reached in many ways. */
static const char families[] =
    "die dies died dying lie lies lied lying tie ties tied tying sky skies skis try tries trying "
    "happy happily happiness nation national nationally nationality relate relational relation "
    "character characterize characterizations characteristic microglia glia glial nontoxic toxic "
    "toxicity infect infectious infections infected uninfected replication replicate preplication "
    "cell cells cellular extracellular intracellular a i x by as us ox idly ugly early only singly "
    "news inning outing canning herring earring proceed exceed succeed general generously "
    "community "
    "communism arsenal arsenic mississippi banana bananas anana aaaa aaaaa abababab 1990s 2b co2 "
    "h2o";

static int make(void **state) {
    *state = edda_analyser_new();
    return *state ? 0 : -1;
}

static int unmake(void **state) {
    edda_analyser_t *analyser = *state;
    edda_analyser_destroy(&analyser);
    return 0;
}

static bool passes(const struct edda_sieve *sieve, const char *run) {
    return edda_sieve_passes(sieve, edda_text_of(run));
}

/* A sieve of one word. */
static struct edda_sieve sieve_of(void **state, const char *word, enum edda_language language) {
    struct edda_tokens tokens;
    struct edda_sieve sieve;
    assert_int_equal(edda_analyser_run(*state, edda_text_of(word), language, &tokens), 0);
    assert_int_equal(tokens.count, 1);
    edda_sieve_init(&sieve, language);
    edda_sieve_add(&sieve, tokens.items[0].stem);
    return sieve;
}

struct word {
    struct edda_text surface;
    uint64_t hash;
};

struct words {
    struct word items[WORDS_MAX];
    char letters[WORDS_MAX * 16];
    size_t count;
    size_t bytes;
};

static void add_words(void **state, struct words *words, const char *text,
                      enum edda_language language) {
    struct edda_tokens tokens;
    assert_int_equal(edda_analyser_run(*state, edda_text_of(text), language, &tokens), 0);
    for (size_t i = 0; i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        struct word *word = &words->items[words->count++];
        assert_true(words->count < WORDS_MAX);
        assert_true(words->bytes + token->surface.size <= sizeof words->letters);
        memcpy(words->letters + words->bytes, token->surface.data, token->surface.size);
        word->surface = (struct edda_text){words->letters + words->bytes, token->surface.size};
        words->bytes += token->surface.size;
        word->hash = token->hash;
    }
}

/* Each so many words in turn as the question, all others as the passage; how many were held back
 * and how many asked about. */
static void ask(void **state, const struct words *words, size_t first, size_t end,
                enum edda_language language, size_t *held, size_t *asked) {
    for (; first < end; first += QUESTION_WORDS) {
        struct edda_sieve sieve;
        size_t last = first + QUESTION_WORDS < end ? first + QUESTION_WORDS : end;
        edda_sieve_init(&sieve, language);
        for (size_t i = first; i < last; i++) {
            struct edda_tokens tokens;
            assert_int_equal(edda_analyser_run(*state, words->items[i].surface, language, &tokens),
                             0);
            edda_sieve_add(&sieve, tokens.items[0].stem);
        }
        for (size_t i = 0; i < words->count; i++) {
            const struct word *word = &words->items[i];
            bool passed = edda_sieve_passes(&sieve, word->surface);
            *held += !passed;
            (*asked)++;
            for (size_t k = first; !passed && k < last; k++) {
                const struct word *other = &words->items[k];
                if (word->hash == other->hash) {
                    fail_msg("%.*s is held back from %.*s", (int)word->surface.size,
                             word->surface.data, (int)other->surface.size, other->surface.data);
                }
            }
        }
    }
}

static void a_word_held_back_has_no_stem_of_the_question(void **state) {
    struct words *words = malloc(sizeof *words);
    assert_non_null(words);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        size_t held = 0;
        size_t asked = 0;
        words->count = 0;
        words->bytes = 0;
        add_words(state, words, lists[i].words, lists[i].language);
        size_t own = words->count;
        add_words(state, words, families, lists[i].language);
        ask(state, words, 0, own, lists[i].language, &held, &asked);
        ask(state, words, own, words->count, lists[i].language, &held, &asked);
        if (lists[i].language == EDDA_LANGUAGE_ENGLISH) {
            assert_true(held > asked / 2);
        }
    }
    free(words);
}

/* Beginnings of every two letters with endings that stemmers take, in every language. */
static void stemmers_leave_the_beginnings_that_a_sieve_trusts(void **state) {
    static const char *const endings[] = {"",      "s",    "es",   "ed",    "ing",  "ies", "ying",
                                          "ation", "ness", "eren", "mente", "issa", "ara", "ement"};
    for (size_t l = EDDA_LANGUAGE_NONE; l < EDDA_LANGUAGE_COUNT; l++) {
        for (char a = 'a'; a <= 'z'; a++) {
            for (char b = 'a'; b <= 'z'; b++) {
                for (size_t e = 0; e < sizeof endings / sizeof endings[0]; e++) {
                    char run[16] = {a, b};
                    struct edda_tokens tokens;
                    struct edda_sieve sieve;
                    memcpy(run + 2, endings[e], strlen(endings[e]) + 1);
                    assert_int_equal(edda_analyser_run(*state, edda_text_of(run),
                                                       (enum edda_language)l, &tokens),
                                     0);
                    edda_sieve_init(&sieve, (enum edda_language)l);
                    edda_sieve_add(&sieve, tokens.items[0].stem);
                    if (!passes(&sieve, run)) {
                        fail_msg("%s of language %zu has the stem %.*s", run, l,
                                 (int)tokens.items[0].stem.size, tokens.items[0].stem.data);
                    }
                }
            }
        }
    }
}

static void words_that_begin_otherwise_are_held_back(void **state) {
    struct edda_sieve sieve = sieve_of(state, "replication", EDDA_LANGUAGE_ENGLISH);
    assert_true(passes(&sieve, "replication"));
    assert_true(passes(&sieve, "replicates"));
    assert_true(passes(&sieve, "read"));
    assert_false(passes(&sieve, "peplication"));
    assert_false(passes(&sieve, "garden"));
    assert_false(passes(&sieve, "stone1990"));
    assert_false(passes(&sieve, "the"));
    struct edda_sieve empty;
    edda_sieve_init(&empty, EDDA_LANGUAGE_ENGLISH);
    assert_false(passes(&empty, "replication"));
    assert_false(passes(&empty, "a"));
}

static void y_at_the_second_place_may_have_become_i(void **state) {
    struct edda_sieve sieve = sieve_of(state, "die", EDDA_LANGUAGE_ENGLISH);
    assert_true(passes(&sieve, "dying"));
    assert_true(passes(&sieve, "died"));
    assert_false(passes(&sieve, "doing"));
}

static void stems_of_two_letters_let_their_first_pass(void **state) {
    struct edda_sieve two = sieve_of(state, "ox", EDDA_LANGUAGE_ENGLISH);
    struct edda_sieve three = sieve_of(state, "oxo", EDDA_LANGUAGE_ENGLISH);
    assert_true(passes(&two, "on"));
    assert_true(passes(&two, "o"));
    assert_false(passes(&two, "an"));
    assert_false(passes(&three, "on"));
    assert_true(passes(&three, "ox"));
    assert_true(passes(&three, "o"));
}

static void what_is_not_ascii_and_some_languages_pass_whole(void **state) {
    struct edda_sieve sieve = sieve_of(state, "garden", EDDA_LANGUAGE_ENGLISH);
    assert_false(passes(&sieve, "stra"));
    assert_true(passes(&sieve, "stra\xc3\x9f"));
    assert_true(passes(&sieve, "\xd0\xb4"));
    for (size_t l = EDDA_LANGUAGE_NONE; l < EDDA_LANGUAGE_COUNT; l++) {
        sieve = sieve_of(state, "garden", (enum edda_language)l);
        bool open = l == EDDA_LANGUAGE_FINNISH || l == EDDA_LANGUAGE_TURKISH;
        assert_int_equal(passes(&sieve, "stone"), open);
    }
}

/* Words, runs longer than a token, marks alone, other scripts: what is left stands where it stood.
 */
static void sifted_tokens_stand_where_they_stood(void **state) {
    static const char text[] =
        "One garden of the gardens; \xcc\x81 \xe2\x80\x8b one stone and caf\xc3\xa9 "
        "\xe5\xad\xa6\xe8\x80\x8c\xe6\x97\xb6 garden \xe0\xb8\xaa\xe0\xb8\xa7\xe0\xb8\xb1"
        "\xe0\xb8\xaa\xe0\xb8\x94 one two three four five six seven "
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhh "
        "gardening one";
    struct edda_sieve sieve = sieve_of(state, "garden", EDDA_LANGUAGE_ENGLISH);
    struct edda_tokens tokens;
    struct edda_token all[128];
    assert_int_equal(edda_analyser_run(*state, edda_text_of(text), EDDA_LANGUAGE_ENGLISH, &tokens),
                     0);
    size_t count = tokens.count;
    uint32_t positions = tokens.positions;
    assert_true(count < 128);
    assert_int_equal(tokens.items[count - 1].position + 1, positions);
    memcpy(all, tokens.items, count * sizeof all[0]);
    assert_int_equal(
        edda_analyser_sift(*state, edda_text_of(text), EDDA_LANGUAGE_ENGLISH, &sieve, &tokens), 0);
    assert_int_equal(tokens.positions, positions);
    assert_true(tokens.count < count - 10);
    size_t at = 0;
    for (size_t i = 0; i < tokens.count; i++) {
        const struct edda_token *token = &tokens.items[i];
        while (at < count && all[at].start != token->start) {
            at++;
        }
        while (at < count && all[at].end != token->end) {
            at++;
        }
        assert_true(at < count);
        assert_int_equal(all[at].hash, token->hash);
        assert_int_equal(all[at].position, token->position);
    }
}

static void a_text_without_any_word_that_passes_still_has_positions(void **state) {
    struct edda_sieve sieve = sieve_of(state, "garden", EDDA_LANGUAGE_ENGLISH);
    struct edda_tokens tokens;
    assert_int_equal(edda_analyser_sift(*state, EDDA_TEXT("one two three"), EDDA_LANGUAGE_ENGLISH,
                                        &sieve, &tokens),
                     0);
    assert_int_equal(tokens.count, 0);
    assert_int_equal(tokens.positions, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_held_back_has_no_stem_of_the_question),
        cmocka_unit_test(stemmers_leave_the_beginnings_that_a_sieve_trusts),
        cmocka_unit_test(words_that_begin_otherwise_are_held_back),
        cmocka_unit_test(y_at_the_second_place_may_have_become_i),
        cmocka_unit_test(stems_of_two_letters_let_their_first_pass),
        cmocka_unit_test(what_is_not_ascii_and_some_languages_pass_whole),
        cmocka_unit_test(sifted_tokens_stand_where_they_stood),
        cmocka_unit_test(a_text_without_any_word_that_passes_still_has_positions),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
