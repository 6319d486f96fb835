/* tests/fuzz/fuzz_answer.c: any question and passages give a prompt, quotes and a rewritten
 * question that keep their headers' word: above all, no passage can look like the frame around it.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "actors/llm/extractive.h"
#include "actors/llm/prompt.h"
#include "actors/llm/rewrite.h"
#include "actors/text/tokens.h"

#define TEXTS 12 /* question, the question before, then title, heading and text of each hit */

struct answer_input {
    struct edda_text texts[TEXTS];
    size_t count;
    struct edda_hit hits[TEXTS / 3];
    struct edda_llm_message history[2];
    bool valid; /* UTF-8 */
};

static struct edda_text text_at(const struct answer_input *input, size_t i) {
    return i < input->count ? input->texts[i] : EDDA_TEXT("");
}

static size_t count_marks(struct edda_text text) {
    size_t marks = 0;
    for (size_t i = 0; i + 1 < text.size; i++) {
        marks += text.data[i] == '[' && text.data[i + 1] == '[';
    }
    return marks;
}

static void check_prompt(const struct edda_llm_answer *arguments, const struct edda_hits *hits,
                         uint32_t budget, struct edda_arena *arena, bool valid) {
    struct edda_prompt prompt;
    int error = edda_prompt_build(arguments, &hits->hits, budget, arena, &prompt);
    EDDA_ASSERT(error == 0 || error == EDDA_E_LIMIT);
    if (error) {
        return;
    }
    size_t count = prompt.chat.messages.count;
    struct edda_text last = prompt.chat.messages.items[count - 1].content;
    EDDA_ASSERT(prompt.tokens <= budget && prompt.sources.count <= hits->hits.count);
    EDDA_ASSERT(hits->hits.count == 0 || prompt.sources.count >= 1);
    EDDA_ASSERT(last.size >= arguments->query.size);
    last.size -= arguments->query.size;
    EDDA_ASSERT(count_marks(last) == prompt.sources.count + 1);
    EDDA_ASSERT(!valid || edda_text_valid(last));
}

static void check_piece(struct edda_text piece, const struct edda_extract *extract, bool valid) {
    EDDA_ASSERT(count_marks(piece) == 1);
    size_t at = piece.size - 2;
    while (at > 0 && piece.data[at] != '[') {
        at--;
    }
    unsigned long number = strtoul(piece.data + at + 1, NULL, 10);
    EDDA_ASSERT(number >= 1 && number <= extract->sources.count);
    EDDA_ASSERT(!valid || edda_text_valid(piece));
}

static void check_quotes(edda_extractor_t *extractor, const struct edda_llm_answer *arguments,
                         const struct edda_hits *hits, struct edda_arena *arena, bool valid) {
    struct edda_extract first;
    struct edda_extract second;
    int error = edda_extractor_run(extractor, arguments, hits, true, arena, &first);
    EDDA_ASSERT(error == 0);
    error = edda_extractor_run(extractor, arguments, hits, true, arena, &second);
    EDDA_ASSERT(error == 0 && first.pieces.count == second.pieces.count);
    EDDA_ASSERT(first.pieces.count >= 1 && first.pieces.count <= 1 + EDDA_EXTRACT_SENTENCES);
    EDDA_ASSERT(first.found == (first.pieces.count > 1));
    for (size_t i = 0; i < first.pieces.count; i++) {
        EDDA_ASSERT(edda_text_equal(first.pieces.items[i], second.pieces.items[i]));
        if (i > 0) {
            check_piece(first.pieces.items[i], &first, valid);
        }
    }
}

static void check_rewrite(edda_analyser_t *analyser, const struct answer_input *input,
                          struct edda_arena *arena) {
    struct edda_text query = text_at(input, 0);
    struct edda_llm_rewrite arguments = {.query = query,
                                         .history = {(struct edda_llm_message *)input->history, 2}};
    struct edda_text rewritten;
    int error = edda_rewrite_builtin(analyser, &arguments, arena, &rewritten);
    EDDA_ASSERT(error == 0 && rewritten.size >= query.size);
    EDDA_ASSERT(rewritten.size == query.size || rewritten.size <= EDDA_REWRITE_BYTES);
    struct edda_text cleaned = edda_rewrite_clean(text_at(input, 1), query);
    EDDA_ASSERT(cleaned.data == query.data ||
                (cleaned.size <= EDDA_REWRITE_BYTES && edda_text_valid(cleaned)));
}

/* The texts stand one behind the other, each ended by a NUL. */
static void read_input(struct answer_input *input, const char *data, size_t size) {
    size_t at = 0;
    input->valid = true;
    while (at < size && input->count < TEXTS) {
        size_t length = strnlen(data + at, size - at);
        input->texts[input->count++] = (struct edda_text){data + at, length};
        input->valid = input->valid && edda_text_valid((struct edda_text){data + at, length});
        at += length + 1;
    }
    input->history[0] = (struct edda_llm_message){EDDA_TEXT("user"), text_at(input, 1)};
    input->history[1] = (struct edda_llm_message){EDDA_TEXT("assistant"), EDDA_TEXT("Yes.")};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static edda_analyser_t *analyser;
    static edda_extractor_t *extractor;
    struct fuzz_input bytes = {data, data + size};
    struct answer_input input = {.count = 0};
    struct edda_hits hits = {.hits.items = input.hits};
    struct edda_arena arena;
    analyser = analyser ? analyser : edda_analyser_new();
    extractor = extractor ? extractor : edda_extractor_new(analyser);
    uint32_t budget = 128 + (uint32_t)fuzz_take(&bytes, 2) % 4096;
    size_t left = (size_t)(bytes.end - bytes.at);
    char *copy = (char *)fuzz_copy(bytes.at, left);
    read_input(&input, copy, left);
    for (size_t i = 2; i < input.count; i += 3) {
        input.hits[hits.hits.count++] = (struct edda_hit){.title = text_at(&input, i + 1),
                                                          .heading = text_at(&input, i + 2),
                                                          .text = text_at(&input, i),
                                                          .score = 1.0 / (double)i};
    }
    struct edda_llm_answer arguments = {.query = text_at(&input, 0), .history = {input.history, 2}};
    edda_arena_init(&arena, (size_t)16 << 20);
    check_prompt(&arguments, &hits, budget, &arena, input.valid);
    check_quotes(extractor, &arguments, &hits, &arena, input.valid);
    check_rewrite(analyser, &input, &arena);
    edda_arena_done(&arena);
    free(copy);
    return 0;
}
