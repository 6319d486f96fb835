/* tests/actors/store/test_reembed.c: a project's vectors made anew with another model: what is
 * queued, what serves meanwhile, when the project changes over. */
#include "tests/actors/store/fixture.h"

#define OLD "test-4"
#define NEW "new-4"

static struct edda_hits search_by(struct fixture *f, const char *model, const char *query) {
    const char *kept = f->model;
    f->model = model;
    struct edda_hits hits = search(f, query);
    f->model = kept;
    return hits;
}

/* The vector leg took part, and the model is the one to ask with. */
static void assert_serves(struct fixture *f, const char *model, const char *other) {
    struct edda_hits hits = search_by(f, model, "alpha");
    assert_int_equal(hits.degraded.count, 0);
    assert_int_equal(hits.model.size, 0);
    assert_true(hits.hits.items[0].vector_score > 0);
    hits = search_by(f, other, "alpha");
    assert_int_equal(hits.degraded.count, 1);
    assert_true(edda_text_is(hits.degraded.items[0], "vector"));
    assert_true(edda_text_is(hits.model, model));
    assert_int_equal(hits.dimension, DIMENSION);
    assert_true(hits.hits.items[0].vector_score == 0);
    assert_true(hits.hits.items[0].word_score > 0);
}

static void assert_same_hits(const struct edda_hits *a, const struct edda_hits *b) {
    assert_int_equal(a->hits.count, b->hits.count);
    for (size_t i = 0; i < a->hits.count; i++) {
        assert_true(edda_uuid_equal(&a->hits.items[i].chunk, &b->hits.items[i].chunk));
        assert_true(a->hits.items[i].score == b->hits.items[i].score);
        assert_true(a->hits.items[i].vector_score == b->hits.items[i].vector_score);
    }
}

/* Three memos, four parts, six chunks, in the old model. */
static void make_memos(struct fixture *f, struct edda_uuid memos[3]) {
    const char *const parts[] = {"alpha one\n\nbeta two", "gamma three"};
    memos[0] = accept_parts(f, "Letters", parts, 2);
    memos[1] = accept_text(f, "Letters", "alpha four\n\ndelta five");
    memos[2] = accept_text(f, "Letters", "epsilon six");
    process_all(f);
}

static void assert_counts(struct edda_store_reembedded counts, uint64_t chunks, uint64_t missing,
                          uint64_t queued, uint64_t open, uint64_t projects) {
    assert_int_equal(counts.chunks, chunks);
    assert_int_equal(counts.missing, missing);
    assert_int_equal(counts.queued, queued);
    assert_int_equal(counts.open, open);
    assert_int_equal(counts.dead, 0);
    assert_int_equal(counts.projects, projects);
}

/* ---- queueing ---- */

static void reembed_queues_each_part_that_lacks_the_model(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    make_memos(f, memos);
    unsigned ready = f->ready;
    assert_counts(reembed_in(f, PROJECT, NEW, true), 6, 6, 0, 0, 1);
    assert_counts(reembed_in(f, PROJECT, OLD, true), 6, 0, 0, 0, 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job WHERE kind = 1"), 0);
    assert_counts(reembed(f, NEW), 6, 6, 4, 4, 1);
    assert_true(f->ready > ready);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job WHERE kind = 1 AND state = 0"), 4);
    assert_counts(reembed(f, NEW), 6, 6, 0, 4, 1);
    struct edda_claims jobs = claim_jobs(f, 10);
    assert_int_equal(jobs.count, 4);
    for (size_t i = 0; i < jobs.count; i++) {
        assert_int_equal(jobs.items[i].kind, EDDA_JOB_EMBED);
        assert_true(edda_text_is(jobs.items[i].project, PROJECT));
        assert_int_equal(jobs.items[i].text.size, 0);
    }
    assert_true(edda_uuid_equal(&jobs.items[0].memo, &memos[0]));
    assert_int_equal(jobs.items[1].part, 1);
    f->model = NEW;
    assert_false(commit_job(f, &jobs.items[0], jobs.items[0].token).complete);
    assert_counts(reembed(f, NEW), 6, 4, 0, 3, 1);
    /* What is open for readers is not touched by it. */
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(status_of(f, &memos[i]), "processed");
        assert_int_equal(full_status_of(f, &memos[i]).open_jobs, 0);
    }
}

static void a_part_s_chunks_are_given_as_they_are_stored(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    struct edda_chunks chunks;
    make_memos(f, memos);
    assert_int_equal(patch_title(f, &memos[0], "Signs"), 0);
    reembed(f, NEW);
    struct edda_claims jobs = claim_jobs(f, 10);
    assert_int_equal(part_chunks(f, &jobs.items[0], &chunks), 0);
    assert_int_equal(chunks.chunks.count, 2);
    assert_true(edda_text_is(chunks.title, "Signs"));
    assert_true(edda_text_is(chunks.chunks.items[1].text, "beta two"));
    assert_int_equal(chunks.chunks.items[1].number, 1);
    assert_int_equal(chunks.chunks.items[1].start, 11);
    assert_int_equal(chunks.chunks.items[1].end, 19);
    assert_null(chunks.chunks.items[1].heading.data);
    assert_int_equal(chunks.vectors.size + chunks.halves.size + chunks.dimension, 0);
    assert_int_equal(part_chunks(f, &jobs.items[1], &chunks), 0);
    assert_int_equal(chunks.chunks.count, 1);
    assert_int_equal(chunks.chunks.items[0].start, 19);
    struct edda_claimed wrong = jobs.items[0];
    wrong.part = 1;
    assert_int_equal(part_chunks(f, &wrong, &chunks), EDDA_E_INVALID);
    wrong = jobs.items[0];
    wrong.project = EDDA_TEXT("other");
    assert_int_equal(part_chunks(f, &wrong, &chunks), EDDA_E_INVALID);
    wrong.job += 1u << 30;
    assert_int_equal(part_chunks(f, &wrong, &chunks), EDDA_E_NOT_FOUND);
}

static void projects_are_queued_one_by_one_or_all(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    struct edda_text part = EDDA_TEXT("alpha elsewhere");
    struct edda_store_accept accept = one_part(&part);
    make_memos(f, memos);
    assert_int_equal(
        ask_in(f, "q", EDDA_BACKEND_ACCEPT, 0, &accept, NULL, EDDA_BODY_STORE_ACCEPTED, NULL), 0);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_store_put_chunks put = {job.job, job.memo, 1, 0};
    struct edda_chunks chunks = chunks_of(f, &job);
    assert_int_equal(ask_in(f, "q", EDDA_BACKEND_PUT_CHUNKS, job.token, &put, &chunks,
                            EDDA_BODY_STORE_STORED, NULL),
                     0);
    assert_counts(reembed_in(f, "q", NEW, false), 1, 1, 1, 1, 1);
    assert_counts(reembed_in(f, NULL, NEW, true), 7, 7, 0, 1, 2);
    assert_counts(reembed_in(f, NULL, NEW, false), 7, 7, 4, 5, 2);
    struct edda_claims jobs = claim_jobs(f, 10);
    assert_int_equal(jobs.count, 5);
    f->model = NEW;
    for (size_t i = 0; i < 5; i++) {
        bool alone = edda_text_is(jobs.items[i].project, "q");
        bool complete = commit_job(f, &jobs.items[i], jobs.items[i].token).complete;
        assert_int_equal(complete, alone || (i == 4 && !alone));
    }
    assert_counts(reembed_in(f, NULL, NEW, false), 7, 0, 0, 0, 0);
}

static void a_project_without_chunks_has_nothing_to_queue(void **state) {
    struct fixture *f = *state;
    assert_counts(reembed_in(f, "unknown", NEW, false), 0, 0, 0, 0, 0);
    assert_counts(reembed_in(f, NULL, NEW, false), 0, 0, 0, 0, 0);
    struct edda_uuid memo = accept_text(f, "Title", " \n");
    process_all(f);
    assert_counts(reembed(f, NEW), 0, 0, 0, 0, 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project WHERE model IS NOT NULL"), 0);
    assert_int_equal(delete_memo(f, &memo), 0);
    accept_text(f, "Title", "alpha");
    process_all(f);
    assert_int_equal(search(f, "alpha").model.size, 0);
    assert_counts(reembed_in(f, PROJECT, OLD, true), 1, 0, 0, 0, 0);
}

static void a_model_needs_a_name_and_a_dimension(void **state) {
    struct fixture *f = *state;
    struct edda_store_reembed wanted = {EDDA_TEXT(NEW), 0, false};
    struct edda_store_reembedded counts;
    char name[EDDA_MAX_NAME + 1];
    assert_int_equal(
        ask(f, EDDA_BACKEND_REEMBED, 0, &wanted, NULL, EDDA_BODY_STORE_REEMBEDDED, &counts),
        EDDA_E_INVALID);
    wanted.dimension = EDDA_MAX_DIMENSION + 1;
    assert_int_equal(
        ask(f, EDDA_BACKEND_REEMBED, 0, &wanted, NULL, EDDA_BODY_STORE_REEMBEDDED, &counts),
        EDDA_E_INVALID);
    wanted.dimension = EDDA_MAX_DIMENSION;
    wanted.model.size = 0;
    assert_int_equal(
        ask(f, EDDA_BACKEND_REEMBED, 0, &wanted, NULL, EDDA_BODY_STORE_REEMBEDDED, &counts),
        EDDA_E_INVALID);
    memset(name, 'm', sizeof(name));
    wanted.model = (struct edda_text){name, EDDA_MAX_NAME + 1};
    assert_int_equal(
        ask(f, EDDA_BACKEND_REEMBED, 0, &wanted, NULL, EDDA_BODY_STORE_REEMBEDDED, &counts),
        EDDA_E_INVALID);
    wanted.model.size--;
    assert_int_equal(
        ask(f, EDDA_BACKEND_REEMBED, 0, &wanted, NULL, EDDA_BODY_STORE_REEMBEDDED, &counts), 0);
}

/* ---- commits ---- */

static void new_vectors_wait_beside_the_old_ones(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    make_memos(f, memos);
    reembed(f, NEW);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    f->model = NEW;
    struct edda_store_stored stored = commit_job(f, &job, job.token);
    assert_false(stored.stale);
    assert_false(stored.complete);
    assert_int_equal(sql_integer(f, "SELECT state FROM job WHERE kind = 1 ORDER BY id LIMIT 1"),
                     EDDA_JOB_DONE);
    assert_int_equal(vectors_waiting(f), 2);
    assert_int_equal(vectors_of_model(f, OLD), 6);
    assert_serves(f, OLD, NEW);
}

static void new_vectors_with_an_older_token_change_no_row(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    make_memos(f, memos);
    reembed(f, NEW);
    f->model = NEW;
    struct edda_claimed old = claim_jobs(f, 1).items[0];
    let_time_pass(f);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    assert_int_equal(job.job, old.job);
    assert_true(commit_job(f, &old, old.token).stale);
    assert_int_equal(vectors_waiting(f), 0);
    assert_false(commit_job(f, &job, job.token).stale);
    assert_true(commit_job(f, &job, job.token).stale);
}

static void vectors_of_a_model_nobody_asked_for_are_refused_with_words(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    make_memos(f, memos);
    reembed(f, NEW);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks;
    f->model = "third-4";
    assert_int_equal(part_chunks(f, &job, &chunks), 0);
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), EDDA_E_INVALID);
    vectors_for(f, &chunks);
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), EDDA_E_INVALID);
    assert_non_null(strstr(f->text, "third-4"));
    assert_non_null(strstr(f->text, NEW));
    f->model = NEW;
    vectors_for(f, &chunks);
    chunks.chunks.count--;
    chunks.vectors.size /= 2;
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), EDDA_E_INVALID);
    chunks.chunks.count++;
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), EDDA_E_INVALID);
    assert_int_equal(sql_integer(f, "SELECT state FROM job WHERE kind = 1 ORDER BY id LIMIT 1"),
                     EDDA_JOB_LEASED);
    assert_int_equal(vectors_waiting(f), 0);
    assert_false(commit_job(f, &job, job.token).stale);
}

static void a_commit_for_a_job_of_the_other_kind_is_refused(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    make_memos(f, memos);
    reembed(f, NEW);
    accept_text(f, "Later", "zeta");
    struct edda_claims jobs = claim_jobs(f, 10);
    struct edda_chunks chunks;
    assert_int_equal(jobs.items[0].kind, EDDA_JOB_CHUNK);
    assert_int_equal(jobs.items[1].kind, EDDA_JOB_EMBED);
    f->model = NEW;
    chunks = chunks_of(f, &jobs.items[0]);
    assert_int_equal(put_vectors(f, &jobs.items[0], jobs.items[0].token, &chunks, NULL),
                     EDDA_E_INVALID);
    assert_int_equal(part_chunks(f, &jobs.items[1], &chunks), 0);
    vectors_for(f, &chunks);
    assert_int_equal(put_chunks(f, &jobs.items[1], jobs.items[1].token, &chunks, NULL),
                     EDDA_E_INVALID);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job WHERE state = 1"), 5);
}

static void a_text_without_a_vector_is_embedded_once(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    struct edda_chunks chunks;
    make_memos(f, memos);
    reembed(f, NEW);
    struct edda_claims jobs = claim_jobs(f, 10);
    f->model = NEW;
    for (size_t i = 0; i < jobs.count; i++) {
        assert_int_equal(part_chunks(f, &jobs.items[i], &chunks), 0);
        vectors_for(f, &chunks);
        memset((void *)(uintptr_t)chunks.vectors.data, 0, DIMENSION * sizeof(float));
        assert_int_equal(put_vectors(f, &jobs.items[i], jobs.items[i].token, &chunks, NULL), 0);
    }
    f->may_lack_vectors = true;
    assert_counts(reembed(f, NEW), 6, 0, 0, 0, 0);
    sweep_all(f);
    assert_counts(reembed(f, NEW), 6, 0, 0, 0, 0);
    /* Nor has it one of the model before. */
    assert_int_equal(sql_integer(f, either(f, "SELECT count(vector) FROM chunk_index",
                                           "SELECT count(*) FROM chunk_vector")),
                     2);
    assert_int_equal(search_by(f, OLD, "beta").degraded.count, 1);
}

/* ---- changing over ---- */

static void the_last_part_changes_the_project_over_at_once(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[3];
    make_memos(f, memos);
    struct edda_hits before = search(f, "alpha");
    reembed(f, NEW);
    struct edda_claims jobs = claim_jobs(f, 10);
    f->model = NEW;
    for (size_t i = 0; i < jobs.count; i++) {
        assert_serves(f, OLD, NEW);
        assert_int_equal(commit_job(f, &jobs.items[i], jobs.items[i].token).complete, i == 3);
    }
    assert_serves(f, NEW, OLD);
    struct edda_hits after = search(f, "alpha");
    assert_same_hits(&before, &after);
    assert_int_equal(vectors_waiting(f), 6);
    fixture_close(f);
    fixture_open(f);
    assert_serves(f, NEW, OLD);
    assert_true(sweep_all(f) >= 6);
    assert_int_equal(vectors_waiting(f), 0);
    assert_int_equal(vectors_of_model(f, NEW), 6);
    assert_int_equal(
        sql_integer(f, either(f, "SELECT count(*) FROM part WHERE next_model IS NOT NULL",
                              "SELECT count(*) - 4 FROM part_model")),
        0);
    after = search(f, "alpha");
    assert_same_hits(&before, &after);
    fixture_close(f);
    fixture_open(f);
    after = search(f, "alpha");
    assert_same_hits(&before, &after);
    assert_counts(reembed(f, NEW), 6, 0, 0, 0, 0);
}

static size_t count_near(struct fixture *f) {
    struct edda_hits hits = search_by(f, "hash-4", "alpha");
    size_t near = 0;
    for (size_t i = 0; i < hits.hits.count; i++) {
        near += hits.hits.items[i].vector_score > 0;
    }
    return near;
}

/* Memos that came while another model was wanted get vectors of the one that serves, when that is
 * wanted again; the job of one of them dies. The built-in model: PostgreSQL's stores have its
 * vectors in memory, as SQLite's have all. */
static void die_among_others(struct fixture *f, bool at_last) {
    f->model = "hash-4";
    accept_text(f, "Letters", "alpha one");
    process_all(f);
    f->model = NEW;
    accept_text(f, "Letters", "alpha two");
    accept_text(f, "Letters", "alpha three");
    process_all(f);
    assert_int_equal(reembed(f, NEW).queued, 1);
    assert_int_equal(count_near(f), 1);
    f->model = "hash-4";
    assert_int_equal(reembed(f, "hash-4").queued, 2);
    sql_run(f, "UPDATE job SET attempts = 100 WHERE kind = 1 AND state = 0");
    struct edda_claims jobs = claim_jobs(f, 2);
    assert_int_equal(jobs.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct edda_claimed *job = &jobs.items[i];
        if (at_last == (i == 1)) {
            assert_int_equal(fail_job(f, job, job->token, EDDA_JOB_FAILED), 2);
        } else {
            assert_false(commit_job(f, job, job->token).complete);
        }
    }
    assert_int_equal(count_near(f), 2);
    struct edda_store_redrive redrive = {.all = true};
    struct edda_store_count count;
    assert_int_equal(ask(f, EDDA_BACKEND_REDRIVE, 0, &redrive, NULL, EDDA_BODY_STORE_COUNT, &count),
                     0);
    assert_int_equal(count.count, 1);
    assert_int_equal(process_all(f), 1);
    assert_int_equal(count_near(f), 3);
}

static void a_dead_job_keeps_no_vectors_of_others_from_being_found(void **state) {
    die_among_others(*state, false);
}

static void nor_does_one_that_dies_at_last(void **state) {
    die_among_others(*state, true);
}

static void vectors_of_two_bytes_change_over_too(void **state) {
    struct fixture *f = *state;
    struct edda_chunks chunks;
    static const uint8_t halves[2 * DIMENSION] = {0, 0x3c, 0, 0x38, 0, 0x3c, 0, 0};
    accept_text(f, "Title", "alpha");
    process_all(f);
    reembed(f, NEW);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    assert_int_equal(part_chunks(f, &job, &chunks), 0);
    chunks.model = EDDA_TEXT(NEW);
    chunks.dimension = DIMENSION;
    chunks.halves = (struct edda_bytes){halves, sizeof(halves)};
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), 0);
    sweep_all(f);
    assert_true(sql_integer(f, either(f,
                                      "SELECT vector = x'0000803f0000003f0000803f00000000' FROM"
                                      " chunk_index",
                                      "SELECT vector = '[0.66667,0.33333,0.66667,0]' FROM"
                                      " chunk_vector")));
    assert_serves(f, NEW, OLD);
}

static void a_model_of_another_dimension_is_another_model(void **state) {
    struct fixture *f = *state;
    float vector[2 * DIMENSION] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct edda_store_reembed wanted = {EDDA_TEXT(OLD), 2 * DIMENSION, false};
    struct edda_store_reembedded counts;
    struct edda_chunks chunks;
    accept_text(f, "Title", "alpha");
    process_all(f);
    assert_int_equal(
        ask(f, EDDA_BACKEND_REEMBED, 0, &wanted, NULL, EDDA_BODY_STORE_REEMBEDDED, &counts), 0);
    assert_counts(counts, 1, 1, 1, 1, 1);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    assert_int_equal(part_chunks(f, &job, &chunks), 0);
    vectors_for(f, &chunks);
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), EDDA_E_INVALID);
    chunks.dimension = 2 * DIMENSION;
    chunks.vectors = (struct edda_floats){(const uint8_t *)vector, sizeof(vector)};
    assert_int_equal(put_vectors(f, &job, job.token, &chunks, NULL), 0);
    struct edda_hits hits = search(f, "alpha");
    assert_int_equal(hits.degraded.count, 1);
    assert_true(edda_text_is(hits.model, OLD));
    assert_int_equal(hits.dimension, 2 * DIMENSION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(reembed_queues_each_part_that_lacks_the_model),
        TEST(a_part_s_chunks_are_given_as_they_are_stored),
        TEST(projects_are_queued_one_by_one_or_all),
        TEST(a_project_without_chunks_has_nothing_to_queue),
        TEST(a_model_needs_a_name_and_a_dimension),
        TEST(new_vectors_wait_beside_the_old_ones),
        TEST(new_vectors_with_an_older_token_change_no_row),
        TEST(vectors_of_a_model_nobody_asked_for_are_refused_with_words),
        TEST(a_commit_for_a_job_of_the_other_kind_is_refused),
        TEST(a_text_without_a_vector_is_embedded_once),
        TEST(the_last_part_changes_the_project_over_at_once),
        TEST(a_dead_job_keeps_no_vectors_of_others_from_being_found),
        TEST(nor_does_one_that_dies_at_last),
        TEST(vectors_of_two_bytes_change_over_too),
        TEST(a_model_of_another_dimension_is_another_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
