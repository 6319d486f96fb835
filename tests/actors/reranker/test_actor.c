/* tests/actors/reranker/test_actor.c: the reranker as a role, before a broker that is a fake. */
#include "actors/reranker/actor.h"

#include "actors/runtime/clock.h"
#include "actors/runtime/wire.h"
#include "proto/body.h"
#include "proto/body_stage.h"
#include "tests/harness/live_role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zmq.h>

static void start(struct live_role *stage) {
    live_role_prepare(stage, "reranker");
    live_role_start(stage, edda_reranker_main);
}

static const struct edda_wire *work(struct live_role *stage, const char *op, uint16_t type,
                                    const void *arguments, uint8_t command) {
    struct edda_message message = {
        .envelope.id = edda_uuid_new(), .envelope.op = edda_text_of(op), .envelope.ttl_ms = 5000};
    live_role_send(stage, &message, type, arguments, 0, NULL);
    return fake_broker_expect_after_credit(stage->fake, FAKE_BACK, command);
}

static void documents_are_ordered_on_the_loop_and_in_the_pool(void **state) {
    (void)state;
    static const size_t sizes[] = {100, 60000}; /* eight of the latter go to the pool */
    struct live_role stage;
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
    live_role_stop(&stage);
}

static void no_hits_give_no_hits(void **state) {
    (void)state;
    struct live_role stage;
    struct edda_hits hits;
    struct edda_rerank_arguments arguments = {.query = EDDA_TEXT("storm")};
    start(&stage);
    const struct edda_wire *done =
        work(&stage, "rerank", EDDA_BODY_RERANK_ARGUMENTS, &arguments, EDDA_DONE);
    assert_int_equal(edda_body_decode(EDDA_BODY_HITS, done->message.bodies[0], &stage.arena, &hits),
                     0);
    assert_int_equal(hits.hits.count, 0);
    live_role_stop(&stage);
}

static void a_wrong_body_fails_the_job_alone(void **state) {
    (void)state;
    struct live_role stage;
    struct edda_embed_arguments wrong = {.input_type = EDDA_TEXT("query")};
    struct edda_rerank_arguments right = {.query = EDDA_TEXT("storm")};
    start(&stage);
    const struct edda_wire *failed =
        work(&stage, "rerank.texts", EDDA_BODY_EMBED_ARGUMENTS, &wrong, EDDA_FAIL);
    assert_int_equal(failed->message.envelope.error.code, EDDA_E_TYPE);
    (void)work(&stage, "rerank.texts", EDDA_BODY_RERANK_ARGUMENTS, &right, EDDA_DONE);
    live_role_stop(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_ordered_on_the_loop_and_in_the_pool),
        cmocka_unit_test(no_hits_give_no_hits),
        cmocka_unit_test(a_wrong_body_fails_the_job_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
