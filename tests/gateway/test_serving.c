/* tests/gateway/test_serving.c: what is remembered of projects' models, and how much of it. */
#include "gateway/serving.h"

#include <stdio.h>

#include "proto/limits.h"
#include "tests/proto/cmocka.h"

static void expect(const edda_serving_t *serving, const char *project, const char *model,
                   uint32_t dimension) {
    struct edda_text text;
    uint32_t found = 0;
    assert_true(edda_serving_find(serving, project, &text, &found));
    assert_true(edda_text_is(text, model));
    assert_int_equal(found, dimension);
}

static bool knows(const edda_serving_t *serving, const char *project) {
    struct edda_text text;
    uint32_t dimension;
    return edda_serving_find(serving, project, &text, &dimension);
}

static void a_project_has_the_model_learned_last(void **state) {
    (void)state;
    edda_serving_t *serving = edda_serving_new();
    assert_false(knows(serving, "books"));
    edda_serving_learn(serving, "books", EDDA_TEXT("old"), 8);
    edda_serving_learn(serving, "films", EDDA_TEXT("other"), 16);
    expect(serving, "books", "old", 8);
    edda_serving_learn(serving, "books", EDDA_TEXT("new"), 1024);
    expect(serving, "books", "new", 1024);
    expect(serving, "films", "other", 16);
    assert_false(knows(serving, ""));
    edda_serving_destroy(&serving);
    edda_serving_destroy(&serving);
}

static void names_over_the_limit_are_not_kept(void **state) {
    (void)state;
    edda_serving_t *serving = edda_serving_new();
    char longest[EDDA_MAX_NAME + 2];
    memset(longest, 'x', sizeof longest);
    longest[EDDA_MAX_NAME + 1] = '\0';
    edda_serving_learn(serving, longest, EDDA_TEXT("model"), 8);
    assert_false(knows(serving, longest));
    edda_serving_learn(serving, "books", edda_text_of(longest), 8);
    assert_false(knows(serving, "books"));
    longest[EDDA_MAX_NAME] = '\0';
    edda_serving_learn(serving, longest, edda_text_of(longest), 8);
    expect(serving, longest, longest, 8);
    edda_serving_destroy(&serving);
}

static void the_newest_of_more_projects_than_fit_are_known(void **state) {
    (void)state;
    edda_serving_t *serving = edda_serving_new();
    size_t known = 0;
    char name[32];
    for (int i = 0; i < 4 * EDDA_SERVING_PROJECTS; i++) {
        (void)snprintf(name, sizeof name, "project-%d", i);
        edda_serving_learn(serving, name, EDDA_TEXT("model"), (uint32_t)i + 1);
        expect(serving, name, "model", (uint32_t)i + 1);
    }
    for (int i = 0; i < 4 * EDDA_SERVING_PROJECTS; i++) {
        (void)snprintf(name, sizeof name, "project-%d", i);
        known += knows(serving, name);
    }
    assert_true(known <= EDDA_SERVING_PROJECTS && known > EDDA_SERVING_PROJECTS / 2);
    edda_serving_destroy(&serving);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_project_has_the_model_learned_last),
        cmocka_unit_test(names_over_the_limit_are_not_kept),
        cmocka_unit_test(the_newest_of_more_projects_than_fit_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
