/* tests/actors/embedder/test_actor.c: chunker and embedder as roles, before a broker that is a
 * fake. */
#include "actors/chunker/actor.h"
#include "actors/embedder/actor.h"
#include "actors/embedder/hash_embed.h"
#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "tests/harness/live_role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zmq.h>

#define ROW_SIZE (EDDA_HASH_EMBED_DIMENSION * 4)

static void start(struct live_role *stage, const char *name, edda_role_main_fn main_function) {
    live_role_prepare(stage, name);
    live_role_start(stage, main_function);
}

/* WORK with one or two bodies, and what comes back: DONE or FAIL. */
static const struct edda_wire *work(struct live_role *stage, const char *op, uint16_t type,
                                    const void *arguments, uint16_t input_type, const void *input,
                                    uint8_t command) {
    struct edda_message message = {
        .envelope.id = edda_uuid_new(), .envelope.op = edda_text_of(op), .envelope.ttl_ms = 5000};
    live_role_send(stage, &message, type, arguments, input_type, input);
    const struct edda_wire *wire = fake_broker_expect_after_credit(stage->fake, FAKE_BACK, command);
    assert_true(edda_uuid_equal(&wire->message.envelope.id, &message.envelope.id));
    return wire;
}

static void read_body(struct live_role *stage, const struct edda_wire *wire, uint16_t type,
                      void *ret_record) {
    assert_int_equal(edda_message_body_type(&wire->message, 0), type);
    assert_int_equal(edda_body_decode(type, wire->message.bodies[0], &stage->arena, ret_record), 0);
}

static char *make_text(size_t size) {
    static const char sentence[] = "The river runs slowly past the old mill and its wheel. ";
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = sentence[i % (sizeof sentence - 1)];
    return text;
}

static void small_and_large_texts_are_chunked(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, "chunker", edda_chunker_main);
    char *text = make_text(EDDA_PART_BYTES);
    static const size_t sizes[] = {100, 5000, EDDA_PART_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct edda_chunk_arguments arguments = {
            .text = {text, sizes[i]}, .title = EDDA_TEXT("Mill"), .first_byte = 7};
        struct edda_chunks chunks;
        const struct edda_wire *done =
            work(&stage, "chunk", EDDA_BODY_CHUNK_ARGUMENTS, &arguments, 0, NULL, EDDA_DONE);
        read_body(&stage, done, EDDA_BODY_CHUNKS, &chunks);
        assert_true(chunks.chunks.count >= sizes[i] / 1500 && chunks.chunks.count >= 1);
        assert_int_equal(chunks.chunks.items[0].start, 7);
        assert_true(edda_text_is(chunks.title, "Mill"));
    }
    free(text);
    live_role_stop(&stage);
}

static void a_wrong_body_fails_the_job_alone(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, "chunker", edda_chunker_main);
    struct edda_embed_arguments wrong = {.input_type = EDDA_TEXT("query")};
    const struct edda_wire *failed =
        work(&stage, "chunk", EDDA_BODY_EMBED_ARGUMENTS, &wrong, 0, NULL, EDDA_FAIL);
    assert_int_equal(failed->message.envelope.error.code, EDDA_E_TYPE);
    struct edda_chunk_arguments right = {.text = EDDA_TEXT("text")};
    (void)work(&stage, "chunk", EDDA_BODY_CHUNK_ARGUMENTS, &right, 0, NULL, EDDA_DONE);
    live_role_stop(&stage);
}

static void queries_and_documents_are_embedded_alike(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, "embedder", edda_embedder_main);
    struct edda_text items[3] = {EDDA_TEXT("the old mill"), EDDA_TEXT(""), EDDA_TEXT("a wheel")};
    struct edda_embed_arguments many = {.texts = {items, 3}};
    struct edda_embed_arguments one = {.input_type = EDDA_TEXT("query"), .texts = {items, 1}};
    struct edda_embeddings all;
    read_body(&stage, work(&stage, "embed", EDDA_BODY_EMBED_ARGUMENTS, &many, 0, NULL, EDDA_DONE),
              EDDA_BODY_EMBEDDINGS, &all);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.dimension, EDDA_HASH_EMBED_DIMENSION);
    assert_int_equal(all.vectors.size, 3 * ROW_SIZE);
    assert_true(edda_text_is(all.model, EDDA_HASH_EMBED_MODEL));
    uint8_t first_row[ROW_SIZE];
    memcpy(first_row, all.vectors.data, ROW_SIZE);
    for (int round = 0; round < 2; round++) { /* computed, then from the cache */
        struct edda_embeddings query;
        read_body(&stage,
                  work(&stage, "embed", EDDA_BODY_EMBED_ARGUMENTS, &one, 0, NULL, EDDA_DONE),
                  EDDA_BODY_EMBEDDINGS, &query);
        assert_int_equal(query.count, 1);
        assert_memory_equal(query.vectors.data, first_row, ROW_SIZE);
    }
    live_role_stop(&stage);
}

static void an_unknown_input_type_is_refused_with_its_reason(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, "embedder", edda_embedder_main);
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("poem")};
    const struct edda_wire *failed =
        work(&stage, "embed", EDDA_BODY_EMBED_ARGUMENTS, &arguments, 0, NULL, EDDA_FAIL);
    assert_int_equal(failed->message.envelope.error.code, EDDA_E_INVALID);
    assert_true(failed->message.envelope.error.text.size > 0);
    live_role_stop(&stage);
}

static void no_texts_and_no_chunks_give_no_vectors(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, "embedder", edda_embedder_main);
    struct edda_embeddings none;
    read_body(&stage, work(&stage, "embed", 0, NULL, 0, NULL, EDDA_DONE), EDDA_BODY_EMBEDDINGS,
              &none);
    assert_int_equal(none.count, 0);
    struct edda_chunks empty = {.title = EDDA_TEXT("T")};
    struct edda_chunks chunks;
    read_body(&stage, work(&stage, "embed.chunks", 0, NULL, EDDA_BODY_CHUNKS, &empty, EDDA_DONE),
              EDDA_BODY_CHUNKS, &chunks);
    assert_int_equal(chunks.chunks.count, 0);
    live_role_stop(&stage);
}

static void chunks_come_back_whole_with_a_vector_each(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, "embedder", edda_embedder_main);
    enum { COUNT = 300, BYTES = 2000 }; /* several slices */
    char *text = make_text(BYTES);
    struct edda_chunk *items = calloc(COUNT, sizeof *items);
    for (uint32_t i = 0; i < COUNT; i++)
        items[i] = (struct edda_chunk){.text = {text, BYTES - i % 7},
                                       .number = i,
                                       .start = i * 10,
                                       .end = i * 10 + 9,
                                       .heading = EDDA_TEXT("A > B"),
                                       .tokens = 400};
    struct edda_chunks input = {.chunks = {items, COUNT}, .title = EDDA_TEXT("Mill")};
    struct edda_chunks output;
    read_body(&stage, work(&stage, "embed.chunks", 0, NULL, EDDA_BODY_CHUNKS, &input, EDDA_DONE),
              EDDA_BODY_CHUNKS, &output);
    assert_int_equal(output.chunks.count, COUNT);
    assert_int_equal(output.dimension, EDDA_HASH_EMBED_DIMENSION);
    assert_int_equal(output.vectors.size, COUNT * ROW_SIZE);
    assert_true(edda_text_is(output.title, "Mill"));
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(output.chunks.items[i].start, items[i].start);
        assert_true(edda_text_equal(output.chunks.items[i].text, items[i].text));
    }
    assert_memory_equal(output.vectors.data, output.vectors.data + 7 * ROW_SIZE, ROW_SIZE);
    free(items);
    free(text);
    live_role_stop(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_and_large_texts_are_chunked),
        cmocka_unit_test(a_wrong_body_fails_the_job_alone),
        cmocka_unit_test(queries_and_documents_are_embedded_alike),
        cmocka_unit_test(an_unknown_input_type_is_refused_with_its_reason),
        cmocka_unit_test(no_texts_and_no_chunks_give_no_vectors),
        cmocka_unit_test(chunks_come_back_whole_with_a_vector_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
