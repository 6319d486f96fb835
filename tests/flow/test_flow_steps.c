/* tests/flow/test_flow_steps.c: steps and itineraries between fake peers and a real broker. */
#include "proto/body.h"
#include "tests/harness/scenario.h"
#include "tests/proto/cmocka.h"

static const char *const search = "embed -> store.search -> rerank?";
static const char *const ingest = "chunk -> embed.chunks -> store.put_chunks";

static void one_step_goes_there_and_back(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(embedder, "embed");
    assert_string_equal(work.arguments, "arguments of embed");
    assert_string_equal(work.project, "test");
    assert_int_equal(work.attempt, 1);
    assert_true(work.ttl_ms > 4000 && work.ttl_ms <= 5000);
    send_done(embedder, &work, "vectors");
    struct fake_reply reply = expect_resp(gateway, &id, "vectors");
    assert_int_equal(reply.type, EDDA_BODY_EMBEDDINGS);
    expect_balance(s);
    scenario_stop(&s);
}

static void accept_is_answered_by_the_store(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *store = scenario_worker(s, "store", 4);
    struct edda_uuid id = send_req(gateway, "store.accept");
    struct fake_work work = expect_work(store, "store.accept");
    assert_int_equal(work.arguments_type, EDDA_BODY_STORE_ACCEPT);
    send_done(store, &work, "accepted");
    struct fake_reply reply = expect_resp(gateway, &id, "accepted");
    assert_int_equal(reply.type, EDDA_BODY_STORE_ACCEPTED);
    expect_balance(s);
    scenario_stop(&s);
}

static void a_search_goes_through_three_stages(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    edda_fake_t *store = scenario_worker(s, "store", 2);
    edda_fake_t *reranker = scenario_worker(s, "rerank", 2);
    struct edda_uuid id = send_req(gateway, search);
    struct fake_work work = expect_work(embedder, "embed");
    assert_int_equal(work.input_type, EDDA_BODY_NONE);
    send_done(embedder, &work, "a vector");
    work = expect_work(store, "store.search");
    assert_string_equal(work.arguments, "arguments of store.search");
    assert_string_equal(work.input, "a vector");
    assert_int_equal(work.step, 1);
    send_done(store, &work, "hits");
    work = expect_work(reranker, "rerank");
    assert_string_equal(work.input, "hits");
    send_done(reranker, &work, "better hits");
    struct fake_reply reply = expect_resp(gateway, &id, "better hits");
    assert_string_equal(reply.degraded, "");
    expect_balance(s);
    scenario_stop(&s);
}

static void a_search_whose_reranker_fails_is_degraded(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *worker = scenario_worker(s, "embed,store,rerank", 4);
    struct edda_uuid id = send_req(gateway, search);
    struct fake_work work = expect_work(worker, "embed");
    send_done(worker, &work, "a vector");
    work = expect_work(worker, "store.search");
    send_done(worker, &work, "hits");
    work = expect_work(worker, "rerank");
    send_fail(worker, &work, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    struct fake_reply reply = expect_resp(gateway, &id, "hits");
    assert_string_equal(reply.degraded, "rerank");
    expect_balance(s);
    scenario_stop(&s);
}

static void a_search_without_a_reranker_is_degraded(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *worker = scenario_worker(s, "embed,store", 4);
    struct edda_uuid id = send_req(gateway, search);
    struct fake_work work = expect_work(worker, "embed");
    send_done(worker, &work, "a vector");
    work = expect_work(worker, "store.search");
    send_done(worker, &work, "hits");
    struct fake_reply reply = expect_resp(gateway, &id, "hits");
    assert_string_equal(reply.degraded, "rerank");
    expect_balance(s);
    scenario_stop(&s);
}

static void an_ingested_part_is_chunked_embedded_and_stored(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *pump = scenario_client(s, "pump");
    edda_fake_t *chunker = scenario_worker(s, "chunk", 2);
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    edda_fake_t *store = scenario_worker(s, "store", 2);
    const struct fake_request request = {
        .route = ingest, .priority = 9, .ttl_ms = 60000, .fence = 77, .project = "home"};
    struct edda_uuid id = send_req_with(pump, &request);
    struct fake_work work = expect_work(chunker, "chunk");
    assert_int_equal(work.fence, 77);
    send_done(chunker, &work, "chunks");
    work = expect_work(embedder, "embed.chunks");
    assert_string_equal(work.input, "chunks");
    assert_int_equal(work.fence, 77);
    send_done(embedder, &work, "chunks with vectors");
    work = expect_work(store, "store.put_chunks");
    assert_string_equal(work.input, "chunks with vectors");
    assert_string_equal(work.project, "home");
    assert_int_equal(work.fence, 77);
    assert_int_equal(work.priority, 9);
    send_done(store, &work, "stored");
    expect_resp(pump, &id, "stored");
    expect_balance(s);
    scenario_stop(&s);
}

static void a_part_that_cannot_be_embedded_fails_without_retries(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *pump = scenario_client(s, "pump");
    edda_fake_t *worker = scenario_worker(s, "chunk,embed,store", 4);
    const struct fake_request request = {.route = ingest, .priority = 9, .ttl_ms = 60000};
    struct edda_uuid id = send_req_with(pump, &request);
    struct fake_work work = expect_work(worker, "chunk");
    send_done(worker, &work, "chunks");
    work = expect_work(worker, "embed.chunks");
    send_fail(worker, &work, EDDA_E_UNAVAILABLE, EDDA_BLAME_OUTSIDE);
    struct fake_reply reply = expect_fail(pump, &id, EDDA_E_UNAVAILABLE);
    assert_int_equal(reply.blame, EDDA_BLAME_OUTSIDE);
    expect_balance(s);
    scenario_stop(&s);
}

static void an_answer_is_streamed_with_credit(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "cli");
    edda_fake_t *talker = scenario_worker(s, "talk", 2);
    const struct fake_request request = {
        .route = "talk.answer", .ttl_ms = 60000, .flags = EDDA_FLAG_STREAMING};
    struct edda_uuid id = send_req_with(gateway, &request);
    struct fake_work work = expect_work(talker, "talk.answer");
    assert_int_equal(work.flags, EDDA_FLAG_STREAMING);
    send_stream_credit(gateway, &id, 2, 1000);
    expect_stream_credit(talker, &id, 2);
    send_part(talker, &work, 0, "Once");
    send_progress(talker, &work);
    send_part(talker, &work, 1, " upon");
    expect_part(gateway, &id, 0, "Once");
    expect_progress(gateway, &id);
    expect_part(gateway, &id, 1, " upon");
    send_done(talker, &work, "usage");
    expect_resp(gateway, &id, "usage");
    expect_balance(s);
    scenario_stop(&s);
}

static void a_lost_part_breaks_the_stream(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "cli");
    edda_fake_t *talker = scenario_worker(s, "talk", 2);
    struct edda_uuid id = send_req(gateway, "talk.answer");
    struct fake_work work = expect_work(talker, "talk.answer");
    send_stream_credit(gateway, &id, 9, 1000);
    expect_stream_credit(talker, &id, 9);
    send_part(talker, &work, 0, "Once");
    send_part(talker, &work, 2, " a time");
    expect_part(gateway, &id, 0, "Once");
    expect_fail(gateway, &id, EDDA_E_STREAM_BROKEN);
    expect_cancel(talker, &id);
    expect_balance(s);
    scenario_stop(&s);
}

static void a_large_body_goes_through_uncut(void **state) {
    (void)state;
    static char text[512 * 1024];
    memset(text, 'x', sizeof(text) - 1);
    edda_scenario_t *s = scenario_start("ipc");
    edda_fake_t *gateway = scenario_client(s, "cli");
    edda_fake_t *worker = scenario_worker(s, "one,two", 2);
    struct edda_uuid id = send_req(gateway, "one -> two");
    struct fake_work work = expect_work(worker, "one");
    send_done(worker, &work, text);
    work = expect_work(worker, "two");
    assert_memory_equal(work.input, text, sizeof(work.input) - 1);
    send_done(worker, &work, text);
    expect_resp(gateway, &id, NULL);
    expect_balance(s);
    scenario_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_step_goes_there_and_back),
        cmocka_unit_test(accept_is_answered_by_the_store),
        cmocka_unit_test(a_search_goes_through_three_stages),
        cmocka_unit_test(a_search_whose_reranker_fails_is_degraded),
        cmocka_unit_test(a_search_without_a_reranker_is_degraded),
        cmocka_unit_test(an_ingested_part_is_chunked_embedded_and_stored),
        cmocka_unit_test(a_part_that_cannot_be_embedded_fails_without_retries),
        cmocka_unit_test(an_answer_is_streamed_with_credit),
        cmocka_unit_test(a_lost_part_breaks_the_stream),
        cmocka_unit_test(a_large_body_goes_through_uncut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
