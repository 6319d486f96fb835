/* tests/provider/test_provider_process.c: the fake as C tests use it. */
#include "tests/provider/provider_process.h"

#include <curl/curl.h>
#include <stdio.h>

#include "tests/proto/cmocka.h"

static size_t discard(char *data, size_t size, size_t count, void *context) {
    (void)data;
    (void)context;
    return size * count;
}

/* The status of an embeddings request; 0 when the connection broke. */
static long embed(struct provider_process *fake) {
    char url[256];
    long status = 0;
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    provider_process_url(fake, "openai/v1/embeddings", url, sizeof url);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}");
    (void)curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

static void it_answers_counts_and_records(void **state) {
    struct provider_process *fake = provider_process_start(NULL, NULL);
    (void)state;
    assert_int_equal(embed(fake), 200);
    assert_int_equal(provider_process_count(fake, "embed", "requests"), 1);
    assert_int_equal(provider_process_count(fake, "embed", "items"), 2);
    json_t *requests = provider_process_requests(fake, 5);
    assert_int_equal(json_array_size(requests), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(requests, 0), "path")),
                        "/openai/v1/embeddings");
    json_decref(requests);
    provider_process_stop(&fake);
    assert_null(fake);
}

static void it_fails_as_told_and_is_well_after_a_reset(void **state) {
    struct provider_process *fake = provider_process_start(NULL, NULL);
    (void)state;
    provider_process_set(fake, "{\"embed\":{\"fail\":[{\"status\":429},{\"close\":true}]}}");
    assert_int_equal(embed(fake), 429);
    assert_int_equal(embed(fake), 0);
    assert_int_equal(embed(fake), 200);
    provider_process_set(fake, "{\"all\":{\"status\":500}}");
    assert_int_equal(embed(fake), 500);
    provider_process_reset(fake);
    assert_int_equal(embed(fake), 200);
    assert_int_equal(provider_process_count(fake, NULL, "open"), 0);
    assert_int_equal(provider_process_count(fake, "embed", "requests"), 1);
    provider_process_stop(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_counts_and_records),
        cmocka_unit_test(it_fails_as_told_and_is_well_after_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
