/* tests/gateway/test_route.c: the table of routes and how JSON is written. */
#include "gateway/route.h"
#include "gateway/write.h"
#include "tests/proto/cmocka.h"

static void expect_route(enum edda_method method, const char *path, const char *label,
                         const char *id) {
    struct edda_text found_id;
    const struct edda_route *route = edda_route_find(method, edda_text_of(path), &found_id);
    if (!label) {
        assert_null(route);
        return;
    }
    assert_non_null(route);
    assert_string_equal(route->label, label);
    assert_true(edda_text_is(found_id, id));
}

static void paths_find_their_routes_with_or_without_a_slash(void **state) {
    (void)state;
    expect_route(EDDA_METHOD_GET, "/api/health", "HEALTH", "");
    expect_route(EDDA_METHOD_GET, "/api/health/", "HEALTH", "");
    expect_route(EDDA_METHOD_HEAD, "/api/health", "HEALTH", "");
    expect_route(EDDA_METHOD_POST, "/api/v1/memo/", "MEMO_CREATE", "");
    expect_route(EDDA_METHOD_GET, "/api/v1/memo", "MEMO_LIST", "");
    expect_route(EDDA_METHOD_GET, "/api/v1/memo/a%2Fb", "MEMO_GET", "a%2Fb");
    expect_route(EDDA_METHOD_GET, "/api/v1/memo/x/", "MEMO_GET", "x");
    expect_route(EDDA_METHOD_GET, "/api/v1/memo/x/status", "MEMO_STATUS", "x");
    expect_route(EDDA_METHOD_PATCH, "/api/v1/memo/x", "MEMO_PATCH", "x");
    expect_route(EDDA_METHOD_DELETE, "/api/v1/memo/x", "MEMO_DELETE", "x");
    expect_route(EDDA_METHOD_POST, "/api/v1/search", "SEARCH", "");
    expect_route(EDDA_METHOD_GET, "/", "ROOT", "");
}

static void other_methods_and_paths_find_nothing(void **state) {
    (void)state;
    expect_route(EDDA_METHOD_GET, "/api/v1/search", NULL, NULL);
    expect_route(EDDA_METHOD_PUT, "/api/v1/memo/x", NULL, NULL);
    expect_route(EDDA_METHOD_POST, "/api/v1/memo/upload", NULL, NULL);
    expect_route(EDDA_METHOD_GET, "/api/v1/memo//status", NULL, NULL);
    expect_route(EDDA_METHOD_GET, "/api/v1/memo/x/status/y", NULL, NULL);
    expect_route(EDDA_METHOD_GET, "/api/v1/memo/x//", NULL, NULL);
    expect_route(EDDA_METHOD_GET, "/API/health", NULL, NULL);
    expect_route(EDDA_METHOD_POST, "/api/v1/generate", NULL, NULL);
    expect_route(EDDA_METHOD_GET, "//", NULL, NULL);
    expect_route(EDDA_METHOD_OTHER, "/", NULL, NULL);
}

static void everything_below_api_is_guarded(void **state) {
    (void)state;
    assert_true(edda_route_guarded(EDDA_TEXT("/api/v9/x")));
    assert_true(edda_route_guarded(EDDA_TEXT("/api/")));
    assert_false(edda_route_guarded(EDDA_TEXT("/apis")));
    assert_false(edda_route_guarded(EDDA_TEXT("/livez")));
}

static void expect_written(struct edda_buffer *out, const char *wanted) {
    assert_int_equal(out->error, 0);
    assert_int_equal(out->size, strlen(wanted));
    assert_memory_equal(out->data, wanted, out->size);
    edda_buffer_reset(out);
}

static void json_is_written_as_stringify_would(void **state) {
    struct edda_buffer out;
    (void)state;
    edda_buffer_init(&out, 4096);
    edda_write_text(&out, EDDA_TEXT("a\"b\\c\n\r\t\b\f\x01 \xc3\xa4/"));
    expect_written(&out, "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001 \xc3\xa4/\"");
    edda_write_text(&out, (struct edda_text){0});
    expect_written(&out, "null");
    edda_write_unsigned(&out, 0);
    EDDA_WRITE(&out, " ");
    edda_write_unsigned(&out, UINT64_MAX);
    expect_written(&out, "0 18446744073709551615");
    edda_write_double(&out, 0.1);
    EDDA_WRITE(&out, " ");
    edda_write_double(&out, 1.0 / 3);
    EDDA_WRITE(&out, " ");
    edda_write_double(&out, -2);
    EDDA_WRITE(&out, " ");
    edda_write_double(&out, 0.0 / 0.0);
    expect_written(&out, "0.1 0.3333333333333333 -2 0");
    json_t *json =
        json_loads("{\"b\": [1, 2.50, true, null, {}], \"a\": \"x\", \"c\": []}", 0, NULL);
    edda_write_value(&out, json);
    expect_written(&out, "{\"b\":[1,2.5,true,null,{}],\"a\":\"x\",\"c\":[]}");
    json_decref(json);
    edda_buffer_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_routes_with_or_without_a_slash),
        cmocka_unit_test(other_methods_and_paths_find_nothing),
        cmocka_unit_test(everything_below_api_is_guarded),
        cmocka_unit_test(json_is_written_as_stringify_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
