/* tests/actors/store/test_concurrency.c: many operations at once: group commit, claims, last parts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "tests/actors/store/fixture.h"

struct counter {
    struct fixture *f;
    size_t open;
    size_t good;
    size_t failed;
    size_t complete;
    int error; /* the last that was not 0 */
};

static void count_down(struct counter *counter, const struct edda_backend_answer *answer) {
    counter->good += answer->error == 0;
    counter->failed += answer->error != 0;
    counter->error = answer->error ? answer->error : counter->error;
    if (--counter->open == 0) {
        edda_loop_stop(counter->f->loop);
    }
}

static void on_counted(void *context, const struct edda_backend_answer *answer) {
    count_down(context, answer);
}

static void on_stored(void *context, const struct edda_backend_answer *answer) {
    struct counter *counter = context;
    const struct edda_store_stored *stored = answer->record;
    counter->complete += answer->error == 0 && stored->complete;
    count_down(counter, answer);
}

static void submit(struct counter *counter, enum edda_backend_operation operation, uint64_t fence,
                   const void *arguments, const void *input, edda_backend_done_fn done) {
    struct edda_backend_request request = {
        .operation = operation,
        .project = EDDA_TEXT(PROJECT),
        .fence = fence,
        .arguments = arguments,
        .input = input,
        .done = done,
        .context = counter,
    };
    assert_int_equal(edda_backend_submit(counter->f->backend, &request), 0);
    counter->open++;
}

static void operations_that_wait_together_share_a_commit(void **state) {
    enum { COUNT = 400 };
    struct counter counter = {.f = *state};
    static struct edda_store_accept accepts[COUNT];
    struct edda_text part = EDDA_TEXT("Some text.");
    edda_cell_t *commits = edda_metric_cell(EDDA_METRIC_STORE_COMMITS, NULL);
    int64_t before = edda_cell_value(commits);
    for (size_t i = 0; i < COUNT; i++) {
        accepts[i] = (struct edda_store_accept){
            .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
        submit(&counter, EDDA_BACKEND_ACCEPT, 0, &accepts[i], NULL, on_counted);
    }
    edda_loop_run(counter.f->loop);
    assert_int_equal(counter.good, COUNT);
    assert_true(edda_cell_value(commits) - before < COUNT / 4);
    assert_int_equal(sql_integer(counter.f, "SELECT count(*) FROM memo"), COUNT);
}

static void an_operation_that_fails_does_not_fail_its_neighbours(void **state) {
    enum { COUNT = 60 };
    struct counter counter = {.f = *state};
    static struct edda_store_accept accepts[COUNT];
    struct edda_text part = EDDA_TEXT("Some text.");
    char fingerprints[COUNT][16] = {{0}};
    for (size_t i = 0; i < COUNT; i++) {
        fingerprints[i][0] = (char)i;
        accepts[i] = (struct edda_store_accept){
            .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
        if (i % 3 == 0) { /* the first of these takes the key, the others mismatch */
            accepts[i].idempotency_key = EDDA_TEXT("key");
            accepts[i].fingerprint = (struct edda_bytes){(uint8_t *)fingerprints[i], 16};
        }
        submit(&counter, EDDA_BACKEND_ACCEPT, 0, &accepts[i], NULL, on_counted);
    }
    edda_loop_run(counter.f->loop);
    assert_int_equal(counter.failed, COUNT / 3 - 1);
    assert_int_equal(counter.error, EDDA_E_MISMATCH);
    assert_int_equal(sql_integer(counter.f, "SELECT count(*) FROM memo"), COUNT - COUNT / 3 + 1);
}

/* Seen to fail without count_down(), or a count in the locked row (tests/fault/guards/12b.patch,
 * 12c). */
static void two_last_parts_that_commit_together_complete_once(void **state) {
    struct counter counter = {.f = *state};
    const char *const parts[] = {"alpha", "beta"};
    for (int i = 0; i < 20; i++) {
        struct edda_uuid memo = accept_parts(counter.f, "Title", parts, 2);
        struct edda_claims jobs = claim_jobs(counter.f, 2);
        struct edda_store_put_chunks puts[2];
        struct edda_chunks chunks[2];
        assert_int_equal(jobs.count, 2);
        counter.complete = 0;
        for (size_t k = 0; k < 2; k++) {
            const struct edda_claimed *job = &jobs.items[k];
            puts[k] = (struct edda_store_put_chunks){job->job, job->memo, job->version, job->part};
            chunks[k] = chunks_of(counter.f, job);
            submit(&counter, EDDA_BACKEND_PUT_CHUNKS, job->token, &puts[k], &chunks[k], on_stored);
        }
        edda_loop_run(counter.f->loop);
        assert_int_equal(counter.complete, 1);
        assert_string_equal(status_of(counter.f, &memo), "processed");
    }
}

static void the_same_commit_sent_twice_at_once_counts_once(void **state) {
    struct counter counter = {.f = *state};
    accept_text(counter.f, "Title", "alpha\n\nbeta");
    struct edda_claims jobs = claim_jobs(counter.f, 1);
    const struct edda_claimed *job = &jobs.items[0];
    struct edda_store_put_chunks put = {job->job, job->memo, job->version, job->part};
    struct edda_chunks chunks = chunks_of(counter.f, job);
    for (int i = 0; i < 10; i++) {
        submit(&counter, EDDA_BACKEND_PUT_CHUNKS, job->token, &put, &chunks, on_stored);
    }
    edda_loop_run(counter.f->loop);
    assert_int_equal(counter.good, 10);
    assert_int_equal(counter.complete, 1);
    assert_int_equal(sql_integer(counter.f, "SELECT count(*) FROM chunk"), 2);
}

/* ---- claims ---- */

#define JOBS     2000
#define CLAIMERS 8

struct claimers {
    struct fixture *f;
    struct edda_claim claim;
    size_t open;
    uint64_t seen[JOBS];
    size_t count;
};

static void on_claimed(void *context, const struct edda_backend_answer *answer) {
    struct claimers *claimers = context;
    const struct edda_claims *claims = answer->record;
    assert_int_equal(answer->error, 0);
    for (size_t i = 0; i < claims->count; i++) {
        assert_true(claimers->count < JOBS);
        assert_int_equal(claims->items[i].token, 1);
        claimers->seen[claimers->count++] = claims->items[i].job;
    }
    claimers->open--;
    if (claims->count) {
        struct edda_backend_request request = {.operation = EDDA_BACKEND_CLAIM,
                                               .arguments = &claimers->claim,
                                               .done = on_claimed,
                                               .context = claimers};
        assert_int_equal(edda_backend_submit(claimers->f->backend, &request), 0);
        claimers->open++;
    } else if (claimers->open == 0) {
        edda_loop_stop(claimers->f->loop);
    }
}

static int by_number(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Seen to fail without edda_job_next() (tests/fault/guards/13b.patch). */
static void eight_claimers_of_2000_jobs_claim_each_once(void **state) {
    static struct claimers claimers;
    const char *parts[50];
    claimers = (struct claimers){.f = *state, .claim = {7, {7, 7}}};
    for (size_t i = 0; i < 50; i++) {
        parts[i] = "A part.";
    }
    for (size_t i = 0; i < JOBS / 50; i++) {
        accept_parts(claimers.f, "Title", parts, 50);
    }
    for (size_t i = 0; i < CLAIMERS; i++) {
        struct edda_backend_request request = {.operation = EDDA_BACKEND_CLAIM,
                                               .arguments = &claimers.claim,
                                               .done = on_claimed,
                                               .context = &claimers};
        assert_int_equal(edda_backend_submit(claimers.f->backend, &request), 0);
        claimers.open++;
    }
    edda_loop_run(claimers.f->loop);
    assert_int_equal(claimers.count, JOBS);
    qsort(claimers.seen, JOBS, sizeof(claimers.seen[0]), by_number);
    for (size_t i = 1; i < JOBS; i++) {
        assert_true(claimers.seen[i] != claimers.seen[i - 1]);
    }
    assert_int_equal(sql_integer(claimers.f, "SELECT count(*) FROM job WHERE attempts <> 1"), 0);
}

static void destroying_the_store_answers_what_is_open(void **state) {
    enum { COUNT = 100 };
    struct counter counter = {.f = *state};
    static struct edda_store_accept accepts[COUNT];
    static struct edda_store_search words = {.query = EDDA_TEXT("text"), .limit = 3};
    struct edda_text part = EDDA_TEXT("Some text.");
    accept_text(counter.f, "Title", "Some text.");
    process_all(counter.f);
    for (size_t i = 0; i < COUNT; i++) {
        accepts[i] = (struct edda_store_accept){
            .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
        submit(&counter, EDDA_BACKEND_ACCEPT, 0, &accepts[i], NULL, on_counted);
        submit(&counter, EDDA_BACKEND_WORDS, 0, &words, NULL, on_counted);
    }
    fixture_close(counter.f);
    assert_int_equal(counter.open, 0);
    assert_int_equal(counter.good, 2 * COUNT);
    fixture_open(counter.f);
    assert_int_equal(sql_integer(counter.f, "SELECT count(*) FROM memo"), COUNT + 1);
}

static void more_requests_than_there_is_room_for_are_busy(void **state) {
    struct counter counter = {.f = *state};
    static struct edda_store_accept accept;
    struct edda_text part = EDDA_TEXT("Some text.");
    accept = (struct edda_store_accept){
        .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
    struct edda_store_select select = select_memo(counter.f, &accept.memo);
    struct edda_backend_request one_more = {.operation = EDDA_BACKEND_ACCEPT,
                                            .project = EDDA_TEXT(PROJECT),
                                            .arguments = &accept,
                                            .done = on_counted,
                                            .context = &counter};
    for (int i = 0; i < EDDA_BACKEND_MAX_OPEN; i++) {
        submit(&counter, EDDA_BACKEND_STATUS, 0, &select, NULL, on_counted);
    }
    assert_int_equal(edda_backend_submit(counter.f->backend, &one_more), EDDA_E_BUSY);
    edda_loop_run(counter.f->loop);
    assert_int_equal(counter.failed, EDDA_BACKEND_MAX_OPEN);
    assert_int_equal(counter.error, EDDA_E_NOT_FOUND);
    submit(&counter, EDDA_BACKEND_ACCEPT, 0, &accept, NULL, on_counted);
    edda_loop_run(counter.f->loop);
    assert_int_equal(counter.good, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(operations_that_wait_together_share_a_commit),
        TEST(an_operation_that_fails_does_not_fail_its_neighbours),
        TEST(two_last_parts_that_commit_together_complete_once),
        TEST(the_same_commit_sent_twice_at_once_counts_once),
        TEST(eight_claimers_of_2000_jobs_claim_each_once),
        TEST(destroying_the_store_answers_what_is_open),
        TEST(more_requests_than_there_is_room_for_are_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
