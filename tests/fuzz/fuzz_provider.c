/* tests/fuzz/fuzz_provider.c: what a provider answers: vectors, scores, streams and refusals.
 *
 * The first bytes choose: what was asked, whom, for how many, where a stream is cut. What is taken
 * has the promised shape: each text its row, each document its score, an answer that is text; what
 * is refused says why, and nothing repeats the key that was sent. */
#include <math.h>
#include <stdlib.h>

#include "actors/provider/api.h"
#include "actors/provider/provider.h"
#include "proto/limits.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

#define KEY       "wolf77"
#define MOST_ROWS 8

static const enum edda_provider_kind embedders[] = {
    EDDA_PROVIDER_OPENAI, EDDA_PROVIDER_VOYAGE, EDDA_PROVIDER_COHERE, EDDA_PROVIDER_JINA,
    EDDA_PROVIDER_GEMINI, EDDA_PROVIDER_TEI,    EDDA_PROVIDER_OLLAMA, EDDA_PROVIDER_LOCAL};
static const enum edda_provider_kind rerankers[] = {EDDA_PROVIDER_COHERE, EDDA_PROVIDER_JINA,
                                                    EDDA_PROVIDER_VLLM,   EDDA_PROVIDER_VOYAGE,
                                                    EDDA_PROVIDER_TEI,    EDDA_PROVIDER_LOCAL};
static const enum edda_provider_kind writers[] = {EDDA_PROVIDER_OPENAI, EDDA_PROVIDER_GROQ,
                                                  EDDA_PROVIDER_LOCAL, EDDA_PROVIDER_GEMINI,
                                                  EDDA_PROVIDER_ANTHROPIC};

#define CHOOSE(list, number) list[(number) % (sizeof(list) / sizeof *(list))]

static struct edda_account account_of(enum edda_provider_kind kind) {
    return (struct edda_account){.kind = kind, .name = "name", .url = "http://host", .key = KEY};
}

/* For logs and messages: one line of UTF-8 without the key. */
static void check_words(const char *words, size_t room) {
    size_t size = strnlen(words, room);
    EDDA_ASSERT(size < room && edda_utf8_valid(words, size) && !strstr(words, KEY));
    for (size_t i = 0; i < size; i++) {
        EDDA_ASSERT((unsigned char)words[i] >= ' ' && words[i] != 0x7f);
    }
}

static void embed(struct fuzz_input *input, uint8_t whom) {
    struct edda_account account = account_of(CHOOSE(embedders, whom));
    struct edda_embed_vectors vectors;
    const char *why = NULL;
    size_t count = 1 + (size_t)fuzz_take(input, 1) % MOST_ROWS;
    uint32_t dimension = (uint32_t)fuzz_take(input, 1) % 4;
    struct edda_bytes body = {input->at, (size_t)(input->end - input->at)};
    if (edda_embed_parse(&account, body, count, dimension, &vectors, &why) != 0) {
        EDDA_ASSERT(why && !vectors.values);
        return;
    }
    EDDA_ASSERT(vectors.count == count && vectors.dimension > 0);
    EDDA_ASSERT(dimension == 0 ? vectors.dimension <= EDDA_MAX_DIMENSION
                               : vectors.dimension == dimension);
    for (size_t i = 0; i < count * vectors.dimension; i++) {
        EDDA_ASSERT(isfinite(vectors.values[i]));
    }
    edda_embed_vectors_done(&vectors);
}

static void rerank(struct fuzz_input *input, uint8_t whom) {
    struct edda_account account = account_of(CHOOSE(rerankers, whom));
    double scores[MOST_ROWS];
    const char *why = NULL;
    size_t count = 1 + (size_t)fuzz_take(input, 1) % MOST_ROWS;
    struct edda_bytes body = {input->at, (size_t)(input->end - input->at)};
    for (size_t i = 0; i < count; i++) {
        scores[i] = NAN;
    }
    if (edda_rerank_parse(&account, body, count, scores, &why) != 0) {
        EDDA_ASSERT(why);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        EDDA_ASSERT(scores[i] >= 0 && scores[i] <= 1);
    }
}

/* ---- streams ---- */

static void read_stream(struct edda_chat_stream *stream, const struct edda_account *account,
                        struct edda_bytes bytes, size_t piece) {
    int error = 0;
    edda_chat_stream_init(stream, account);
    for (size_t at = 0; at < bytes.size && !error; at += piece) {
        size_t size = bytes.size - at < piece ? bytes.size - at : piece;
        uint8_t *copy = fuzz_copy(bytes.data + at, size);
        error = edda_chat_stream_feed(stream, (struct edda_bytes){copy, size});
        free(copy);
    }
    error = error ? error : edda_chat_stream_end(stream);
    EDDA_ASSERT(error == stream->error);
    const char *text = (const char *)stream->text.data;
    EDDA_ASSERT(stream->text.size == 0 || (edda_utf8_valid(text, stream->text.size) &&
                                           !memchr(text, '\0', stream->text.size)));
    EDDA_ASSERT(!error || stream->reason[0]);
    EDDA_ASSERT(error || (stream->ended && stream->finish[0]));
    check_words(stream->reason, sizeof stream->reason);
    check_words(stream->finish, sizeof stream->finish);
}

static void chat(struct fuzz_input *input, uint8_t whom) {
    struct edda_account account = account_of(CHOOSE(writers, whom));
    struct edda_chat_stream one;
    struct edda_chat_stream many;
    size_t piece = 1 + (size_t)fuzz_take(input, 1);
    struct edda_bytes bytes = {input->at, (size_t)(input->end - input->at)};
    read_stream(&one, &account, bytes, SIZE_MAX / 2);
    read_stream(&many, &account, bytes, piece);
    EDDA_ASSERT(one.error == many.error && one.ended == many.ended);
    EDDA_ASSERT(strcmp(one.finish, many.finish) == 0 && strcmp(one.reason, many.reason) == 0);
    EDDA_ASSERT(one.input_tokens == many.input_tokens && one.output_tokens == many.output_tokens);
    EDDA_ASSERT(one.text.size == many.text.size);
    EDDA_ASSERT(one.text.size == 0 || memcmp(one.text.data, many.text.data, one.text.size) == 0);
    edda_chat_stream_done(&one);
    edda_chat_stream_done(&many);
}

/* ---- refusals ---- */

static void refuse(struct fuzz_input *input) {
    static const char *const secrets[] = {KEY, NULL};
    struct edda_provider_reply reply = {0};
    enum edda_outcome outcome;
    bool again;
    int status = 200 + (int)(fuzz_take(input, 2) % 400);
    struct edda_bytes body = {input->at, (size_t)(input->end - input->at)};
    edda_provider_judge("name", status, body, secrets, &reply, &outcome, &again);
    EDDA_ASSERT((reply.error == 0) == (status < 300) && reply.status == status);
    EDDA_ASSERT(reply.error ? reply.text[0] != '\0' : !again && outcome == EDDA_OUTCOME_GOOD);
    check_words(reply.text, sizeof reply.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, data + size};
    uint8_t what = (uint8_t)fuzz_take(&input, 1);
    uint8_t whom = (uint8_t)fuzz_take(&input, 1);
    switch (what % 4) {
    case 0:
        embed(&input, whom);
        break;
    case 1:
        rerank(&input, whom);
        break;
    case 2:
        chat(&input, whom);
        break;
    default:
        refuse(&input);
    }
    return 0;
}
