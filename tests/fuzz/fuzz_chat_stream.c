/* tests/fuzz/fuzz_chat_stream.c: a chat's stream: a byte that chooses the provider, a byte for the
 * size of the pieces it comes in, then the stream. However it is cut, the same is heard. */
#include "actors/provider/api.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"

static void read_stream(struct edda_chat_stream *stream, const struct edda_account *account,
                        const uint8_t *data, size_t size, size_t piece) {
    int error = 0;
    edda_chat_stream_init(stream, account);
    for (size_t at = 0; at < size && !error; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        uint8_t *copy = fuzz_copy(data + at, length);
        error = edda_chat_stream_feed(stream, (struct edda_bytes){copy, length});
        __builtin_free(copy);
        EDDA_ASSERT(error == stream->error);
    }
    if (!error) {
        error = edda_chat_stream_end(stream);
    }
    EDDA_ASSERT(error == stream->error);
}

static bool is_known_finish(const char *finish) {
    return strcmp(finish, "stop") == 0 || strcmp(finish, "length") == 0 ||
           strcmp(finish, "content_filter") == 0;
}

static void expect_sound(const struct edda_chat_stream *stream) {
    EDDA_ASSERT(edda_utf8_valid((const char *)stream->text.data, stream->text.size));
    EDDA_ASSERT(stream->text.size == 0 || !memchr(stream->text.data, '\0', stream->text.size));
    EDDA_ASSERT(edda_utf8_valid(stream->reason, strlen(stream->reason)));
    EDDA_ASSERT(stream->finish[0] == '\0' || is_known_finish(stream->finish));
    EDDA_ASSERT(stream->error || (stream->ended && stream->finish[0] != '\0'));
    EDDA_ASSERT((stream->error != 0) == (stream->reason[0] != '\0'));
}

static void expect_same(const struct edda_chat_stream *a, const struct edda_chat_stream *b) {
    EDDA_ASSERT(a->error == b->error && a->ended == b->ended);
    EDDA_ASSERT(strcmp(a->finish, b->finish) == 0 && strcmp(a->reason, b->reason) == 0);
    EDDA_ASSERT(a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens);
    EDDA_ASSERT(a->text.size == b->text.size);
    EDDA_ASSERT(a->text.size == 0 || memcmp(a->text.data, b->text.data, a->text.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const enum edda_provider_kind kinds[] = {
        EDDA_PROVIDER_OPENAI, EDDA_PROVIDER_GROQ,      EDDA_PROVIDER_LOCAL,
        EDDA_PROVIDER_GEMINI, EDDA_PROVIDER_ANTHROPIC,
    };
    if (size < 2) {
        return 0;
    }
    size_t which = (uint8_t)(data[0] - 'a') % (sizeof kinds / sizeof kinds[0]);
    struct edda_account account = {.kind = kinds[which], .use = EDDA_USE_CHAT};
    struct edda_chat_stream whole;
    struct edda_chat_stream pieces;
    read_stream(&whole, &account, data + 2, size - 2, SIZE_MAX / 2);
    read_stream(&pieces, &account, data + 2, size - 2, 1 + data[1] % 64u);
    expect_sound(&whole);
    expect_same(&whole, &pieces);
    edda_chat_stream_done(&whole);
    edda_chat_stream_done(&pieces);
    return 0;
}
