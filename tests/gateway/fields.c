/* tests/gateway/fields.c: see fields.h. */
#include "tests/gateway/fields.h"

struct edda_arena arena;
json_t *json;

int start(void **state) {
    (void)state;
    edda_arena_init(&arena, (size_t)4 << 20);
    json = NULL;
    return 0;
}

int stop(void **state) {
    (void)state;
    json_decref(json);
    edda_arena_done(&arena);
    return 0;
}

void parse(const char *text) {
    const char *message = NULL;
    json_decref(json);
    json = NULL;
    if (text) {
        struct edda_bytes bytes = {(const uint8_t *)text, strlen(text)};
        assert_int_equal(edda_read_json(bytes, &json, &message), 0);
    }
}

void expect_words(const char *text, int error, const char *message, const char *wanted) {
    if (wanted) {
        assert_int_equal(error, EDDA_E_INVALID);
        assert_string_equal(message, wanted);
    } else if (error) {
        fail_msg("%s: %s", text, message);
    }
}
