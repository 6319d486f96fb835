/* tests/actors/store/test_crowd_postgres.c: several store processes on one PostgreSQL, all at work
 * on the same rows at once. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/actors/store/fixture.h"

#define STORES 4

/* Operations on several stores, one loop. */
struct crowd {
    struct fixture *f;
    edda_backend_t *stores[STORES];
    size_t open;
    size_t good;
    size_t complete;
    int errors[64]; /* by -error */
};

static struct crowd gather(struct fixture *f) {
    struct crowd crowd = {.f = f, .stores = {f->backend}};
    for (size_t i = 1; i < STORES; i++) {
        crowd.stores[i] = fixture_open_another(f);
    }
    return crowd;
}

static void disperse(struct crowd *crowd) {
    for (size_t i = 1; i < STORES; i++) {
        edda_backend_destroy(&crowd->stores[i]);
    }
}

static void on_answered(void *context, const struct edda_backend_answer *answer) {
    struct crowd *crowd = context;
    crowd->good += answer->error == 0;
    crowd->errors[-answer->error]++;
    if (--crowd->open == 0) {
        edda_loop_stop(crowd->f->loop);
    }
}

static void on_stored(void *context, const struct edda_backend_answer *answer) {
    struct crowd *crowd = context;
    const struct edda_store_stored *stored = answer->record;
    crowd->complete += answer->error == 0 && stored->complete;
    on_answered(context, answer);
}

static void submit_to(struct crowd *crowd, size_t store, const struct edda_backend_request *request,
                      edda_backend_done_fn done) {
    struct edda_backend_request asked = *request;
    asked.project = EDDA_TEXT(PROJECT);
    asked.done = done;
    asked.context = crowd;
    assert_int_equal(edda_backend_submit(crowd->stores[store % STORES], &asked), 0);
    crowd->open++;
}

static void wait_for_all(struct crowd *crowd) {
    while (crowd->open > 0) {
        edda_loop_run(crowd->f->loop);
    }
}

/* A claimer asks again until nothing is left. */
struct pumps {
    struct fixture *f;
    struct edda_claim claim;
    uint64_t seen[2000];
    size_t count;
    size_t open;
};

struct claimer {
    struct pumps *pumps;
    edda_backend_t *store;
};

static void on_claimed(void *context, const struct edda_backend_answer *answer);

static void claim_more(struct claimer *claimer) {
    struct edda_backend_request request = {.operation = EDDA_BACKEND_CLAIM,
                                           .arguments = &claimer->pumps->claim,
                                           .done = on_claimed,
                                           .context = claimer};
    assert_int_equal(edda_backend_submit(claimer->store, &request), 0);
    claimer->pumps->open++;
}

static void on_claimed(void *context, const struct edda_backend_answer *answer) {
    struct claimer *claimer = context;
    struct pumps *pumps = claimer->pumps;
    const struct edda_claims *claims = answer->record;
    assert_int_equal(answer->error, 0);
    pumps->open--;
    for (size_t i = 0; i < claims->count; i++) {
        assert_true(pumps->count < 2000);
        pumps->seen[pumps->count++] = claims->items[i].job;
    }
    if (claims->count > 0 || claims->wait_ms < 1000) { /* what another holds right now */
        claim_more(claimer);
    } else if (pumps->open == 0) {
        edda_loop_stop(pumps->f->loop);
    }
}

static int by_number(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Seen to fail without FOR UPDATE SKIP LOCKED (tests/fault/guards/13.patch). */
static void eight_pumps_of_four_stores_claim_2000_jobs_once_each(void **state) {
    static struct pumps pumps;
    struct fixture *f = *state;
    struct claimer claimers[2 * STORES];
    const char *parts[50];
    pumps = (struct pumps){.f = f, .claim = {7, {7, 7}}};
    for (size_t i = 0; i < 50; i++) {
        parts[i] = "A part.";
    }
    for (size_t i = 0; i < 40; i++) {
        accept_parts(f, "Title", parts, 50);
    }
    struct crowd crowd = gather(f);
    for (size_t i = 0; i < 2 * STORES; i++) {
        claimers[i] = (struct claimer){&pumps, crowd.stores[i % STORES]};
        claim_more(&claimers[i]);
    }
    while (pumps.open > 0) {
        edda_loop_run(f->loop);
    }
    assert_int_equal(pumps.count, 2000);
    qsort(pumps.seen, 2000, sizeof pumps.seen[0], by_number);
    for (size_t i = 1; i < 2000; i++) {
        assert_true(pumps.seen[i] != pumps.seen[i - 1]);
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job WHERE attempts <> 1 OR state <> 1"),
                     0);
    assert_int_equal(sql_integer(f, "SELECT count(DISTINCT leased_by) FROM job"), STORES);
    disperse(&crowd);
}

/* Seen to fail without the count in the locked row (tests/fault/guards/12.patch). */
static void last_parts_that_commit_together_on_two_stores_complete_once(void **state) {
    struct fixture *f = *state;
    struct crowd crowd = gather(f);
    const char *const parts[] = {"alpha", "beta", "gamma", "delta"};
    for (int round = 0; round < 8; round++) {
        struct edda_uuid memo = accept_parts(f, "Title", parts, 4);
        struct edda_claims jobs = claim_jobs(f, 4);
        struct edda_store_put_chunks puts[4];
        struct edda_chunks chunks[4];
        assert_int_equal(jobs.count, 4);
        crowd.complete = 0;
        for (size_t i = 0; i < 4; i++) {
            const struct edda_claimed *job = &jobs.items[i];
            puts[i] = (struct edda_store_put_chunks){job->job, job->memo, job->version, job->part};
            chunks[i] = chunks_of(f, job);
            submit_to(&crowd, i,
                      &(struct edda_backend_request){.operation = EDDA_BACKEND_PUT_CHUNKS,
                                                     .fence = job->token,
                                                     .arguments = &puts[i],
                                                     .input = &chunks[i]},
                      on_stored);
        }
        wait_for_all(&crowd);
        assert_int_equal(crowd.good, 4 * (round + 1));
        assert_int_equal(crowd.complete, 1);
        assert_string_equal(status_of(f, &memo), "processed");
    }
    disperse(&crowd);
}

/* ---- everything that locks rows of a few memos, on all stores at once ---- */

#define MEMOS     4
#define ROUNDS    8
#define MOST_JOBS 16

/* What is asked in a round; borrowed until all is answered. */
struct round {
    int number;
    char title[32];
    struct edda_claims jobs;
    struct edda_store_put_chunks puts[MOST_JOBS];
    struct edda_chunks chunks[MOST_JOBS];
    struct edda_store_patch contents[MEMOS];
    struct edda_store_patch titles[MEMOS];
    struct edda_store_select gone;
    struct edda_store_reembed model;
};

static void submit_jobs(struct crowd *crowd, struct round *round) {
    struct fixture *f = crowd->f;
    round->jobs = claim_jobs(f, MOST_JOBS);
    for (size_t i = 0; i < round->jobs.count; i++) {
        const struct edda_claimed *job = &round->jobs.items[i];
        struct edda_backend_request put = {
            .operation = EDDA_BACKEND_PUT_CHUNKS, .fence = job->token, .input = &round->chunks[i]};
        round->puts[i] =
            (struct edda_store_put_chunks){job->job, job->memo, job->version, job->part};
        put.arguments = &round->puts[i];
        f->model = round->number % 3 ? "test-4" : "new-4";
        if (job->kind == EDDA_JOB_CHUNK) {
            round->chunks[i] = chunks_of(f, job);
        } else if (part_chunks(f, job, &round->chunks[i]) == 0) {
            f->model = "new-4";
            vectors_for(f, &round->chunks[i]);
            put.operation = EDDA_BACKEND_PUT_VECTORS;
        } else {
            continue;
        }
        submit_to(crowd, i, &put, on_answered);
    }
}

static void submit_patches(struct crowd *crowd, struct round *round,
                           const struct edda_uuid memos[MEMOS]) {
    static struct edda_text texts[3] = {EDDA_TEXT("one"), EDDA_TEXT("two\n\nthree"),
                                        EDDA_TEXT("four")};
    snprintf(round->title, sizeof round->title, "Title %d", round->number);
    for (int i = 0; i < MEMOS && i <= round->number; i++) {
        struct edda_text *text = &texts[(i + round->number) % 3];
        struct edda_text id = select_memo(crowd->f, &memos[i]).id;
        struct edda_backend_request patch = {.operation = EDDA_BACKEND_PATCH};
        round->contents[i] = (struct edda_store_patch){
            .id = id, .set = EDDA_PATCH_CONTENT, .parts = {text, 1}, .content_bytes = text->size};
        round->titles[i] = (struct edda_store_patch){
            .id = id, .set = EDDA_PATCH_TITLE, .title = edda_text_of(round->title)};
        patch.arguments = &round->contents[i];
        submit_to(crowd, (size_t)i + 1, &patch, on_answered);
        patch.arguments = &round->titles[i];
        submit_to(crowd, (size_t)i + 2, &patch, on_answered);
    }
}

static void submit_others(struct crowd *crowd, struct round *round,
                          const struct edda_uuid memos[MEMOS]) {
    struct edda_backend_request request = {.operation = EDDA_BACKEND_DELETE,
                                           .arguments = &round->gone};
    round->gone = select_memo(crowd->f, &memos[(round->number + 1) % MEMOS]);
    if (round->number >= MEMOS) {
        submit_to(crowd, 3, &request, on_answered);
    }
    round->model = (struct edda_store_reembed){edda_text_of(round->number % 2 ? "new-4" : "test-4"),
                                               DIMENSION, false};
    request.operation = EDDA_BACKEND_REEMBED;
    request.arguments = &round->model;
    submit_to(crowd, 2, &request, on_answered);
    request.operation = EDDA_BACKEND_SWEEP;
    request.arguments = NULL;
    submit_to(crowd, 1, &request, on_answered);
}

/* What must hold of the tables holds after each round, and every memo that is left is processed in
 * the end. */
static void what_stores_do_to_the_same_memos_at_once_leaves_the_tables_right(void **state) {
    struct fixture *f = *state;
    struct crowd crowd = gather(f);
    struct edda_uuid memos[MEMOS];
    const char *const parts[] = {"alpha", "beta"};
    f->may_lack_vectors = true;
    for (int number = 0; number < ROUNDS; number++) {
        struct round round = {.number = number};
        memos[number % MEMOS] = accept_parts(f, "Title", parts, 2);
        submit_jobs(&crowd, &round);
        submit_patches(&crowd, &round, memos);
        submit_others(&crowd, &round, memos);
        wait_for_all(&crowd);
        check_tables(f);
    }
    for (int error = 1; error < 64; error++) {
        bool expected = -error == EDDA_E_NOT_FOUND || -error == EDDA_E_BUSY ||
                        -error == EDDA_E_INVALID; /* another model was wanted meanwhile */
        if (crowd.errors[error] && !expected) {
            fail_msg("%d times %s", crowd.errors[error], edda_error_name(-error));
        }
    }
    assert_true(crowd.errors[-EDDA_E_BUSY] < ROUNDS);
    disperse(&crowd);
    let_time_pass(f);
    f->model = "test-4";
    reembed(f, "test-4");
    for (struct edda_claims left = claim_jobs(f, 1); left.count > 0; left = claim_jobs(f, 1)) {
        (void)commit_job(f, &left.items[0], left.items[0].token);
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo m JOIN version v ON v.id ="
                                    " m.latest_version WHERE m.deleted_ms = 0 AND v.state <> 1"),
                     0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(eight_pumps_of_four_stores_claim_2000_jobs_once_each),
        TEST(last_parts_that_commit_together_on_two_stores_complete_once),
        TEST(what_stores_do_to_the_same_memos_at_once_leaves_the_tables_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
