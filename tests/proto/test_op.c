/* tests/proto/test_op.c: the table of operations fits the bodies, the limits and itself. */
#include "proto/envelope.h"
#include "proto/op.h"
#include "tests/proto/cmocka.h"

static void an_op_is_found_by_its_whole_name(void **state) {
    (void)state;
    const struct edda_op *op = edda_op_find(EDDA_TEXT("store.search"));
    assert_non_null(op);
    assert_string_equal(op->name, "store.search");
    assert_int_equal(op->arguments, EDDA_BODY_STORE_SEARCH);
    assert_int_equal(op->input, EDDA_BODY_EMBEDDINGS);
    assert_int_equal(op->output, EDDA_BODY_HITS);
    assert_int_equal(op->budget_ms, 5000);
    assert_null(edda_op_find(EDDA_TEXT("store")));
    assert_null(edda_op_find(EDDA_TEXT("store.searching")));
    assert_null(edda_op_find(EDDA_TEXT("STORE.SEARCH")));
    assert_null(edda_op_find(EDDA_TEXT("")));
    assert_null(edda_op_find((struct edda_text){NULL, 0}));
}

static void every_op_is_found_and_its_bodies_exist(void **state) {
    (void)state;
    size_t count;
    const struct edda_op *ops = edda_op_table(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(edda_op_find(edda_text_of(ops[i].name)), &ops[i]);
        assert_true(strlen(ops[i].name) <= EDDA_MAX_NAME);
        assert_non_null(edda_body_schema(ops[i].arguments));
        assert_true(ops[i].input == EDDA_BODY_NONE || edda_body_schema(ops[i].input));
        assert_non_null(edda_body_schema(ops[i].output));
        assert_in_range(ops[i].budget_ms, 1, EDDA_MAX_TTL_MS);
        assert_true(strlen(ops[i].meaning) > 0);
    }
}

/* The two itineraries that the house lives on. */
static void the_steps_of_ingest_and_search_fit_each_other(void **state) {
    (void)state;
    static const char *const routes[][3] = {{"chunk", "embed.chunks", "store.put_chunks"},
                                            {"embed", "store.search", "rerank"}};
    for (size_t i = 0; i < 2; i++) {
        uint16_t given = EDDA_BODY_NONE;
        for (size_t k = 0; k < 3; k++) {
            const struct edda_op *op = edda_op_find(edda_text_of(routes[i][k]));
            assert_non_null(op);
            assert_int_equal(op->input, given);
            given = op->output;
        }
    }
}

static void an_ops_service_is_what_stands_before_the_dot(void **state) {
    (void)state;
    assert_true(edda_text_is(edda_op_service(EDDA_TEXT("store.search")), "store"));
    assert_true(edda_text_is(edda_op_service(EDDA_TEXT("embed")), "embed"));
    assert_true(edda_text_is(edda_op_service(EDDA_TEXT("a.b.c")), "a"));
    assert_true(edda_text_is(edda_op_service(EDDA_TEXT(".x")), ""));
    assert_int_equal(edda_op_service((struct edda_text){NULL, 0}).size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_op_is_found_by_its_whole_name),
        cmocka_unit_test(every_op_is_found_and_its_bodies_exist),
        cmocka_unit_test(the_steps_of_ingest_and_search_fit_each_other),
        cmocka_unit_test(an_ops_service_is_what_stands_before_the_dot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
