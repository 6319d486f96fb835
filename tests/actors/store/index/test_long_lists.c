#include "tests/actors/store/index/build.h"

#define CHUNKS 600

static void a_long_list_begins_like_a_short_one(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 41);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= CHUNKS; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    for (size_t i = 0; i < 30; i++) {
        char query[128];
        struct edda_index_hit expected[EDDA_INDEX_CANDIDATES];
        struct build_chunk asked = build_chunk(&build, 1);
        const float *vector = i % 2 ? asked.vector : NULL;
        build_text(&build, 5, query, sizeof query);
        struct edda_index_result result =
            build_search_many(&build, index, query, vector, EDDA_INDEX_CANDIDATES);
        assert_int_equal(result.count, EDDA_INDEX_CANDIDATES);
        memcpy(expected, result.items, sizeof expected);
        result = build_search_many(&build, index, query, vector, EDDA_INDEX_CANDIDATES + 1);
        assert_int_equal(result.count, EDDA_INDEX_DEPTH);
        for (size_t at = 0; at < EDDA_INDEX_DEPTH; at++) {
            if (at < EDDA_INDEX_CANDIDATES) {
                assert_memory_equal(&result.items[at].chunk, &expected[at].chunk, 16);
                assert_true(result.items[at].score == expected[at].score);
            } else {
                assert_true(result.items[at].score <= result.items[at - 1].score);
            }
            for (size_t other = 0; other < at; other++) {
                assert_memory_not_equal(&result.items[at].chunk, &result.items[other].chunk, 16);
            }
        }
    }
    edda_index_destroy(&index);
    build_done(&build);
}

/* count chunks of which the first five say more of the word asked for, with one word beside it, and
 * one more chunk that has that other word only. */
static edda_index_t *build_friends(struct build *build, size_t count) {
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= count + 1; memo++) {
        struct build_chunk chunk = build_chunk(build, memo);
        snprintf(chunk.title, sizeof chunk.title, "%s", "");
        snprintf(chunk.text, sizeof chunk.text, "%s",
                 memo == count + 1 ? "quorum"
                 : memo <= 5       ? "lantern lantern lantern quorum"
                                   : "lantern marble marble marble");
        assert_int_equal(build_add(build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    return index;
}

static bool finds(const struct edda_index_result *result, uint64_t memo) {
    for (size_t i = 0; i < result->count; i++) {
        if (result->items[i].memo == memo) {
            return true;
        }
    }
    return false;
}

static void a_long_list_ends_with_what_is_like_its_best(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 42);
    edda_index_t *index = build_friends(&build, 120);
    struct edda_index_result result =
        build_search_many(&build, index, "lantern", NULL, EDDA_INDEX_CANDIDATES);
    assert_int_equal(result.count, EDDA_INDEX_CANDIDATES);
    assert_false(finds(&result, 121));
    result = build_search_many(&build, index, "lantern", NULL, EDDA_INDEX_DEPTH);
    assert_int_equal(result.count, 121);
    assert_true(finds(&result, 121));
    edda_index_destroy(&index);
    build_done(&build);
}

/* Seen to fail when lists that are not full are lengthened too. */
static void a_list_that_is_not_full_is_not_filled_up(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 43);
    edda_index_t *index = build_friends(&build, EDDA_INDEX_CANDIDATES - 1);
    struct edda_index_result result =
        build_search_many(&build, index, "lantern", NULL, EDDA_INDEX_DEPTH);
    assert_int_equal(result.count, EDDA_INDEX_CANDIDATES - 1);
    assert_false(finds(&result, EDDA_INDEX_CANDIDATES));
    edda_index_destroy(&index);
    build_done(&build);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_list_begins_like_a_short_one),
        cmocka_unit_test(a_long_list_ends_with_what_is_like_its_best),
        cmocka_unit_test(a_list_that_is_not_full_is_not_filled_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
