/* tests/actors/store/test_stores_postgres.c: several store processes on one PostgreSQL: whose
 * leases are whose, who wakes whom, what one counts of the others. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "tests/actors/store/fixture.h"

#define LISTENERS                                                                                  \
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND classid > 0"   \
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

/* Runs the loop until the statement counts to this, for at most half a minute. */
static void wait_for(struct fixture *f, const char *sql, int64_t wanted) {
    int64_t until_ms = edda_clock_ms() + 30000;
    while (sql_integer(f, sql) != wanted && edda_clock_ms() < until_ms) {
        struct edda_timer tick = {.fire = (edda_task_fn)edda_loop_stop, .context = f->loop};
        edda_loop_timer_set(f->loop, &tick, edda_clock_ms() + 10);
        edda_loop_run(f->loop);
        edda_loop_timer_cancel(f->loop, &tick);
    }
    assert_int_equal(sql_integer(f, sql), wanted);
}

static void wait_until_ready(struct fixture *f, unsigned before) {
    int64_t until_ms = edda_clock_ms() + 30000;
    while (f->ready == before && edda_clock_ms() < until_ms) {
        struct edda_timer tick = {.fire = (edda_task_fn)edda_loop_stop, .context = f->loop};
        edda_loop_timer_set(f->loop, &tick, edda_clock_ms() + 10);
        edda_loop_run(f->loop);
        edda_loop_timer_cancel(f->loop, &tick);
    }
    assert_true(f->ready > before);
}

/* The listeners of tests before this one are gone, and this store's stands. */
static void begin_alone(struct fixture *f) {
    fixture_close(f);
    wait_for(f, LISTENERS, 0);
    fixture_open(f);
    wait_for(f, LISTENERS, 1);
}

static uint64_t release(struct fixture *f) {
    struct edda_store_count count = {0};
    assert_int_equal(ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
    return count.count;
}

static void a_store_that_starts_leaves_the_leases_of_stores_that_live(void **state) {
    struct fixture *f = *state;
    begin_alone(f);
    edda_backend_t *first = f->backend;
    accept_text(f, "Title", "Some text.");
    struct edda_claims claims = claim_jobs(f, 1);
    assert_int_equal(claims.count, 1);
    f->backend = fixture_open_another(f);
    assert_int_equal(release(f), 0);
    assert_int_equal(claim_jobs(f, 1).count, 0);
    assert_false(commit_job(f, &claims.items[0], claims.items[0].token).stale);
    edda_backend_destroy(&f->backend);
    f->backend = first;
}

static void leases_of_a_store_that_ended_are_given_back(void **state) {
    struct fixture *f = *state;
    begin_alone(f);
    edda_backend_t *first = f->backend;
    f->backend = fixture_open_another(f);
    wait_for(f, LISTENERS, 2);
    accept_text(f, "Title", "Some text.");
    struct edda_claims claims = claim_jobs(f, 1);
    assert_int_equal(claims.count, 1);
    edda_backend_destroy(&f->backend);
    f->backend = first;
    assert_int_equal(release(f), 1);
    assert_int_equal(sql_integer(f, "SELECT attempts FROM job"), 0);
    /* The one that ended comes too late. */
    struct edda_claims again = claim_jobs(f, 1);
    assert_int_equal(again.count, 1);
    assert_true(commit_job(f, &claims.items[0], claims.items[0].token).stale);
    assert_false(commit_job(f, &again.items[0], again.items[0].token).stale);
}

/* A life that nobody lives: its connections ended with it, without a word. */
static void leases_of_a_store_that_was_killed_are_given_back(void **state) {
    struct fixture *f = *state;
    begin_alone(f);
    accept_text(f, "Title", "Some text.");
    assert_int_equal(claim_jobs(f, 1).count, 1);
    assert_int_equal(release(f), 0);
    sql_run(f, "UPDATE job SET leased_by = 4711");
    assert_int_equal(release(f), 1);
    assert_int_equal(process_all(f), 1);
}

/* Behind a pooler nothing says which lives are over. */
static void leases_of_a_store_behind_a_pooler_run_out(void **state) {
    struct fixture *f = *state;
    edda_backend_t *first = f->backend;
    f->pooled = true;
    f->backend = fixture_open_another(f);
    accept_text(f, "Title", "Some text.");
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    assert_true(sql_integer(f, "SELECT leased_by < 0 FROM job"));
    edda_backend_destroy(&f->backend);
    f->backend = first;
    assert_int_equal(release(f), 0);
    assert_int_equal(claim_jobs(f, 1).count, 0);
    let_time_pass(f);
    assert_int_equal(process_all(f), 1);
    assert_true(commit_job(f, &job, job.token).stale);
}

static void a_commit_of_one_store_wakes_the_others(void **state) {
    struct fixture *f = *state;
    begin_alone(f);
    edda_backend_t *first = f->backend;
    f->backend = fixture_open_another(f);
    wait_for(f, LISTENERS, 2);
    accept_text(f, "Title", "Some text.");
    unsigned before = f->ready; /* the store's own pump was told, here the same */
    wait_until_ready(f, before);
    edda_backend_destroy(&f->backend);
    f->backend = first;
}

static void a_listener_that_is_lost_comes_back_and_looks(void **state) {
    struct fixture *f = *state;
    begin_alone(f);
    unsigned before = f->ready;
    sql_run(f, "DO $$ BEGIN PERFORM pg_terminate_backend(pid, 5000) FROM pg_locks WHERE"
               " locktype = 'advisory' AND classid > 0; END $$");
    wait_for(f, LISTENERS, 1);
    wait_until_ready(f, before);
}

static int try_accept(struct fixture *f) {
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept accept = one_part(&part);
    return accept_memo(f, &accept, NULL);
}

/* Fewer tries than the limit leaves to this store alone. */
static void what_another_store_accepted_counts_at_the_next_count(void **state) {
    struct fixture *f = *state;
    const char *parts[50];
    for (size_t i = 0; i < 50; i++) {
        parts[i] = "Some text.";
    }
    fixture_close(f);
    f->project_backlog = 50;
    fixture_open(f);
    edda_backend_t *first = f->backend;
    assert_int_equal(try_accept(f), 0);
    f->backend = fixture_open_another(f);
    accept_parts(f, "Fifty", parts, 50);
    edda_backend_destroy(&f->backend);
    f->backend = first;
    int error = 0;
    for (int i = 0; i < 40 && !error; i++) {
        usleep(100000);
        error = try_accept(f);
    }
    assert_int_equal(error, EDDA_E_QUOTA);
    process_all(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_store_that_starts_leaves_the_leases_of_stores_that_live),
        TEST(leases_of_a_store_that_ended_are_given_back),
        TEST(leases_of_a_store_that_was_killed_are_given_back),
        TEST(leases_of_a_store_behind_a_pooler_run_out),
        TEST(a_commit_of_one_store_wakes_the_others),
        TEST(a_listener_that_is_lost_comes_back_and_looks),
        TEST(what_another_store_accepted_counts_at_the_next_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
