/* tests/actors/runtime/test_json.c: bodies to JSON and back, and what is refused with which words.
 */
#include "actors/runtime/json.h"

#include "proto/body_peer.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"
#include "proto/limits.h"
#include "proto/uuid.h"
#include "tests/proto/cmocka.h"

static struct edda_arena arena;

static int set_up(void **state) {
    (void)state;
    edda_arena_init(&arena, 1 << 24);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    edda_arena_done(&arena);
    return 0;
}

static int parse(uint16_t type, const char *text, void *ret_record, const char **ret_message) {
    json_error_t problem;
    json_t *json = json_loads(text, 0, &problem);
    assert_non_null(json);
    int error = edda_json_to_body(type, json, &arena, ret_record, ret_message);
    json_decref(json);
    return error;
}

static void refuse(uint16_t type, const char *text, const char *wanted) {
    union {
        struct edda_store_patch patch;
        struct edda_chunks chunks;
        struct edda_hits hits;
        struct edda_store_key key;
        struct edda_store_search search;
        struct edda_rerank_arguments rerank;
    } record;
    const char *message = NULL;
    assert_int_equal(parse(type, text, &record, &message), EDDA_E_INVALID);
    assert_string_equal(message, wanted);
}

static void every_kind_of_field_comes_back_as_it_went(void **state) {
    (void)state;
    static const float numbers[] = {0.5f, -1.25f, 3e10f};
    struct edda_chunk items[] = {
        {.text = EDDA_TEXT("one"), .number = 0, .end = 3, .heading = EDDA_TEXT("A > B")},
        {.text = EDDA_TEXT(""), .number = 4000000000u},
    };
    struct edda_chunks chunks = {
        .chunks = {items, 2},
        .model = EDDA_TEXT("hash-3"),
        .dimension = 3,
        .vectors = {(const uint8_t *)numbers, sizeof numbers},
    };
    struct edda_chunks back;
    const char *message = NULL;
    json_t *json = edda_json_from_body(EDDA_BODY_CHUNKS, &chunks);
    assert_non_null(json);
    assert_null(json_object_get(json, "title"));
    assert_int_equal(edda_json_to_body(EDDA_BODY_CHUNKS, json, &arena, &back, &message), 0);
    json_decref(json);
    assert_int_equal(back.chunks.count, 2);
    assert_true(edda_text_is(back.chunks.items[0].heading, "A > B"));
    assert_int_equal(back.chunks.items[1].number, 4000000000u);
    assert_non_null(back.chunks.items[1].text.data);
    assert_null(back.chunks.items[1].heading.data);
    assert_int_equal(back.vectors.size, sizeof numbers);
    assert_memory_equal(back.vectors.data, numbers, sizeof numbers);
}

static void uuids_bytes_and_large_numbers_have_their_texts(void **state) {
    (void)state;
    struct edda_store_key key = {.hash = {(const uint8_t *)"\x00\xff\x10", 3}, .revoked = true};
    struct edda_store_key back;
    const char *message = NULL;
    assert_int_equal(edda_uuid_parse(EDDA_TEXT("0190a6c4-7b1e-7000-8000-0123456789ab"), &key.uuid),
                     0);
    json_t *json = edda_json_from_body(EDDA_BODY_STORE_KEY, &key);
    assert_string_equal(json_string_value(json_object_get(json, "uuid")),
                        "0190a6c4-7b1e-7000-8000-0123456789ab");
    assert_string_equal(json_string_value(json_object_get(json, "hash")), "AP8Q");
    assert_int_equal(edda_json_to_body(EDDA_BODY_STORE_KEY, json, &arena, &back, &message), 0);
    json_decref(json);
    assert_true(edda_uuid_equal(&back.uuid, &key.uuid));
    assert_int_equal(back.hash.size, 3);
    assert_memory_equal(back.hash.data, key.hash.data, 3);
    assert_true(back.revoked);

    struct edda_hit_term term = {.hash = UINT64_MAX, .idf = 1.5};
    struct edda_hits hits = {.terms = {&term, 1}};
    struct edda_hits hits_back;
    json = edda_json_from_body(EDDA_BODY_HITS, &hits);
    assert_int_equal(edda_json_to_body(EDDA_BODY_HITS, json, &arena, &hits_back, &message), 0);
    json_decref(json);
    assert_true(hits_back.terms.items[0].hash == UINT64_MAX);
    assert_true(hits_back.terms.items[0].idf > 1.4 && hits_back.terms.items[0].idf < 1.6);
}

static void numbers_and_switches_are_written_also_when_zero(void **state) {
    (void)state;
    struct edda_broker_status status = {0};
    json_t *json = edda_json_from_body(EDDA_BODY_BROKER_STATUS, &status);
    assert_true(json_is_integer(json_object_get(json, "queued")));
    assert_true(json_is_false(json_object_get(json, "draining")));
    assert_int_equal(json_array_size(json_object_get(json, "services")), 0);
    assert_null(json_object_get(json, "broker"));
    json_decref(json);
}

static void invalid_utf8_becomes_replacement_characters(void **state) {
    (void)state;
    struct edda_store_search search = {.query = EDDA_TEXT("a\xff\xc3\xa9\xc3")};
    json_t *json = edda_json_from_body(EDDA_BODY_STORE_SEARCH, &search);
    assert_string_equal(json_string_value(json_object_get(json, "query")),
                        "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
    json_decref(json);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    refuse(EDDA_BODY_STORE_SEARCH, "[]", "edda_store_search: must be an object");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"qery\":\"x\"}", "qery: no such field in edda_store_search");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"query\":5}", "query: must be a string");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"limit\":-1}", "limit: must be a whole number from 0");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"limit\":1.5}", "limit: must be a whole number from 0");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"limit\":\"5\"}", "limit: must be a whole number from 0");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"filters\":{}}", "filters: must be a list");
    refuse(EDDA_BODY_STORE_SEARCH, "{\"filters\":[1]}", "edda_store_filter: must be an object");
    refuse(EDDA_BODY_STORE_KEY, "{\"uuid\":\"x\"}", "uuid: must be a uuid");
    refuse(EDDA_BODY_STORE_KEY, "{\"hash\":\"***\"}", "hash: is not base64");
    refuse(EDDA_BODY_STORE_KEY, "{\"revoked\":1}", "revoked: must be true or false");
    refuse(EDDA_BODY_STORE_KEY, "{\"created_wall_ms\":\"x\"}",
           "created_wall_ms: must be a whole number");
    refuse(EDDA_BODY_CHUNKS, "{\"vectors\":[\"x\"]}", "vectors[0]: must be a number");
}

static void null_is_absent_and_digits_may_carry_64_bits(void **state) {
    (void)state;
    struct edda_hits hits;
    struct edda_store_key key;
    const char *message = NULL;
    assert_int_equal(parse(EDDA_BODY_STORE_KEY, "{\"name\":null}", &key, &message), 0);
    assert_null(key.name.data);
    assert_int_equal(
        parse(EDDA_BODY_HITS, "{\"terms\":[{\"hash\":\"18446744073709551615\"}]}", &hits, &message),
        0);
    assert_true(hits.terms.items[0].hash == UINT64_MAX);
    assert_int_equal(
        parse(EDDA_BODY_HITS, "{\"terms\":[{\"hash\":\"18446744073709551616\"}]}", &hits, &message),
        EDDA_E_INVALID);
}

static void a_text_over_its_maximum_is_refused(void **state) {
    (void)state;
    char long_text[EDDA_MAX_NAME + 200];
    struct edda_store_key key;
    const char *message = NULL;
    memset(long_text, 'p', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    json_t *json = json_pack("{s:s}", "project", long_text);
    assert_int_equal(edda_json_to_body(EDDA_BODY_STORE_KEY, json, &arena, &key, &message),
                     EDDA_E_INVALID);
    assert_non_null(strstr(message, "project: has 263 bytes, at most"));
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_field_comes_back_as_it_went, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(uuids_bytes_and_large_numbers_have_their_texts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(numbers_and_switches_are_written_also_when_zero, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(invalid_utf8_becomes_replacement_characters, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(null_is_absent_and_digits_may_carry_64_bits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_text_over_its_maximum_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
