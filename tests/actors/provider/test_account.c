/* tests/actors/provider/test_account.c: settings into accounts, and words for what is missing. */
#include "actors/provider/account.h"

#include "tests/proto/cmocka.h"

#include <stdarg.h>

static edda_config_t *config;
static struct edda_account account;
static char message[EDDA_ACCOUNT_MESSAGE];

static int set_up(void **state) {
    (void)state;
    config = edda_config_new();
    message[0] = '\0';
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    edda_config_destroy(&config);
    return 0;
}

static void set(const char *variable) {
    char *environment[] = {(char *)(uintptr_t)variable, NULL};
    const char *why = NULL;
    assert_int_equal(edda_config_environment(config, environment, &why), 0);
}

static int find(enum edda_provider_use use, const char *name) {
    return edda_account_find(config, use, name, &account, message);
}

static void an_account_takes_its_providers_own_settings(void **state) {
    (void)state;
    set("OPENAI_API_KEY=sk-1");
    assert_int_equal(find(EDDA_USE_EMBED, "openai"), 0);
    assert_int_equal(account.kind, EDDA_PROVIDER_OPENAI);
    assert_string_equal(account.url, "https://api.openai.com/v1");
    assert_string_equal(account.key, "sk-1");
    assert_string_equal(account.model, "text-embedding-3-small");
    assert_string_equal(account.label, "OpenAI");
    assert_int_equal(account.dimension, 0);
    assert_int_equal(find(EDDA_USE_CHAT, "openai"), 0);
    assert_string_equal(account.model, "gpt-4o-mini");
}

static void what_is_missing_is_named_by_its_variable(void **state) {
    (void)state;
    static const struct {
        enum edda_provider_use use;
        const char *name;
        const char *message;
    } cases[] = {
        {EDDA_USE_EMBED, "openai", "EMBEDDING_PROVIDER=openai needs OPENAI_API_KEY"},
        {EDDA_USE_EMBED, "voyage", "EMBEDDING_PROVIDER=voyage needs VOYAGE_API_KEY"},
        {EDDA_USE_EMBED, "tei", "EMBEDDING_PROVIDER=tei needs EMBEDDING_SERVICE_URL"},
        {EDDA_USE_EMBED, "local", "EMBEDDING_PROVIDER=local needs EMBEDDING_SERVICE_URL"},
        {EDDA_USE_RERANK, "cohere", "RERANKING_PROVIDER=cohere needs COHERE_API_KEY"},
        {EDDA_USE_RERANK, "vllm", "RERANKING_PROVIDER=vllm needs RERANKING_SERVICE_URL"},
        {EDDA_USE_RERANK, "local", "RERANKING_PROVIDER=local needs RERANKING_SERVICE_URL"},
        {EDDA_USE_CHAT, "anthropic", "LLM_PROVIDER=anthropic needs ANTHROPIC_API_KEY"},
        {EDDA_USE_CHAT, "local", "LLM_PROVIDER=local needs LOCAL_LLM_BASE_URL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(find(cases[i].use, cases[i].name), EDDA_E_INVALID);
        assert_string_equal(message, cases[i].message);
    }
}

static void a_provider_serves_only_what_it_has(void **state) {
    (void)state;
    assert_int_equal(find(EDDA_USE_RERANK, "openai"), EDDA_E_NOT_FOUND);
    assert_int_equal(find(EDDA_USE_CHAT, "voyage"), EDDA_E_NOT_FOUND);
    assert_int_equal(find(EDDA_USE_CHAT, "tei"), EDDA_E_NOT_FOUND);
    assert_int_equal(find(EDDA_USE_EMBED, "anthropic"), EDDA_E_NOT_FOUND);
    assert_int_equal(find(EDDA_USE_EMBED, "builtin"), EDDA_E_NOT_FOUND);
    assert_int_equal(find(EDDA_USE_EMBED, ""), EDDA_E_NOT_FOUND);
}

static void the_uses_own_settings_stand_before_the_providers(void **state) {
    (void)state;
    set("EMBEDDING_PROVIDER=openai");
    set("OPENAI_API_KEY=sk-1");
    set("EMBEDDING_SERVICE_URL=http://vllm:8000/v1/");
    set("EMBEDDING_API_KEY=sk-2");
    set("EMBEDDING_MODEL=bge-m3");
    set("EMBEDDING_DIMENSION=512");
    assert_int_equal(find(EDDA_USE_EMBED, "openai"), 0);
    assert_string_equal(account.url, "http://vllm:8000/v1");
    assert_string_equal(account.key, "sk-2");
    assert_string_equal(account.model, "bge-m3");
    assert_int_equal(account.dimension, 512);
    assert_int_equal(find(EDDA_USE_CHAT, "openai"), 0); /* not touched */
    assert_string_equal(account.url, "https://api.openai.com/v1");
    assert_string_equal(account.key, "sk-1");
}

static void the_chosen_providers_key_is_sent_to_nobody_else(void **state) {
    (void)state;
    set("EMBEDDING_PROVIDER=openai");
    set("EMBEDDING_API_KEY=sk-2");
    set("EMBEDDING_SERVICE_URL=http://vllm:8000/v1");
    assert_int_equal(find(EDDA_USE_EMBED, "voyage"), EDDA_E_INVALID);
    assert_int_equal(find(EDDA_USE_EMBED, "tei"), EDDA_E_INVALID);
    assert_int_equal(find(EDDA_USE_EMBED, "local"), EDDA_E_INVALID);
    set("VOYAGE_API_KEY=pa-1");
    assert_int_equal(find(EDDA_USE_EMBED, "voyage"), 0);
    assert_string_equal(account.key, "pa-1");
    assert_string_equal(account.url, "https://api.voyageai.com/v1");
    assert_string_equal(account.model, "voyage-3-large");
    set("EMBEDDING_PROVIDER=builtin"); /* who was before, for what is still served by it */
    assert_int_equal(find(EDDA_USE_EMBED, "tei"), 0);
    assert_string_equal(account.url, "http://vllm:8000/v1");
    assert_int_equal(find(EDDA_USE_EMBED, "voyage"), 0);
    assert_string_equal(account.key, "pa-1");
}

static void an_openai_service_elsewhere_needs_no_key(void **state) {
    (void)state;
    set("OPENAI_BASE_URL=http://127.0.0.1:1234/v1");
    assert_int_equal(find(EDDA_USE_EMBED, "openai"), 0);
    assert_string_equal(account.key, "");
    assert_int_equal(find(EDDA_USE_CHAT, "openai"), 0);
}

static void the_local_reranker_is_the_embedding_service_as_in_skald(void **state) {
    (void)state;
    set("EMBEDDING_SERVICE_URL=http://127.0.0.1:8001");
    set("LOCAL_LLM_API_KEY=hush");
    assert_int_equal(find(EDDA_USE_RERANK, "local"), 0);
    assert_string_equal(account.url, "http://127.0.0.1:8001");
    assert_string_equal(account.key, ""); /* the language model's key is not theirs */
    assert_string_equal(account.model, "default");
    set("RERANKING_SERVICE_URL=http://127.0.0.1:8002");
    assert_int_equal(find(EDDA_USE_RERANK, "local"), 0);
    assert_string_equal(account.url, "http://127.0.0.1:8002");
}

static void an_url_must_be_one(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "EMBEDDING_SERVICE_URL=localhost:80",   "EMBEDDING_SERVICE_URL=ftp://host",
        "EMBEDDING_SERVICE_URL=http://",        "EMBEDDING_SERVICE_URL=http:///v1",
        "EMBEDDING_SERVICE_URL=http://a b",     "EMBEDDING_SERVICE_URL=http://h/?key=1",
        "EMBEDDING_SERVICE_URL=http://h/v1#x",  "EMBEDDING_SERVICE_URL=http://[::1",
        "EMBEDDING_SERVICE_URL=http://h:99999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        set(wrong[i]);
        assert_int_equal(find(EDDA_USE_EMBED, "tei"), EDDA_E_INVALID);
        assert_non_null(strstr(message, "EMBEDDING_SERVICE_URL of tei must be http://HOST"));
    }
}

static void chat_providers_are_those_whose_accounts_are_complete(void **state) {
    (void)state;
    assert_null(edda_account_configured(config, EDDA_USE_CHAT, 0));
    set("LOCAL_LLM_BASE_URL=http://127.0.0.1:11434/v1");
    set("ANTHROPIC_API_KEY=sk-ant");
    assert_string_equal(edda_account_configured(config, EDDA_USE_CHAT, 0), "anthropic");
    assert_string_equal(edda_account_configured(config, EDDA_USE_CHAT, 1), "local");
    assert_null(edda_account_configured(config, EDDA_USE_CHAT, 2));
}

static void vectors_are_named_by_provider_and_model(void **state) {
    (void)state;
    char name[65];
    set("VOYAGE_API_KEY=pa-1");
    assert_int_equal(find(EDDA_USE_EMBED, "voyage"), 0);
    assert_int_equal(edda_account_vectors(&account, name), 0);
    assert_string_equal(name, "voyage:voyage-3-large");
    memset(account.model, 'm', sizeof account.model - 1);
    assert_int_equal(edda_account_vectors(&account, name), EDDA_E_LIMIT);
    account.model[57] = '\0';
    assert_int_equal(edda_account_vectors(&account, name), 0);
    assert_int_equal(strlen(name), 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_account_takes_its_providers_own_settings),
        TEST(what_is_missing_is_named_by_its_variable),
        TEST(a_provider_serves_only_what_it_has),
        TEST(the_uses_own_settings_stand_before_the_providers),
        TEST(the_chosen_providers_key_is_sent_to_nobody_else),
        TEST(an_openai_service_elsewhere_needs_no_key),
        TEST(the_local_reranker_is_the_embedding_service_as_in_skald),
        TEST(an_url_must_be_one),
        TEST(chat_providers_are_those_whose_accounts_are_complete),
        TEST(vectors_are_named_by_provider_and_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
