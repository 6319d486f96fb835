#include "tests/actors/store/index/build.h"

#include "actors/store/index/grams.h"

struct gathered {
    uint32_t keys[4096];
    size_t count;
};

static void gather(void *context, bool whole, uint32_t key) {
    struct gathered *gathered = context;
    if (whole && gathered->count < 4096) {
        gathered->keys[gathered->count++] = key;
    }
}

static uint32_t scan(struct edda_folder *folder, const char *text, struct gathered *gathered) {
    gathered->count = 0;
    return edda_gram_scan(folder, edda_text_of(text), gather, gathered);
}

/* The same in the plainest way, for ASCII: words, framed, every four in a row. */
static uint32_t naive_scan(const char *text, struct gathered *gathered) {
    uint32_t length = 0;
    gathered->count = 0;
    for (const char *at = text; *at;) {
        char frame[600] = "_";
        size_t size = 1;
        for (; edda_gram_fold_byte((uint8_t)*at) != '_' && *at; at++) {
            frame[size++] = (char)edda_gram_fold_byte((uint8_t)*at);
        }
        if (size == 1) {
            at++;
            continue;
        }
        frame[size++] = '_';
        length += (uint32_t)size - 3;
        for (size_t i = 0; i + 4 <= size; i++) {
            uint64_t window = 0;
            for (size_t k = 0; k < 4; k++) {
                window = window << 16 | (uint8_t)frame[i + k];
            }
            gathered->keys[gathered->count++] = edda_gram_key(window);
        }
    }
    return length;
}

static void blocks_of_ascii_give_what_single_letters_give(void **state) {
    (void)state;
    static const char letters[] = "aZbq09 .,_-\n";
    struct build build;
    struct edda_folder folder;
    static struct gathered found;
    static struct gathered expected;
    build_init(&build, 1);
    assert_int_equal(edda_folder_init(&folder), 0);
    for (size_t round = 0; round < 3000; round++) {
        char text[1400];
        size_t size = round < 1500 ? build_random(&build, 60) : build_random(&build, 1399);
        for (size_t i = 0; i < size; i++) {
            text[i] = letters[build_random(&build, sizeof letters - 1)];
        }
        text[size] = 0;
        uint32_t length = scan(&folder, text, &found);
        assert_int_equal(length, naive_scan(text, &expected));
        assert_int_equal(found.count, expected.count);
        assert_memory_equal(found.keys, expected.keys, found.count * sizeof *found.keys);
    }
    edda_folder_done(&folder);
    build_done(&build);
}

static void accents_and_case_do_not_matter(void **state) {
    (void)state;
    struct edda_folder folder;
    static struct gathered one;
    static struct gathered other;
    static const char *const pairs[][2] = {
        {"Crème brûlée servie très froide", "creme brulee servie tres froide"},
        {"cre\xcc\x80me", "crème"},
        {"Straße", "strasse"},
        {"ДОКУМЕНТ №5", "документ no5"},
        {"ｆｕｌｌ width", "full WIDTH"},
    };
    assert_int_equal(edda_folder_init(&folder), 0);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        (void)scan(&folder, pairs[i][0], &one);
        (void)scan(&folder, pairs[i][1], &other);
        if (i == 3) {
            assert_true(one.count >= 7);
            continue; /* the sign folds as the analyser decides */
        }
        assert_int_equal(one.count, other.count);
        assert_memory_equal(one.keys, other.keys, one.count * sizeof *one.keys);
    }
    edda_folder_done(&folder);
}

static void chinese_gives_characters_and_pairs(void **state) {
    (void)state;
    struct edda_folder folder;
    static struct gathered found;
    assert_int_equal(edda_folder_init(&folder), 0);
    assert_int_equal(scan(&folder, "北京大学", &found), 7);
    assert_int_equal(found.count, 7);
    assert_int_equal(scan(&folder, "北京, 大学", &found), 6);
    assert_int_equal(scan(&folder, "北京abc大", &found), 3 + 2 + 1); /* _abc abc_, 2 + 1, 1 */
    edda_folder_done(&folder);
}

/* A word that only shares its middle with the query is found by grams, not by words. */
static void rescoring_lifts_the_chunk_that_spells_alike(void **state) {
    (void)state;
    static const char *const texts[] = {
        "the ship carries freight and donaudampfschifffahrt papers",
        "the ship carries freight and other unremarkable cargo papers",
    };
    struct build build;
    struct edda_index_text fetched[2];
    build_init(&build, 2);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= 2; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        chunk.title[0] = 0;
        snprintf(chunk.text, sizeof chunk.text, "%s", texts[memo - 1]);
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    struct edda_index_result result = build_search(&build, index, "ship dampfschiff", NULL);
    assert_int_equal(result.count, 2);
    for (size_t i = 0; i < 2; i++) {
        fetched[i] =
            (struct edda_index_text){.text = edda_text_of(texts[result.items[i].memo - 1])};
    }
    assert_int_equal(edda_index_rescore(index, build.scratch, fetched, 10, &result), 0);
    assert_int_equal(result.count, 2);
    assert_int_equal(result.items[0].memo, 1);
    assert_true(result.items[0].grams > result.items[1].grams);
    edda_index_destroy(&index);
    build_done(&build);
}

static void candidates_that_are_gone_are_left_out(void **state) {
    (void)state;
    struct build build;
    struct edda_index_text fetched[3] = {
        {.text = EDDA_TEXT("marble")}, {0}, {.text = EDDA_TEXT("marble")}};
    build_init(&build, 3);
    edda_index_t *index = edda_index_new(NULL);
    for (uint64_t memo = 1; memo <= 3; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        snprintf(chunk.text, sizeof chunk.text, "marble");
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    struct edda_index_result result = build_search(&build, index, "marble", NULL);
    assert_int_equal(result.count, 3);
    assert_int_equal(edda_index_rescore(index, build.scratch, fetched, 10, &result), 0);
    assert_int_equal(result.count, 2);
    assert_int_not_equal(result.items[0].candidate, 1);
    assert_int_not_equal(result.items[1].candidate, 1);
    edda_index_destroy(&index);
    build_done(&build);
}

static size_t refresh(struct build *build, edda_index_t *index) {
    static struct edda_uuid wanted[EDDA_INDEX_SAMPLE];
    static struct edda_index_grams grams[EDDA_INDEX_SAMPLE];
    struct edda_index_text text = {.text = EDDA_TEXT("some sampled words")};
    size_t count = edda_index_sample_wanted(index, wanted);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(edda_index_sample_make(build->scratch, &wanted[i], &text, &grams[i]), 0);
    }
    assert_int_equal(edda_index_sample_update(index, grams, count), 0);
    for (size_t i = 0; i < count; i++) {
        edda_index_grams_done(&grams[i]);
    }
    return count;
}

static void the_sample_is_due_after_a_fiftieth_more_and_asks_only_for_what_is_new(void **state) {
    (void)state;
    struct build build;
    build_init(&build, 4);
    edda_index_t *index = edda_index_new(NULL);
    assert_false(edda_index_sample_due(index));
    uint64_t memo = 1;
    for (; memo <= 1000; memo++) {
        struct build_chunk chunk = build_chunk(&build, memo);
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    assert_true(edda_index_sample_due(index));
    assert_int_equal(refresh(&build, index), 1000);
    assert_false(edda_index_sample_due(index));
    assert_int_equal(refresh(&build, index), 0);
    for (; memo <= 1200; memo++) {
        assert_true(edda_index_sample_due(index) == (memo > 1020));
        struct build_chunk chunk = build_chunk(&build, memo);
        assert_int_equal(build_add(&build, index, &chunk), 0);
        build_publish(index, memo, 0);
    }
    assert_true(edda_index_sample_due(index));
    size_t fresh = refresh(&build, index);
    assert_in_range(fresh, 120, 200); /* about 1000 * 200 / 1200 */
    for (uint64_t gone = 1; gone <= 600; gone++) {
        edda_index_remove(index, gone);
    }
    assert_true(edda_index_sample_due(index));
    (void)refresh(&build, index);
    assert_false(edda_index_sample_due(index));
    edda_index_destroy(&index);
    build_done(&build);
}

#define TEXTS 1300

/* Which texts are in the sample, by number. uuids hold the number and which index it is. */
static void note_sampled(struct build *build, const struct build_chunk *chunks,
                         uint8_t index_number, bool backwards, bool sampled[TEXTS]) {
    static struct edda_uuid wanted[EDDA_INDEX_SAMPLE];
    edda_index_t *index = edda_index_new(NULL);
    for (size_t i = 0; i < TEXTS; i++) {
        size_t number = backwards ? TEXTS - 1 - i : i;
        struct build_chunk chunk = chunks[number];
        memset(chunk.uuid.bytes, (int)(number * 31 + index_number), sizeof chunk.uuid.bytes);
        memcpy(chunk.uuid.bytes, &number, sizeof number);
        chunk.uuid.bytes[15] = index_number;
        chunk.memo = i + 1;
        assert_int_equal(build_add(build, index, &chunk), 0);
        build_publish(index, chunk.memo, 0);
    }
    size_t count = edda_index_sample_wanted(index, wanted);
    assert_int_equal(count, EDDA_INDEX_SAMPLE);
    for (size_t i = 0; i < count; i++) {
        size_t number;
        memcpy(&number, wanted[i].bytes, sizeof number);
        sampled[number] = true;
    }
    edda_index_destroy(&index);
}

static void the_same_texts_give_the_same_sample_whatever_their_ids_and_order(void **state) {
    (void)state;
    static struct build_chunk chunks[TEXTS];
    bool forth[TEXTS] = {0};
    bool back[TEXTS] = {0};
    struct build build;
    build_init(&build, 9);
    for (size_t i = 0; i < TEXTS; i++) {
        chunks[i] = build_chunk(&build, i + 1);
    }
    note_sampled(&build, chunks, 1, false, forth);
    note_sampled(&build, chunks, 2, true, back);
    assert_memory_equal(forth, back, sizeof forth);
    build_done(&build);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_ascii_give_what_single_letters_give),
        cmocka_unit_test(accents_and_case_do_not_matter),
        cmocka_unit_test(chinese_gives_characters_and_pairs),
        cmocka_unit_test(rescoring_lifts_the_chunk_that_spells_alike),
        cmocka_unit_test(candidates_that_are_gone_are_left_out),
        cmocka_unit_test(the_same_texts_give_the_same_sample_whatever_their_ids_and_order),
        cmocka_unit_test(the_sample_is_due_after_a_fiftieth_more_and_asks_only_for_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
