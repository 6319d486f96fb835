/* ops/eval/typo.c: see typo.h. */
#include "ops/eval/typo.h"

#include "actors/text/fold.h"
#include "actors/text/text.h"

#include <stdlib.h>

#define SHARE       0.2
#define LETTERS_MIN 4
#define LETTERS_MAX 64

enum edit { LOSE, ADD, CHANGE, SWAP, EDITS };

/* A word, letter by letter as its bytes lie in the text; ends[i - 1] is where letter i begins. */
struct word {
    struct edda_text text;
    size_t ends[LETTERS_MAX];
    size_t letters;
    bool editable; /* letters alone, and not too many */
    bool plain;    /* ASCII */
};

/* The run of letters, marks and digits at `at`; of size 0 when there is none. */
static struct word read_word(const char *at, const char *end) {
    struct word word = {.text = {at, 0}, .editable = true, .plain = true};
    while (at < end) {
        const char *next = at;
        uint32_t point = edda_text_next(&next, end);
        enum edda_fold_class class = edda_fold_class(point);
        if (class < EDDA_FOLD_LETTER || class > EDDA_FOLD_MARK)
            break;
        at = next;
        word.plain = word.plain && point < 0x80;
        word.editable = word.editable && class != EDDA_FOLD_DIGIT && word.letters < LETTERS_MAX;
        if (word.editable)
            word.ends[word.letters++] = (size_t)(at - word.text.data);
    }
    word.text.size = (size_t)(at - word.text.data);
    return word;
}

static struct edda_text letter_at(const struct word *word, size_t i) {
    size_t from = i > 0 ? word->ends[i - 1] : 0;
    return (struct edda_text){word->text.data + from, word->ends[i] - from};
}

static size_t append(char *out, size_t size, struct edda_text text) {
    memcpy(out + size, text.data, text.size);
    return size + text.size;
}

static size_t edit_word(struct edda_random *random, const struct word *word, char *out) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    size_t size = 0;
    size_t place = 1 + edda_random_below(random, word->letters - 2);
    struct edda_text letter = {alphabet + edda_random_below(random, 26), 1};
    if (!word->plain)
        letter = letter_at(word, edda_random_below(random, word->letters));
    size_t edit = edda_random_below(random, EDITS);
    if (edit == SWAP && place + 2 >= word->letters)
        edit = CHANGE;
    for (size_t i = 0; i < word->letters; i++) {
        if (i != place) {
            size = append(out, size, letter_at(word, i));
        } else if (edit == SWAP) {
            size = append(out, size, letter_at(word, i + 1));
            size = append(out, size, letter_at(word, i));
            i++;
        } else if (edit != LOSE) {
            size = append(out, size, letter);
            if (edit == ADD)
                size = append(out, size, letter_at(word, i));
        }
    }
    return size;
}

/* Writes text, mistyped, and a NUL to out; returns its size. */
static size_t type_badly(struct edda_random *random, struct edda_text text, char *out) {
    const char *at = text.data;
    const char *end = at + text.size;
    size_t size = 0;
    while (at < end) {
        struct word word = read_word(at, end);
        if (word.text.size == 0) {
            const char *from = at;
            (void)edda_text_next(&at, end);
            size = append(out, size, (struct edda_text){from, (size_t)(at - from)});
            continue;
        }
        bool chosen =
            word.editable && word.letters >= LETTERS_MIN && edda_random_share(random) < SHARE;
        size = chosen ? size + edit_word(random, &word, out + size) : append(out, size, word.text);
        at += word.text.size;
    }
    out[size] = '\0';
    return size;
}

char *edda_typo_new(struct edda_text text) {
    /* A letter more for each word, which has four at least. */
    char *typed = malloc(2 * text.size + 8);
    struct edda_random random = edda_random_seeded(edda_text_hash(text.data, text.size));
    if (typed)
        (void)type_badly(&random, text, typed);
    return typed;
}
