/* actors/provider/api.c: the doors, and which provider's mapping stands behind each. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/provider/api_state.h"
#include "actors/provider/mend.h"
#include "actors/provider/provider.h"
#include "proto/limits.h"

#define VECTOR_JSON_BYTES                                                                          \
    ((size_t)EDDA_MAX_DIMENSION * 24) /* a row as decimal numbers, at worst                        \
                                       */
#define RESPONSE_EXTRA   ((size_t)1024 * 1024)
#define RESPONSE_MAXIMUM ((size_t)256 * 1024 * 1024)

static const struct edda_embed_api *const embed_apis[EDDA_PROVIDER_COUNT] = {
    [EDDA_PROVIDER_OPENAI] = &edda_openai_embed, [EDDA_PROVIDER_VOYAGE] = &edda_voyage_embed,
    [EDDA_PROVIDER_COHERE] = &edda_cohere_embed, [EDDA_PROVIDER_JINA] = &edda_jina_embed,
    [EDDA_PROVIDER_GEMINI] = &edda_gemini_embed, [EDDA_PROVIDER_TEI] = &edda_tei_embed,
    [EDDA_PROVIDER_OLLAMA] = &edda_ollama_embed, [EDDA_PROVIDER_LOCAL] = &edda_local_embed,
};

static const struct edda_rerank_api *const rerank_apis[EDDA_PROVIDER_COUNT] = {
    [EDDA_PROVIDER_COHERE] = &edda_cohere_rerank, [EDDA_PROVIDER_JINA] = &edda_jina_rerank,
    [EDDA_PROVIDER_VLLM] = &edda_jina_rerank,     [EDDA_PROVIDER_VOYAGE] = &edda_voyage_rerank,
    [EDDA_PROVIDER_TEI] = &edda_tei_rerank,       [EDDA_PROVIDER_LOCAL] = &edda_local_rerank,
};

static const struct edda_chat_api *const chat_apis[EDDA_PROVIDER_COUNT] = {
    [EDDA_PROVIDER_OPENAI] = &edda_openai_chat,       [EDDA_PROVIDER_GROQ] = &edda_openai_chat,
    [EDDA_PROVIDER_LOCAL] = &edda_openai_chat,        [EDDA_PROVIDER_GEMINI] = &edda_gemini_chat,
    [EDDA_PROVIDER_ANTHROPIC] = &edda_anthropic_chat,
};

/* ---- requests ---- */

void edda_api_request_init(struct edda_api_request *request, size_t body_maximum) {
    memset(request, 0, sizeof *request);
    edda_buffer_init(&request->body, body_maximum);
}

void edda_api_request_done(struct edda_api_request *request) {
    explicit_bzero(request->headers, sizeof request->headers);
    edda_buffer_done(&request->body);
}

/* ---- embeddings ---- */

struct edda_embed_limits edda_embed_limits(const struct edda_account *account, uint32_t batch) {
    EDDA_ASSERT(embed_apis[account->kind]);
    struct edda_embed_limits limits = embed_apis[account->kind]->limits;
    if (batch > 0 && batch < limits.items) {
        limits.items = batch;
    }
    size_t most = limits.items * VECTOR_JSON_BYTES + RESPONSE_EXTRA;
    limits.response_bytes = most < RESPONSE_MAXIMUM ? most : RESPONSE_MAXIMUM;
    return limits;
}

void edda_embed_vectors_done(struct edda_embed_vectors *vectors) {
    free(vectors->values);
    *vectors = (struct edda_embed_vectors){0};
}

/* A text that is too long for the model would refuse its whole batch. */
static struct edda_text cut_text(struct edda_text text, uint32_t maximum) {
    if (text.size > maximum) {
        text.size = maximum;
        while (text.size > 0 && ((uint8_t)text.data[text.size] & 0xc0) == 0x80) {
            text.size--;
        }
    }
    return text;
}

int edda_embed_build(const struct edda_account *account, const struct edda_texts *texts, bool query,
                     struct edda_api_request *ret_request) {
    const struct edda_embed_api *api = embed_apis[account->kind];
    EDDA_ASSERT(api);
    if (texts->count == 0 || texts->count > api->limits.items) {
        return EDDA_E_INVALID;
    }
    struct edda_texts cut = {calloc(texts->count, sizeof *cut.items), texts->count};
    if (!cut.items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < texts->count; i++) {
        cut.items[i] = cut_text(texts->items[i], api->limits.item_bytes);
    }
    api->build(account, &cut, query, ret_request);
    free(cut.items);
    return ret_request->body.error;
}

static int parse_rows(const struct edda_embed_api *api, const json_t *json,
                      struct edda_api_rows *rows) {
    int error = api->parse(json, rows);
    if (!error && rows->filled != rows->count) {
        rows->why = "another number of vectors than texts";
        error = EDDA_E_FAILED;
    }
    return error;
}

/* A value of two bytes costs the parser thirty: what holds many more than wanted is not parsed. */
static bool is_about(struct edda_bytes body, size_t count, uint32_t dimension) {
    size_t numbers = dimension > 0 ? dimension : EDDA_MAX_DIMENSION;
    size_t values = 0;
    size_t containers = 0;
    for (size_t i = 0; i < body.size; i++) {
        values += body.data[i] == ',';
        containers += body.data[i] == '{' || body.data[i] == '[';
    }
    return containers <= (count + 1) * EDDA_EMBED_MARGIN &&
           values <= (count + 1) * (numbers + EDDA_EMBED_MARGIN);
}

int edda_embed_parse(const struct edda_account *account, struct edda_bytes body, size_t count,
                     uint32_t dimension, struct edda_embed_vectors *ret_vectors,
                     const char **ret_why) {
    const struct edda_embed_api *api = embed_apis[account->kind];
    EDDA_ASSERT(api && count > 0);
    *ret_vectors = (struct edda_embed_vectors){0};
    *ret_why = "it holds far more than was asked for";
    if (!is_about(body, count, dimension)) {
        return EDDA_E_FAILED;
    }
    json_t *json = edda_provider_json(body.data, body.size);
    *ret_why = "it is no JSON";
    if (!json) {
        return EDDA_E_FAILED;
    }
    struct edda_api_rows rows = {.vectors = ret_vectors,
                                 .count = count,
                                 .dimension = dimension,
                                 .has = calloc(count, sizeof *rows.has),
                                 .why = "it has no vectors"};
    int error = rows.has ? parse_rows(api, json, &rows) : EDDA_E_MEMORY;
    json_decref(json);
    free(rows.has);
    *ret_why = rows.why;
    if (error) {
        edda_embed_vectors_done(ret_vectors);
    } else {
        ret_vectors->count = count;
    }
    return error;
}

/* ---- reranking ---- */

static void write_rerank(const struct edda_rerank_api *api, const struct edda_account *account,
                         struct edda_text query, const struct edda_texts *documents,
                         struct edda_buffer *out) {
    EDDA_WRITE(out, "{");
    if (api->named) {
        EDDA_WRITE(out, "\"model\":");
        edda_write_text(out, edda_text_of(account->model));
        EDDA_WRITE(out, ",");
    }
    EDDA_WRITE(out, "\"query\":");
    edda_write_text(out, query);
    (void)edda_buffer_printf(out, ",\"%s\":", api->documents);
    edda_api_texts(out, documents);
    if (api->most) {
        edda_api_number(out, api->most, documents->count);
    }
    (void)edda_buffer_append_text(out, api->more ? api->more : "");
    EDDA_WRITE(out, "}");
}

int edda_rerank_build(const struct edda_account *account, struct edda_text query,
                      const struct edda_texts *documents, struct edda_api_request *ret_request) {
    EDDA_ASSERT(rerank_apis[account->kind]);
    if (documents->count == 0) {
        return EDDA_E_INVALID;
    }
    edda_api_path(ret_request, account, rerank_apis[account->kind]->path);
    edda_api_usual_headers(ret_request, account);
    write_rerank(rerank_apis[account->kind], account, query, documents, &ret_request->body);
    return ret_request->body.error;
}

int edda_rerank_parse(const struct edda_account *account, struct edda_bytes body, size_t count,
                      double *ret_scores, const char **ret_why) {
    const struct edda_rerank_api *api = rerank_apis[account->kind];
    EDDA_ASSERT(api);
    json_t *json = edda_provider_json(body.data, body.size);
    *ret_why = "it is no JSON";
    if (!json) {
        return EDDA_E_FAILED;
    }
    int error = edda_api_scores(api->list ? json_object_get(json, api->list) : json, api->score,
                                count, ret_scores, ret_why);
    json_decref(json);
    return error;
}

/* ---- chat ---- */

int edda_chat_build(const struct edda_account *account, const struct edda_chat_prompt *prompt,
                    struct edda_api_request *ret_request) {
    EDDA_ASSERT(chat_apis[account->kind]);
    chat_apis[account->kind]->build(account, prompt, ret_request);
    return ret_request->body.error;
}

void edda_chat_text(struct edda_chat_stream *stream, const json_t *text) {
    for (size_t i = 0; json_is_array(text) && i < json_array_size(text); i++) {
        edda_chat_text(stream, json_object_get(json_array_get(text, i), "text"));
    }
    const char *at = json_string_value(text);
    const char *end = at ? at + json_string_length(text) : NULL;
    while (at && at < end) {
        size_t size = strnlen(at, (size_t)(end - at));
        (void)edda_buffer_append(&stream->text, at, size);
        at += size;
        if (at < end) { /* a NUL, which texts of ours cannot hold */
            (void)edda_buffer_append_text(&stream->text, "\xef\xbf\xbd");
            at++;
        }
    }
    if (stream->text.error) {
        edda_chat_break(stream, stream->text.error, "the answer is longer than allowed");
    }
}

void edda_chat_finish(struct edda_chat_stream *stream, const char *finish) {
    const char *secrets[] = {stream->key, NULL};
    (void)edda_redact(edda_text_of(finish), secrets, stream->finish, sizeof stream->finish);
}

void edda_chat_break(struct edda_chat_stream *stream, int error, const char *reason) {
    if (!stream->error) {
        stream->error = error;
        const char *secrets[] = {stream->key, NULL};
        struct edda_text words =
            edda_text_of(reason && *reason ? reason : "the provider broke off");
        (void)edda_redact(words, secrets, stream->reason, sizeof stream->reason);
    }
}

static int take_event(void *context, struct edda_text event, struct edda_text data) {
    struct edda_chat_stream *stream = context;
    if (!stream->ended) { /* what follows the end mark is nobody's */
        chat_apis[stream->kind]->event(stream, event, data);
    }
    return stream->error;
}

void edda_chat_stream_init(struct edda_chat_stream *stream, const struct edda_account *account) {
    EDDA_ASSERT(chat_apis[account->kind]);
    memset(stream, 0, sizeof *stream);
    stream->kind = account->kind;
    stream->key = account->key;
    edda_buffer_init(&stream->text, (size_t)2 * EDDA_MAX_ANSWER_BYTES);
    edda_event_reader_init(&stream->reader, take_event, stream);
}

void edda_chat_stream_done(struct edda_chat_stream *stream) {
    edda_event_reader_done(&stream->reader);
    edda_buffer_done(&stream->text);
}

int edda_chat_stream_feed(struct edda_chat_stream *stream, struct edda_bytes bytes) {
    if (!stream->error) {
        int error = edda_event_reader_feed(&stream->reader, bytes);
        if (error) {
            edda_chat_break(stream, error, "an event is longer than allowed");
        }
    }
    return stream->error;
}

bool edda_chat_stream_whole(const struct edda_chat_stream *stream) {
    /* Gemini has no mark beyond the reason it stopped for. */
    return stream->ended || (stream->kind == EDDA_PROVIDER_GEMINI && stream->finish[0] != '\0');
}

int edda_chat_stream_end(struct edda_chat_stream *stream) {
    bool whole = edda_chat_stream_whole(stream);
    stream->ended = whole;
    if (!stream->error && !whole) {
        edda_chat_break(stream, EDDA_E_STREAM_BROKEN, "the stream ended without its end mark");
    }
    return stream->error;
}
