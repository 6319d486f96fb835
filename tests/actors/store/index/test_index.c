#include "tests/actors/store/index/build.h"

#include <math.h>

#define CHUNKS 600
#define MEMOS  150

static void assert_same(const struct edda_index_hit *expected, size_t expected_count,
                        const struct edda_index_result *result) {
    assert_int_equal(result->count, expected_count);
    for (size_t i = 0; i < expected_count; i++) {
        assert_memory_equal(&result->items[i].chunk, &expected[i].chunk, 16);
        assert_true(result->items[i].score == expected[i].score); /* to the last bit */
        assert_true(result->items[i].words == expected[i].words);
        assert_true(result->items[i].vector == expected[i].vector);
        assert_int_equal(result->items[i].memo, expected[i].memo);
    }
}

/* Adds the chunks of the memos that `live` says, in the order given by `step`. */
static edda_index_t *build_fresh(struct build *build, const struct build_chunk *chunks,
                                 const bool *live, size_t step) {
    edda_index_t *index = edda_index_new(NULL);
    for (size_t i = 0, at = 0; i < CHUNKS; i++, at = (at + step) % CHUNKS) {
        if (live[chunks[at].memo]) {
            assert_int_equal(build_add(build, index, &chunks[at]), 0);
        }
    }
    for (uint64_t memo = 1; memo <= MEMOS; memo++) {
        if (live[memo]) {
            build_publish(index, memo, 0);
        }
    }
    return index;
}

static void compare_indexes(struct build *build, edda_index_t *worn, edda_index_t *fresh) {
    assert_int_equal(edda_index_chunks(worn), edda_index_chunks(fresh));
    assert_int_equal(edda_index_memos(worn), edda_index_memos(fresh));
    for (size_t i = 0; i < 30; i++) {
        char query[128];
        struct edda_index_hit expected[EDDA_INDEX_DEPTH];
        uint32_t limit = i % 5 ? 10 : EDDA_INDEX_DEPTH;
        struct build_chunk asked = build_chunk(build, 1);
        build_text(build, 1 + build_random(build, 5), query, sizeof query);
        if (i % 3 == 0) {
            query[1] = 'x'; /* most likely no word of the collection */
        }
        const float *vector = i % 2 ? asked.vector : NULL;
        struct edda_index_result result = build_search_many(build, fresh, query, vector, limit);
        size_t count = result.count;
        memcpy(expected, result.items, count * sizeof *expected);
        result = build_search_many(build, worn, query, vector, limit);
        assert_same(expected, count, &result);
    }
}

static void scores_after_removals_equal_those_of_a_fresh_index(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct build build;
        static struct build_chunk chunks[CHUNKS];
        bool all[MEMOS + 1];
        bool live[MEMOS + 1] = {false};
        build_init(&build, seed);
        for (size_t i = 0; i < CHUNKS; i++) {
            chunks[i] = build_chunk(&build, 1 + build_random(&build, MEMOS));
        }
        memset(all, true, sizeof all);
        edda_index_t *worn = build_fresh(&build, chunks, all, 1);
        for (uint64_t memo = 1; memo <= MEMOS; memo++) {
            live[memo] = build_random(&build, 3) != 0;
            if (!live[memo]) {
                edda_index_remove(worn, memo);
            }
        }
        edda_index_t *fresh = build_fresh(&build, chunks, live, 7);
        compare_indexes(&build, worn, fresh);
        assert_int_equal(edda_index_compact(worn), 0);
        assert_false(edda_index_is_sparse(worn));
        compare_indexes(&build, worn, fresh);
        edda_index_destroy(&worn);
        edda_index_destroy(&fresh);
        build_done(&build);
    }
}

static void a_hidden_version_is_neither_found_nor_counted(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 9);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk chunk = build_chunk(&build, 5);
    snprintf(chunk.text, sizeof chunk.text, "hidden treasure");
    assert_int_equal(build_add(&build, index, &chunk), 0);
    assert_int_equal(edda_index_chunks(index), 0);
    assert_int_equal(build_search(&build, index, "treasure", chunk.vector).count, 0);
    build_publish(index, 5, 0);
    assert_int_equal(build_search(&build, index, "treasure", chunk.vector).count, 1);
    assert_int_equal(build_add(&build, index, &chunk), EDDA_E_CONFLICT);
    edda_index_destroy(&index);
    build_done(&build);
}

static void publishing_a_version_takes_the_old_one_away_in_the_same_step(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 10);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk old = build_chunk(&build, 1);
    struct build_chunk new = build_chunk(&build, 2);
    snprintf(old.text, sizeof old.text, "walnut harvest");
    snprintf(new.text, sizeof new.text, "walnut orchard");
    assert_int_equal(build_add(&build, index, &old), 0);
    build_publish(index, 1, 0);
    assert_int_equal(build_add(&build, index, &new), 0);
    struct edda_index_result result = build_search(&build, index, "walnut", NULL);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.items[0].memo, 1);
    build_publish(index, 2, 1);
    result = build_search(&build, index, "walnut", NULL);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.items[0].memo, 2);
    edda_index_remove(index, 1); /* again: ignored */
    edda_index_remove(index, 77);
    assert_int_equal(edda_index_memos(index), 1);
    edda_index_destroy(&index);
    build_done(&build);
}

static void filters_and_expiry_are_applied_before_the_cut(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 11);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= 400; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        struct edda_memo_attributes attributes = {
            .source = memo == 400 ? EDDA_TEXT("wanted") : EDDA_TEXT("other"),
            .expires_wall_ms = memo == 399 ? 1000 : 0,
        };
        /* The wanted one is the worst match: 400 words, one of them the query's. */
        snprintf(chunk.text, sizeof chunk.text, "zebra %s",
                 memo >= 399 ? "a long list of other words that makes it a poor answer" : "zebra");
        assert_int_equal(build_add(&build, index, &chunk), 0);
        assert_int_equal(edda_index_publish(index, memo, &attributes, 0), 0);
    }
    struct edda_text value = EDDA_TEXT("wanted");
    struct edda_store_filter filter = {
        EDDA_TEXT("source"), EDDA_TEXT("eq"), EDDA_TEXT("native_field"), {&value, 1}};
    edda_filter_t *compiled;
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){&filter, 1}, &compiled), 0);
    struct build_chunk asked = build_chunk(&build, 1);
    struct edda_index_query query = {
        .text = EDDA_TEXT("zebra"),
        .model = BUILD_MODEL,
        .dimension = BUILD_DIMENSION,
        .vector = {(const uint8_t *)asked.vector, sizeof asked.vector},
        .filter = compiled,
    };
    struct edda_index_result result;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.items[0].memo, 400);
    edda_filter_destroy(&compiled);

    value = EDDA_TEXT("other");
    filter.operator_name = EDDA_TEXT("contains");
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){&filter, 1}, &compiled), 0);
    query.filter = compiled;
    for (int64_t now = 999; now <= 1000; now++) {
        size_t expired = 0;
        query.now_wall_ms = now;
        query.text = EDDA_TEXT("poor answer");
        query.model = (struct edda_text){0};
        assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
        for (size_t i = 0; i < result.count; i++) {
            expired += result.items[i].memo == 399;
        }
        assert_int_equal(expired, now < 1000);
    }
    edda_filter_destroy(&compiled);
    edda_index_destroy(&index);
    build_done(&build);
}

static void changed_attributes_count_from_the_next_search(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 12);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk chunk = build_chunk(&build, 3);
    struct edda_memo_attributes attributes = {.expires_wall_ms = 5};
    snprintf(chunk.text, sizeof chunk.text, "lantern");
    assert_int_equal(build_add(&build, index, &chunk), 0);
    assert_int_equal(edda_index_set_attributes(index, 3, &attributes), EDDA_E_NOT_FOUND);
    build_publish(index, 3, 0);
    assert_int_equal(edda_index_set_attributes(index, 3, &attributes), 0);
    struct edda_index_query query = {.text = EDDA_TEXT("lantern"), .now_wall_ms = 6};
    struct edda_index_result result;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    assert_int_equal(result.count, 0);
    edda_index_destroy(&index);
    build_done(&build);
}

static void a_vector_of_another_model_degrades_the_leg(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 13);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk chunk = build_chunk(&build, 1);
    snprintf(chunk.text, sizeof chunk.text, "compass");
    assert_int_equal(build_add(&build, index, &chunk), 0);
    build_publish(index, 1, 0);
    struct edda_index_query query = {
        .text = EDDA_TEXT("compass"),
        .model = EDDA_TEXT("another"),
        .dimension = BUILD_DIMENSION,
        .vector = {(const uint8_t *)chunk.vector, sizeof chunk.vector},
    };
    struct edda_index_result result;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    assert_true(result.vector_degraded);
    assert_int_equal(result.count, 1);
    assert_true(result.items[0].score > 0.999f);
    query.model = BUILD_MODEL;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    assert_false(result.vector_degraded);
    edda_index_destroy(&index);
    build_done(&build);
}

static float cosine_of(const float *a, const float *b) {
    double product = 0;
    double left = 0;
    double right = 0;
    for (size_t i = 0; i < BUILD_DIMENSION; i++) {
        product += (double)a[i] * (double)b[i];
        left += (double)a[i] * (double)a[i];
        right += (double)b[i] * (double)b[i];
    }
    return (float)(product / sqrt(left * right));
}

static void a_vector_leg_that_a_database_found_is_fused_as_the_indexs_own(void **state) {
    (void)state;
    struct build build;
    static struct build_chunk chunks[CHUNKS];
    static struct edda_index_near near[CHUNKS + 1];
    struct edda_index_hit expected[EDDA_INDEX_CANDIDATES];
    build_init(&build, 31);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk asked = build_chunk(&build, 1);
    for (size_t i = 0; i < CHUNKS; i++) {
        chunks[i] = build_chunk(&build, 1 + i % MEMOS);
        assert_int_equal(build_add(&build, index, &chunks[i]), 0);
        near[i] =
            (struct edda_index_near){chunks[i].uuid, cosine_of(chunks[i].vector, asked.vector)};
    }
    /* One that the index does not have, and one that it does not show. */
    near[CHUNKS] = (struct edda_index_near){asked.uuid, 1.0f};
    for (uint64_t memo = 2; memo <= MEMOS; memo++) {
        build_publish(index, memo, 0);
    }
    struct edda_index_query query = {
        .text = EDDA_TEXT("baker lomti"),
        .model = BUILD_MODEL,
        .dimension = BUILD_DIMENSION,
        .vector = {(const uint8_t *)asked.vector, sizeof asked.vector},
        .minimum_cosine = 0.05f,
    };
    struct edda_index_result result;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    size_t count = result.count;
    memcpy(expected, result.items, count * sizeof *expected);
    query.near_given = true;
    query.near = near;
    query.near_count = CHUNKS + 1;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    assert_false(result.vector_degraded);
    assert_int_equal(result.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(fabsf(result.items[i].score - expected[i].score) < 0.002f);
        assert_true(result.items[i].memo != 1);
    }
    assert_memory_equal(&result.items[0].chunk, &expected[0].chunk, 16);
    query.near_count = 0;
    assert_int_equal(edda_index_search(index, build.scratch, &query, &result), 0);
    for (size_t i = 0; i < result.count; i++) {
        assert_true(result.items[i].vector == 0);
    }
    edda_index_destroy(&index);
    build_done(&build);
}

static void memos_that_a_filter_admits_are_counted_with_their_chunks(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 32);
    edda_index_t *index = edda_index_new(NULL);
    uint64_t keys[4];
    size_t chunks = 0;
    for (uint64_t memo = 1; memo <= 10; memo++) {
        struct edda_memo_attributes attributes = {
            .source = memo % 3 == 0 ? EDDA_TEXT("wanted") : EDDA_TEXT("other"),
            .expires_wall_ms = memo == 9 ? 1000 : 0,
        };
        for (uint64_t i = 0; i < memo; i++) {
            struct build_chunk chunk = build_chunk(&build, memo);
            assert_int_equal(build_add(&build, index, &chunk), 0);
        }
        if (memo != 3) {
            assert_int_equal(edda_index_publish(index, memo, &attributes, 0), 0);
        }
    }
    struct edda_text value = EDDA_TEXT("wanted");
    struct edda_store_filter filter = {
        EDDA_TEXT("source"), EDDA_TEXT("eq"), EDDA_TEXT("native_field"), {&value, 1}};
    struct edda_index_query query = {.now_wall_ms = 999};
    edda_filter_t *compiled;
    assert_int_equal(edda_filter_new(&(struct edda_store_filters){&filter, 1}, &compiled), 0);
    query.filter = compiled;
    assert_int_equal(edda_index_admitted(index, &query, keys, 4, &chunks), 2);
    assert_int_equal(keys[0] + keys[1], 6 + 9);
    assert_int_equal(chunks, 6 + 9);
    query.now_wall_ms = 1000;
    assert_int_equal(edda_index_admitted(index, &query, keys, 4, &chunks), 1);
    query.filter = NULL;
    assert_int_equal(edda_index_admitted(index, &query, keys, 4, &chunks), 8);
    assert_int_equal(chunks, 55 - 3 - 9);
    edda_filter_destroy(&compiled);
    edda_index_destroy(&index);
    build_done(&build);
}

static void broken_chunks_are_refused_and_leave_no_trace(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 14);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk chunk = build_chunk(&build, 1);
    struct edda_index_chunk item = {.uuid = chunk.uuid, .terms = {(const uint8_t *)"\x02\x01", 2}};
    assert_int_equal(edda_index_add(index, 1, &item), EDDA_E_MALFORMED);
    assert_int_equal(edda_terms_make(&build.terms, build.analyser, (struct edda_text){0},
                                     (struct edda_text){0}, EDDA_TEXT("sound words")),
                     0);
    item.terms = edda_buffer_bytes(&build.terms.vector);
    item.model = BUILD_MODEL;
    item.dimension = 3;
    item.vector = (struct edda_floats){(const uint8_t *)chunk.vector, 8};
    assert_int_equal(edda_index_add(index, 1, &item), EDDA_E_MALFORMED);
    build_publish(index, 1, 0);
    assert_int_equal(edda_index_chunks(index), 0);
    assert_int_equal(build_search(&build, index, "sound", NULL).count, 0);
    assert_int_equal(edda_index_compact(index), 0);
    edda_index_destroy(&index);
    build_done(&build);
}

static void a_ninth_model_is_refused(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 15);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk chunk = build_chunk(&build, 1);
    assert_int_equal(edda_terms_make(&build.terms, build.analyser, (struct edda_text){0},
                                     (struct edda_text){0}, EDDA_TEXT("words")),
                     0);
    for (size_t i = 0; i <= EDDA_INDEX_MODELS; i++) {
        char name[16];
        snprintf(name, sizeof name, "model-%zu", i);
        struct edda_index_chunk item = {
            .uuid = chunk.uuid,
            .terms = edda_buffer_bytes(&build.terms.vector),
            .model = edda_text_of(name),
            .dimension = 2,
            .vector = {(const uint8_t *)chunk.vector, 8},
        };
        assert_int_equal(edda_index_add(index, 1, &item), i < EDDA_INDEX_MODELS ? 0 : EDDA_E_LIMIT);
    }
    edda_index_destroy(&index);
    build_done(&build);
}

static void a_query_without_words_or_vector_finds_nothing(void **state) {
    (void)state;
    struct build build;
    float zeros[BUILD_DIMENSION] = {0};
    build_init(&build, 16);
    edda_index_t *index = edda_index_new(NULL);
    assert_int_equal(build_search(&build, index, "empty index", NULL).count, 0);
    struct build_chunk chunk = build_chunk(&build, 1);
    assert_int_equal(build_add(&build, index, &chunk), 0);
    build_publish(index, 1, 0);
    assert_int_equal(build_search(&build, index, "", NULL).count, 0);
    assert_int_equal(build_search(&build, index, "?!", zeros).count, 0);
    assert_int_equal(build_search(&build, index, "?!", chunk.vector).count, 1);
    edda_index_destroy(&index);
    build_done(&build);
}

static void a_query_of_stopwords_alone_is_still_answered(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 17);
    edda_index_t *index = edda_index_new(NULL);
    struct build_chunk chunk = build_chunk(&build, 1);
    snprintf(chunk.text, sizeof chunk.text, "To be, or not to be: that is the question of it.");
    assert_int_equal(build_add(&build, index, &chunk), 0);
    build_publish(index, 1, 0);
    assert_int_equal(build_search(&build, index, "to be or not to be", NULL).count, 1);
    edda_index_destroy(&index);
    build_done(&build);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_after_removals_equal_those_of_a_fresh_index),
        cmocka_unit_test(a_hidden_version_is_neither_found_nor_counted),
        cmocka_unit_test(publishing_a_version_takes_the_old_one_away_in_the_same_step),
        cmocka_unit_test(filters_and_expiry_are_applied_before_the_cut),
        cmocka_unit_test(changed_attributes_count_from_the_next_search),
        cmocka_unit_test(a_vector_of_another_model_degrades_the_leg),
        cmocka_unit_test(a_vector_leg_that_a_database_found_is_fused_as_the_indexs_own),
        cmocka_unit_test(memos_that_a_filter_admits_are_counted_with_their_chunks),
        cmocka_unit_test(broken_chunks_are_refused_and_leave_no_trace),
        cmocka_unit_test(a_ninth_model_is_refused),
        cmocka_unit_test(a_query_without_words_or_vector_finds_nothing),
        cmocka_unit_test(a_query_of_stopwords_alone_is_still_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
