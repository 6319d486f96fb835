/* tests/gateway/test_memo_fields.c: what may be created and patched, and the contract's complaints.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/memo_fields.h"
#include "proto/limits.h"
#include "tests/gateway/fields.h"

#define NOW 1700000000000

static struct edda_store_accept accept_record;
static struct edda_store_patch patch_record;
static struct edda_text content;

static int start_empty(void **state) {
    memset(&accept_record, 0, sizeof accept_record);
    memset(&patch_record, 0, sizeof patch_record);
    content = (struct edda_text){0};
    return start(state);
}

/* wanted NULL: it is accepted. */
static void expect(bool patch, const char *text, const char *wanted) {
    struct edda_complaints complaints;
    parse(text);
    edda_complaints_init(&complaints, patch ? "; " : ",", patch);
    int error =
        patch ? edda_memo_check_patch(json, &arena, &patch_record, &content, &complaints)
              : edda_memo_check_create(json, NOW, &arena, &accept_record, &content, &complaints);
    char got[9000];
    (void)snprintf(got, sizeof got, "%.*s", (int)complaints.text.size,
                   complaints.text.data ? (const char *)complaints.text.data : "");
    edda_complaints_done(&complaints);
    assert_int_equal(error, wanted ? EDDA_E_INVALID : 0);
    assert_string_equal(got, wanted ? wanted : "");
}

static void expect_create(const char *text, const char *wanted) {
    expect(false, text, wanted);
}

static void expect_patch(const char *text, const char *wanted) {
    expect(true, text, wanted);
}

static void required_fields_are_required(void **state) {
    (void)state;
    expect_create(NULL, "Required");
    expect_create("{}", "Required,Required");
    expect_create("[]", "Expected object, received array");
    expect_create("{\"title\":\"\",\"content\":\"\"}", "Title is required,Content is required");
    expect_create("{\"title\":7,\"content\":\"x\"}", "Expected string, received number");
    expect_create("{\"title\":null,\"content\":true}",
                  "Expected string, received null,Expected string, received boolean");
    expect_create("{\"title\":\"t\",\"content\":\"c\",\"other\":1}", NULL);
    assert_true(edda_text_is(accept_record.title, "t"));
    assert_true(edda_text_is(content, "c"));
}

static char *with_title(size_t count, const char *character) {
    size_t size = count * strlen(character);
    char *text = calloc(1, size + 64);
    static const char begin[] = "{\"title\":\"";
    memcpy(text, begin, sizeof begin - 1);
    char *at = text + sizeof begin - 1;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, character, strlen(character));
        at += strlen(character);
    }
    memcpy(at, "\",\"content\":\"c\"}", 17);
    return text;
}

static void a_title_may_have_255_characters_of_any_size(void **state) {
    (void)state;
    char *fits = with_title(255, "\xe6\xbc\xa2");
    char *over = with_title(256, "x");
    expect_create(fits, NULL);
    expect_create(over, "Title must be 255 characters or less");
    free(fits);
    free(over);
}

static void optional_fields_have_types(void **state) {
    (void)state;
#define WITH(field) "{\"title\":\"t\",\"content\":\"c\"," field "}"
    expect_create(WITH("\"tags\":\"red\""), "Expected array, received string");
    expect_create(WITH("\"tags\":[\"red\",7]"), "Expected string, received number");
    expect_create(WITH("\"metadata\":[]"), "Expected object, received array");
    expect_create(WITH("\"scopes\":{\"a\":7}"), "Expected string, received number");
    expect_create(WITH("\"source\":7"), "Expected string, received number");
    expect_create(WITH("\"source\":null,\"reference_id\":null,\"expiration_date\":null"), NULL);
    assert_null(accept_record.source.data);
    expect_create(WITH("\"tags\":[\"red\",\"\"],\"metadata\":{\"a\":[1,2.50,null]},"
                       "\"scopes\":{\"k\":\"v\"},\"source\":\"s\",\"reference_id\":\"r\""),
                  NULL);
    assert_int_equal(accept_record.tags.count, 2);
    assert_true(edda_text_is(accept_record.metadata, "{\"a\":[1,2.5,null]}"));
    assert_true(edda_text_is(accept_record.scopes, "{\"k\":\"v\"}"));
    assert_true(edda_text_is(accept_record.source, "s"));
    assert_true(edda_text_is(accept_record.reference_id, "r"));
}

static void a_reference_id_of_256_characters_is_too_long(void **state) {
    char text[600];
    (void)state;
    (void)snprintf(text, sizeof text, WITH("\"reference_id\":\"%0256d\""), 1);
    expect_create(text, "String must contain at most 255 character(s)");
    (void)snprintf(text, sizeof text, WITH("\"source\":\"%0255d\""), 1);
    expect_create(text, NULL);
}

static void expiration_dates_are_coerced_and_must_be_future(void **state) {
    (void)state;
    expect_create(WITH("\"expiration_date\":\"2030-01-01\""), NULL);
    assert_int_equal(accept_record.expires_wall_ms, 1893456000000);
    expect_create(WITH("\"expiration_date\":1893456000000"), NULL);
    assert_int_equal(accept_record.expires_wall_ms, 1893456000000);
    expect_create(WITH("\"expiration_date\":\"2020-01-01\""),
                  "Expiration date must be in the future");
    expect_create(WITH("\"expiration_date\":true"), "Expiration date must be in the future");
    expect_create(WITH("\"expiration_date\":\"soon\""), "Invalid date");
    expect_create(WITH("\"expiration_date\":{}"), "Invalid date");
    expect_create(WITH("\"expiration_date\":1e300"), "Invalid date");
}

static void a_patch_changes_only_what_it_names(void **state) {
    (void)state;
    expect_patch("{}", NULL);
    assert_int_equal(patch_record.set, 0);
    expect_patch("{\"title\":\"\",\"source\":null,\"reference_id\":\"ignored\"}", NULL);
    assert_int_equal(patch_record.set, EDDA_PATCH_TITLE);
    expect_patch("{\"content\":\"new\",\"tags\":[],\"metadata\":{},\"expiration_date\":0}", NULL);
    assert_int_equal(patch_record.set, EDDA_PATCH_CONTENT | EDDA_PATCH_TAGS | EDDA_PATCH_METADATA |
                                           EDDA_PATCH_EXPIRES);
    assert_true(edda_text_is(content, "new"));
}

static void complaints_about_a_patch_name_their_fields(void **state) {
    (void)state;
    expect_patch(NULL, "Required");
    expect_patch("[]", "Expected object, received array");
    expect_patch("{\"title\":7,\"source\":[]}", "title: Expected string, received number; "
                                                "source: Expected string, received array");
    expect_patch("{\"content\":null}", "content: Expected string, received null");
    expect_patch("{\"content\":\"\"}", "content: String must contain at least 1 character(s)");
    expect_patch("{\"scopes\":{\"a\":1}}", "scopes.a: Expected string, received number");
    expect_patch("{\"tags\":[1]}", "tags.0: Expected string, received number");
}

/* A memo with before, middle as often as that, after. */
static void expect_create_many(const char *before, const char *middle, size_t times,
                               const char *after, const char *wanted) {
    struct edda_buffer text;
    edda_buffer_init(&text, (size_t)1 << 20);
    assert_int_equal(edda_buffer_printf(&text, "{\"title\":\"t\",\"content\":\"c\",%s", before), 0);
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(edda_buffer_append_text(&text, middle), 0);
    }
    assert_int_equal(edda_buffer_append(&text, after, strlen(after) + 1), 0);
    expect_create((const char *)text.data, wanted);
    edda_buffer_done(&text);
}

static void metadata_and_scopes_are_bounded_on_both_sides(void **state) {
    static const char refused[] = "Object must be at most 65536 bytes of JSON";
    size_t room = EDDA_MAX_METADATA_BYTES - strlen("{\"a\":\"\"}");
    (void)state;
    expect_create_many("\"metadata\":{\"a\":\"", "x", room, "\"}}", NULL);
    assert_int_equal(accept_record.metadata.size, EDDA_MAX_METADATA_BYTES);
    expect_create_many("\"metadata\":{\"a\":\"", "x", room + 1, "\"}}", refused);
    expect_create_many("\"scopes\":{\"a\":\"", "x", room, "\"}}", NULL);
    expect_create_many("\"scopes\":{\"a\":\"", "x", room + 1, "\"}}", refused);
}

static void tags_are_bounded_on_both_sides(void **state) {
    (void)state;
    expect_create_many("\"tags\":[", "\"t\",", EDDA_MAX_TAGS - 1, "\"t\"]}", NULL);
    assert_int_equal(accept_record.tags.count, EDDA_MAX_TAGS);
    expect_create_many("\"tags\":[", "\"t\",", EDDA_MAX_TAGS, "\"t\"]}",
                       "Array must contain at most 256 element(s)");
    expect_create_many("\"tags\":[\"", "x", EDDA_MAX_TITLE, "\"]}", NULL);
    expect_create_many("\"tags\":[\"", "x", EDDA_MAX_TITLE + 1, "\"]}",
                       "String must contain at most 255 character(s)");
}

static void a_files_name_gives_its_format_and_title(void **state) {
    (void)state;
    assert_string_equal(edda_memo_format(EDDA_TEXT("a.TXT")), "plain");
    assert_string_equal(edda_memo_format(EDDA_TEXT("a.b.md")), "markdown");
    assert_string_equal(edda_memo_format(EDDA_TEXT("a.html")), "html");
    assert_string_equal(edda_memo_format(EDDA_TEXT("a.Csv")), "csv");
    assert_string_equal(edda_memo_format(EDDA_TEXT("a.json")), "json");
    assert_null(edda_memo_format(EDDA_TEXT("a.pdf")));
    assert_null(edda_memo_format(EDDA_TEXT(".md")));
    assert_null(edda_memo_format(EDDA_TEXT("")));
    assert_true(edda_text_is(edda_memo_title(EDDA_TEXT("../x/a\nb.md"), &arena), "ab.md"));
    assert_true(edda_text_is(edda_memo_title(EDDA_TEXT("C:\\x\\a.md"), &arena), "a.md"));
    assert_true(edda_text_is(edda_memo_title(EDDA_TEXT("x/"), &arena), "document"));
}

static void bodies_are_read_as_strictly_as_they_should_be(void **state) {
    static const struct {
        const char *body;
        const char *message;
    } cases[] = {{"{", "Invalid JSON in request body"},
                 {"\"text\"", "Invalid JSON in request body"},
                 {"7", "Invalid JSON in request body"},
                 {"{\"a\":1}x", "Invalid JSON in request body"},
                 {"{\"a\":\"\xff\"}", "Invalid JSON in request body"},
                 {"{\"a\":\"\\ud800\"}", "Invalid JSON in request body"},
                 {"{\"a\":\"\\u0000\"}", "NUL characters are not allowed"},
                 {"{\"\\u0000\":1}", "NUL characters are not allowed"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value = NULL;
        const char *message = NULL;
        struct edda_bytes bytes = {(const uint8_t *)cases[i].body, strlen(cases[i].body)};
        assert_int_equal(edda_read_json(bytes, &value, &message), EDDA_E_INVALID);
        assert_string_equal(message, cases[i].message);
    }
    expect_create(WITH("\"metadata\":{\"n\":123456789012345678901234567890}"), NULL);
    assert_true(edda_text_is(accept_record.metadata, "{\"n\":1.23456789012346e+29}") ||
                edda_text_is(accept_record.metadata, "{\"n\":1.2345678901234568e+29}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(required_fields_are_required, start_empty, stop),
        cmocka_unit_test_setup_teardown(a_title_may_have_255_characters_of_any_size, start_empty,
                                        stop),
        cmocka_unit_test_setup_teardown(optional_fields_have_types, start_empty, stop),
        cmocka_unit_test_setup_teardown(a_reference_id_of_256_characters_is_too_long, start_empty,
                                        stop),
        cmocka_unit_test_setup_teardown(expiration_dates_are_coerced_and_must_be_future,
                                        start_empty, stop),
        cmocka_unit_test_setup_teardown(a_patch_changes_only_what_it_names, start_empty, stop),
        cmocka_unit_test_setup_teardown(complaints_about_a_patch_name_their_fields, start_empty,
                                        stop),
        cmocka_unit_test_setup_teardown(metadata_and_scopes_are_bounded_on_both_sides, start_empty,
                                        stop),
        cmocka_unit_test_setup_teardown(tags_are_bounded_on_both_sides, start_empty, stop),
        cmocka_unit_test_setup_teardown(a_files_name_gives_its_format_and_title, start_empty, stop),
        cmocka_unit_test_setup_teardown(bodies_are_read_as_strictly_as_they_should_be, start_empty,
                                        stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
