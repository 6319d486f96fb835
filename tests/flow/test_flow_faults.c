/* tests/flow/test_flow_faults.c: peers that die, hang, repeat, come late or come back. */
#include <stdlib.h>

#include "proto/body.h"
#include "tests/harness/scenario.h"
#include "tests/proto/cmocka.h"

/* Seen to fail without edda_flow_lost() (tests/fault/guards/01.patch). */
static void a_worker_killed_in_mid_job_costs_one_attempt(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start("ipc");
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *doomed = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(doomed, "embed");
    edda_fake_t *other = scenario_worker(s, "embed", 2);
    kill_peer(doomed);
    work = expect_work(other, "embed");
    assert_int_equal(work.attempt, 2);
    assert_int_equal(work.flags & EDDA_FLAG_SOLO, EDDA_FLAG_SOLO);
    assert_string_equal(work.arguments, "arguments of embed");
    send_done(other, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    expect_silence(gateway, 50);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without the broker's look at lost connections, over ipc and encrypted tcp. */
static void a_worker_that_was_killed_is_missed_before_its_ping_is_due(void **state) {
    (void)state;
    const char *transport = getenv("EDDA_FLOW_TRANSPORT");
    edda_scenario_t *s = scenario_start_with_ping(transport ? transport : "ipc", 60000);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *doomed = scenario_worker(s, "embed", 2);
    const struct fake_request request = {.route = "embed", .retries = 2, .ttl_ms = 30000};
    struct edda_uuid id = send_req_with(gateway, &request);
    (void)expect_work(doomed, "embed");
    edda_fake_t *other = scenario_worker(s, "embed", 2);
    kill_peer(doomed);
    struct fake_work work = expect_work(other, "embed");
    assert_int_equal(work.attempt, 2);
    send_done(other, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    expect_balance(s);
    scenario_stop(&s);
}

#define WORKERS  8
#define REQUESTS 24

/* Many at once: the broker meets one dead worker after the other, with work for all of them that it
 * has not sent yet. */
static void work_for_workers_that_died_idle_blames_nobody(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start("ipc");
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *alive = scenario_worker_without_credit(s, "embed", REQUESTS);
    edda_fake_t *doomed[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        doomed[i] = scenario_worker(s, "embed", REQUESTS);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        kill_peer(doomed[i]);
    }
    scenario_sleep(s, 100);
    for (size_t i = 0; i < REQUESTS; i++) {
        (void)send_req(gateway, "embed");
    }
    fake_settle(gateway);
    send_credit(alive, REQUESTS);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct fake_work work = expect_work(alive, "embed");
        assert_int_equal(work.attempt, 1);
        assert_int_equal(work.flags & EDDA_FLAG_SOLO, 0);
        send_done(alive, &work, "vectors");
        expect_resp(gateway, &work.id, "vectors");
    }
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without finish_step() (tests/fault/guards/02.patch). */
static void a_worker_killed_after_done_repeats_nothing(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "cli");
    edda_fake_t *first = scenario_worker(s, "one", 2);
    edda_fake_t *second = scenario_worker(s, "two", 2);
    struct edda_uuid id = send_req(gateway, "one -> two");
    struct fake_work work = expect_work(first, "one");
    send_done(first, &work, "half");
    fake_settle(first);
    kill_peer(first);
    work = expect_work(second, "two");
    assert_string_equal(work.input, "half");
    send_done(second, &work, "whole");
    expect_resp(gateway, &id, "whole");
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without edda_peers_tick() (tests/fault/guards/20.patch). */
static void a_hung_worker_is_given_up_and_told_so_when_it_wakes(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *hung = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work stale = expect_work(hung, "embed");
    edda_fake_t *other = scenario_worker(s, "embed", 2);
    freeze_peer(hung, true);
    struct fake_work work = expect_work(other, "embed");
    send_done(other, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    freeze_peer(hung, false);
    send_done(hung, &stale, "stale vectors");
    expect_reset(hung, EDDA_E_UNKNOWN_SESSION);
    expect_silence(gateway, 50);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without find_running() (tests/fault/guards/05.patch). */
static void a_stale_result_is_dropped(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *slow = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed(100)");
    struct fake_work stale = expect_work(slow, "embed");
    edda_fake_t *other = scenario_worker(s, "embed", 2);
    expect_cancel(slow, &id);
    struct fake_work work = expect_work(other, "embed");
    assert_int_equal(work.attempt, 2);
    send_done(slow, &stale, "stale vectors");
    fake_settle(slow);
    send_done(other, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    assert_int_equal(scenario_status(s)->late, 1);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without is_repeated() or find_running() (tests/fault/guards/14.patch, 14d). */
static void repeated_requests_and_results_have_no_effect(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    const struct fake_request again = {.route = "embed", .ttl_ms = 5000, .id = id};
    send_req_with(gateway, &again);
    struct fake_work work = expect_work(embedder, "embed");
    expect_silence(embedder, 50);
    send_done(embedder, &work, "vectors");
    send_done(embedder, &work, "vectors again");
    expect_resp(gateway, &id, "vectors");
    expect_silence(gateway, 50);
    /* After the end the kept reply is sent, and nobody works. */
    send_req_with(gateway, &again);
    expect_resp(gateway, &id, "vectors");
    expect_silence(embedder, 50);
    assert_int_equal(scenario_status(s)->admitted, 1);
    assert_int_equal(scenario_status(s)->late, 1);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without receive_message() (tests/fault/guards/05b.patch). */
static void a_restarted_broker_resets_its_peers_and_starts_anew(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start("ipc");
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work stale = expect_work(embedder, "embed");
    scenario_restart(s);
    /* The result of a life before comes first, over the old connection. */
    for (int i = 0; i < 20 && !fake_has_mail(embedder, 250); i++) {
        send_done(embedder, &stale, "lost"); /* until the connection is the new one */
    }
    expect_reset(embedder, EDDA_E_UNKNOWN_SESSION);
    peer_reconnect(embedder);
    peer_reconnect(gateway);
    const struct fake_request again = {.route = "embed", .ttl_ms = 5000, .id = id};
    send_req_with(gateway, &again);
    struct fake_work work = expect_work(embedder, "embed");
    assert_int_equal(work.attempt, 1);
    send_done(embedder, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    expect_silence(gateway, 50);
    scenario_stop(&s);
}

static void a_client_that_reconnects_gets_what_it_asked_for(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start("ipc");
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(embedder, "embed");
    kill_peer(gateway);
    peer_reconnect(gateway);
    send_done(embedder, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    expect_balance(s);
    scenario_stop(&s);
}

static void the_work_of_a_client_that_stays_away_is_cancelled(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start("ipc");
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    (void)expect_work(embedder, "embed");
    kill_peer(gateway);
    expect_cancel(embedder, &id);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail when admit() does not look for the old one (tests/fault/guards/46b.patch). */
static void a_worker_on_a_new_connection_takes_the_place_of_its_old_one(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *worker = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    (void)expect_work(worker, "embed");
    peer_reconnect(worker);
    struct fake_work work = expect_work(worker, "embed");
    assert_int_equal(work.attempt, 1);
    send_done(worker, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    assert_int_equal(scenario_status(s)->workers, 1);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without check_command() (tests/fault/guards/33.patch). */
static void rubbish_resets_its_sender_and_nobody_else(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *embedder = scenario_worker(s, "embed", 2);
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(embedder, "embed");
    static const uint8_t nothing[] = {0};
    static const uint8_t wrong_major[] = {'E', 'D', 9, 1, 0, 0, 0, 0};
    static const uint8_t unknown_command[] = {'E', 'D', 1, 99, 0, 0, 0, 0};
    static const uint8_t request[] = {'E', 'D', 1, EDDA_REQ, 0, 0, 0, 0};
    static const uint8_t bomb[] = {0xdf, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t empty_map[] = {0x80};
    const struct {
        struct edda_bytes frames[11];
        size_t count;
        int code;
    } cases[] = {
        {{{nothing, 1}}, 1, EDDA_E_MALFORMED},
        {{{wrong_major, 8}, {empty_map, 1}}, 2, EDDA_E_VERSION},
        {{{unknown_command, 8}, {empty_map, 1}}, 2, EDDA_E_MALFORMED},
        {{{request, 8}, {bomb, 5}}, 2, EDDA_E_MALFORMED},
        {{{request, 8}, {empty_map, 1}}, 2, EDDA_E_MALFORMED},
        {{{request, 8}, {empty_map, 1}, {nothing, 1}}, 3, EDDA_E_MALFORMED},
        {{{request, 8},
          {empty_map, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1},
          {nothing, 1}},
         11,
         EDDA_E_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        edda_fake_t *stranger = scenario_stranger(s, false);
        send_frames(stranger, cases[i].frames, cases[i].count);
        expect_reset(stranger, cases[i].code);
        edda_fake_t *client = scenario_client(s, "gateway");
        send_frames(client, cases[i].frames, cases[i].count);
        expect_reset(client, cases[i].code);
    }
    send_done(embedder, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without edda_command_allowed() (tests/fault/guards/38.patch). */
static void a_worker_that_asks_and_a_client_that_works_are_reset(void **state) {
    (void)state;
    edda_scenario_t *s = scenario_start(NULL);
    edda_fake_t *worker = scenario_worker(s, "embed", 2);
    edda_fake_t *client = scenario_client(s, "gateway");
    (void)send_req(worker, "embed");
    expect_reset(worker, EDDA_E_ROLE);
    const struct fake_work work = {.id = *fake_node(client), .attempt = 1};
    send_done(client, &work, "mine");
    expect_reset(client, EDDA_E_ROLE);
    edda_fake_t *liar = scenario_stranger(s, true);
    send_hello(liar, "gateway", "", 1, 1);
    expect_reset(liar, EDDA_E_MALFORMED); /* no services: not even a worker's HELLO */
    liar = scenario_stranger(s, true);
    send_hello(liar, "gateway", "embed", 1, 1);
    expect_reset(liar, EDDA_E_ROLE);
    expect_balance(s);
    scenario_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_killed_in_mid_job_costs_one_attempt),
        cmocka_unit_test(a_worker_that_was_killed_is_missed_before_its_ping_is_due),
        cmocka_unit_test(work_for_workers_that_died_idle_blames_nobody),
        cmocka_unit_test(a_worker_killed_after_done_repeats_nothing),
        cmocka_unit_test(a_hung_worker_is_given_up_and_told_so_when_it_wakes),
        cmocka_unit_test(a_stale_result_is_dropped),
        cmocka_unit_test(repeated_requests_and_results_have_no_effect),
        cmocka_unit_test(a_restarted_broker_resets_its_peers_and_starts_anew),
        cmocka_unit_test(a_client_that_reconnects_gets_what_it_asked_for),
        cmocka_unit_test(the_work_of_a_client_that_stays_away_is_cancelled),
        cmocka_unit_test(a_worker_on_a_new_connection_takes_the_place_of_its_old_one),
        cmocka_unit_test(rubbish_resets_its_sender_and_nobody_else),
        cmocka_unit_test(a_worker_that_asks_and_a_client_that_works_are_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
