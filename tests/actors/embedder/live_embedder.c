/* tests/actors/embedder/live_embedder.c: see live_embedder.h. */
#include "tests/actors/embedder/live_embedder.h"

#include <stdio.h>
#include <zmq.h>

#include "actors/embedder/actor.h"
#include "proto/body.h"
#include "proto/half.h"
#include "proto/uuid.h"
#include "tests/proto/cmocka.h"

#define SETTINGS 24
#define SETTING  512

static size_t waiting_limit; /* written before a role's thread is made */

static int serve(edda_loop_t *loop, const struct edda_role *role) {
    return edda_embedder_serve(loop, role, waiting_limit);
}

static void add_settings(struct live_role *live, const char *const *settings) {
    const char *message = NULL;
    char pairs[SETTINGS][SETTING];
    char *environment[SETTINGS + 1] = {NULL};
    for (size_t i = 0; settings[2 * i]; i++) {
        char url[256];
        const char *value = settings[2 * i + 1];
        assert_true(i < SETTINGS);
        if (value[0] == '@') {
            provider_process_url(live->provider, value + 1, url, sizeof url);
            value = url;
        }
        (void)snprintf(pairs[i], sizeof pairs[i], "%s=%s", settings[2 * i], value);
        environment[i] = pairs[i];
    }
    if (edda_config_environment(live->config, environment, &message) != 0) {
        fail_msg("%s", message);
    }
}

static void prepare(struct live_role *live, struct provider_process *provider) {
    live_role_prepare(live, "embedder");
    live->provider = provider;
    fake_broker_ignore(live->fake, EDDA_PROGRESS);
}

void live_embedder_start_narrow(struct live_role *live, struct provider_process *provider,
                                const char *const *settings, size_t waiting) {
    static const char *const usual[] = {"EMBEDDING_PROVIDER", "openai", "OPENAI_BASE_URL",
                                        "@openai/v1", NULL};
    prepare(live, provider);
    provider_process_reset(provider);
    add_settings(live, usual);
    add_settings(live, settings);
    waiting_limit = waiting;
    live_role_start(live, serve);
}

void live_embedder_start(struct live_role *live, struct provider_process *provider,
                         const char *const *settings) {
    live_embedder_start_narrow(live, provider, settings, 0);
}

void live_embedder_expect_refusal(const char *const *settings, int result) {
    struct live_role live;
    prepare(&live, NULL);
    add_settings(&live, settings);
    live_role_expect_refusal(&live, edda_embedder_main, result);
}

/* ---- asking ---- */

static void work(struct live_role *live, uint8_t number, uint8_t priority, const char *op,
                 const struct edda_embed_arguments *arguments, const struct edda_chunks *chunks) {
    struct edda_message message = {.envelope.id = {{7, [15] = number}},
                                   .envelope.op = edda_text_of(op),
                                   .envelope.priority = priority,
                                   .envelope.ttl_ms = LIVE_TTL_MS};
    live_role_send(live, &message, EDDA_BODY_EMBED_ARGUMENTS, arguments, EDDA_BODY_CHUNKS, chunks);
}

void live_embedder_embed(struct live_role *live, uint8_t number, uint8_t priority,
                         const struct edda_embed_arguments *arguments) {
    work(live, number, priority, "embed", arguments, NULL);
}

void live_embedder_query(struct live_role *live, uint8_t number, const char *text) {
    struct edda_text item = edda_text_of(text);
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("query"), .texts = {&item, 1}};
    live_embedder_embed(live, number, LIVE_URGENT, &arguments);
}

void live_embedder_document(struct live_role *live, uint8_t number, uint8_t priority,
                            const char *text) {
    struct edda_text item = edda_text_of(text);
    live_embedder_embed(live, number, priority,
                        &(struct edda_embed_arguments){.texts = {&item, 1}});
}

void live_embedder_chunks(struct live_role *live, uint8_t number,
                          const struct edda_chunks *chunks) {
    work(live, number, LIVE_BULK, "embed.chunks", NULL, chunks);
}

struct edda_chunks live_embedder_make(struct live_role *live, const char *prefix, uint32_t count) {
    struct edda_chunk *items = edda_arena_take(&live->arena, count * sizeof *items);
    assert_non_null(items);
    for (uint32_t i = 0; i < count; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "%s %u", prefix, i);
        items[i] = (struct edda_chunk){.text = edda_arena_text(&live->arena, edda_text_of(text)),
                                       .number = i};
    }
    return (struct edda_chunks){.chunks = {items, count}};
}

void live_embedder_cancel(struct live_role *live, uint8_t number) {
    struct edda_uuid id = {{7, [15] = number}};
    fake_broker_tell(live->fake, FAKE_BACK, EDDA_CANCEL, &id, 0, NULL);
}

/* ---- what comes back ---- */

static const float *read_halves(struct live_role *live, struct edda_bytes halves) {
    size_t count = halves.size / sizeof(uint16_t);
    float *values = edda_arena_take(&live->arena, count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, halves.data + i * sizeof half, sizeof half);
        values[i] = edda_half_to_float(half);
    }
    return values;
}

static const float *read_floats(struct live_role *live, struct edda_floats floats) {
    float *values = edda_arena_take(&live->arena, floats.size + 1);
    assert_non_null(values);
    if (floats.size > 0) {
        memcpy(values, floats.data, floats.size);
    }
    return values;
}

static struct edda_bytes keep_body(struct live_role *live, struct edda_bytes body) {
    uint8_t *copy = edda_arena_take(&live->arena, body.size + 1);
    assert_non_null(copy);
    memcpy(copy, body.data, body.size);
    return (struct edda_bytes){copy, body.size};
}

static struct live_vectors read_chunks(struct live_role *live, struct edda_bytes body) {
    struct edda_chunks chunks;
    assert_int_equal(edda_body_decode(EDDA_BODY_CHUNKS, body, &live->arena, &chunks), 0);
    struct live_vectors vectors = {.model = chunks.model,
                                   .dimension = chunks.dimension,
                                   .count = chunks.chunks.count,
                                   .halves = chunks.halves.size > 0,
                                   .chunks = chunks};
    size_t values = vectors.count * vectors.dimension;
    if (vectors.halves) {
        assert_int_equal(chunks.vectors.size, 0);
        assert_int_equal(chunks.halves.size, values * sizeof(uint16_t));
        vectors.rows = read_halves(live, chunks.halves);
    } else {
        assert_int_equal(chunks.vectors.size, values * sizeof(float));
        vectors.rows = read_floats(live, chunks.vectors);
    }
    return vectors;
}

static struct live_vectors read_embeddings(struct live_role *live, struct edda_bytes body) {
    struct edda_embeddings embeddings;
    assert_int_equal(edda_body_decode(EDDA_BODY_EMBEDDINGS, body, &live->arena, &embeddings), 0);
    assert_int_equal(embeddings.vectors.size,
                     (size_t)embeddings.count * embeddings.dimension * sizeof(float));
    return (struct live_vectors){.model = embeddings.model,
                                 .dimension = embeddings.dimension,
                                 .count = embeddings.count,
                                 .rows = read_floats(live, embeddings.vectors)};
}

struct live_vectors live_embedder_any(struct live_role *live, uint8_t *ret_number) {
    const struct edda_wire *wire =
        fake_broker_expect_after_credit(live->fake, FAKE_BACK, EDDA_DONE);
    struct edda_bytes body = keep_body(live, wire->message.bodies[0]);
    *ret_number = wire->message.envelope.id.bytes[15];
    return edda_message_body_type(&wire->message, 0) == EDDA_BODY_CHUNKS
               ? read_chunks(live, body)
               : read_embeddings(live, body);
}

struct live_vectors live_embedder_vectors(struct live_role *live, uint8_t number) {
    uint8_t given = 0;
    struct live_vectors vectors = live_embedder_any(live, &given);
    assert_int_equal(given, number);
    return vectors;
}

const char *live_embedder_failure(struct live_role *live, uint8_t number, int code,
                                  enum edda_blame blame, uint32_t *ret_retry_after_ms) {
    const struct edda_wire *wire =
        fake_broker_expect_after_credit(live->fake, FAKE_BACK, EDDA_FAIL);
    const struct edda_wire_error *error = &wire->message.envelope.error;
    if (error->code != code || error->blame != blame ||
        wire->message.envelope.id.bytes[15] != number) {
        fail_msg("%u failed with %s, blame %u: %.*s", wire->message.envelope.id.bytes[15],
                 edda_error_name(error->code), error->blame, (int)error->text.size,
                 error->text.data);
    }
    if (ret_retry_after_ms) {
        *ret_retry_after_ms = error->retry_after_ms;
    }
    return edda_arena_text(&live->arena, error->text).data;
}

int64_t live_embedder_requests(struct live_role *live) {
    return provider_process_count(live->provider, "embed", "requests");
}

int64_t live_embedder_items(struct live_role *live) {
    return provider_process_count(live->provider, "embed", "items");
}
