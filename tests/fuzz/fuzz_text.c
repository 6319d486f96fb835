/* tests/fuzz/fuzz_text.c: any bytes are words, parts and a heading path; the same ones every time.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "actors/text/grams.h"
#include "actors/text/headings.h"
#include "actors/text/parts.h"
#include "actors/text/text.h"

static void check_token(const struct edda_token *token, struct edda_text text,
                        uint32_t last_start) {
    EDDA_ASSERT(token->start >= last_start && token->start < token->end);
    EDDA_ASSERT(token->end <= text.size);
    EDDA_ASSERT(token->surface.size > 0 && token->surface.size <= EDDA_GRAM_WORD_BYTES);
    EDDA_ASSERT(token->stem.size > 0 && edda_text_valid(token->surface));
    EDDA_ASSERT(edda_text_length(token->surface) == token->letters);
    EDDA_ASSERT(token->hash == edda_text_hash(token->stem.data, token->stem.size));
    struct edda_gram_word word;
    edda_gram_word_init(&word, token->surface, '<', '>');
    EDDA_ASSERT(word.length == token->letters + 2);
    for (size_t i = 0; i < edda_gram_count(&word, 4); i++)
        (void)edda_gram_hash(&word, i, 4);
}

static uint64_t digest(edda_analyser_t *analyser, struct edda_text text,
                       enum edda_language language) {
    struct edda_tokens tokens;
    int error = edda_analyser_run(analyser, text, language, &tokens);
    EDDA_ASSERT(error == 0);
    uint64_t sum = tokens.count;
    for (size_t i = 0; i < tokens.count; i++) {
        check_token(&tokens.items[i], text, i > 0 ? tokens.items[i - 1].start : 0);
        sum = edda_gram_mix(sum, tokens.items[i].hash ^ tokens.items[i].position);
    }
    return sum;
}

static int take_part(void *context, struct edda_text part, uint32_t number, uint64_t first_byte) {
    uint64_t *end = context;
    EDDA_ASSERT(first_byte == *end && part.size > 0 && number <= first_byte);
    *end += part.size;
    return 0;
}

static void check_parts(struct edda_text text) {
    struct edda_parts parts;
    uint64_t end = 0;
    int error = edda_parts_init(&parts, take_part, &end);
    EDDA_ASSERT(error == 0);
    error = edda_parts_feed(&parts, text);
    EDDA_ASSERT(error == 0 && edda_parts_finish(&parts) == 0);
    EDDA_ASSERT(end == text.size && edda_parts_cut(text) <= EDDA_PART_BYTES);
    edda_parts_done(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static edda_analyser_t *warm; /* for the process: what it remembers may not show */
    static unsigned runs;
    if (warm == NULL)
        warm = edda_analyser_new();
    EDDA_ASSERT(warm != NULL);
    uint8_t *copy = fuzz_copy(data, size);
    struct edda_text text = {(const char *)copy, size};
    enum edda_language language = size > 0 ? data[0] % EDDA_LANGUAGE_COUNT : EDDA_LANGUAGE_AUTO;
    uint64_t sum = digest(warm, text, language);
    if (runs++ % 64 == 0) {
        edda_analyser_t *fresh = edda_analyser_new();
        EDDA_ASSERT(fresh != NULL && digest(fresh, text, language) == sum);
        edda_analyser_destroy(&fresh);
    }
    if (runs % 16 == 0)
        check_parts(text);
    char path[EDDA_HEADING_PATH_BYTES];
    static const char *const formats[] = {"markdown", "csv", "plain"};
    size_t path_size = edda_headings_after(edda_text_of(formats[size % 3]), text, size % 2 == 0,
                                           EDDA_TEXT("A > B"), path);
    EDDA_ASSERT(path_size <= sizeof(path));
    free(copy);
    return 0;
}
