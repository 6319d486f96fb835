/* tests/actors/store/index/test_common.c: words that are in most chunks cost what is promised,
 * counted in entries of their lists. */
#include "actors/store/index/state.h"
#include "tests/actors/store/index/build.h"

#define CHUNKS ((uint32_t)500)

/* "oak" is in every chunk, "elm" in all but one of ten, "ash" in one of ten; of three letters, so
 * that nothing is widened. */
static edda_index_t *fill(struct build *build, uint32_t chunks) {
    edda_index_t *index = edda_index_new(NULL);
    build_init(build, 91);
    for (uint32_t memo = 1; memo <= chunks; memo++) {
        struct build_chunk chunk = build_chunk(build, memo);
        snprintf(chunk.title, sizeof chunk.title, "oak");
        snprintf(chunk.text, sizeof chunk.text, memo % 10 ? "oak elm" : "oak ash");
        assert_int_equal(build_add(build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    return index;
}

static uint64_t postings_of(uint32_t chunks, uint64_t most, uint32_t limit, const char *text,
                            struct edda_index_result *ret_result) {
    struct build build;
    edda_index_t *index = fill(&build, chunks);
    assert_true(build.scratch->postings_most == EDDA_INDEX_POSTINGS);
    build.scratch->postings_most = most;
    *ret_result = build_search_many(&build, index, text, NULL, limit);
    assert_true(ret_result->count > 0);
    edda_index_destroy(&index);
    build_done(&build);
    return ret_result->postings;
}

static void a_word_in_every_chunk_costs_an_entry_a_chunk(void **state) {
    (void)state;
    struct edda_index_result result;
    assert_true(postings_of(CHUNKS, EDDA_INDEX_POSTINGS, 0, "oak", &result) == CHUNKS);
    assert_true(postings_of(4 * CHUNKS, EDDA_INDEX_POSTINGS, 0, "oak", &result) == 4 * CHUNKS);
    assert_true(postings_of(CHUNKS, EDDA_INDEX_POSTINGS, 0, "oak oak oak", &result) == CHUNKS);
    /* The only word is read, whatever the limit. */
    assert_true(postings_of(4 * CHUNKS, CHUNKS, 0, "oak", &result) == 4 * CHUNKS);
}

/* Seen to fail when edda_words_afford() always says yes, and with >= in the place of >. */
static void frequent_words_are_left_out_over_the_limit(void **state) {
    (void)state;
    struct edda_index_result result;
    const uint64_t all = CHUNKS / 10 + CHUNKS / 10 * 9 + CHUNKS;
    assert_true(postings_of(CHUNKS, all, 0, "oak elm ash", &result) == all);
    assert_true(postings_of(CHUNKS, all - 1, 0, "oak elm ash", &result) == all - CHUNKS);
    /* Four times the chunks under the same limit: the rarest alone fits. */
    assert_true(postings_of(4 * CHUNKS, all, 0, "oak elm ash", &result) == 4 * CHUNKS / 10);
    assert_int_equal(result.term_count, 3); /* what is known of the others is told all the same */
}

/* Of a question's words the rarest 512 are scored: "oak", which is in every chunk, is the last. */
static void a_question_has_512_words_and_not_one_more(void **state) {
    (void)state;
    struct build build;
    edda_index_t *index = fill(&build, CHUNKS);
    char text[513 * 5 + 1] = "oak";
    size_t size = strlen(text);
    for (unsigned words = 2; words <= 513; words++) {
        size += (size_t)snprintf(text + size, sizeof text - size, " %u", 1000 + words);
        if (words >= 512) {
            struct edda_index_result result = build_search(&build, index, text, NULL);
            assert_true(result.postings == (words == 512 ? CHUNKS : 0));
        }
    }
    edda_index_destroy(&index);
    build_done(&build);
}

/* What comes behind the first hundred is looked for with words of the best, under the same limit.
 * Seen to fail when edda_feedback_add() does not ask. */
static void a_long_list_stays_under_the_limit_too(void **state) {
    (void)state;
    struct edda_index_result result;
    const uint64_t elm = CHUNKS / 10 * 9;
    assert_true(postings_of(CHUNKS, EDDA_INDEX_POSTINGS, EDDA_INDEX_DEPTH, "elm", &result) ==
                elm + elm + CHUNKS);
    assert_int_equal(result.count, EDDA_INDEX_DEPTH);
    assert_true(postings_of(CHUNKS, elm + elm, EDDA_INDEX_DEPTH, "elm", &result) == elm + elm);
    assert_int_equal(result.count, EDDA_INDEX_DEPTH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_in_every_chunk_costs_an_entry_a_chunk),
        cmocka_unit_test(frequent_words_are_left_out_over_the_limit),
        cmocka_unit_test(a_question_has_512_words_and_not_one_more),
        cmocka_unit_test(a_long_list_stays_under_the_limit_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
