/* tests/actors/provider/test_api_rerank.c: every provider's reranking request and response,
 * literally.
 */
#include "tests/actors/provider/accounts.h"
#include "tests/proto/cmocka.h"

static struct edda_text items[] = {EDDA_TEXT("a"), EDDA_TEXT("b \"x\""), EDDA_TEXT("c")};
static const struct edda_texts documents = {items, 3};

static const struct {
    enum edda_provider_kind kind;
    const char *url;
    const char *body;
    const char *response; /* scores .25 for a, 1 for b, .5 for c */
} cases[] = {
    {EDDA_PROVIDER_COHERE, "http://host/base/v2/rerank",
     "{\"model\":\"m1\",\"query\":\"q\",\"documents\":[\"a\",\"b \\\"x\\\"\",\"c\"],\"top_n\":3}",
     "{\"id\":\"1\",\"results\":[{\"index\":1,\"relevance_score\":1},{\"index\":2,"
     "\"relevance_score\":0.5},{\"index\":0,\"relevance_score\":0.25}],\"meta\":{\"a\":\"\\udc00\"}"
     "}"},
    {EDDA_PROVIDER_JINA, "http://host/base/rerank",
     "{\"model\":\"m1\",\"query\":\"q\",\"documents\":[\"a\",\"b \\\"x\\\"\",\"c\"],\"top_n\":3,"
     "\"return_documents\":false}",
     "{\"model\":\"m\",\"results\":[{\"index\":1,\"relevance_score\":1.0,\"document\":{\"text\":"
     "\"b\"}},{\"index\":2,\"relevance_score\":0.5},{\"index\":0,\"relevance_score\":0.25}]}"},
    {EDDA_PROVIDER_VLLM, "http://host/base/rerank",
     "{\"model\":\"m1\",\"query\":\"q\",\"documents\":[\"a\",\"b \\\"x\\\"\",\"c\"],\"top_n\":3,"
     "\"return_documents\":false}",
     "{\"id\":\"x\",\"results\":[{\"index\":0,\"document\":{\"text\":\"a\"},"
     "\"relevance_score\":0.25},{\"index\":1,\"relevance_score\":7.5},{\"index\":2,"
     "\"relevance_score\":0.5}]}"},
    {EDDA_PROVIDER_VOYAGE, "http://host/base/rerank",
     "{\"model\":\"m1\",\"query\":\"q\",\"documents\":[\"a\",\"b \\\"x\\\"\",\"c\"],\"top_k\":3,"
     "\"truncation\":true}",
     "{\"object\":\"list\",\"data\":[{\"index\":1,\"relevance_score\":1},{\"index\":0,"
     "\"relevance_score\":0.25},{\"index\":2,\"relevance_score\":0.5}]}"},
    {EDDA_PROVIDER_TEI, "http://host/base/rerank",
     "{\"query\":\"q\",\"texts\":[\"a\",\"b \\\"x\\\"\",\"c\"],\"raw_scores\":false,"
     "\"return_text\":false,\"truncate\":true}",
     "[{\"index\":1,\"score\":1},{\"index\":2,\"score\":0.5},{\"index\":0,\"score\":0.25}]"},
    {EDDA_PROVIDER_LOCAL, "http://host/base/rerank",
     "{\"query\":\"q\",\"documents\":[\"a\",\"b \\\"x\\\"\",\"c\"],\"top_k\":3}",
     "{\"results\":[{\"index\":1,\"document\":\"b\",\"relevance_score\":1},{\"index\":2,"
     "\"document\":\"c\",\"relevance_score\":0.5},{\"index\":0,\"document\":\"a\","
     "\"relevance_score\":0.25}]}"},
};

static void each_provider_is_asked_in_its_own_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edda_account account = account_of(cases[i].kind);
        struct edda_api_request request;
        edda_api_request_init(&request, 65536);
        assert_int_equal(edda_rerank_build(&account, EDDA_TEXT("q"), &documents, &request), 0);
        assert_int_equal(edda_buffer_append(&request.body, "", 1), 0);
        assert_string_equal(request.url, cases[i].url);
        assert_string_equal((const char *)request.body.data, cases[i].body);
        assert_true(has_header(&request, "Authorization: Bearer k1"));
        edda_api_request_done(&request);
    }
}

static void each_providers_scores_are_given_in_the_documents_order(void **state) {
    (void)state;
    static const double wanted[] = {0.25, 1.0, 0.5};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct edda_account account = account_of(cases[i].kind);
        double scores[3];
        const char *why = NULL;
        assert_int_equal(edda_rerank_parse(&account, bytes_of(cases[i].response), 3, scores, &why),
                         0);
        for (size_t k = 0; k < 3; k++) {
            assert_true(scores[k] >= wanted[k] && scores[k] <= wanted[k]);
        }
    }
}

static void a_response_that_is_not_as_promised_is_refused_with_the_reason(void **state) {
    (void)state;
    static const struct {
        const char *body;
        const char *why;
    } wrong[] = {
        {"nonsense", "it is no JSON"},
        {"{}", "it has no list of scores"},
        {"{\"results\":[]}", "a document has no score"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":1}]}", "a document has no score"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":1},{\"index\":0,\"relevance_score\":1}]}",
         "two scores for one document"},
        {"{\"results\":[{\"index\":2,\"relevance_score\":1}]}", "a score for no document"},
        {"{\"results\":[{\"index\":-1,\"relevance_score\":1}]}", "a score for no document"},
        {"{\"results\":[{\"relevance_score\":1}]}", "a score for no document"},
        {"{\"results\":[{\"index\":0,\"relevance_score\":\"1\"}]}", "a score is no number"},
        {"{\"results\":[{\"index\":0}]}", "a score is no number"},
    };
    struct edda_account account = account_of(EDDA_PROVIDER_COHERE);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        double scores[2];
        const char *why = NULL;
        assert_int_equal(edda_rerank_parse(&account, bytes_of(wrong[i].body), 2, scores, &why),
                         EDDA_E_FAILED);
        assert_string_equal(why, wrong[i].why);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_provider_is_asked_in_its_own_words),
        cmocka_unit_test(each_providers_scores_are_given_in_the_documents_order),
        cmocka_unit_test(a_response_that_is_not_as_promised_is_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
