/* tests/broker/test_peers.c: state table 1, row by row. */
#include "tests/broker/rig.h"

#define LARGE ((uint64_t)1 << 40)

static void a_hello_is_answered_with_welcome(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 4);
    const struct edda_action *welcome = rig_sent(rig, worker, EDDA_WELCOME);
    assert_int_equal(welcome->record_type, EDDA_BODY_WELCOME);
    assert_int_equal(welcome->record.welcome.ping_ms, EDDA_PING_MS);
    assert_int_equal(welcome->record.welcome.liveness, EDDA_LIVENESS);
    uint32_t client = rig_client(rig, "gateway");
    const struct edda_action *credit = rig_sent(rig, client, EDDA_CREDIT);
    assert_non_null(credit);
    assert_true(edda_text_is(credit->record.credit.service, "embed"));
    assert_int_equal(credit->record.credit.messages, EDDA_CLIENT_WINDOW);
    assert_int_equal(rig_status(rig).peers, 2);
    assert_int_equal(rig_status(rig).workers, 1);
    rig_free(&rig);
}

static void a_pump_is_granted_half_of_the_window(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "chunk", 4);
    uint32_t pump = rig_client(rig, "pump");
    assert_int_equal(rig_sent(rig, pump, EDDA_CREDIT)->record.credit.messages,
                     EDDA_CLIENT_WINDOW / 2);
    rig_free(&rig);
}

static void what_was_tried_before_a_first_grant_is_not_counted_in_it(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4); /* so that the service is known */
    rig_command(rig, worker, EDDA_BYE);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS);
    uint32_t client = rig_client(rig, "gateway");
    for (int i = 0; i < 5; i++) {
        struct edda_uuid id = rig_req(rig, client, "embed");
        assert_int_equal(rig_fail_code(rig, client, &id), EDDA_E_NO_SERVICE);
    }
    (void)rig_worker_without_credit(rig, "embed", 4);
    assert_int_equal(rig_sent(rig, client, EDDA_CREDIT)->record.credit.messages,
                     EDDA_CLIENT_WINDOW);
    rig_free(&rig);
}

/* CREDIT of a client is told again at its PINGs too: it may be the one who always pings first. Seen
 * to fail without repeat_credit() (tests/fault/guards/15.patch). */
static void a_ping_of_a_client_has_its_credit_told_again(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    (void)rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    assert_null(rig_sent(rig, client, EDDA_CREDIT)); /* it was told just now */
    rig_tick(rig, EDDA_PING_MS - 1);
    rig_ping(rig, client, EDDA_PING, 2, 0, 0);
    assert_null(rig_sent(rig, client, EDDA_CREDIT));
    rig_tick(rig, 1);
    rig_ping(rig, client, EDDA_PING, 3, 0, 0);
    assert_int_equal(rig_sent(rig, client, EDDA_CREDIT)->record.credit.messages,
                     EDDA_CLIENT_WINDOW);
    rig_ping(rig, client, EDDA_PING, 4, 0, 0);
    assert_null(rig_sent(rig, client, EDDA_CREDIT));
    rig_free(&rig);
}

static void clients_are_told_when_a_service_appears(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = rig_client(rig, "gateway");
    assert_null(rig_sent(rig, client, EDDA_CREDIT));
    (void)rig_worker_without_credit(rig, "embed", 4);
    assert_non_null(rig_sent(rig, client, EDDA_CREDIT));
    rig_free(&rig);
}

static void a_hello_with_the_wrong_role_is_reset(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    static const struct {
        enum edda_side side;
        const char *role;
    } wrong[] = {
        {EDDA_SIDE_FRONT, "worker"}, {EDDA_SIDE_BACK, "gateway"}, {EDDA_SIDE_BACK, "pump"},
        {EDDA_SIDE_FRONT, "king"},   {EDDA_SIDE_BACK, ""},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint32_t peer = rig_stranger(rig, wrong[i].side);
        rig_hello(rig, peer, wrong[i].role, "embed", 9, 1, 1);
        int code = rig_reset_code(rig, peer);
        assert_true(code == EDDA_E_ROLE || code == EDDA_E_MALFORMED);
        assert_true(rig_forgot(rig, peer));
    }
    assert_int_equal(rig_status(rig).peers, 0);
    rig_free(&rig);
}

static void a_message_of_another_major_is_reset(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t peer = rig_stranger(rig, EDDA_SIDE_BACK);
    const struct edda_event event = {.kind = EDDA_EVENT_MALFORMED,
                                     .peer = peer,
                                     .side = EDDA_SIDE_BACK,
                                     .permit = &edda_permit_local,
                                     .error = EDDA_E_VERSION};
    rig_step(rig, &event);
    assert_int_equal(rig_reset_code(rig, peer), EDDA_E_VERSION);
    assert_true(rig_forgot(rig, peer));
    rig_free(&rig);
}

static void a_malformed_hello_is_reset(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t peer = rig_stranger(rig, EDDA_SIDE_BACK);
    const uint8_t rubbish[] = {0xc1, 0xff};
    struct edda_message message = {.command = EDDA_HELLO};
    message.envelope.body_count = 1;
    message.envelope.bodies[0] = (struct edda_body_descriptor){EDDA_BODY_HELLO, 1, 2};
    message.bodies[0] = (struct edda_bytes){rubbish, sizeof(rubbish)};
    void *bodies[EDDA_MAX_BODIES] = {NULL};
    const struct edda_event event = {.kind = EDDA_EVENT_MESSAGE,
                                     .peer = peer,
                                     .side = EDDA_SIDE_BACK,
                                     .permit = &edda_permit_local,
                                     .message = &message,
                                     .bodies = bodies};
    rig_step(rig, &event);
    assert_int_equal(rig_reset_code(rig, peer), EDDA_E_MALFORMED);
    assert_true(rig_forgot(rig, peer));
    /* A worker that offers nothing is no worker. */
    peer = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, peer, "worker", "", 9, 1, 1);
    assert_int_equal(rig_reset_code(rig, peer), EDDA_E_MALFORMED);
    rig_free(&rig);
}

static void a_message_before_hello_is_reset(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t peer = rig_stranger(rig, EDDA_SIDE_FRONT);
    (void)rig_req(rig, peer, "embed");
    assert_int_equal(rig_reset_code(rig, peer), EDDA_E_UNKNOWN_SESSION);
    assert_true(rig_forgot(rig, peer));
    assert_int_equal(edda_core_counters(rig->core)->resets[-EDDA_E_UNKNOWN_SESSION], 1);
    rig_free(&rig);
}

static void a_newer_incarnation_evicts_the_older(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t older = rig_worker(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &id), older);
    uint32_t newer = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, newer, "worker", "embed", rig_node(rig, older), 2, 2);
    assert_int_equal(rig_reset_code(rig, older), EDDA_E_EVICTED);
    assert_true(rig_forgot(rig, older));
    assert_non_null(rig_sent(rig, newer, EDDA_WELCOME));
    assert_int_equal(rig_status(rig).queued, 1);
    rig_credit(rig, newer, NULL, 2, LARGE);
    assert_int_equal(rig_work_for(rig, &id), newer);
    rig_free(&rig);
}

static void the_same_incarnation_on_a_new_connection_is_not_a_death(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t older = rig_worker(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000};
    struct edda_uuid id = rig_req_with(rig, client, &request);
    uint32_t again = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, again, "worker", "embed", rig_node(rig, older), 1, 2);
    rig_credit(rig, again, NULL, 2, LARGE);
    assert_int_equal(rig_work_for(rig, &id), again);
    const struct edda_envelope *work = &rig_sent(rig, again, EDDA_WORK)->message.envelope;
    assert_int_equal(work->attempt, 1);
    assert_int_equal(work->flags & EDDA_FLAG_SOLO, 0);
    rig_free(&rig);
}

static void an_older_incarnation_is_refused(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t live = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, live, "worker", "embed", 7, 5, 1);
    uint32_t zombie = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, zombie, "worker", "embed", 7, 4, 1);
    assert_int_equal(rig_reset_code(rig, zombie), EDDA_E_EVICTED);
    assert_true(rig_forgot(rig, zombie));
    assert_int_equal(rig_status(rig).workers, 1);
    rig_free(&rig);
}

static void a_repeated_hello_changes_nothing(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    rig_hello(rig, worker, "worker", "embed", rig_node(rig, worker), 1, 1);
    assert_non_null(rig_sent(rig, worker, EDDA_WELCOME));
    assert_int_equal(rig_status(rig).workers, 1);
    assert_int_equal(rig_status(rig).services.items[0].workers, 1);
    rig_free(&rig);
}

static void any_valid_message_keeps_a_peer_alive(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    for (int i = 0; i < 5; i++) {
        rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
        assert_false(rig_forgot(rig, worker));
        rig_credit(rig, worker, NULL, 1, LARGE);
    }
    rig_free(&rig);
}

static void a_peer_that_was_sent_nothing_is_pinged(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 3);
    rig_tick(rig, EDDA_PING_MS - 1);
    assert_null(rig_sent(rig, worker, EDDA_PING));
    rig_tick(rig, 1);
    const struct edda_action *ping = rig_sent(rig, worker, EDDA_PING);
    assert_non_null(ping);
    assert_int_equal(ping->record.ping.messages, 3);
    rig_tick(rig, 1);
    assert_null(rig_sent(rig, worker, EDDA_PING));
    rig_free(&rig);
}

static void a_ping_is_answered_with_its_stamp(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t client = rig_client(rig, "gateway");
    rig_ping(rig, client, EDDA_PING, 4711, 0, 0);
    assert_int_equal(rig_sent(rig, client, EDDA_PONG)->record.ping.stamp, 4711);
    rig_ping(rig, client, EDDA_PONG, 4712, 0, 0);
    assert_null(rig_sent(rig, client, EDDA_PONG));
    rig_free(&rig);
}

/* Seen to fail without edda_credit_grant() (tests/fault/guards/14c.patch, 15c). */
static void a_repeated_or_older_grant_changes_nothing(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    for (int i = 0; i < 3; i++) {
        (void)rig_req(rig, client, "embed");
    }
    assert_int_equal(rig_status(rig).queued, 1);
    rig_credit(rig, worker, NULL, 2, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    rig_credit(rig, worker, NULL, 1, 1);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    rig_ping(rig, worker, EDDA_PING, 1, 2, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), 0);
    rig_credit(rig, worker, NULL, 4, LARGE);
    assert_int_equal(rig_count(rig, EDDA_WORK), 1);
    rig_credit(rig, worker, NULL, 3, 1); /* told before, and late */
    (void)rig_req(rig, client, "embed");
    assert_int_equal(rig_count(rig, EDDA_WORK), 1);
    rig_free(&rig);
}

static void a_grant_releases_queued_work(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker_without_credit(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid first = rig_req(rig, client, "embed");
    struct edda_uuid second = rig_req(rig, client, "embed");
    rig_credit(rig, worker, NULL, 1, LARGE);
    assert_int_equal(rig_work_for(rig, &first), worker);
    assert_int_equal(rig_count(rig, EDDA_WORK), 1);
    /* A lost CREDIT is repaired by the totals of PING. */
    rig_ping(rig, worker, EDDA_PING, 1, 2, LARGE);
    assert_int_equal(rig_work_for(rig, &second), worker);
    rig_free(&rig);
}

static void a_malformed_message_resets_its_peer(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t bad = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &id), bad);
    uint32_t good = rig_worker(rig, "embed", 1);
    rig_lose(rig, bad, EDDA_EVENT_MALFORMED);
    assert_int_equal(rig_reset_code(rig, bad), EDDA_E_MALFORMED);
    assert_true(rig_forgot(rig, bad));
    assert_int_equal(rig_work_for(rig, &id), good);
    const struct edda_envelope *work = &rig_sent(rig, good, EDDA_WORK)->message.envelope;
    assert_int_equal(work->flags & EDDA_FLAG_SOLO, 0); /* the work is not suspect */
    rig_free(&rig);
}

static void a_command_of_another_role_resets_its_peer(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    (void)rig_req(rig, worker, "embed");
    assert_int_equal(rig_reset_code(rig, worker), EDDA_E_ROLE);
    assert_true(rig_forgot(rig, worker));
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_id(rig);
    rig_done(rig, client, &id, 0, 1, EDDA_BODY_EMPTY);
    assert_int_equal(rig_reset_code(rig, client), EDDA_E_ROLE);
    client = rig_client(rig, "cli");
    rig_about(rig, client, EDDA_WORK, &id, 0, 1);
    assert_int_equal(rig_reset_code(rig, client), EDDA_E_ROLE);
    rig_free(&rig);
}

static void a_silent_peer_is_gone(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t silent = rig_worker(rig, "embed", 1);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &id), silent);
    uint32_t other = rig_worker_without_credit(rig, "embed", 1);
    rig_tick(rig, EDDA_PING_MS * EDDA_LIVENESS - 1);
    rig_ping(rig, client, EDDA_PING, 1, 0, 0);
    rig_ping(rig, other, EDDA_PING, 1, 1, LARGE);
    rig_tick(rig, 1);
    assert_true(rig_forgot(rig, silent));
    assert_int_equal(rig_work_for(rig, &id), other);
    rig_free(&rig);
}

/* Its own silence is nobody else's: what they sent meanwhile lies there unread. */
static void a_broker_that_slept_listens_before_it_calls_a_peer_silent(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t silent = rig_worker(rig, "embed", 1);
    uint32_t alive = rig_client(rig, "gateway");
    rig_sleep(rig, EDDA_PING_MS * EDDA_LIVENESS);
    assert_int_equal(rig_status(rig).peers, 2);
    rig_ping(rig, alive, EDDA_PING, 1, 0, 0);
    rig_tick(rig, EDDA_PING_MS - 1);
    assert_int_equal(rig_status(rig).peers, 2);
    rig_tick(rig, 1);
    assert_true(rig_forgot(rig, silent));
    assert_int_equal(rig_status(rig).peers, 1);
    rig_free(&rig);
}

static void an_unreachable_peer_is_gone(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    assert_true(rig_forgot(rig, worker));
    assert_int_equal(rig_status(rig).peers, 0);
    /* Heard of twice, because two sends failed. */
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    assert_int_equal(rig->actions.count, 0);
    rig_free(&rig);
}

static void a_peer_that_takes_no_more_is_gone(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    rig_lose(rig, worker, EDDA_EVENT_FULL);
    assert_int_equal(rig_reset_code(rig, worker), EDDA_E_AGAIN);
    assert_true(rig_forgot(rig, worker));
    assert_int_equal(edda_core_counters(rig->core)->full, 1);
    rig_free(&rig);
}

static void a_draining_worker_gets_no_new_work(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t draining = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid before = rig_req(rig, client, "embed");
    rig_command(rig, draining, EDDA_DRAIN);
    /* It was the only one: new requests wait for another. */
    struct edda_uuid after = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &after), UINT32_MAX);
    uint32_t other = rig_worker(rig, "embed", 1);
    assert_int_equal(rig_work_for(rig, &after), other);
    struct edda_uuid waits = rig_req(rig, client, "embed");
    assert_int_equal(rig_work_for(rig, &waits), UINT32_MAX);
    rig_done(rig, draining, &before, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(rig_work_for(rig, &waits), UINT32_MAX);
    rig_free(&rig);
}

static void a_draining_worker_finishes_what_it_runs(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 4);
    uint32_t client = rig_client(rig, "gateway");
    struct edda_uuid id = rig_req(rig, client, "embed");
    rig_command(rig, worker, EDDA_DRAIN);
    rig_done(rig, worker, &id, 0, 1, EDDA_BODY_EMBEDDINGS);
    assert_non_null(rig_sent(rig, client, EDDA_RESP));
    rig_command(rig, worker, EDDA_BYE);
    assert_true(rig_forgot(rig, worker));
    rig_free(&rig);
}

static void a_bye_returns_the_work_that_is_left(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t leaving = rig_worker(rig, "embed", 2);
    uint32_t client = rig_client(rig, "gateway");
    const struct rig_request request = {.route = "embed", .ttl_ms = 5000, .retries = 0};
    struct edda_uuid first = rig_req_with(rig, client, &request);
    struct edda_uuid second = rig_req_with(rig, client, &request);
    uint32_t other = rig_worker_without_credit(rig, "embed", 1);
    rig_command(rig, leaving, EDDA_BYE);
    assert_true(rig_forgot(rig, leaving));
    assert_int_equal(rig_status(rig).queued, 2);
    rig_credit(rig, other, NULL, 1, LARGE);
    assert_int_equal(rig_work_for(rig, &first), other); /* the older first */
    const struct edda_envelope *work = &rig_sent(rig, other, EDDA_WORK)->message.envelope;
    assert_int_equal(work->attempt, 1);
    rig_done(rig, other, &first, 0, 1, EDDA_BODY_EMBEDDINGS);
    rig_credit(rig, other, NULL, 2, LARGE);
    assert_int_equal(rig_work_for(rig, &second), other);
    rig_free(&rig);
}

static void a_peer_that_was_gone_comes_back(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    uint32_t worker = rig_worker(rig, "embed", 1);
    rig_lose(rig, worker, EDDA_EVENT_UNREACHABLE);
    uint32_t again = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, again, "worker", "embed", rig_node(rig, worker), 1, 1);
    assert_non_null(rig_sent(rig, again, EDDA_WELCOME));
    assert_int_equal(rig_status(rig).workers, 1);
    rig_free(&rig);
}

/* Seen to fail with room for one more (tests/fault/guards/46d.patch). */
static void more_peers_than_there_is_room_for_are_told_so(void **state) {
    (void)state;
    struct rig *rig = rig_new();
    rig->unchecked = true;
    for (uint32_t i = 0; i < EDDA_MAX_PEERS; i++) {
        (void)rig_worker_without_credit(rig, "embed", 1);
    }
    uint32_t last = rig_stranger(rig, EDDA_SIDE_BACK);
    rig_hello(rig, last, "worker", "embed", rig_node(rig, last), 1, 1);
    assert_int_equal(rig_reset_code(rig, last), EDDA_E_BUSY);
    assert_true(rig_forgot(rig, last));
    assert_int_equal(rig_status(rig).peers, EDDA_MAX_PEERS);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_answered_with_welcome),
        cmocka_unit_test(a_pump_is_granted_half_of_the_window),
        cmocka_unit_test(what_was_tried_before_a_first_grant_is_not_counted_in_it),
        cmocka_unit_test(a_ping_of_a_client_has_its_credit_told_again),
        cmocka_unit_test(clients_are_told_when_a_service_appears),
        cmocka_unit_test(a_hello_with_the_wrong_role_is_reset),
        cmocka_unit_test(a_message_of_another_major_is_reset),
        cmocka_unit_test(a_malformed_hello_is_reset),
        cmocka_unit_test(a_message_before_hello_is_reset),
        cmocka_unit_test(a_newer_incarnation_evicts_the_older),
        cmocka_unit_test(the_same_incarnation_on_a_new_connection_is_not_a_death),
        cmocka_unit_test(an_older_incarnation_is_refused),
        cmocka_unit_test(a_repeated_hello_changes_nothing),
        cmocka_unit_test(any_valid_message_keeps_a_peer_alive),
        cmocka_unit_test(a_peer_that_was_sent_nothing_is_pinged),
        cmocka_unit_test(a_ping_is_answered_with_its_stamp),
        cmocka_unit_test(a_repeated_or_older_grant_changes_nothing),
        cmocka_unit_test(a_grant_releases_queued_work),
        cmocka_unit_test(a_malformed_message_resets_its_peer),
        cmocka_unit_test(a_command_of_another_role_resets_its_peer),
        cmocka_unit_test(a_silent_peer_is_gone),
        cmocka_unit_test(a_broker_that_slept_listens_before_it_calls_a_peer_silent),
        cmocka_unit_test(an_unreachable_peer_is_gone),
        cmocka_unit_test(a_peer_that_takes_no_more_is_gone),
        cmocka_unit_test(a_draining_worker_gets_no_new_work),
        cmocka_unit_test(a_draining_worker_finishes_what_it_runs),
        cmocka_unit_test(a_bye_returns_the_work_that_is_left),
        cmocka_unit_test(a_peer_that_was_gone_comes_back),
        cmocka_unit_test(more_peers_than_there_is_room_for_are_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
