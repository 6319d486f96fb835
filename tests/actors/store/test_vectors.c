/* tests/actors/store/test_vectors.c: in which forms a part's vectors come. */
#include "tests/actors/store/fixture.h"

/* A job whose part has two chunks, and what is put for it. */
struct put {
    struct edda_claimed job;
    struct edda_store_put_chunks arguments;
    struct edda_chunks chunks;
};

static struct put prepare_put(struct fixture *f) {
    accept_text(f, "Title", "alpha\n\nbeta");
    struct put put = {.job = claim_jobs(f, 1).items[0]};
    put.arguments =
        (struct edda_store_put_chunks){put.job.job, put.job.memo, put.job.version, put.job.part};
    put.chunks = chunks_of(f, &put.job);
    put.chunks.vectors = (struct edda_floats){NULL, 0};
    assert_int_equal(put.chunks.chunks.count, 2);
    return put;
}

static int do_put(struct fixture *f, const struct put *put) {
    return ask(f, EDDA_BACKEND_PUT_CHUNKS, put->job.token, &put->arguments, &put->chunks,
               EDDA_BODY_STORE_STORED, NULL);
}

static void halves_are_kept(void **state) {
    struct fixture *f = *state;
    struct put put = prepare_put(f);
    /* 1, -2, 65504, the smallest above 0; 0.5, 0, -0, 0.333251953125 */
    static const uint8_t halves[] = {0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00,
                                     0x00, 0x38, 0x00, 0x00, 0x00, 0x80, 0x55, 0x35};
    put.chunks.halves = (struct edda_bytes){halves, sizeof(halves)};
    assert_int_equal(do_put(f, &put), 0);
    /* SQLite keeps float32, PostgreSQL halves of vectors of length 1. */
    assert_true(sql_integer(f, either(f,
                                      "SELECT vector = x'0000803f000000c000e07f4700008033' FROM"
                                      " chunk_index ORDER BY id LIMIT 1",
                                      "SELECT vector = '[0.00001526,-0.00003052,1,0]' FROM"
                                      " chunk_vector ORDER BY chunk LIMIT 1")));
    assert_true(sql_integer(f, either(f,
                                      "SELECT vector = x'0000003f000000000000008000a0aa3e' FROM"
                                      " chunk_index ORDER BY id DESC LIMIT 1",
                                      "SELECT vector = '[0.8320,0,-0,0.5547]' FROM"
                                      " chunk_vector ORDER BY chunk DESC LIMIT 1")));
    assert_int_equal(search(f, "alpha").hits.count, 2);
}

static void halves_of_zeros_are_no_vector(void **state) {
    struct fixture *f = *state;
    struct put put = prepare_put(f);
    static const uint8_t halves[16] = {0, 0x3c, [9] = 0x80};
    put.chunks.halves = (struct edda_bytes){halves, sizeof(halves)};
    assert_int_equal(do_put(f, &put), 0);
    assert_int_equal(sql_integer(f, either(f, "SELECT count(vector) FROM chunk_index",
                                           "SELECT count(*) FROM chunk_vector")),
                     1);
    f->may_lack_vectors = true;
}

static void vectors_of_both_forms_or_the_wrong_size_are_refused(void **state) {
    struct fixture *f = *state;
    struct put put = prepare_put(f);
    float vectors[2 * DIMENSION] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t halves[4 * DIMENSION + 2] = {0, 0x3c, [8] = 0, 0x3c};
    static const struct {
        size_t floats;
        size_t halves;
    } wrong[] = {{sizeof(vectors), 4 * DIMENSION}, {sizeof(vectors), 2},   {4, 4 * DIMENSION},
                 {0, 4 * DIMENSION - 2},           {0, 4 * DIMENSION + 2}, {0, 0}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        put.chunks.vectors = (struct edda_floats){(const uint8_t *)vectors, wrong[i].floats};
        put.chunks.halves = (struct edda_bytes){halves, wrong[i].halves};
        assert_int_equal(do_put(f, &put), EDDA_E_INVALID);
    }
    put.chunks.vectors = (struct edda_floats){NULL, 0};
    put.chunks.halves = (struct edda_bytes){halves, 4 * DIMENSION};
    /* Infinite, minus infinite, not a number; the largest finite is in the test above. */
    static const uint8_t high[] = {0x7c, 0xfc, 0x7e};
    for (size_t i = 0; i < 3; i++) {
        halves[11] = high[i];
        assert_int_equal(do_put(f, &put), EDDA_E_INVALID);
    }
    halves[11] = 0;
    put.chunks.model = (struct edda_text){NULL, 0};
    assert_int_equal(do_put(f, &put), EDDA_E_INVALID);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 0);
    put.chunks.model = EDDA_TEXT("test-4");
    assert_int_equal(do_put(f, &put), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(halves_are_kept),
        TEST(halves_of_zeros_are_no_vector),
        TEST(vectors_of_both_forms_or_the_wrong_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
