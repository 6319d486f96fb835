/* tests/actors/store/test_decisions_postgres.c: what SQL decides about jobs is what jobs.h decides:
 * claims, renewals, commits, releases and redrives over rows of every kind. */
#include <stdio.h>

#include "tests/actors/store/fixture.h"

/* Times around the database's, far enough that no machine is so slow. */
#define FAR_MS (3600 * 1000)
#define LEASE  60000

static int64_t number(struct fixture *f, int64_t job, const char *column) {
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT %s FROM job WHERE id = %lld", column, (long long)job);
    return sql_integer(f, sql);
}

static int64_t now_of(struct fixture *f) {
    return sql_integer(f, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
}

static void write_row(struct fixture *f, int64_t job, const struct edda_job_row *row) {
    char sql[400];
    snprintf(sql, sizeof sql,
             "UPDATE job SET state = %d, attempts = %u, deaths = %u, delays = %u, solo = %d,"
             " lease_token = %llu, lease_until_ms = %lld, run_at_ms = %lld, leased_by = 4711"
             " WHERE id = %lld",
             row->state, row->attempts, row->deaths, row->delays, row->solo,
             (unsigned long long)row->token, (long long)row->lease_until_ms,
             (long long)row->run_at_ms, (long long)job);
    sql_run(f, sql);
}

static struct edda_job_row read_row(struct fixture *f, int64_t job) {
    return (struct edda_job_row){
        .state = (enum edda_job_state)number(f, job, "state"),
        .attempts = (uint32_t)number(f, job, "attempts"),
        .deaths = (uint32_t)number(f, job, "deaths"),
        .delays = (uint32_t)number(f, job, "delays"),
        .solo = number(f, job, "solo") != 0,
        .token = (uint64_t)number(f, job, "lease_token"),
        .lease_until_ms = number(f, job, "lease_until_ms"),
        .run_at_ms = number(f, job, "run_at_ms"),
    };
}

/* Times that the event set are of some moment between before and after it. */
static void assert_time(int64_t given, int64_t wanted, int64_t then_ms, int64_t now_ms) {
    bool of_now = wanted >= then_ms && wanted <= then_ms + LEASE;
    assert_true(of_now ? given >= wanted && given <= wanted + (now_ms - then_ms) : given == wanted);
}

static void assert_row(const struct edda_job_row *given, const struct edda_job_row *wanted,
                       int64_t then_ms, int64_t now_ms) {
    assert_int_equal(given->state, wanted->state);
    assert_int_equal(given->attempts, wanted->attempts);
    assert_int_equal(given->deaths, wanted->deaths);
    assert_int_equal(given->delays, wanted->delays);
    assert_int_equal(given->solo, wanted->solo);
    assert_int_equal(given->token, wanted->token);
    assert_time(given->lease_until_ms, wanted->lease_until_ms, then_ms, now_ms);
    assert_time(given->run_at_ms, wanted->run_at_ms, then_ms, now_ms);
}

/* The event as the store does it; token of its reporter. */
static void do_event(struct fixture *f, const struct edda_claimed *job, enum edda_job_event event,
                     uint64_t token) {
    struct edda_store_redrive redrive = {.all = true};
    struct edda_store_count count;
    struct edda_chunks none = {.title = EDDA_TEXT("Title")};
    switch (event) {
    case EDDA_JOB_CLAIM:
        (void)claim_jobs(f, 1);
        break;
    case EDDA_JOB_COMMIT:
        assert_int_equal(put_chunks(f, job, token, &none, NULL), 0);
        break;
    case EDDA_JOB_PROGRESS:
        (void)renew_job(f, job, token);
        break;
    case EDDA_JOB_RELEASE:
        assert_int_equal(ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, &count),
                         0);
        break;
    case EDDA_JOB_REDRIVE:
        assert_int_equal(
            ask(f, EDDA_BACKEND_REDRIVE, 0, &redrive, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
        break;
    default:
        (void)fail_job(f, job, token, event);
        break;
    }
}

static void compare(struct fixture *f, const struct edda_claimed *job,
                    const struct edda_job_row *before, enum edda_job_event event, uint64_t token) {
    struct edda_job_row wanted;
    write_row(f, (int64_t)job->job, before);
    int64_t then_ms = now_of(f);
    struct edda_job_input input = {
        .event = event, .token = token, .now_ms = then_ms, .lease_ms = LEASE};
    (void)edda_job_next(before, &input, &wanted);
    do_event(f, job, event, token);
    struct edda_job_row given = read_row(f, (int64_t)job->job);
    assert_row(&given, &wanted, then_ms, now_of(f));
}

/* Of a memo with a second part that stays leased: so no commit completes it. */
static struct edda_claimed make_job(struct fixture *f) {
    const char *const parts[] = {"one", "two"};
    (void)accept_parts(f, "Title", parts, 2);
    struct edda_claimed job = claim_jobs(f, 2).items[0];
    sql_run(f, "UPDATE job SET run_at_ms = run_at_ms + 3600000000, lease_until_ms ="
               " lease_until_ms + 3600000000 WHERE id % 2 = 1");
    return job;
}

static void forget_commits(struct fixture *f) {
    sql_run(f, "UPDATE version SET open_jobs = 2, chunks = 0, state = 0, error = NULL");
}

static void every_row_becomes_what_the_pure_rules_say(void **state) {
    static const enum edda_job_event events[] = {EDDA_JOB_CLAIM, EDDA_JOB_COMMIT, EDDA_JOB_PROGRESS,
                                                 EDDA_JOB_REDRIVE};
    struct fixture *f = *state;
    struct edda_claimed job = make_job(f);
    int64_t now_ms = now_of(f);
    for (unsigned i = 0; i < 4 * 2 * 2 * 2 * 4 * 2; i++) {
        enum edda_job_state at = (enum edda_job_state)(i & 3);
        int64_t run_at_ms = now_ms + (i & 4 ? FAR_MS : -FAR_MS);
        int64_t until_ms = now_ms + (i & 8 ? FAR_MS : -FAR_MS);
        struct edda_job_row before = {.state = at,
                                      .attempts = i & 16 ? 3 : 0,
                                      .deaths = i & 16 ? 2 : 0,
                                      .delays = i & 16 ? 4 : 0,
                                      .solo = i & 16,
                                      .token = 7,
                                      .lease_until_ms = at == EDDA_JOB_LEASED ? until_ms : 0,
                                      .run_at_ms = run_at_ms};
        enum edda_job_event event = events[i >> 5 & 3];
        compare(f, &job, &before, event, i & 128 ? 6 : 7);
        forget_commits(f);
    }
}

static void leases_of_nobody_are_released_as_the_pure_rules_say(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = make_job(f);
    sql_run(f, "DELETE FROM job WHERE id % 2 = 1");
    int64_t now_ms = now_of(f);
    for (unsigned i = 0; i < 4 * 2 * 2; i++) {
        enum edda_job_state at = (enum edda_job_state)(i & 3);
        struct edda_job_row before = {.state = at,
                                      .attempts = i & 4 ? 3 : 0,
                                      .deaths = 1,
                                      .solo = true,
                                      .token = 7,
                                      .lease_until_ms = at == EDDA_JOB_LEASED ? now_ms + FAR_MS : 0,
                                      .run_at_ms = now_ms - FAR_MS};
        compare(f, &job, &before, EDDA_JOB_RELEASE, i & 8 ? 6 : 7);
    }
}

/* The tables are no store's any more: nothing of them is checked. */
static int teardown(void **state) {
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_row_becomes_what_the_pure_rules_say),
        TEST(leases_of_nobody_are_released_as_the_pure_rules_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
