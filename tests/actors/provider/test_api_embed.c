/* tests/actors/provider/test_api_embed.c: every provider's embedding request and response,
 * literally.
 */
#include "tests/actors/provider/accounts.h"
#include "tests/proto/cmocka.h"

#include <stdlib.h>

static struct edda_text two_items[] = {EDDA_TEXT("one \"1\""), EDDA_TEXT("zwei\n\xc3\xa4")};
static const struct edda_texts two = {two_items, 2};
static const struct edda_texts single = {two_items, 1};

static struct {
    enum edda_provider_kind kind;
    const char *url;
    const char *key_header;
    const char *query;    /* body of `two` as queries, no dimension */
    const char *document; /* as documents, dimension 8 */
} const requests[] = {
    {EDDA_PROVIDER_OPENAI, "http://host/base/embeddings", "Authorization: Bearer k1",
     "{\"model\":\"m1\",\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],"
     "\"encoding_format\":\"base64\"}",
     "{\"model\":\"m1\",\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"dimensions\":8,"
     "\"encoding_format\":\"base64\"}"},
    {EDDA_PROVIDER_VOYAGE, "http://host/base/embeddings", "Authorization: Bearer k1",
     "{\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"model\":\"m1\",\"input_type\":\"query\","
     "\"truncation\":true,\"encoding_format\":\"base64\"}",
     "{\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"model\":\"m1\","
     "\"input_type\":\"document\",\"output_dimension\":8,\"truncation\":true,"
     "\"encoding_format\":\"base64\"}"},
    {EDDA_PROVIDER_COHERE, "http://host/base/v2/embed", "Authorization: Bearer k1",
     "{\"model\":\"m1\",\"input_type\":\"search_query\",\"texts\":[\"one \\\"1\\\"\","
     "\"zwei\\n\xc3\xa4\"],\"embedding_types\":[\"float\"],\"truncate\":\"END\"}",
     "{\"model\":\"m1\",\"input_type\":\"search_document\",\"texts\":[\"one \\\"1\\\"\","
     "\"zwei\\n\xc3\xa4\"],\"output_dimension\":8,\"embedding_types\":[\"float\"],"
     "\"truncate\":\"END\"}"},
    {EDDA_PROVIDER_JINA, "http://host/base/embeddings", "Authorization: Bearer k1",
     "{\"model\":\"m1\",\"task\":\"retrieval.query\",\"embedding_type\":\"base64\","
     "\"truncate\":true,\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"]}",
     "{\"model\":\"m1\",\"task\":\"retrieval.passage\",\"dimensions\":8,"
     "\"embedding_type\":\"base64\",\"truncate\":true,\"input\":[\"one \\\"1\\\"\","
     "\"zwei\\n\xc3\xa4\"]}"},
    {EDDA_PROVIDER_GEMINI, "http://host/base/models/m1:batchEmbedContents", "x-goog-api-key: k1",
     "{\"requests\":[{\"model\":\"models/m1\",\"content\":{\"parts\":[{\"text\":\"one \\\"1\\\"\"}"
     "]},\"taskType\":\"RETRIEVAL_QUERY\"},{\"model\":\"models/m1\",\"content\":{\"parts\":[{"
     "\"text\":\"zwei\\n\xc3\xa4\"}]},\"taskType\":\"RETRIEVAL_QUERY\"}]}",
     "{\"requests\":[{\"model\":\"models/m1\",\"content\":{\"parts\":[{\"text\":\"one \\\"1\\\"\"}"
     "]},\"taskType\":\"RETRIEVAL_DOCUMENT\",\"outputDimensionality\":8},{\"model\":\"models/m1\","
     "\"content\":{\"parts\":[{\"text\":\"zwei\\n\xc3\xa4\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\","
     "\"outputDimensionality\":8}]}"},
    {EDDA_PROVIDER_TEI, "http://host/base/embed", "Authorization: Bearer k1",
     "{\"inputs\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"normalize\":true,\"truncate\":true}",
     "{\"inputs\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"normalize\":true,\"truncate\":true,"
     "\"dimensions\":8}"},
    {EDDA_PROVIDER_OLLAMA, "http://host/base/api/embed", "Authorization: Bearer k1",
     "{\"model\":\"m1\",\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"truncate\":true}",
     "{\"model\":\"m1\",\"input\":[\"one \\\"1\\\"\",\"zwei\\n\xc3\xa4\"],\"truncate\":true,"
     "\"dimensions\":8}"},
};

static void expect_body(const struct edda_account *account, const struct edda_texts *texts,
                        bool query, const char *url, const char *key_header, const char *body) {
    struct edda_api_request request;
    edda_api_request_init(&request, 65536);
    assert_int_equal(edda_embed_build(account, texts, query, &request), 0);
    assert_string_equal(request.url, url);
    assert_int_equal(edda_buffer_append(&request.body, "", 1), 0);
    assert_string_equal((const char *)request.body.data, body);
    assert_true(has_header(&request, "Content-Type: application/json"));
    assert_true(has_header(&request, "Accept: application/json"));
    assert_true(has_header(&request, key_header));
    assert_int_equal(count_header_list(&request), 3);
    edda_api_request_done(&request);
}

static void each_provider_is_asked_in_its_own_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct edda_account account = account_of(requests[i].kind);
        expect_body(&account, &two, true, requests[i].url, requests[i].key_header,
                    requests[i].query);
        account.dimension = 8;
        expect_body(&account, &two, false, requests[i].url, requests[i].key_header,
                    requests[i].document);
    }
}

static void skalds_service_takes_one_text_a_call(void **state) {
    (void)state;
    struct edda_account account = account_of(EDDA_PROVIDER_LOCAL);
    expect_body(&account, &single, true, "http://host/base/embed", "Authorization: Bearer k1",
                "{\"content\":\"one \\\"1\\\"\",\"normalize\":true}");
    assert_int_equal(edda_embed_limits(&account, 0).items, 1);
}

static void a_call_without_a_key_has_no_header_of_one(void **state) {
    (void)state;
    struct edda_account account = account_of(EDDA_PROVIDER_OPENAI);
    struct edda_api_request request;
    account.key = "";
    edda_api_request_init(&request, 65536);
    assert_int_equal(edda_embed_build(&account, &two, true, &request), 0);
    assert_int_equal(count_header_list(&request), 2);
    edda_api_request_done(&request);
}

static void a_key_with_a_line_break_is_refused(void **state) {
    (void)state;
    struct edda_account account = account_of(EDDA_PROVIDER_OPENAI);
    struct edda_api_request request;
    account.key = "k1\r\nX-Other: 1";
    edda_api_request_init(&request, 65536);
    assert_int_equal(edda_embed_build(&account, &two, true, &request), EDDA_E_LIMIT);
    edda_api_request_done(&request);
}

static void as_many_texts_as_a_provider_takes_and_no_more(void **state) {
    (void)state;
    static struct edda_text items[1600];
    struct edda_account account = account_of(EDDA_PROVIDER_COHERE);
    struct edda_texts texts = {items, 96};
    struct edda_api_request request;
    for (size_t i = 0; i < 1600; i++) {
        items[i] = EDDA_TEXT("x");
    }
    edda_api_request_init(&request, 65536);
    assert_int_equal(edda_embed_build(&account, &texts, true, &request), 0);
    texts.count = 97;
    assert_int_equal(edda_embed_build(&account, &texts, true, &request), EDDA_E_INVALID);
    texts.count = 0;
    assert_int_equal(edda_embed_build(&account, &texts, true, &request), EDDA_E_INVALID);
    edda_api_request_done(&request);
    assert_int_equal(edda_embed_limits(&account, 0).items, 96);
    assert_int_equal(edda_embed_limits(&account, 10).items, 10);
    assert_int_equal(edda_embed_limits(&account, 1000).items, 96);
}

static void a_text_that_is_too_long_is_cut_at_a_character(void **state) {
    (void)state;
    static char letters[8000];
    struct edda_account account = account_of(EDDA_PROVIDER_GEMINI);
    uint32_t most = edda_embed_limits(&account, 0).item_bytes;
    struct edda_text item = {letters, 7999};
    struct edda_texts texts = {&item, 1};
    struct edda_api_request request;
    memset(letters, 'a', sizeof letters);
    memcpy(letters + most - 1, "\xc3\xa4", 2); /* the cut would part it */
    edda_api_request_init(&request, 65536);
    assert_int_equal(edda_embed_build(&account, &texts, true, &request), 0);
    assert_int_equal(edda_buffer_append(&request.body, "", 1), 0);
    assert_null(strstr((const char *)request.body.data, "\xc3"));
    assert_true(request.body.size > most && request.body.size < most + 200);
    edda_api_request_done(&request);
}

/* ---- responses ---- */

static struct edda_embed_vectors vectors;
static const char *why;

static int parse(enum edda_provider_kind kind, const char *body, size_t count, uint32_t dimension) {
    struct edda_account account = account_of(kind);
    return edda_embed_parse(&account, bytes_of(body), count, dimension, &vectors, &why);
}

static void expect_vectors(enum edda_provider_kind kind, const char *body) {
    static const float wanted[] = {1.0f, -0.5f, 0.25f, 2.0f};
    assert_int_equal(parse(kind, body, 2, 0), 0);
    assert_int_equal(vectors.count, 2);
    assert_int_equal(vectors.dimension, 2);
    assert_memory_equal(vectors.values, wanted, sizeof wanted);
    edda_embed_vectors_done(&vectors);
}

static void each_providers_response_is_understood(void **state) {
    (void)state;
    /* AACAPwAAAL8= is {1, -0.5}, AACAPgAAAEA= is {0.25, 2}. */
    static const char indexed[] =
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":1,"
        "\"embedding\":\"AACAPgAAAEA=\"},{\"object\":\"embedding\",\"index\":0,"
        "\"embedding\":\"AACAPwAAAL8=\"}],\"model\":\"m\",\"usage\":{\"total_tokens\":9}}";
    static const char floats[] = "{\"data\":[{\"index\":0,\"embedding\":[1,-0.5]},"
                                 "{\"index\":1,\"embedding\":[0.25,2.0]}]}";
    static const char half[] =
        "{\"model\":\"\\ud83d\",\"data\":[{\"index\":0,\"embedding\":[1,-0.5]},"
        "{\"index\":1,\"embedding\":[0.25,2.0]}]}";
    static const enum edda_provider_kind kinds[] = {EDDA_PROVIDER_OPENAI, EDDA_PROVIDER_VOYAGE,
                                                    EDDA_PROVIDER_JINA};
    for (size_t i = 0; i < 3; i++) {
        expect_vectors(kinds[i], indexed);
        expect_vectors(kinds[i], floats);
        expect_vectors(kinds[i], half);
    }
    expect_vectors(EDDA_PROVIDER_COHERE,
                   "{\"id\":\"x\",\"embeddings\":{\"float\":[[1,-0.5],[0.25,2]]},\"texts\":[]}");
    expect_vectors(EDDA_PROVIDER_GEMINI,
                   "{\"embeddings\":[{\"values\":[1,-0.5]},{\"values\":[0.25,2]}]}");
    expect_vectors(EDDA_PROVIDER_TEI, "[[1,-0.5],[0.25,2]]");
    expect_vectors(EDDA_PROVIDER_OLLAMA,
                   "{\"model\":\"m\",\"embeddings\":[[1,-0.5],[0.25,2]],\"prompt_eval_count\":3}");
    assert_int_equal(parse(EDDA_PROVIDER_LOCAL, "{\"embedding\":[1,-0.5],\"dimension\":2}", 1, 2),
                     0);
    assert_int_equal(vectors.dimension, 2);
    edda_embed_vectors_done(&vectors);
}

static void tokens_are_those_the_provider_counted(void **state) {
    (void)state;
    assert_int_equal(parse(EDDA_PROVIDER_OPENAI,
                           "{\"data\":[{\"index\":0,\"embedding\":[1]}],"
                           "\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}",
                           1, 0),
                     0);
    assert_int_equal(vectors.tokens, 5);
    edda_embed_vectors_done(&vectors);
}

static void a_response_that_is_not_as_promised_is_refused_with_the_reason(void **state) {
    (void)state;
    static const struct {
        const char *body;
        const char *why;
    } cases[] = {
        {"", "it is no JSON"},
        {"{\"data\":", "it is no JSON"},
        {"{}", "it has no list of vectors"},
        {"[]", "it has no list of vectors"},
        {"{\"data\":{}}", "it has no list of vectors"},
        {"{\"data\":[]}", "another number of vectors than texts"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,2]}]}", "another number of vectors than texts"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":1,\"embedding\":[1,2]},"
         "{\"index\":2,\"embedding\":[1,2]}]}",
         "a vector for no text"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":0,\"embedding\":[1,2]}]}",
         "two vectors for one text"},
        {"{\"data\":[{\"index\":-1,\"embedding\":[1,2]}]}", "an index is no number"},
        {"{\"data\":[{\"index\":0.5,\"embedding\":[1,2]}]}", "an index is no number"},
        {"{\"data\":[{\"index\":\"0\",\"embedding\":[1,2]}]}", "an index is no number"},
        {"{\"data\":[{\"index\":99999999999999,\"embedding\":[1,2]}]}", "a vector for no text"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,2]},{\"index\":1,\"embedding\":[1]}]}",
         "a vector of another dimension"},
        {"{\"data\":[{\"index\":0,\"embedding\":[]},{\"index\":1,\"embedding\":[]}]}",
         "a vector without values, or with too many"},
        {"{\"data\":[{\"index\":0}]}", "a vector is no list of numbers"},
        {"{\"data\":[{\"index\":0,\"embedding\":7}]}", "a vector is no list of numbers"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,null]}]}",
         "a vector holds a value that is no number"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,1e300]}]}",
         "a vector holds a value that is no number"},
        {"{\"data\":[{\"index\":0,\"embedding\":[NaN]}]}", "it is no JSON"},
        {"{\"data\":[{\"index\":0,\"embedding\":\"AADAfwAAgD8=\"}]}",
         "a vector holds a value that is no number"},
        {"{\"data\":[{\"index\":0,\"embedding\":\"AACAPwA=\"}]}",
         "a vector is no base64 of floats"},
        {"{\"data\":[{\"index\":0,\"embedding\":\"!!\"}]}", "a vector is no base64 of floats"},
        {"{\"data\":[7]}", "a vector is no list of numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(EDDA_PROVIDER_OPENAI, cases[i].body, 2, 0), EDDA_E_FAILED);
        assert_string_equal(why, cases[i].why);
        assert_null(vectors.values);
    }
}

static void the_dimension_asked_for_is_the_only_one_taken(void **state) {
    (void)state;
    assert_int_equal(parse(EDDA_PROVIDER_TEI, "[[1,2,3]]", 1, 3), 0);
    edda_embed_vectors_done(&vectors);
    assert_int_equal(parse(EDDA_PROVIDER_TEI, "[[1,2,3]]", 1, 4), EDDA_E_FAILED);
    assert_string_equal(why, "a vector of another dimension");
}

static int parse_values(size_t values) {
    char *body = malloc(2 * values + 16);
    size_t size = 2;
    assert_non_null(body);
    memcpy(body, "[[", size);
    for (size_t i = 0; i < values; i++) {
        body[size++] = '1';
        body[size++] = i + 1 < values ? ',' : ']';
    }
    body[size++] = ']';
    struct edda_account account = account_of(EDDA_PROVIDER_TEI);
    int error = edda_embed_parse(&account, (struct edda_bytes){(const uint8_t *)body, size}, 1, 4,
                                 &vectors, &why);
    free(body);
    edda_embed_vectors_done(&vectors);
    return error;
}

static void a_response_of_far_more_values_than_wanted_is_not_parsed(void **state) {
    (void)state;
    const size_t most = 2 * (4 + EDDA_EMBED_MARGIN) + 1; /* a comma fewer than values */
    assert_int_equal(parse_values(most), EDDA_E_FAILED);
    assert_string_not_equal(why, "it holds far more than was asked for");
    assert_int_equal(parse_values(most + 1), EDDA_E_FAILED);
    assert_string_equal(why, "it holds far more than was asked for");
    char many[512] = "[[1,2,3,4]]";
    memset(many + strlen(many), '[', 2 * EDDA_EMBED_MARGIN - 1);
    assert_int_equal(parse(EDDA_PROVIDER_TEI, many, 1, 4), EDDA_E_FAILED);
    assert_string_equal(why, "it holds far more than was asked for");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_provider_is_asked_in_its_own_words),
        cmocka_unit_test(skalds_service_takes_one_text_a_call),
        cmocka_unit_test(a_call_without_a_key_has_no_header_of_one),
        cmocka_unit_test(a_key_with_a_line_break_is_refused),
        cmocka_unit_test(as_many_texts_as_a_provider_takes_and_no_more),
        cmocka_unit_test(a_text_that_is_too_long_is_cut_at_a_character),
        cmocka_unit_test(each_providers_response_is_understood),
        cmocka_unit_test(tokens_are_those_the_provider_counted),
        cmocka_unit_test(a_response_that_is_not_as_promised_is_refused_with_the_reason),
        cmocka_unit_test(the_dimension_asked_for_is_the_only_one_taken),
        cmocka_unit_test(a_response_of_far_more_values_than_wanted_is_not_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
