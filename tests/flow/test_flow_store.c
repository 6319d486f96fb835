/* tests/flow/test_flow_store.c: accept, ingest and search through a real broker and the real store:
 * fake peers around it die, repeat and come late, and the broker and the store do, too. What was
 * accepted is there, its chunks once, and is found. With both stores. */
#include <stdatomic.h>

#include "actors/runtime/clock.h"
#include "actors/store/actor.h"
#include "proto/body_store.h"
#include "tests/actors/store/fixture_store.h"
#include "tests/harness/record_script.h"
#include "tests/proto/cmocka.h"

#define TEXT      "The harbour is closed.\n\nThe lamp turns at night."
#define CHUNKS    2
#define PATIENCE  400 /* waits of WAIT_MS */
#define WAIT_MS   50
#define JOIN_MS   20000
#define FIRST_JOB "SELECT id FROM job ORDER BY id LIMIT 1"

struct flow {
    struct fixture *f; /* the place; its own store is closed */
    edda_scenario_t *s;
    edda_config_t *config;
    const char *urls[1];
    struct edda_role role;
    edda_thread_t *thread;
    edda_loop_t *loop;
    _Atomic bool ready;
    edda_fake_t *gateway;
    edda_fake_t *chunker;
    edda_fake_t *embedder;
    struct edda_store_accept accept; /* what was asked last */
    struct edda_text part;
};

static struct flow flow;

/* ---- the store's life ---- */

static int run_store(edda_loop_t *loop, const struct edda_role *role) {
    flow.loop = loop;
    return edda_store_main(loop, role);
}

static void note_ready(void *context, const char *name, const char *detail) {
    (void)context;
    (void)name;
    (void)detail;
    atomic_store(&flow.ready, true);
}

static void start_store(void) {
    flow.ready = false;
    flow.role = (struct edda_role){.name = "store",
                                   .zmq_context = scenario_context(flow.s),
                                   .config = flow.config,
                                   .connect = flow.urls,
                                   .connect_count = 1,
                                   .ready = note_ready};
    flow.thread = edda_thread_new(&flow.role, run_store);
    assert_non_null(flow.thread);
    for (size_t waits = 0; waits < PATIENCE && !atomic_load(&flow.ready); waits++) {
        scenario_sleep(flow.s, WAIT_MS);
    }
    assert_true(atomic_load(&flow.ready));
}

/* Without a drain: what is under way is left as it is. */
static void stop_store(void) {
    int result = 0;
    edda_loop_stop(flow.loop);
    assert_int_equal(edda_thread_join(&flow.thread, JOIN_MS, &result), 0);
}

static int setup(void **state) {
    const char *message = NULL;
    (void)state;
    flow = (struct flow){.f = fixture_new(), .s = scenario_start("ipc")};
    fixture_close(flow.f); /* its tables stay, and its connection beside them */
    flow.config = edda_config_new();
    assert_int_equal(edda_config_flag(flow.config, "--lease-ms", "3000", &message), 0);
    assert_int_equal(edda_config_flag(flow.config, flow.f->postgres ? "--database" : "--data",
                                      flow.f->postgres ? fixture_postgres_url() : flow.f->directory,
                                      &message),
                     0);
    flow.urls[0] = scenario_url(flow.s);
    flow.gateway = scenario_client(flow.s, "gateway");
    flow.chunker = scenario_worker(flow.s, "chunk", 4);
    flow.embedder = scenario_worker(flow.s, "embed", 4);
    start_store();
    expect_credit(flow.gateway, "store", 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    stop_store();
    scenario_stop(&flow.s);
    check_tables(flow.f);
    fixture_free(&flow.f);
    edda_config_destroy(&flow.config);
    return 0;
}

/* ---- what a gateway asks ---- */

static int call(const char *op, uint16_t type, const void *arguments, uint16_t answer,
                void *ret_record) {
    const struct record_step step = {op, type, arguments};
    struct edda_uuid id = send_steps(flow.gateway, PROJECT, 0, &step, 1);
    return expect_record(flow.gateway, &id, &flow.f->arena, answer, ret_record);
}

static struct edda_store_accepted ask_to_accept(const struct edda_store_accept *accept) {
    struct edda_store_accepted accepted = {0};
    assert_int_equal(
        call("store.accept", EDDA_BODY_STORE_ACCEPT, accept, EDDA_BODY_STORE_ACCEPTED, &accepted),
        0);
    return accepted;
}

static struct edda_uuid accept_one(void) {
    flow.part = EDDA_TEXT(TEXT);
    flow.accept = one_part(&flow.part);
    flow.accept.idempotency_key = EDDA_TEXT("the same");
    flow.accept.fingerprint =
        (struct edda_bytes){(const uint8_t *)"of this request, 32 bytes long..", 32};
    return ask_to_accept(&flow.accept).memo;
}

static void wait_processed(const struct edda_uuid *memo) {
    struct edda_store_select select = select_memo(flow.f, memo);
    struct edda_store_status status = {0};
    for (size_t waits = 0; waits < PATIENCE; waits++) {
        int error =
            call("store.status", EDDA_BODY_STORE_SELECT, &select, EDDA_BODY_STORE_STATUS, &status);
        if (!error && edda_text_is(status.status, "processed")) {
            return;
        }
        assert_true(!error || error == EDDA_E_NO_SERVICE || error == EDDA_E_UNAVAILABLE);
        scenario_sleep(flow.s, WAIT_MS);
    }
    fail_msg("it is not processed, %u jobs are open", status.open_jobs);
}

/* ---- what workers do ---- */

/* The part is cut at its blank lines. */
static struct fake_work take_text(edda_fake_t *chunker, struct edda_chunks *ret_chunks) {
    struct edda_chunk_arguments arguments;
    struct fake_work work = expect_record_work(chunker, "chunk", &flow.f->arena, &arguments, NULL);
    const struct edda_claimed job = {.text = arguments.text, .title = arguments.title};
    assert_true(edda_text_is(arguments.text, TEXT));
    assert_string_equal(work.project, PROJECT);
    *ret_chunks = chunks_of(flow.f, &job);
    ret_chunks->model = (struct edda_text){0};
    ret_chunks->dimension = 0;
    ret_chunks->vectors = (struct edda_floats){0};
    return work;
}

static void cut_text(edda_fake_t *chunker) {
    struct edda_chunks chunks;
    struct fake_work work = take_text(chunker, &chunks);
    send_record_done(chunker, &work, &chunks);
}

static struct fake_work take_chunks(edda_fake_t *embedder, struct edda_chunks *ret_chunks) {
    struct edda_embed_arguments arguments;
    struct fake_work work =
        expect_record_work(embedder, "embed.chunks", &flow.f->arena, &arguments, ret_chunks);
    assert_int_equal(ret_chunks->chunks.count, CHUNKS);
    vectors_for(flow.f, ret_chunks);
    return work;
}

static void embed_chunks(edda_fake_t *embedder) {
    struct edda_chunks chunks;
    struct fake_work work = take_chunks(embedder, &chunks);
    send_record_done(embedder, &work, &chunks);
}

static struct edda_hits search_for(const char *words) {
    struct edda_text query = edda_text_of(words);
    const struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("query"),
                                               .texts = {&query, 1}};
    const struct edda_store_search search = {.query = query, .limit = 10};
    const struct record_step steps[] = {{"embed", EDDA_BODY_EMBED_ARGUMENTS, &embed},
                                        {"store.search", EDDA_BODY_STORE_SEARCH, &search}};
    struct edda_embed_arguments asked;
    struct edda_hits hits = {0};
    float vector[DIMENSION];
    struct edda_uuid id = send_steps(flow.gateway, PROJECT, 0, steps, 2);
    struct fake_work work =
        expect_record_work(flow.embedder, "embed", &flow.f->arena, &asked, NULL);
    vector_of(query, vector);
    const struct edda_embeddings embeddings = {.model = edda_text_of(flow.f->model),
                                               .dimension = DIMENSION,
                                               .count = 1,
                                               .vectors = {(const uint8_t *)vector, sizeof vector}};
    send_record_done(flow.embedder, &work, &embeddings);
    assert_int_equal(expect_record(flow.gateway, &id, &flow.f->arena, EDDA_BODY_HITS, &hits), 0);
    return hits;
}

/* Everybody is asked: the store by messages, its tables beside it, the broker's books. */
static void expect_once(const struct edda_uuid *memo) {
    struct edda_store_select select = select_memo(flow.f, memo);
    struct edda_store_memo got = {0};
    wait_processed(memo);
    assert_int_equal(call("store.get", EDDA_BODY_STORE_SELECT, &select, EDDA_BODY_STORE_MEMO, &got),
                     0);
    assert_int_equal(got.chunks.count, CHUNKS);
    for (size_t i = 0; i < CHUNKS; i++) {
        assert_int_equal(got.chunks.items[i].number, i);
    }
    assert_int_equal(sql_integer(flow.f, "SELECT count(*) FROM memo"), 1);
    assert_int_equal(sql_integer(flow.f, "SELECT count(*) FROM chunk"), CHUNKS);
    assert_int_equal(sql_integer(flow.f, "SELECT count(*) FROM job WHERE state <> 2"), 0);
    struct edda_hits hits = search_for("lamp");
    assert_int_equal(hits.degraded.count, 0);
    assert_true(hits.hits.count > 0);
    assert_true(edda_uuid_equal(&hits.hits.items[0].memo, memo));
    assert_true(edda_text_is(hits.hits.items[0].text, "The lamp turns at night."));
    fake_settle(flow.gateway);
    expect_balance(flow.s);
}

/* ---- tests ---- */

static void what_is_accepted_is_ingested_and_found(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    assert_true(edda_uuid_equal(&memo, &flow.accept.memo));
    cut_text(flow.chunker);
    embed_chunks(flow.embedder);
    expect_once(&memo);
}

static void a_client_that_asks_again_has_one_memo(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    flow.accept.memo = edda_uuid_new(); /* as another gateway would make it */
    struct edda_store_accepted again = ask_to_accept(&flow.accept);
    assert_true(again.replayed);
    assert_true(edda_uuid_equal(&again.memo, &memo));
    cut_text(flow.chunker);
    embed_chunks(flow.embedder);
    expect_once(&memo);
    assert_false(fake_has_mail(flow.chunker, WAIT_MS));
}

static void a_chunker_that_dies_is_replaced(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    struct edda_chunks chunks;
    struct fake_work doomed = take_text(flow.chunker, &chunks);
    edda_fake_t *other = scenario_worker(flow.s, "chunk", 4);
    kill_peer(flow.chunker);
    struct fake_work work = take_text(other, &chunks);
    assert_true(work.fence > doomed.fence);
    assert_int_equal(work.flags & EDDA_FLAG_SOLO, EDDA_FLAG_SOLO);
    send_record_done(other, &work, &chunks);
    embed_chunks(flow.embedder);
    expect_once(&memo);
}

static void an_embedder_that_comes_late_changes_nothing(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    struct edda_chunks late;
    cut_text(flow.chunker);
    struct fake_work stale = take_chunks(flow.embedder, &late);
    edda_fake_t *hung = flow.embedder;
    freeze_peer(hung, true);
    flow.embedder = scenario_worker(flow.s, "embed", 4);
    cut_text(flow.chunker); /* it is silent for a second before the job starts over */
    embed_chunks(flow.embedder);
    freeze_peer(hung, false);
    send_record_done(hung, &stale, &late);
    expect_reset(hung, EDDA_E_UNKNOWN_SESSION);
    expect_once(&memo);
}

static void results_that_are_repeated_change_nothing(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    struct edda_chunks chunks;
    struct fake_work work = take_text(flow.chunker, &chunks);
    send_record_done(flow.chunker, &work, &chunks);
    send_record_done(flow.chunker, &work, &chunks);
    work = take_chunks(flow.embedder, &chunks);
    send_record_done(flow.embedder, &work, &chunks);
    send_record_done(flow.embedder, &work, &chunks);
    expect_once(&memo);
    assert_int_equal(scenario_status(flow.s)->late, 2);
}

/* Somebody who held the lease once brings what he made while another holds it, past every memory
 * that the broker has. */
static void a_commit_with_the_token_before_is_stale(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    struct edda_chunks chunks;
    struct fake_work before = take_text(flow.chunker, &chunks);
    edda_fake_t *holder = scenario_worker(flow.s, "chunk", 4);
    kill_peer(flow.chunker);
    struct fake_work held = take_text(holder, &chunks); /* alone */
    flow.chunker = scenario_worker(flow.s, "chunk", 4);
    edda_fake_t *pump = scenario_client(flow.s, "pump");
    const struct edda_chunk_arguments chunk = {.text = EDDA_TEXT(TEXT)};
    const struct edda_embed_arguments embed = {.input_type = EDDA_TEXT("document")};
    const struct edda_store_put_chunks put = {
        .job = (uint64_t)sql_integer(flow.f, FIRST_JOB), .memo = memo, .version = 1};
    const struct record_step steps[] = {{"chunk", EDDA_BODY_CHUNK_ARGUMENTS, &chunk},
                                        {"embed.chunks", EDDA_BODY_EMBED_ARGUMENTS, &embed},
                                        {"store.put_chunks", EDDA_BODY_STORE_PUT_CHUNKS, &put}};
    struct edda_store_stored stored = {0};
    struct edda_uuid id = send_steps(pump, PROJECT, before.fence, steps, 3);
    cut_text(flow.chunker);
    embed_chunks(flow.embedder);
    assert_int_equal(expect_record(pump, &id, &flow.f->arena, EDDA_BODY_STORE_STORED, &stored), 0);
    assert_true(stored.stale);
    assert_int_equal(sql_integer(flow.f, "SELECT count(*) FROM chunk"), 0);
    send_record_done(holder, &held, &chunks);
    embed_chunks(flow.embedder);
    expect_once(&memo);
}

static void a_broker_that_is_killed_loses_nothing(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    struct edda_chunks chunks;
    (void)take_text(flow.chunker, &chunks);
    scenario_restart(flow.s);
    peer_reconnect(flow.gateway);
    peer_reconnect(flow.chunker);
    peer_reconnect(flow.embedder);
    cut_text(flow.chunker);
    embed_chunks(flow.embedder);
    expect_credit(flow.gateway, "store", 1);
    expect_once(&memo);
}

static void a_store_that_ends_in_the_middle_goes_on_in_its_next_life(void **state) {
    (void)state;
    struct edda_uuid memo = accept_one();
    struct edda_chunks chunks;
    struct fake_work before = take_text(flow.chunker, &chunks);
    stop_store();
    start_store();
    struct fake_work after = take_text(flow.chunker, &chunks);
    assert_true(after.fence > before.fence);
    send_record_done(flow.chunker, &before, &chunks); /* the broker goes on with it, too */
    send_record_done(flow.chunker, &after, &chunks);
    embed_chunks(flow.embedder);
    embed_chunks(flow.embedder);
    expect_once(&memo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_accepted_is_ingested_and_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_asks_again_has_one_memo, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chunker_that_dies_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(an_embedder_that_comes_late_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(results_that_are_repeated_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit_with_the_token_before_is_stale, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broker_that_is_killed_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_ends_in_the_middle_goes_on_in_its_next_life,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
