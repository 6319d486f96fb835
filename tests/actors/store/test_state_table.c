/* tests/actors/store/test_state_table.c: every row of state table 5, on a real database. */
#include "actors/store/memos.h"
#include "tests/actors/store/fixture.h"

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->backend) {
        check_tables(f);
    }
    fixture_free(&f);
    return 0;
}

static struct edda_claimed claim_one(struct fixture *f) {
    struct edda_claims claims = claim_jobs(f, 1);
    assert_int_equal(claims.count, 1);
    return claims.items[0];
}

static void an_accepted_memo_has_a_ready_job_per_part(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"one", "two", "three"};
    accept_parts(f, "Title", parts, 3);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job WHERE state = 0"), 3);
    assert_int_equal(sql_integer(f, "SELECT open_jobs FROM version"), 3);
    assert_true(f->ready > 0);
}

static void a_claim_leases_a_job_with_a_new_token(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    assert_int_equal(job.token, 1);
    assert_true(edda_uuid_equal(&job.memo, &memo));
    assert_true(edda_text_is(job.text, "Some text."));
    assert_true(edda_text_is(job.title, "Title"));
    assert_true(edda_text_is(job.project, PROJECT));
    assert_int_equal(sql_integer(f, "SELECT state * 10 + attempts FROM job"), 11);
}

static void a_job_is_not_claimed_before_its_time(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    sql_run(f, "UPDATE job SET run_at_ms = run_at_ms + 60000");
    struct edda_claims claims = claim_jobs(f, 10);
    assert_int_equal(claims.count, 0);
    assert_true(claims.wait_ms > 50000 && claims.wait_ms <= 60000);
}

static void a_leased_job_is_not_claimed_again(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    claim_one(f);
    assert_int_equal(claim_jobs(f, 10).count, 0);
    assert_int_equal(sql_integer(f, "SELECT lease_token FROM job"), 1);
}

static void a_commit_with_the_token_finishes_the_job(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    struct edda_store_stored stored = commit_job(f, &job, job.token);
    assert_false(stored.stale);
    assert_true(stored.complete);
    assert_int_equal(sql_integer(f, "SELECT state FROM job"), EDDA_JOB_DONE);
}

/* Seen to fail without edda_fence_pass() and without the token in PUT_CHUNKS
 * (tests/fault/guards/09.patch, 09b). */
static void a_commit_with_an_older_token_changes_no_row(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed old = claim_one(f);
    let_time_pass(f);
    struct edda_claimed job = claim_one(f);
    assert_int_equal(job.token, old.token + 1);
    assert_true(commit_job(f, &old, old.token).stale);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 0);
    assert_int_equal(sql_integer(f, "SELECT state FROM job"), EDDA_JOB_LEASED);
    assert_false(commit_job(f, &job, job.token).stale);
}

static void the_last_commit_shows_the_version_to_readers(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"alpha one", "beta two"};
    struct edda_uuid memo = accept_parts(f, "Title", parts, 2);
    struct edda_claims jobs = claim_jobs(f, 2);
    assert_false(commit_job(f, &jobs.items[0], jobs.items[0].token).complete);
    assert_string_equal(status_of(f, &memo), "processing");
    assert_int_equal(search(f, "alpha").hits.count, 0);
    assert_true(commit_job(f, &jobs.items[1], jobs.items[1].token).complete);
    assert_string_equal(status_of(f, &memo), "processed");
    assert_true(search(f, "alpha").hits.count > 0);
    assert_int_equal(patch_text(f, &memo, "gamma three"), 0);
    assert_true(search(f, "alpha").hits.count > 0);
    process_all(f);
    assert_int_equal(sql_integer(f, "SELECT state FROM version WHERE number = 1"), 3);
    assert_int_equal(sql_integer(f, "SELECT state FROM version WHERE number = 2"), 1);
}

/* Seen to fail without report() or JOBS_RENEW (tests/fault/guards/11.patch, 11c). */
static void progress_extends_the_lease(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    let_time_pass(f);
    assert_int_equal(renew_job(f, &job, job.token), 1);
    assert_int_equal(claim_jobs(f, 10).count, 0);
}

static void progress_with_an_older_token_extends_nothing(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed old = claim_one(f);
    let_time_pass(f);
    claim_one(f);
    let_time_pass(f);
    assert_int_equal(renew_job(f, &old, old.token), 0);
    assert_int_equal(sql_integer(f, "SELECT lease_until_ms FROM job"), 1);
}

static void a_failure_outside_costs_no_attempt(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    for (int i = 0; i < 3 * EDDA_JOB_ATTEMPTS; i++) {
        struct edda_claimed job = claim_one(f);
        enum edda_job_event event = i % 2 ? EDDA_JOB_OUTSIDE : EDDA_JOB_RETURNED;
        assert_int_equal(fail_job(f, &job, job.token, event), 1);
        assert_int_equal(sql_integer(f, "SELECT state * 10 + attempts FROM job"), 0);
        let_time_pass(f);
    }
}

/* Seen to fail when a version's own words are all that is told. */
static void a_memo_that_is_processed_says_why_a_try_of_it_failed(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"Some text.", "More text."};
    struct edda_uuid memo = accept_parts(f, "Title", parts, 2);
    assert_int_equal(full_status_of(f, &memo).error.size, 0);
    struct edda_claims jobs = claim_jobs(f, 2);
    struct edda_uuid other = accept_text(f, "Title", "Other text.");
    assert_int_equal(jobs.count, 2);
    assert_int_equal(fail_job(f, &jobs.items[1], jobs.items[1].token, EDDA_JOB_OUTSIDE), 1);
    struct edda_store_status status = full_status_of(f, &memo);
    assert_true(edda_text_is(status.status, "processing"));
    assert_true(edda_text_is(status.error, "because"));
    assert_int_equal(full_status_of(f, &other).error.size, 0);
    let_time_pass(f);
    process_all(f);
    status = full_status_of(f, &memo);
    assert_true(edda_text_is(status.status, "processed"));
    assert_int_equal(status.error.size, 0);
}

/* Seen to fail when what nobody began is a reason, and when it takes the place of one. */
static void what_was_given_back_is_no_reason_to_wait(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_RETURNED), 1);
    assert_int_equal(full_status_of(f, &memo).error.size, 0);
    const enum edda_job_event events[] = {EDDA_JOB_OUTSIDE, EDDA_JOB_RETURNED};
    for (size_t i = 0; i < 2; i++) {
        let_time_pass(f);
        job = claim_one(f);
        assert_int_equal(fail_job(f, &job, job.token, events[i]), 1);
        assert_true(edda_text_is(full_status_of(f, &memo).error, "because"));
    }
}

static void a_job_that_nobody_serves_is_ready_at_once_in_its_old_place(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"1", "2", "3"};
    accept_parts(f, "Title", parts, 3);
    struct edda_claimed first = claim_one(f);
    for (int i = 0; i < 3 * EDDA_JOB_ATTEMPTS; i++) {
        assert_int_equal(fail_job(f, &first, first.token, EDDA_JOB_UNSERVED), 1);
        assert_int_equal(sql_integer(f, "SELECT sum(state * 10 + attempts + delays) FROM job"), 0);
        struct edda_claimed again = claim_one(f);
        assert_int_equal(again.job, first.job);
        assert_int_equal(again.token, first.token + 1);
        first = again;
    }
}

static void a_failed_job_is_ready_again_after_its_backoff(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_FAILED), 1);
    assert_int_equal(sql_integer(f, "SELECT state * 10 + attempts FROM job"), 1);
    assert_true(sql_integer(f, "SELECT last_error = 'because' FROM job"));
    let_time_pass(f);
    assert_int_equal(claim_one(f).token, 2);
}

static void a_job_out_of_attempts_is_dead_and_says_why(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    for (int i = 1; i <= EDDA_JOB_ATTEMPTS; i++) {
        struct edda_claimed job = claim_one(f);
        int expected = i == EDDA_JOB_ATTEMPTS ? 2 : 1;
        assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_FAILED), expected);
        let_time_pass(f);
    }
    struct edda_store_status status = full_status_of(f, &memo);
    assert_true(edda_text_is(status.status, "error"));
    assert_true(edda_text_is(status.error, "because"));
}

static void a_job_whose_worker_died_runs_solo_next(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    assert_false(job.solo);
    assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_DIED), 1);
    let_time_pass(f);
    job = claim_one(f);
    assert_true(job.solo);
    assert_false(commit_job(f, &job, job.token).stale);
}

/* Seen to fail without report() (tests/fault/guards/17.patch). */
static void a_job_that_killed_three_workers_is_dead(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    for (int i = 1; i <= EDDA_JOB_DEATHS; i++) {
        struct edda_claimed job = claim_one(f);
        int expected = i == EDDA_JOB_DEATHS ? 2 : 1;
        assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_DIED), expected);
        let_time_pass(f);
    }
    assert_string_equal(status_of(f, &memo), "error");
}

static void a_failure_with_an_older_token_changes_nothing(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed old = claim_one(f);
    let_time_pass(f);
    claim_one(f);
    assert_int_equal(fail_job(f, &old, old.token, EDDA_JOB_FAILED), 0);
    assert_int_equal(sql_integer(f, "SELECT state FROM job"), EDDA_JOB_LEASED);
}

static void a_lease_that_is_over_is_claimed_again(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed old = claim_one(f);
    let_time_pass(f);
    struct edda_claimed job = claim_one(f);
    assert_int_equal(job.job, old.job);
    assert_int_equal(job.token, old.token + 1);
    assert_true(commit_job(f, &old, old.token).stale);
}

static void leases_of_an_earlier_life_are_released_at_start(void **state) {
    struct fixture *f = *state;
    struct edda_store_count count;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed old = claim_one(f);
    assert_int_equal(ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
    assert_int_equal(count.count, 0);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(claim_jobs(f, 1).count, 0);
    assert_int_equal(ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
    assert_int_equal(count.count, 1);
    assert_int_equal(sql_integer(f, "SELECT attempts FROM job"), 0);
    assert_int_equal(claim_one(f).token, old.token + 1);
}

static struct edda_uuid make_dead(struct fixture *f) {
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    sql_run(f, "UPDATE job SET attempts = 100");
    struct edda_claimed job = claim_one(f);
    assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_FAILED), 2);
    return memo;
}

static void a_redriven_job_is_ready_with_fresh_counts(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = make_dead(f);
    struct edda_store_redrive redrive = {.all = true};
    struct edda_store_count count;
    assert_int_equal(ask(f, EDDA_BACKEND_REDRIVE, 0, &redrive, NULL, EDDA_BODY_STORE_COUNT, &count),
                     0);
    assert_int_equal(count.count, 1);
    assert_int_equal(sql_integer(f, "SELECT state + attempts + deaths + delays + solo FROM job"),
                     0);
    assert_string_equal(status_of(f, &memo), "processing");
    assert_int_equal(process_all(f), 1);
    assert_string_equal(status_of(f, &memo), "processed");
}

/* 4,096 at a time are in memory. Seen to fail when SQLite's store left the rest dead. */
static void all_dead_jobs_are_redriven_however_many(void **state) {
    struct fixture *f = *state;
    static struct edda_text parts[EDDA_MAX_PARTS];
    struct edda_store_redrive redrive = {.all = true};
    struct edda_store_count count;
    struct edda_store_accept accept = one_part(parts);
    for (size_t i = 0; i < EDDA_MAX_PARTS; i++) {
        parts[i] = EDDA_TEXT("Some text.");
    }
    accept.parts.count = EDDA_MAX_PARTS;
    accept.content_bytes = EDDA_MAX_PARTS * parts[0].size;
    assert_int_equal(accept_memo(f, &accept, NULL), 0);
    struct edda_uuid large = accept.memo;
    struct edda_uuid small = accept_text(f, "Small", "Some text.");
    for (int more = 1; more >= 0; more--) {
        sql_run(f, "UPDATE job SET state = 3");
        sql_run(f, "UPDATE version SET state = 2, error = 'dead'");
        assert_int_equal(
            ask(f, EDDA_BACKEND_REDRIVE, 0, &redrive, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
        assert_int_equal(count.count, EDDA_MAX_PARTS + more);
        assert_int_equal(sql_integer(f, "SELECT count(*) FROM job WHERE state <> 0"), 0);
        assert_string_equal(status_of(f, &large), "processing");
        assert_int_equal(more ? delete_memo(f, &small) : 0, 0);
    }
}

static void a_dead_job_is_never_claimed(void **state) {
    struct fixture *f = *state;
    make_dead(f);
    sql_run(f, "UPDATE job SET run_at_ms = 0");
    struct edda_claims claims = claim_jobs(f, 10);
    assert_int_equal(claims.count, 0);
    assert_int_equal(claims.wait_ms, -1);
}

static void a_done_job_stays_done(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    commit_job(f, &job, job.token);
    assert_true(commit_job(f, &job, job.token).stale);
    assert_int_equal(fail_job(f, &job, job.token, EDDA_JOB_FAILED), 0);
    assert_int_equal(renew_job(f, &job, job.token), 0);
    assert_int_equal(claim_jobs(f, 1).count, 0);
    assert_int_equal(sql_integer(f, "SELECT state FROM job"), EDDA_JOB_DONE);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 1);
}

static void a_commit_for_a_deleted_memo_is_stale(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_one(f);
    assert_int_equal(delete_memo(f, &memo), 0);
    assert_true(commit_job(f, &job, job.token).stale);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 0);
    assert_int_equal(search(f, "text").hits.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_memo_has_a_ready_job_per_part),
        TEST(a_claim_leases_a_job_with_a_new_token),
        TEST(a_job_is_not_claimed_before_its_time),
        TEST(a_leased_job_is_not_claimed_again),
        TEST(a_commit_with_the_token_finishes_the_job),
        TEST(a_commit_with_an_older_token_changes_no_row),
        TEST(the_last_commit_shows_the_version_to_readers),
        TEST(progress_extends_the_lease),
        TEST(progress_with_an_older_token_extends_nothing),
        TEST(a_failure_outside_costs_no_attempt),
        TEST(a_memo_that_is_processed_says_why_a_try_of_it_failed),
        TEST(what_was_given_back_is_no_reason_to_wait),
        TEST(a_job_that_nobody_serves_is_ready_at_once_in_its_old_place),
        TEST(a_failed_job_is_ready_again_after_its_backoff),
        TEST(a_job_out_of_attempts_is_dead_and_says_why),
        TEST(a_job_whose_worker_died_runs_solo_next),
        TEST(a_job_that_killed_three_workers_is_dead),
        TEST(a_failure_with_an_older_token_changes_nothing),
        TEST(a_lease_that_is_over_is_claimed_again),
        TEST(leases_of_an_earlier_life_are_released_at_start),
        TEST(a_redriven_job_is_ready_with_fresh_counts),
        TEST(all_dead_jobs_are_redriven_however_many),
        TEST(a_dead_job_is_never_claimed),
        TEST(a_done_job_stays_done),
        TEST(a_commit_for_a_deleted_memo_is_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
