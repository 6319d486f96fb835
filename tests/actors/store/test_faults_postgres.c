/* tests/actors/store/test_faults_postgres.c: what a store over PostgreSQL says and has done when
 * connections break at the worst moment, and when others hold what it wants. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "tests/actors/store/fixture.h"
#include "tests/actors/store/fixture_store.h"
#include "tests/harness/relay.h"

/* ---- a store whose connections go through a relay ---- */

static struct relay *relay_of_test;

static int relay_setup(void **state) {
    static char url[512];
    struct fixture *f = fixture_new();
    const char *own = fixture_postgres_url();
    const char *at = strchr(own, '@');
    fixture_close(f);
    relay_of_test = relay_start((uint16_t)strtoul(strrchr(own, ':') + 1, NULL, 10));
    snprintf(url, sizeof url, "%.*s@127.0.0.1:%u%s?sslmode=disable", (int)(at - own), own,
             relay_port(relay_of_test), strrchr(own, '/'));
    f->url = url;
    fixture_open(f);
    *state = f;
    return 0;
}

static int relay_teardown(void **state) {
    struct fixture *f = *state;
    check_tables(f);
    fixture_free(&f);
    relay_stop(&relay_of_test);
    return 0;
}

/* The server has committed, and nobody is told. */
static void lose_commit(void) {
    relay_when(relay_of_test, RELAY_TO_CLIENT, "COMMIT", RELAY_CUT);
}

/* The server is not asked to. */
static void lose_request(void) {
    relay_when(relay_of_test, RELAY_TO_SERVER, "EDDA_COMMIT", RELAY_CUT);
}

static void must_have_happened(size_t times) {
    assert_int_equal(relay_happened(relay_of_test), times);
}

/* ---- between COMMIT and its answer ---- */

/* Seen to fail without take_earlier() (tests/fault/guards/42b.patch). */
static void an_accept_whose_answer_was_lost_is_replayed(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept accept = one_part(&part);
    struct edda_store_accepted accepted;
    accept.idempotency_key = EDDA_TEXT("key");
    accept.fingerprint = (struct edda_bytes){(const uint8_t *)"print", 5};
    lose_commit();
    assert_int_equal(accept_memo(f, &accept, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_int_equal(accept_memo(f, &accept, &accepted), 0);
    assert_true(accepted.replayed);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
    assert_int_equal(process_all(f), 1);
}

static void an_accept_that_was_not_committed_is_made_by_its_repetition(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept accept = one_part(&part);
    struct edda_store_accepted accepted;
    lose_request();
    assert_int_equal(accept_memo(f, &accept, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_int_equal(accept_memo(f, &accept, &accepted), 0);
    assert_false(accepted.replayed);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
}

/* Seen to fail without the lease's token in PUT_CHUNKS (tests/fault/guards/42.patch). */
static void chunks_whose_commit_was_not_heard_of_are_there_once(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "alpha\n\nbeta");
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks = chunks_of(f, &job);
    lose_commit();
    assert_int_equal(put_chunks(f, &job, job.token, &chunks, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_true(commit_job(f, &job, job.token).stale);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 2);
    assert_string_equal(status_of(f, &memo), "processed");
    assert_int_equal(search(f, "alpha").hits.count, 2);
}

static void chunks_that_were_not_committed_are_put_by_the_same_token(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "alpha\n\nbeta");
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks = chunks_of(f, &job);
    lose_request();
    assert_int_equal(put_chunks(f, &job, job.token, &chunks, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 0);
    assert_true(commit_job(f, &job, job.token).complete);
}

static void
jobs_of_a_claim_that_was_not_heard_of_are_claimed_when_their_lease_is_over(void **state) {
    struct fixture *f = *state;
    struct edda_claim claim = {4, {4, 4}};
    accept_text(f, "Title", "alpha");
    lose_commit();
    assert_int_equal(ask(f, EDDA_BACKEND_CLAIM, 0, &claim, NULL, EDDA_BODY_NONE, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_int_equal(claim_jobs(f, 1).count, 0);
    let_time_pass(f);
    struct edda_claims again = claim_jobs(f, 1);
    assert_int_equal(again.count, 1);
    assert_int_equal(again.items[0].token, 2);
    assert_true(commit_job(f, &again.items[0], 2).complete);
}

static void a_failure_that_was_not_heard_of_is_counted_once(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "alpha");
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_failure failure = {.lease = {job.job, job.token, job.memo}, .event = EDDA_JOB_DIED};
    lose_commit();
    assert_int_equal(ask(f, EDDA_BACKEND_FAIL, 0, &failure, NULL, EDDA_BODY_NONE, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_DIED), 0);
    assert_int_equal(sql_integer(f, "SELECT deaths FROM job"), 1);
}

static void new_vectors_whose_commit_was_not_heard_of_are_there_once(void **state) {
    struct fixture *f = *state;
    struct edda_chunks chunks;
    accept_text(f, "Title", "alpha");
    process_all(f);
    reembed(f, "new-4");
    f->model = "new-4";
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    assert_int_equal(part_chunks(f, &job, &chunks), 0);
    vectors_for(f, &chunks);
    lose_commit();
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), EDDA_E_IO);
    must_have_happened(1);
    assert_true(commit_job(f, &job, job.token).stale);
    assert_int_equal(vectors_of_model(f, "new-4"), 1);
    assert_int_equal(vectors_waiting(f), 1);
}

static void a_patch_and_a_turn_whose_commits_were_not_heard_of_are_made_once(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "alpha");
    struct edda_store_turn turn = {.chat = edda_uuid_new(),
                                   .question = edda_uuid_new(),
                                   .answer = edda_uuid_new(),
                                   .query = EDDA_TEXT("Why?"),
                                   .text = EDDA_TEXT("Because.")};
    lose_commit();
    assert_int_equal(patch_text(f, &memo, "beta"), EDDA_E_IO);
    assert_int_equal(patch_text(f, &memo, "beta"), 0);
    assert_int_equal(sql_integer(f, "SELECT max(number) FROM version"), 2);
    lose_commit();
    assert_int_equal(ask(f, EDDA_BACKEND_CHAT_SAVE, 0, &turn, NULL, EDDA_BODY_EMPTY, NULL),
                     EDDA_E_IO);
    assert_int_equal(ask(f, EDDA_BACKEND_CHAT_SAVE, 0, &turn, NULL, EDDA_BODY_EMPTY, NULL), 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chat_message"), 2);
    lose_commit();
    assert_int_equal(delete_memo(f, &memo), EDDA_E_IO);
    assert_int_equal(delete_memo(f, &memo), EDDA_E_NOT_FOUND);
    must_have_happened(3);
}

/* ---- connections that end at any moment ---- */

/* Whatever was said of a memo: each accepted one is processed once. */
static void memos_survive_connections_that_are_cut_again_and_again(void **state) {
    enum { MEMOS = 6 };
    struct fixture *f = *state;
    struct edda_store_accept accepts[MEMOS];
    struct edda_text part = EDDA_TEXT("alpha\n\nbeta");
    bool accepted[MEMOS] = {false};
    size_t left = MEMOS;
    unsigned lost = 0;
    for (size_t i = 0; i < MEMOS; i++) {
        accepts[i] = one_part(&part);
    }
    for (size_t turn = 0; turn < 400 && (left > 0 || lost < 6); turn++) {
        size_t i = turn % MEMOS;
        relay_at_byte(relay_of_test, turn % 2 ? RELAY_TO_CLIENT : RELAY_TO_SERVER, turn * 37 % 4000,
                      RELAY_CUT);
        int error = accept_memo(f, &accepts[i], NULL);
        assert_true(error == 0 || error == EDDA_E_IO || error == EDDA_E_UNAVAILABLE ||
                    error == EDDA_E_BUSY);
        lost += error != 0;
        left -= error == 0 && !accepted[i];
        accepted[i] = accepted[i] || error == 0;
    }
    relay_at_byte(relay_of_test, RELAY_TO_CLIENT, SIZE_MAX, RELAY_CUT);
    assert_int_equal(left, 0);
    assert_true(lost >= 6);
    for (int tries = 0; tries < 20 && accept_memo(f, &accepts[0], NULL) != 0; tries++) {
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), MEMOS);
    let_time_pass(f);
    assert_int_equal(process_all(f), MEMOS);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 2 * MEMOS);
}

static void backends_that_are_terminated_while_jobs_run_lose_nothing(void **state) {
    enum { MEMOS = 5 };
    struct fixture *f = *state;
    struct edda_claimed *job = NULL;
    for (size_t i = 0; i < MEMOS; i++) {
        accept_text(f, "Title", "alpha\n\nbeta");
    }
    for (size_t done = 0; done < MEMOS;) {
        struct edda_claim claim = {1, {1, 1}};
        struct edda_claims claims = {0};
        struct edda_store_stored stored = {0};
        sql_run(f, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                   " application_name = 'edda' AND datname = current_database()");
        let_time_pass(f);
        if (ask(f, EDDA_BACKEND_CLAIM, 0, &claim, NULL, EDDA_BODY_NONE, &claims) != 0 ||
            claims.count == 0) {
            continue;
        }
        job = &claims.items[0];
        struct edda_chunks chunks = chunks_of(f, job);
        int error = put_chunks(f, job, job->token, &chunks, &stored);
        done += error == 0 && !stored.stale;
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 2 * MEMOS);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version WHERE state = 1"), MEMOS);
}

/* ---- others hold what it wants ---- */

/* A transaction beside the store holds the memo's row until end. */
static void hold_memos(struct fixture *f) {
    sql_run(f, "BEGIN");
    sql_run(f, "SELECT id FROM memo FOR UPDATE");
}

static void end_holding(struct fixture *f) {
    sql_run(f, "ROLLBACK");
}

static void a_statement_that_takes_too_long_is_given_up_and_changes_nothing(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "alpha");
    process_all(f);
    fixture_close(f);
    f->statement_ms = 300;
    fixture_open(f);
    hold_memos(f);
    assert_int_equal(patch_title(f, &memo, "Other"), EDDA_E_TIMEOUT);
    end_holding(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo WHERE title = 'Title'"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version WHERE retitled = 1"), 0);
    assert_int_equal(patch_title(f, &memo, "Other"), 0);
}

/* Seen to fail when the state 55P03 is one of many (tests/fault/guards/42c.patch). */
static void a_lock_that_is_not_to_be_had_in_time_is_busy_and_changes_nothing(void **state) {
    static char url[512];
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "alpha");
    process_all(f);
    fixture_close(f);
    snprintf(url, sizeof url, "%s?options=-c%%20lock_timeout%%3D50", fixture_postgres_url());
    f->url = url;
    fixture_open(f);
    hold_memos(f);
    assert_int_equal(delete_memo(f, &memo), EDDA_E_BUSY);
    end_holding(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo WHERE deleted_ms = 0"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version WHERE state = 1"), 1);
    assert_int_equal(delete_memo(f, &memo), 0);
}

#define CUT(name)  cmocka_unit_test_setup_teardown(name, relay_setup, relay_teardown)
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CUT(an_accept_whose_answer_was_lost_is_replayed),
        CUT(an_accept_that_was_not_committed_is_made_by_its_repetition),
        CUT(chunks_whose_commit_was_not_heard_of_are_there_once),
        CUT(chunks_that_were_not_committed_are_put_by_the_same_token),
        CUT(jobs_of_a_claim_that_was_not_heard_of_are_claimed_when_their_lease_is_over),
        CUT(a_failure_that_was_not_heard_of_is_counted_once),
        CUT(new_vectors_whose_commit_was_not_heard_of_are_there_once),
        CUT(a_patch_and_a_turn_whose_commits_were_not_heard_of_are_made_once),
        CUT(memos_survive_connections_that_are_cut_again_and_again),
        TEST(backends_that_are_terminated_while_jobs_run_lose_nothing),
        TEST(a_statement_that_takes_too_long_is_given_up_and_changes_nothing),
        TEST(a_lock_that_is_not_to_be_had_in_time_is_busy_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
