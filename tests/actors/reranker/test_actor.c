/* tests/actors/reranker/test_actor.c: the reranker as a role, before a broker that is a fake. */
#include "actors/reranker/actor.h"

#include "actors/runtime/wire.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "tests/harness/fake_broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zmq.h>

#define URL "inproc://reranker"

struct stage {
    void *zmq_context;
    edda_loop_t *loop;
    edda_config_t *config;
    struct fake_broker *fake;
    struct edda_role role;
    edda_thread_t *thread;
    struct edda_arena arena;
    struct edda_buffer bytes;
};

static void take_ready(void *context, const char *name, const char *detail) {
    (void)context;
    assert_non_null(name);
    assert_non_null(detail);
}

static void start(struct stage *stage) {
    static const char *const urls[] = {URL};
    *stage = (struct stage){
        .zmq_context = zmq_ctx_new(), .loop = edda_loop_new("test"), .config = edda_config_new()};
    stage->fake = fake_broker_new(stage->loop, stage->zmq_context, URL);
    edda_arena_init(&stage->arena, 16u << 20);
    edda_buffer_init(&stage->bytes, EDDA_MAX_FRAME_BYTES);
    stage->role = (struct edda_role){.name = "reranker",
                                     .zmq_context = stage->zmq_context,
                                     .config = stage->config,
                                     .connect = urls,
                                     .connect_count = 1,
                                     .ready = take_ready};
    stage->thread = edda_thread_new(&stage->role, edda_reranker_main);
    assert_non_null(stage->thread);
    (void)fake_broker_accept(stage->fake, FAKE_BACK);
}

static void stop(struct stage *stage) {
    int result = -1;
    edda_thread_drain(stage->thread, 1000);
    assert_int_equal(edda_thread_join(&stage->thread, 3000, &result), 0);
    assert_int_equal(result, 0);
    fake_broker_destroy(&stage->fake);
    edda_loop_destroy(&stage->loop);
    edda_config_destroy(&stage->config);
    edda_arena_done(&stage->arena);
    edda_buffer_done(&stage->bytes);
    zmq_ctx_term(stage->zmq_context);
}

static const struct edda_wire *work(struct stage *stage, const char *op, uint16_t type,
                                    const void *arguments, uint8_t command) {
    struct edda_uuid id = {{7}};
    id.bytes[15] = (uint8_t)(stage->arena.used % 251);
    edda_buffer_reset(&stage->bytes);
    assert_int_equal(edda_body_encode(type, arguments, &stage->bytes), 0);
    fake_broker_work(stage->fake, &id, op, 5000, type, edda_buffer_bytes(&stage->bytes));
    return fake_broker_expect_after_credit(stage->fake, FAKE_BACK, command);
}

static void documents_are_ordered_on_the_loop_and_in_the_pool(void **state) {
    (void)state;
    static const size_t sizes[] = {100, 60000}; /* eight of the latter go to the pool */
    struct stage stage;
    start(&stage);
    for (size_t round = 0; round < 2; round++) {
        struct edda_text documents[8];
        struct edda_hits hits;
        for (size_t i = 0; i < 8; i++) {
            char *text = malloc(sizes[round]);
            memset(text, ' ', sizes[round]);
            memcpy(text, i == 2 ? "winter storm" : "summer calms", 12);
            documents[i] = (struct edda_text){text, sizes[round]};
        }
        struct edda_rerank_arguments arguments = {
            .query = EDDA_TEXT("storm in winter"), .top_k = 3, .documents = {documents, 8}};
        const struct edda_wire *done =
            work(&stage, "rerank.texts", EDDA_BODY_RERANK_ARGUMENTS, &arguments, EDDA_DONE);
        assert_int_equal(
            edda_body_decode(EDDA_BODY_HITS, done->message.bodies[0], &stage.arena, &hits), 0);
        assert_int_equal(hits.hits.count, 3);
        assert_int_equal(hits.hits.items[0].number, 2);
        for (size_t i = 0; i < 8; i++) {
            free((char *)(uintptr_t)documents[i].data);
        }
    }
    stop(&stage);
}

static void no_hits_give_no_hits(void **state) {
    (void)state;
    struct stage stage;
    struct edda_hits hits;
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("storm")};
    start(&stage);
    const struct edda_wire *done =
        work(&stage, "rerank", EDDA_BODY_RERANK_ARGUMENTS, &arguments, EDDA_DONE);
    assert_int_equal(edda_body_decode(EDDA_BODY_HITS, done->message.bodies[0], &stage.arena, &hits),
                     0);
    assert_int_equal(hits.hits.count, 0);
    stop(&stage);
}

static void a_wrong_body_fails_the_job_alone(void **state) {
    (void)state;
    struct stage stage;
    struct edda_embed_arguments wrong = {.input_type = EDDA_TEXT("query")};
    struct edda_rerank_arguments right = {.query = EDDA_TEXT("storm")};
    start(&stage);
    const struct edda_wire *failed =
        work(&stage, "rerank.texts", EDDA_BODY_EMBED_ARGUMENTS, &wrong, EDDA_FAIL);
    assert_int_equal(failed->message.envelope.error.code, EDDA_E_TYPE);
    (void)work(&stage, "rerank.texts", EDDA_BODY_RERANK_ARGUMENTS, &right, EDDA_DONE);
    stop(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_ordered_on_the_loop_and_in_the_pool),
        cmocka_unit_test(no_hits_give_no_hits),
        cmocka_unit_test(a_wrong_body_fails_the_job_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
