/* tests/actors/store/test_reembed_changes.c: memos, models and minds that change while a project is
 * embedded anew. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/actors/store/fixture.h"

#define OLD "test-4"
#define NEW "new-4"

/* The model that serves, by what a search is told to ask with; it has `hits` of its vectors. */
static void assert_served_by(struct fixture *f, const char *model, size_t hits_wanted) {
    const char *kept = f->model;
    f->model = "nobody-4";
    struct edda_hits hits = search(f, "alpha");
    assert_true(edda_text_is(hits.model, model));
    f->model = model;
    hits = search(f, "alpha");
    f->model = kept;
    size_t near = 0;
    for (size_t i = 0; i < hits.hits.count; i++) {
        near += hits.hits.items[i].vector_score > 0;
    }
    assert_int_equal(hits.degraded.count, 0);
    assert_int_equal(hits.model.size, 0);
    assert_int_equal(near, hits_wanted);
}

/* Claims and commits what embeds, at most `most`, by the embedder of now. */
static size_t embed_some(struct fixture *f, uint32_t most) {
    struct edda_claim claim = {most, {[EDDA_JOB_EMBED] = most}};
    struct edda_claims claims;
    assert_int_equal(ask(f, EDDA_BACKEND_CLAIM, 0, &claim, NULL, EDDA_BODY_NONE, &claims), 0);
    for (size_t i = 0; i < claims.count; i++) {
        assert_false(commit_job(f, &claims.items[i], claims.items[i].token).stale);
    }
    return claims.count;
}

static int64_t open_jobs(struct fixture *f) {
    return sql_integer(f, "SELECT count(*) FROM job WHERE kind = 1 AND state <> 2");
}

static void make_two(struct fixture *f, struct edda_uuid memos[2]) {
    memos[0] = accept_text(f, "One", "alpha one");
    memos[1] = accept_text(f, "Two", "alpha two");
    process_all(f);
}

/* ---- memos ---- */

static void a_version_of_the_old_model_that_comes_meanwhile_is_queued_first(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    /* One embedder has the old model still. */
    accept_text(f, "Three", "alpha three");
    struct edda_claim claim = {1, {1, 0}};
    struct edda_claims late;
    assert_int_equal(ask(f, EDDA_BACKEND_CLAIM, 0, &claim, NULL, EDDA_BODY_NONE, &late), 0);
    assert_int_equal(late.items[0].kind, EDDA_JOB_CHUNK);
    f->model = NEW;
    assert_int_equal(embed_some(f, 1), 1);
    assert_int_equal(open_jobs(f), 1);
    f->model = OLD;
    unsigned ready = f->ready;
    assert_true(commit_job(f, &late.items[0], late.items[0].token).complete);
    assert_true(f->ready > ready);
    assert_int_equal(open_jobs(f), 2);
    f->model = NEW;
    assert_int_equal(embed_some(f, 1), 1);
    assert_served_by(f, OLD, 3);
    assert_int_equal(embed_some(f, 5), 1);
    assert_served_by(f, NEW, 3);
}

static void a_version_of_the_new_model_that_comes_meanwhile_is_not_queued(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    struct edda_claims jobs = claim_jobs(f, 2);
    f->model = NEW;
    commit_job(f, &jobs.items[0], jobs.items[0].token);
    /* New content of the memo that was left: its old part is nobody's any more. */
    assert_int_equal(patch_text(f, &memos[1], "alpha two, changed"), 0);
    struct edda_claimed change = claim_jobs(f, 1).items[0];
    assert_int_equal(change.kind, EDDA_JOB_CHUNK);
    assert_served_by(f, OLD, 2);
    assert_true(commit_job(f, &change, change.token).complete);
    assert_int_equal(open_jobs(f), 0);
    assert_served_by(f, NEW, 2);
    assert_true(commit_job(f, &jobs.items[1], jobs.items[1].token).stale);
    sweep_all(f);
    assert_served_by(f, NEW, 2);
}

static void new_vectors_for_a_memo_that_is_gone_are_stale(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    struct edda_claims jobs = claim_jobs(f, 2);
    struct edda_chunks chunks;
    struct edda_store_stored stored;
    f->model = NEW;
    assert_int_equal(part_chunks(f, &jobs.items[1], &chunks), 0);
    vectors_for(f, &chunks);
    assert_false(commit_job(f, &jobs.items[0], jobs.items[0].token).complete);
    assert_int_equal(delete_memo(f, &memos[1]), 0);
    /* It was the last that was waited for. */
    assert_served_by(f, NEW, 1);
    assert_int_equal(put_vectors(f, &jobs.items[1], jobs.items[1].token, &chunks, &stored), 0);
    assert_true(stored.stale);
    sweep_all(f);
    assert_served_by(f, NEW, 1);
}

static void the_last_memo_s_end_leaves_no_model(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "One", "alpha one");
    process_all(f);
    reembed(f, NEW);
    assert_int_equal(delete_memo(f, &memo), 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project WHERE model IS NOT NULL OR"
                                    " next_model IS NOT NULL"),
                     0);
    assert_int_equal(search(f, "alpha").model.size, 0);
    f->model = "third-4";
    memo = accept_text(f, "One", "alpha one");
    process_all(f);
    assert_served_by(f, "third-4", 1);
    assert_int_equal(patch_text(f, &memo, " "), 0);
    reembed(f, NEW);
    struct edda_claims jobs = claim_jobs(f, 2);
    assert_int_equal(jobs.count, 2);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project WHERE model IS NOT NULL"), 1);
    assert_true(commit_job(f, &jobs.items[0], jobs.items[0].token).complete);
    assert_true(commit_job(f, &jobs.items[1], jobs.items[1].token).stale);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project WHERE model IS NOT NULL OR"
                                    " next_model IS NOT NULL"),
                     0);
}

static void a_memo_that_expires_for_good_is_not_waited_for(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    f->model = NEW;
    assert_int_equal(embed_some(f, 1), 1);
    sql_run(f, "UPDATE memo SET expires_ms = 1 WHERE title = 'Two'");
    sweep_all(f);
    assert_served_by(f, NEW, 1);
    assert_int_equal(vectors_waiting(f), 0);
}

/* ---- models ---- */

static void the_newer_of_two_models_wins(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    struct edda_claims first = claim_jobs(f, 2);
    f->model = NEW;
    commit_job(f, &first.items[0], first.items[0].token);
    struct edda_store_reembedded counts = reembed(f, "third-4");
    assert_int_equal(counts.missing, 2);
    assert_int_equal(counts.queued, 2);
    assert_int_equal(counts.open, 2);
    assert_true(commit_job(f, &first.items[1], first.items[1].token).stale);
    sweep_all(f);
    assert_int_equal(vectors_waiting(f), 0);
    struct edda_claims second = claim_jobs(f, 2);
    assert_int_equal(second.count, 2);
    assert_int_equal(second.items[1].token, first.items[1].token + 1);
    assert_true(commit_job(f, &first.items[1], first.items[1].token).stale);
    f->model = "third-4";
    commit_job(f, &second.items[1], second.items[1].token);
    assert_served_by(f, OLD, 2);
    assert_true(commit_job(f, &second.items[0], second.items[0].token).complete);
    assert_served_by(f, "third-4", 2);
}

static void rows_that_wait_for_nobody_give_way_before_they_are_swept(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    f->model = NEW;
    assert_int_equal(embed_some(f, 1), 1);
    reembed(f, "third-4");
    f->model = "third-4";
    assert_int_equal(embed_some(f, 2), 2);
    assert_served_by(f, "third-4", 2);
    sweep_all(f);
    assert_served_by(f, "third-4", 2);
}

static void asking_for_the_model_that_serves_gives_up_the_other(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    f->model = NEW;
    assert_int_equal(embed_some(f, 1), 1);
    struct edda_claimed left = claim_jobs(f, 1).items[0];
    struct edda_store_reembedded counts = reembed(f, OLD);
    assert_int_equal(counts.missing + counts.queued + counts.open + counts.projects, 0);
    assert_true(commit_job(f, &left, left.token).stale);
    assert_served_by(f, OLD, 2);
    sweep_all(f);
    assert_int_equal(vectors_waiting(f), 0);
    assert_int_equal(process_all(f), 0);
    assert_served_by(f, OLD, 2);
}

static void a_job_that_was_given_up_is_queued_with_its_token(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    reembed(f, NEW);
    struct edda_claims first = claim_jobs(f, 2);
    reembed(f, OLD);
    struct edda_store_reembedded counts = reembed(f, NEW);
    assert_int_equal(counts.queued, 2);
    f->model = NEW;
    assert_true(commit_job(f, &first.items[0], first.items[0].token).stale);
    struct edda_claims second = claim_jobs(f, 2);
    assert_int_equal(second.items[0].job, first.items[0].job);
    assert_int_equal(second.items[0].token, first.items[0].token + 1);
    assert_true(commit_job(f, &first.items[0], first.items[0].token).stale);
    assert_false(commit_job(f, &second.items[0], second.items[0].token).stale);
    assert_true(commit_job(f, &second.items[1], second.items[1].token).complete);
    assert_served_by(f, NEW, 2);
}

/* The new vectors serve from the side table when the old model is asked for again: those of the
 * main table are there still, but are about to be written over. */
static void a_model_may_be_left_and_come_back_before_anything_is_settled(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    for (int swept = 0; swept < 2; swept++) {
        make_two(f, memos);
        f->model = NEW;
        reembed(f, NEW);
        assert_int_equal(embed_some(f, 2), 2);
        assert_served_by(f, NEW, 2);
        f->model = OLD;
        (void)(f->postgres && sweep_all(f)); /* or the old vectors would serve again at once */
        struct edda_store_reembedded counts = reembed(f, OLD);
        assert_int_equal(counts.missing, 2);
        assert_int_equal(counts.queued, 2);
        assert_int_equal(embed_some(f, 1), 1);
        if (swept) {
            sweep_all(f);
        }
        check_tables(f);
        fixture_close(f);
        fixture_open(f);
        assert_served_by(f, NEW, 2);
        assert_int_equal(embed_some(f, 1), 1);
        assert_served_by(f, OLD, 2);
        sweep_all(f);
        assert_served_by(f, OLD, 2);
        assert_int_equal(delete_memo(f, &memos[0]), 0);
        assert_int_equal(delete_memo(f, &memos[1]), 0);
    }
}

static void a_project_may_hold_both_models_for_a_while(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    make_two(f, memos);
    f->model = NEW;
    accept_text(f, "Three", "alpha three");
    process_all(f);
    /* Rows of the query's model are searched (not in PostgreSQL); the one that serves is named. */
    struct edda_hits hits = search(f, "alpha");
    assert_int_equal(hits.degraded.count, f->postgres);
    assert_true(edda_text_is(hits.model, OLD));
    assert_int_equal(hits.hits.count, 3);
    assert_served_by(f, OLD, 2);
    /* Only what lacks it is queued; what has it waits. */
    struct edda_store_reembedded counts = reembed(f, NEW);
    assert_int_equal(counts.chunks, 3);
    assert_int_equal(counts.missing, 2);
    assert_int_equal(counts.queued, 2);
    assert_int_equal(embed_some(f, 2), 2);
    assert_served_by(f, NEW, 3);
    /* And of the model that serves, what lacks it. */
    f->model = OLD;
    accept_text(f, "Four", "alpha four");
    process_all(f);
    counts = reembed(f, NEW);
    assert_int_equal(counts.missing, 1);
    assert_int_equal(counts.projects, 0);
    assert_served_by(f, NEW, 3);
    f->model = NEW;
    assert_int_equal(embed_some(f, 2), 1);
    assert_served_by(f, NEW, 4);
}

static void a_model_nothing_is_left_of_is_not_named(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "One", "alpha one");
    process_all(f);
    f->model = NEW;
    assert_int_equal(patch_text(f, &memo, "alpha two"), 0);
    process_all(f);
    fixture_close(f);
    fixture_open(f);
    struct edda_hits hits = search(f, "alpha");
    assert_int_equal(hits.degraded.count, f->postgres);
    assert_int_equal(hits.model.size, f->postgres ? strlen(OLD) : 0);
    struct edda_store_reembedded counts = reembed_in(f, PROJECT, NEW, true);
    assert_int_equal(counts.missing, 0);
    assert_int_equal(counts.projects, 1);
    counts = reembed(f, NEW);
    assert_int_equal(counts.queued + counts.open + counts.projects, 0);
    assert_served_by(f, NEW, 1);
}

/* ---- deaths ---- */

static void a_dead_job_of_new_vectors_leaves_the_memo_processed(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    struct edda_store_jobs jobs;
    struct edda_store_jobs_query query = {.dead = true};
    struct edda_store_statistics statistics;
    make_two(f, memos);
    reembed(f, NEW);
    f->model = NEW;
    sql_run(f, "UPDATE job SET attempts = 100 WHERE kind = 1");
    struct edda_claims claims = claim_jobs(f, 2);
    assert_int_equal(fail_job(f, &claims.items[0], claims.items[0].token, EDDA_JOB_FAILED), 2);
    assert_false(commit_job(f, &claims.items[1], claims.items[1].token).complete);
    assert_string_equal(status_of(f, &memos[0]), "processed");
    assert_int_equal(ask(f, EDDA_BACKEND_JOBS, 0, &query, NULL, EDDA_BODY_STORE_JOBS, &jobs), 0);
    assert_int_equal(jobs.total, 1);
    assert_int_equal(jobs.jobs.items[0].id, claims.items[0].job);
    assert_true(edda_uuid_equal(&jobs.jobs.items[0].memo, &memos[0]));
    assert_true(edda_text_is(jobs.jobs.items[0].title, "One"));
    assert_true(edda_text_is(jobs.jobs.items[0].error, "because"));
    assert_int_equal(
        ask(f, EDDA_BACKEND_STATISTICS, 0, NULL, NULL, EDDA_BODY_STORE_STATISTICS, &statistics), 0);
    assert_int_equal(statistics.jobs_dead, 1);
    assert_int_equal(statistics.memos_error, 0);
    struct edda_store_reembedded counts = reembed(f, NEW);
    assert_int_equal(counts.queued + counts.open, 0);
    assert_int_equal(counts.dead, 1);
    assert_int_equal(counts.missing, 1);
    assert_served_by(f, OLD, 2);
}

static void a_redriven_job_of_new_vectors_changes_the_project_over(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    struct edda_store_count count;
    make_two(f, memos);
    reembed(f, NEW);
    f->model = NEW;
    sql_run(f, "UPDATE job SET attempts = 100 WHERE kind = 1");
    struct edda_claims claims = claim_jobs(f, 2);
    assert_int_equal(fail_job(f, &claims.items[0], claims.items[0].token, EDDA_JOB_FAILED), 2);
    commit_job(f, &claims.items[1], claims.items[1].token);
    struct edda_store_redrive redrive = {.id = claims.items[0].job};
    assert_int_equal(ask(f, EDDA_BACKEND_REDRIVE, 0, &redrive, NULL, EDDA_BODY_STORE_COUNT, &count),
                     0);
    assert_int_equal(count.count, 1);
    assert_int_equal(embed_some(f, 5), 1);
    assert_served_by(f, NEW, 2);
}

static void leases_of_new_vectors_are_released_at_start(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memos[2];
    struct edda_store_count count;
    make_two(f, memos);
    reembed(f, NEW);
    struct edda_claims old = claim_jobs(f, 2);
    assert_int_equal(old.count, 2);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
    assert_int_equal(count.count, 2);
    f->model = NEW;
    assert_true(commit_job(f, &old.items[0], old.items[0].token).stale);
    assert_int_equal(embed_some(f, 5), 2);
    assert_served_by(f, NEW, 2);
}

/* ---- settling ---- */

static void what_counts_already_is_moved_in_slices(void **state) {
    struct fixture *f = *state;
    enum { MEMOS = 90, CHUNKS = 30 };
    char text[CHUNKS * 16];
    size_t used = 0;
    struct edda_uuid memos[MEMOS];
    for (int i = 0; i < CHUNKS; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "alpha %d\n\n", i);
    }
    for (int i = 0; i < MEMOS; i++) {
        memos[i] = accept_text(f, "Title", text);
    }
    process_all(f);
    reembed(f, NEW);
    f->model = NEW;
    process_all(f);
    struct edda_hits before = search(f, "alpha 7");
    struct edda_swept swept = {.more = true};
    int64_t left = MEMOS * CHUNKS;
    unsigned slices = 0;
    for (; swept.more; slices++) {
        assert_int_equal(ask(f, EDDA_BACKEND_SWEEP, 0, NULL, NULL, EDDA_BODY_NONE, &swept), 0);
        int64_t now = vectors_waiting(f);
        assert_true(left - now <= 500 + 2 * CHUNKS);
        left = now;
        if (slices == 1) {
            check_tables(f);
            fixture_close(f);
            fixture_open(f);
            struct edda_hits after = search(f, "alpha 7");
            assert_int_equal(after.hits.count, before.hits.count);
            assert_true(after.hits.items[0].score == before.hits.items[0].score);
            assert_int_equal(after.degraded.count + after.model.size, 0);
            assert_int_equal(delete_memo(f, &memos[MEMOS - 1]), 0);
            assert_int_equal(patch_text(f, &memos[MEMOS - 2], "alpha"), 0);
            process_all(f);
        }
    }
    assert_true(slices > MEMOS * CHUNKS / 500);
    /* Rows of a version that goes are dropped with it. */
    assert_int_equal(left, f->postgres ? 0 : CHUNKS);
    assert_int_equal(sql_integer(f, either(f, "SELECT count(settled_memo) FROM project",
                                           "SELECT count(settled_chunk) FROM project")),
                     0);
    sql_run(f, "UPDATE version SET changed_ms = 1 WHERE state = 3");
    sweep_all(f);
    assert_int_equal(vectors_waiting(f), 0);
}

/* ---- reuse ---- */

static void reuse_gives_vectors_of_the_model_that_is_coming(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "alpha\n\nbeta");
    process_all(f);
    reembed(f, NEW);
    f->model = NEW;
    for (int round = 0; round < 3; round++) {
        /* Before, while the vectors wait or are not settled, and after. */
        if (round == 1) {
            assert_int_equal(embed_some(f, 1), 1);
        } else if (round == 2) {
            sweep_all(f);
        }
        struct edda_store_put_chunks arguments = {.memo = memo};
        struct edda_chunk items[] = {{.text = EDDA_TEXT("beta")}, {.text = EDDA_TEXT("other")}};
        struct edda_chunks chunks = {.chunks = {items, 2}, .title = EDDA_TEXT("Title")};
        struct edda_chunks output;
        float expected[2 * DIMENSION] = {0};
        assert_int_equal(
            ask(f, EDDA_BACKEND_REUSE, 0, &arguments, &chunks, EDDA_BODY_CHUNKS, &output), 0);
        vector_of(items[0].text, expected);
        assert_true(edda_text_is(output.model, round == 0 ? OLD : NEW));
        assert_int_equal(output.vectors.size, sizeof(expected));
        assert_kept(f, output.vectors.data, expected);
        assert_kept(f, output.vectors.data + sizeof(expected) / 2, expected + DIMENSION);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_version_of_the_old_model_that_comes_meanwhile_is_queued_first),
        TEST(a_version_of_the_new_model_that_comes_meanwhile_is_not_queued),
        TEST(new_vectors_for_a_memo_that_is_gone_are_stale),
        TEST(the_last_memo_s_end_leaves_no_model),
        TEST(a_memo_that_expires_for_good_is_not_waited_for),
        TEST(the_newer_of_two_models_wins),
        TEST(rows_that_wait_for_nobody_give_way_before_they_are_swept),
        TEST(asking_for_the_model_that_serves_gives_up_the_other),
        TEST(a_job_that_was_given_up_is_queued_with_its_token),
        TEST(a_model_may_be_left_and_come_back_before_anything_is_settled),
        TEST(a_project_may_hold_both_models_for_a_while),
        TEST(a_model_nothing_is_left_of_is_not_named),
        TEST(a_dead_job_of_new_vectors_leaves_the_memo_processed),
        TEST(a_redriven_job_of_new_vectors_changes_the_project_over),
        TEST(leases_of_new_vectors_are_released_at_start),
        TEST(what_counts_already_is_moved_in_slices),
        TEST(reuse_gives_vectors_of_the_model_that_is_coming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
