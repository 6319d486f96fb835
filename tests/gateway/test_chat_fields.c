/* tests/gateway/test_chat_fields.c: every refusal of a chat's body, both spellings, the defaults.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/chat_fields.h"
#include "proto/limits.h"
#include "proto/uuid.h"
#include "tests/gateway/fields.h"

#define CHAT "0190aaaa-bbbb-7ccc-8ddd-eeeeffff0003"

static struct edda_chat_fields fields;

static void expect(const char *text, const char *wanted) {
    const char *message = NULL;
    parse(text);
    int error = edda_chat_check(json, &arena, &fields, &message);
    expect_words(text, error, message, wanted);
}

static void expect_config(const char *config, const char *wanted) {
    char text[1024];
    (void)snprintf(text, sizeof text, "{\"query\":\"q\",\"rag_config\":%s}", config);
    expect(text, wanted);
}

static void a_query_alone_has_the_contracts_defaults(void **state) {
    (void)state;
    expect("{\"query\":\"q\"}", NULL);
    assert_true(edda_text_is(fields.query, "q"));
    assert_false(fields.stream || fields.continues || fields.rewrite || fields.references);
    assert_true(fields.rerank);
    assert_int_equal(fields.candidates, 50);
    assert_int_equal(fields.top_k, 25);
    assert_true(fields.minimum_cosine == 0);
    assert_null(fields.provider.data);
    assert_null(fields.system_prompt.data);
    assert_int_equal(fields.filters.count, 0);
}

static void a_query_is_required(void **state) {
    (void)state;
    expect(NULL, "Query is required");
    expect("{}", "Query is required");
    expect("[]", "Query is required");
    expect("{\"query\":\"\"}", "Query is required");
    expect("{\"query\":5}", NULL);
}

static void filters_are_checked_as_a_searchs(void **state) {
    (void)state;
    expect("{\"query\":\"q\",\"filters\":{}}", "Filters must be a list");
    expect("{\"query\":\"q\",\"filters\":[{}]}",
           "Invalid filter: Filter must have field, operator, value, and filter_type");
    expect("{\"query\":\"q\",\"filters\":[{\"field\":\"a\",\"operator\":\"eq\",\"value\":7,"
           "\"filter_type\":\"custom_metadata\"}]}",
           NULL);
    assert_int_equal(fields.filters.count, 1);
    /* Nothing is equal to null: the store is asked for what no memo has. */
    expect("{\"query\":\"q\",\"filters\":[{\"field\":\"a\",\"operator\":\"eq\",\"value\":null,"
           "\"filter_type\":\"custom_metadata\"}]}",
           NULL);
    assert_int_equal(fields.filters.count, 1);
    assert_true(edda_text_is(fields.filters.items[0].operator_name, "in"));
    assert_int_equal(fields.filters.items[0].values.count, 0);
}

static void switches_are_booleans(void **state) {
    (void)state;
    static const char *const groups[][2] = {
        {"query_rewrite", "Invalid query rewrite enabled: "},
        {"queryRewrite", "Invalid query rewrite enabled: "},
        {"reranking", "Invalid reranking enabled: "},
        {"references", "Invalid references enabled: "},
    };
    static const char *const values[][2] = {
        {"\"yes\"", "yes"}, {"1", "1"}, {"1.5", "1.5"}, {"{}", "[object Object]"}, {"[1]", "[1]"},
    };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            char config[128];
            char wanted[128];
            (void)snprintf(config, sizeof config, "{\"%s\":{\"enabled\":%s}}", groups[i][0],
                           values[k][0]);
            (void)snprintf(wanted, sizeof wanted, "%s%s. Must be a boolean.", groups[i][1],
                           values[k][1]);
            expect_config(config, wanted);
        }
    }
    expect_config("{\"query_rewrite\":{\"enabled\":true},\"reranking\":{\"enabled\":false},"
                  "\"references\":{\"enabled\":true}}",
                  NULL);
    assert_true(fields.rewrite && !fields.rerank && fields.references);
    expect_config("{\"queryRewrite\":{\"enabled\":true}}", NULL);
    assert_true(fields.rewrite);
    expect_config("{\"queryRewrite\":{\"enabled\":null},\"reranking\":{\"enabled\":null}}", NULL);
    assert_true(!fields.rewrite && fields.rerank);
}

static void numbers_have_ranges(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"vector_search\":{\"top_k\":0}}",
         "Invalid vector search topK: 0. Must be a number between 1 and 200."},
        {"{\"vector_search\":{\"top_k\":201}}",
         "Invalid vector search topK: 201. Must be a number between 1 and 200."},
        {"{\"vectorSearch\":{\"topK\":\"50\"}}",
         "Invalid vector search topK: 50. Must be a number between 1 and 200."},
        {"{\"vector_search\":{\"similarity_threshold\":2}}",
         "Invalid similarity threshold: 2. Must be a number between 0 and 1."},
        {"{\"vectorSearch\":{\"similarityThreshold\":-0.5}}",
         "Invalid similarity threshold: -0.5. Must be a number between 0 and 1."},
        {"{\"reranking\":{\"top_k\":101}}",
         "Invalid reranking topK: 101. Must be a number between 1 and 100."},
        {"{\"reranking\":{\"topK\":0}}",
         "Invalid reranking topK: 0. Must be a number between 1 and 100."},
        {"{\"reranking\":{\"topK\":true}}",
         "Invalid reranking topK: true. Must be a number between 1 and 100."},
        {"{\"vector_search\":{\"top_k\":10}}",
         "Reranking topK (25) must be less than or equal to vector search topK (10)."},
        {"{\"vector_search\":{\"top_k\":1.5},\"reranking\":{\"topK\":2}}",
         "Reranking topK (2) must be less than or equal to vector search topK (1.5)."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_config(cases[i][0], cases[i][1]);
    }
    expect_config("{\"vector_search\":{\"top_k\":200,\"similarity_threshold\":0.25},"
                  "\"reranking\":{\"top_k\":100}}",
                  NULL);
    assert_int_equal(fields.candidates, 200);
    assert_int_equal(fields.top_k, 100);
    assert_true(fields.minimum_cosine == 0.75);
    expect_config("{\"vectorSearch\":{\"topK\":1,\"similarityThreshold\":0},"
                  "\"reranking\":{\"topK\":1}}",
                  NULL);
    assert_int_equal(fields.candidates, 1);
    assert_int_equal(fields.top_k, 1);
    assert_true(fields.minimum_cosine == 1);
}

static void what_is_no_object_is_as_if_it_were_not_there(void **state) {
    (void)state;
    static const char *const configs[] = {"null",
                                          "5",
                                          "\"x\"",
                                          "[]",
                                          "{\"vector_search\":7}",
                                          "{\"reranking\":null}",
                                          "{\"unknown\":{}}"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        expect_config(configs[i], NULL);
        assert_int_equal(fields.candidates, 50);
    }
    /* The contract's spelling comes first. */
    expect_config("{\"vectorSearch\":{\"topK\":30},\"vector_search\":{\"top_k\":40}}", NULL);
    assert_int_equal(fields.candidates, 40);
}

static void a_provider_is_a_name_to_ask_for(void **state) {
    (void)state;
    char text[512];
    expect_config("{\"llm_provider\":\"openai\"}", NULL);
    assert_true(edda_text_is(fields.provider, "openai"));
    expect_config("{\"llmProvider\":\"groq\"}", NULL);
    assert_true(edda_text_is(fields.provider, "groq"));
    expect_config("{\"llm_provider\":\"\",\"llmProvider\":null}", NULL);
    assert_null(fields.provider.data);
    expect_config("{\"llm_provider\":5}", NULL);
    assert_true(edda_text_is(fields.provider, "5"));
    /* Longer than any name: its beginning is as unknown, and fits the message. */
    (void)snprintf(text, sizeof text, "{\"llm_provider\":\"%063d\u00e9\"}", 0);
    expect_config(text, NULL);
    assert_int_equal(fields.provider.size, EDDA_MAX_NAME - 1);
}

static void a_system_prompt_is_text_within_its_limit(void **state) {
    (void)state;
    expect("{\"query\":\"q\",\"system_prompt\":\"Be brief\"}", NULL);
    assert_true(edda_text_is(fields.system_prompt, "Be brief"));
    expect("{\"query\":\"q\",\"system_prompt\":\"\"}", NULL);
    assert_null(fields.system_prompt.data);
    expect("{\"query\":\"q\",\"system_prompt\":{}}", "System prompt must be a string");
    for (size_t over = 0; over < 2; over++) {
        size_t size = EDDA_MAX_PROMPT_BYTES + over;
        char *text = malloc(size + 64);
        int at = snprintf(text, 64, "{\"query\":\"q\",\"system_prompt\":\"");
        memset(text + at, 'x', size);
        memcpy(text + at + size, "\"}", 3);
        expect(text, over ? "System prompt must be 32768 bytes or less" : NULL);
        json_decref(json);
        json = NULL;
        free(text);
    }
}

static void a_stream_is_whatever_javascript_takes_for_true(void **state) {
    (void)state;
    expect("{\"query\":\"q\",\"stream\":true}", NULL);
    assert_true(fields.stream);
    expect("{\"query\":\"q\",\"stream\":\"yes\"}", NULL);
    assert_true(fields.stream);
    expect("{\"query\":\"q\",\"stream\":0}", NULL);
    assert_false(fields.stream);
}

static void a_chat_that_cannot_be_is_told_from_none(void **state) {
    (void)state;
    static const char *const impossible[] = {"\"x\"", "5", "{}", "true",
                                             "\"00000000-0000-0000-0000-000000000000\""};
    expect("{\"query\":\"q\",\"chat_id\":null}", NULL);
    assert_false(fields.continues);
    expect("{\"query\":\"q\",\"chat_id\":\"\"}", NULL);
    assert_false(fields.continues);
    expect("{\"query\":\"q\",\"chat_id\":\"" CHAT "\"}", NULL);
    assert_true(fields.continues && !edda_uuid_is_nil(&fields.chat));
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"query\":\"q\",\"chat_id\":%s}", impossible[i]);
        expect(text, NULL);
        assert_true(fields.continues && edda_uuid_is_nil(&fields.chat));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_alone_has_the_contracts_defaults, start, stop),
        cmocka_unit_test_setup_teardown(a_query_is_required, start, stop),
        cmocka_unit_test_setup_teardown(filters_are_checked_as_a_searchs, start, stop),
        cmocka_unit_test_setup_teardown(switches_are_booleans, start, stop),
        cmocka_unit_test_setup_teardown(numbers_have_ranges, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_object_is_as_if_it_were_not_there, start, stop),
        cmocka_unit_test_setup_teardown(a_provider_is_a_name_to_ask_for, start, stop),
        cmocka_unit_test_setup_teardown(a_system_prompt_is_text_within_its_limit, start, stop),
        cmocka_unit_test_setup_teardown(a_stream_is_whatever_javascript_takes_for_true, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_chat_that_cannot_be_is_told_from_none, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
