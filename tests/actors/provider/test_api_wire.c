/* tests/actors/provider/test_api_wire.c: what is built and what is read, against a provider that
 * answers: over real HTTP, in every provider's words. */
#include <curl/curl.h>
#include <stdio.h>

#include "tests/actors/provider/accounts.h"
#include "tests/proto/cmocka.h"
#include "tests/provider/provider_process.h"

#define DIMENSION 48

static struct edda_text text_items[] = {EDDA_TEXT("Blue whales \"eat\" krill"),
                                        EDDA_TEXT("fuel for cars"), EDDA_TEXT("whales")};
static const struct edda_texts texts = {text_items, 3};
static const struct edda_texts single = {text_items, 1};

static const struct {
    enum edda_provider_kind kind;
    const char *prefix;
} embedders[] = {{EDDA_PROVIDER_OPENAI, "openai/v1"},     {EDDA_PROVIDER_VOYAGE, "voyage/v1"},
                 {EDDA_PROVIDER_COHERE, "cohere"},        {EDDA_PROVIDER_JINA, "jina/v1"},
                 {EDDA_PROVIDER_GEMINI, "gemini/v1beta"}, {EDDA_PROVIDER_OLLAMA, "ollama"}},
  rerankers[] = {{EDDA_PROVIDER_VOYAGE, "voyage/v1"}, {EDDA_PROVIDER_COHERE, "cohere"},
                 {EDDA_PROVIDER_JINA, "jina/v1"},     {EDDA_PROVIDER_VLLM, "vllm/v1"},
                 {EDDA_PROVIDER_TEI, "tei"},          {EDDA_PROVIDER_LOCAL, "local"}},
  talkers[] = {{EDDA_PROVIDER_OPENAI, "openai/v1"},
               {EDDA_PROVIDER_ANTHROPIC, "anthropic"},
               {EDDA_PROVIDER_GEMINI, "gemini/v1beta"},
               {EDDA_PROVIDER_GROQ, "groq/v1"},
               {EDDA_PROVIDER_LOCAL, "local/v1"}};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct provider_process *fake;

static int start_fake(void **state) {
    (void)state;
    fake = provider_process_start(NULL, NULL);
    provider_process_set(fake, "{\"all\":{\"require_key\":\"k1\"}}");
    return 0;
}

static int stop_fake(void **state) {
    (void)state;
    provider_process_stop(&fake);
    return 0;
}

static struct edda_account account_at(enum edda_provider_kind kind, const char *prefix) {
    struct edda_account account = account_of(kind);
    provider_process_url(fake, prefix, account.url, sizeof account.url);
    return account;
}

static size_t keep(char *data, size_t size, size_t count, void *context) {
    return edda_buffer_append(context, data, size * count) ? 0 : size * count;
}

/* Sends what was built; the response's body, which must be a success's. */
static struct edda_buffer send_request(struct edda_api_request *request) {
    struct edda_buffer answer;
    struct curl_slist *headers = NULL;
    long status = 0;
    CURL *curl = curl_easy_init();
    edda_buffer_init(&answer, 1 << 20);
    for (size_t i = 0; request->header_list[i]; i++) {
        headers = curl_slist_append(headers, request->header_list[i]);
    }
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.size);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        fail_msg("%s: %ld %.*s", request->url, status, (int)answer.size, answer.data);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return answer;
}

static struct edda_embed_vectors embed(const struct edda_account *account,
                                       const struct edda_texts *wanted) {
    struct edda_embed_vectors vectors = {0};
    struct edda_api_request request;
    const char *why = "";
    edda_api_request_init(&request, 65536);
    assert_int_equal(edda_embed_build(account, wanted, false, &request), 0);
    struct edda_buffer answer = send_request(&request);
    if (edda_embed_parse(account, edda_buffer_bytes(&answer), wanted->count, DIMENSION, &vectors,
                         &why)) {
        fail_msg("%s: %s", request.url, why);
    }
    edda_buffer_done(&answer);
    edda_api_request_done(&request);
    return vectors;
}

static void every_providers_vectors_are_read_alike(void **state) {
    struct edda_embed_vectors first = {0};
    (void)state;
    provider_process_set(fake, "{\"embed\":{\"shuffle\":true,\"dimension\":48}}");
    for (size_t i = 0; i < COUNT(embedders); i++) {
        struct edda_account account = account_at(embedders[i].kind, embedders[i].prefix);
        account.dimension = DIMENSION;
        struct edda_embed_vectors vectors = embed(&account, &texts);
        assert_int_equal(vectors.count, 3);
        if (i == 0) {
            first = vectors;
            continue;
        }
        assert_memory_equal(vectors.values, first.values, 3 * DIMENSION * sizeof(float));
        edda_embed_vectors_done(&vectors);
    }
    edda_embed_vectors_done(&first);
}

static void services_without_models_are_read_alike(void **state) {
    (void)state;
    provider_process_set(fake, "{\"embed\":{\"dimension\":48}}");
    struct edda_account tei = account_at(EDDA_PROVIDER_TEI, "tei");
    struct edda_account local = account_at(EDDA_PROVIDER_LOCAL, "local");
    struct edda_embed_vectors one = embed(&tei, &single);
    struct edda_embed_vectors other = embed(&local, &single);
    assert_memory_equal(one.values, other.values, DIMENSION * sizeof(float));
    edda_embed_vectors_done(&one);
    edda_embed_vectors_done(&other);
}

static void every_providers_scores_are_read_in_the_documents_order(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rerankers); i++) {
        struct edda_account account = account_at(rerankers[i].kind, rerankers[i].prefix);
        struct edda_api_request request;
        double scores[3];
        const char *why = "";
        edda_api_request_init(&request, 65536);
        assert_int_equal(edda_rerank_build(&account, EDDA_TEXT("blue whales"), &texts, &request),
                         0);
        struct edda_buffer answer = send_request(&request);
        if (edda_rerank_parse(&account, edda_buffer_bytes(&answer), 3, scores, &why)) {
            fail_msg("%s: %s", request.url, why);
        }
        assert_true(scores[0] == 1.0 && scores[1] == 0.0 && scores[2] == 0.5);
        edda_buffer_done(&answer);
        edda_api_request_done(&request);
    }
}

static void every_providers_stream_is_read_to_its_end(void **state) {
    static struct edda_llm_message question = {EDDA_TEXT("user"), EDDA_TEXT("What is it?")};
    struct edda_chat_prompt prompt = {EDDA_TEXT("Be brief."), {&question, 1}, 4};
    (void)state;
    for (size_t i = 0; i < COUNT(talkers); i++) {
        struct edda_account account = account_at(talkers[i].kind, talkers[i].prefix);
        struct edda_api_request request;
        struct edda_chat_stream stream;
        edda_api_request_init(&request, 65536);
        edda_chat_stream_init(&stream, &account);
        assert_int_equal(edda_chat_build(&account, &prompt, &request), 0);
        struct edda_buffer answer = send_request(&request);
        assert_int_equal(edda_chat_stream_feed(&stream, edda_buffer_bytes(&answer)), 0);
        assert_int_equal(edda_chat_stream_end(&stream), 0);
        assert_int_equal(edda_buffer_append(&stream.text, "", 1), 0);
        assert_string_equal((const char *)stream.text.data, "From [[1]] and [[2]]: ");
        assert_string_equal(stream.finish, "length");
        assert_int_equal(stream.output_tokens, 4);
        assert_true(stream.input_tokens > 0);
        edda_buffer_done(&answer);
        edda_chat_stream_done(&stream);
        edda_api_request_done(&request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_providers_vectors_are_read_alike),
        cmocka_unit_test(services_without_models_are_read_alike),
        cmocka_unit_test(every_providers_scores_are_read_in_the_documents_order),
        cmocka_unit_test(every_providers_stream_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
