/* tests/actors/store/test_reuse.c: which vectors new content gets from the content before it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "proto/half.h"
#include "tests/actors/store/fixture.h"

/* What is sent to store.reuse for a job: its chunks without vectors. */
static struct edda_chunks bare_chunks_of(struct fixture *f, const struct edda_claimed *job) {
    struct edda_chunks chunks = chunks_of(f, job);
    chunks.vectors = (struct edda_floats){NULL, 0};
    chunks.model = (struct edda_text){NULL, 0};
    chunks.dimension = 0;
    return chunks;
}

static struct edda_chunks reuse_in(struct fixture *f, const char *project,
                                   const struct edda_claimed *job,
                                   const struct edda_chunks *chunks) {
    struct edda_store_put_chunks arguments = {job->job, job->memo, job->version, job->part};
    struct edda_chunks output = {0};
    assert_int_equal(
        ask_in(f, project, EDDA_BACKEND_REUSE, 0, &arguments, chunks, EDDA_BODY_CHUNKS, &output),
        0);
    assert_int_equal(output.chunks.count, chunks->chunks.count);
    for (size_t i = 0; i < output.chunks.count; i++) {
        assert_true(edda_text_equal(output.chunks.items[i].text, chunks->chunks.items[i].text));
        assert_int_equal(output.chunks.items[i].start, chunks->chunks.items[i].start);
    }
    assert_true(edda_text_equal(output.title, chunks->title));
    return output;
}

static struct edda_chunks reuse(struct fixture *f, const struct edda_claimed *job) {
    struct edda_chunks chunks = bare_chunks_of(f, job);
    return reuse_in(f, PROJECT, job, &chunks);
}

static void assert_nothing(const struct edda_chunks *chunks) {
    assert_int_equal(chunks->vectors.size, 0);
    assert_int_equal(chunks->halves.size, 0);
    assert_int_equal(chunks->model.size, 0);
    assert_int_equal(chunks->dimension, 0);
}

/* Row i is the vector of its text, or all zeros. */
static void assert_row(const struct fixture *f, const struct edda_chunks *chunks, size_t i,
                       bool known) {
    float expected[DIMENSION] = {0};
    if (known) {
        vector_of(chunks->chunks.items[i].text, expected);
    }
    assert_int_equal(chunks->dimension, DIMENSION);
    assert_int_equal(chunks->vectors.size, chunks->chunks.count * sizeof(expected));
    assert_kept(f, chunks->vectors.data + i * sizeof(expected), expected);
}

/* A processed memo whose content changes: the job of the new one. */
static struct edda_claimed change(struct fixture *f, const char *before, const char *after) {
    struct edda_uuid memo = accept_text(f, "Title", before);
    process_all(f);
    assert_int_equal(patch_text(f, &memo, after), 0);
    struct edda_claims jobs = claim_jobs(f, 1);
    assert_int_equal(jobs.count, 1);
    assert_int_equal(jobs.items[0].version, 2);
    return jobs.items[0];
}

static void chunks_that_are_as_they_were_get_their_vectors(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job =
        change(f, "alpha\n\nbeta\n\ngamma", "gamma\n\nbeta!\n\nalpha\n\nalpha\n\nomega");
    struct edda_chunks chunks = reuse(f, &job);
    assert_true(edda_text_is(chunks.model, "test-4"));
    assert_row(f, &chunks, 0, true);
    assert_row(f, &chunks, 1, false);
    assert_row(f, &chunks, 2, true);
    assert_row(f, &chunks, 3, true);
    assert_row(f, &chunks, 4, false);
    assert_int_equal(sql_integer(f, "SELECT state FROM job ORDER BY id DESC"), EDDA_JOB_LEASED);
}

static void nothing_known_is_no_vectors_at_all(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change(f, "alpha\n\nbeta", "gamma\n\ndelta");
    struct edda_chunks chunks = reuse(f, &job);
    assert_nothing(&chunks);
}

static void a_chunk_under_another_heading_is_another_chunk(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change(f, "alpha\n\nbeta", "alpha\n\nbeta\n\n.");
    struct edda_chunks chunks = bare_chunks_of(f, &job);
    chunks.chunks.items[0].heading = EDDA_TEXT("Guide");
    chunks = reuse_in(f, PROJECT, &job, &chunks);
    assert_row(f, &chunks, 0, false);
    assert_row(f, &chunks, 1, true);
}

static void vectors_made_with_another_title_are_not_reused(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change(f, "alpha\n\nbeta", "alpha\n\nbeta\n\ngamma");
    /* The job's message has the title of its claim. */
    assert_int_equal(patch_title(f, &job.memo, "Another"), 0);
    struct edda_chunks chunks = reuse(f, &job);
    assert_nothing(&chunks);
    job.title = EDDA_TEXT("Another");
    chunks = reuse(f, &job);
    assert_nothing(&chunks);
    /* Back to the first title: part of version 2 may be on its way with the other. */
    assert_int_equal(patch_title(f, &job.memo, "Title"), 0);
    commit_job(f, &job, job.token);
    assert_int_equal(patch_text(f, &job.memo, "alpha"), 0);
    job = claim_jobs(f, 1).items[0];
    chunks = reuse(f, &job);
    assert_nothing(&chunks);
    /* A version that was made after the last change of the title is good again. */
    commit_job(f, &job, job.token);
    assert_int_equal(patch_text(f, &job.memo, "beta\n\nalpha"), 0);
    job = claim_jobs(f, 1).items[0];
    chunks = reuse(f, &job);
    assert_row(f, &chunks, 0, false);
    assert_row(f, &chunks, 1, true);
}

static void a_title_that_stays_the_same_marks_nothing(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change(f, "alpha\n\nbeta", "alpha");
    assert_int_equal(patch_title(f, &job.memo, "Title"), 0);
    struct edda_chunks chunks = reuse(f, &job);
    assert_row(f, &chunks, 0, true);
}

static void another_project_s_memo_and_one_that_is_gone_give_nothing(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change(f, "alpha\n\nbeta", "alpha");
    struct edda_chunks bare = bare_chunks_of(f, &job);
    struct edda_chunks chunks = reuse_in(f, "other", &job, &bare);
    assert_nothing(&chunks);
    struct edda_claimed unknown = job;
    unknown.memo = edda_uuid_new();
    chunks = reuse(f, &unknown);
    assert_nothing(&chunks);
    assert_int_equal(delete_memo(f, &job.memo), 0);
    chunks = reuse(f, &job);
    assert_nothing(&chunks);
}

static void chunks_without_a_vector_give_none(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "alpha\n\nbeta");
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks = chunks_of(f, &job);
    memset((void *)(uintptr_t)chunks.vectors.data, 0, DIMENSION * sizeof(float));
    assert_int_equal(put_chunks(f, &job, job.token, &chunks, NULL), 0);
    f->may_lack_vectors = true;
    assert_int_equal(patch_text(f, &memo, "alpha\n\nbeta\n\ngamma"), 0);
    job = claim_jobs(f, 1).items[0];
    chunks = reuse(f, &job);
    assert_row(f, &chunks, 0, false);
    assert_row(f, &chunks, 1, true);
}

static void of_several_models_the_most_frequent_is_given(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"alpha", "beta\n\ngamma", "delta"};
    struct edda_uuid memo = accept_parts(f, "Title", parts, 3);
    struct edda_claims jobs = claim_jobs(f, 3);
    for (size_t i = 0; i < 3; i++) {
        struct edda_chunks chunks = chunks_of(f, &jobs.items[i]);
        chunks.model = i == 1 ? EDDA_TEXT("frequent") : i == 0 ? EDDA_TEXT("a") : EDDA_TEXT("z");
        assert_int_equal(put_chunks(f, &jobs.items[i], jobs.items[i].token, &chunks, NULL), 0);
    }
    assert_int_equal(patch_text(f, &memo, "alpha\n\ngamma\n\nbeta\n\ndelta"), 0);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks = reuse(f, &job);
    assert_true(edda_text_is(chunks.model, "frequent"));
    assert_row(f, &chunks, 0, false);
    assert_row(f, &chunks, 1, true);
    assert_row(f, &chunks, 2, true);
    assert_row(f, &chunks, 3, false);
}

/* A memo of `count` chunks, a thousand a part, then with "extra" alone. */
static struct edda_chunks reuse_of_many(struct fixture *f, size_t count) {
    enum { PART = 1024 };
    char *texts = calloc(count, 16);
    const char *parts[8];
    size_t used = 0;
    size_t part_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % PART == 0) {
            used += i > 0;
            parts[part_count++] = texts + used;
        }
        used += (size_t)snprintf(texts + used, 16, "t%zu\n\n", i);
    }
    struct edda_uuid memo = accept_parts(f, "Title", parts, part_count);
    process_all(f);
    assert_int_equal(sql_integer(f, "SELECT max(chunks) FROM version WHERE state = 1"), count);
    assert_int_equal(patch_text(f, &memo, "t7\n\nt4095"), 0);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks = reuse(f, &job);
    commit_job(f, &job, job.token);
    assert_int_equal(delete_memo(f, &memo), 0);
    free(texts);
    return chunks;
}

static void a_version_of_too_many_chunks_is_not_looked_at(void **state) {
    struct fixture *f = *state;
    struct edda_chunks chunks = reuse_of_many(f, 4096);
    assert_row(f, &chunks, 0, true);
    assert_row(f, &chunks, 1, true);
    chunks = reuse_of_many(f, 4097);
    assert_nothing(&chunks);
}

/* ---- what fits a frame ---- */

/* A job whose chunks were all there before, with vectors of this dimension; value k of row i is
 * (i + k) / 4096 * scale. */
static struct edda_claimed change_large(struct fixture *f, size_t count, uint32_t dimension,
                                        float scale) {
    char *text = calloc(count, 16);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, 16, "t%zu\n\n", i);
    }
    struct edda_uuid memo = accept_text(f, "Title", text);
    struct edda_claimed job = claim_jobs(f, 1).items[0];
    struct edda_chunks chunks = chunks_of(f, &job);
    float *vectors = malloc(count * dimension * sizeof(*vectors));
    for (size_t i = 0; i < count * dimension; i++) {
        vectors[i] = scale * (float)(i / dimension + i % dimension + 1) / 4096.0f;
    }
    chunks.dimension = dimension;
    chunks.vectors =
        (struct edda_floats){(const uint8_t *)vectors, count * dimension * sizeof(*vectors)};
    assert_int_equal(chunks.chunks.count, count);
    assert_int_equal(put_chunks(f, &job, job.token, &chunks, NULL), 0);
    free(vectors);
    used += (size_t)snprintf(text + used, 16, ".");
    assert_int_equal(patch_text(f, &memo, text), 0);
    free(text);
    return claim_jobs(f, 1).items[0];
}

static float length_of_row(size_t row, size_t dimension) {
    double sum = 0;
    for (size_t k = 0; k < dimension; k++) {
        double value = (double)(row + k + 1) / 4096.0;
        sum += value * value;
    }
    return (float)sqrt(sum);
}

static void rows_that_do_not_fit_a_frame_come_as_halves(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change_large(f, 700, 1536, 1);
    struct edda_chunks chunks = reuse(f, &job);
    assert_int_equal(chunks.chunks.count, 701);
    assert_int_equal(chunks.vectors.size, 0);
    assert_int_equal(chunks.dimension, 1536);
    assert_int_equal(chunks.halves.size, 701 * 1536 * 2);
    for (size_t i = 0; i < 700; i += 99) {
        float scale = f->postgres ? 1 / length_of_row(i, 1536) : 1;
        for (size_t k = 0; k < 1536; k += 511) {
            const uint8_t *at = chunks.halves.data + (i * 1536 + k) * 2;
            float value = edda_half_to_float((uint16_t)(at[0] | at[1] << 8));
            float expected = scale * (float)(i + k + 1) / 4096.0f;
            assert_true(value > expected * .995f && value < expected * 1.005f);
        }
    }
    for (size_t k = 0; k < 1536 * 2; k++) {
        assert_int_equal(chunks.halves.data[700 * 1536 * 2 + k], 0);
    }
    /* What came as halves can be put as it is. */
    assert_int_equal(put_chunks(f, &job, job.token, &chunks, NULL), 0);
    f->may_lack_vectors = true;
}

static void values_that_a_half_cannot_hold_keep_their_direction(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change_large(f, 700, 1536, 1e6f);
    struct edda_chunks chunks = reuse(f, &job);
    assert_int_equal(chunks.halves.size, 701 * 1536 * 2);
    const uint8_t *row = chunks.halves.data + 7 * 1536 * 2;
    float first = edda_half_to_float((uint16_t)(row[0] | row[1] << 8));
    float last = edda_half_to_float((uint16_t)(row[1535 * 2] | row[1535 * 2 + 1] << 8));
    assert_true(f->postgres ? last < 1 : last == 1);
    assert_true(first > last * 8 / 1543.0f * .995f && first < last * 8 / 1543.0f * 1.005f);
}

static void rows_that_fit_in_no_form_are_left_out(void **state) {
    struct fixture *f = *state;
    struct edda_claimed job = change_large(f, 700, 3000, 1);
    struct edda_chunks chunks = reuse(f, &job);
    assert_nothing(&chunks);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(chunks_that_are_as_they_were_get_their_vectors),
        TEST(nothing_known_is_no_vectors_at_all),
        TEST(a_chunk_under_another_heading_is_another_chunk),
        TEST(vectors_made_with_another_title_are_not_reused),
        TEST(a_title_that_stays_the_same_marks_nothing),
        TEST(another_project_s_memo_and_one_that_is_gone_give_nothing),
        TEST(chunks_without_a_vector_give_none),
        TEST(of_several_models_the_most_frequent_is_given),
        TEST(a_version_of_too_many_chunks_is_not_looked_at),
        TEST(rows_that_do_not_fit_a_frame_come_as_halves),
        TEST(values_that_a_half_cannot_hold_keep_their_direction),
        TEST(rows_that_fit_in_no_form_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
