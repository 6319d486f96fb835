/* tests/gateway/test_multipart.c: bodies of several parts, cut in every way. */
#include "gateway/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=bo"

/* What was told, a line a part: name|file name|type|data. */
struct told {
    char text[8192];
    size_t size;
};

static void say(struct told *told, const char *text, size_t size) {
    assert_true(told->size + size < sizeof told->text);
    memcpy(told->text + told->size, text, size);
    told->size += size;
    told->text[told->size] = '\0';
}

static void say_text(struct told *told, struct edda_text text) {
    say(told, text.data ? text.data : "-", text.data ? text.size : 1);
    say(told, "|", 1);
}

static void tell(void *context, const struct edda_multipart_piece *piece) {
    struct told *told = context;
    if (piece->begins) {
        assert_int_equal(piece->data.size, 0);
        say(told, "\n", told->size > 0 ? 1 : 0);
        say_text(told, piece->name);
        say_text(told, piece->file_name);
        say_text(told, piece->content_type);
    } else {
        assert_true(piece->data.size > 0 && told->size > 0);
        say(told, piece->data.data, piece->data.size);
    }
}

/* In pieces of so many bytes, the first of `first`. */
static int read_in(const char *type, const char *body, size_t size, size_t first, size_t each,
                   struct told *ret_told, bool *ret_whole) {
    struct edda_multipart reader;
    int error = edda_multipart_init(&reader, edda_text_of(type));
    ret_told->size = 0;
    ret_told->text[0] = '\0';
    size_t at = 0;
    while (!error && at < size) {
        size_t wanted = at == 0 && first > 0 ? first : each;
        size_t piece = size - at < wanted ? size - at : wanted;
        error = edda_multipart_feed(&reader, (struct edda_bytes){(const uint8_t *)body + at, piece},
                                    tell, ret_told);
        at += piece;
    }
    *ret_whole = edda_multipart_whole(&reader);
    return error;
}

/* However it is cut. */
static void expect(const char *type, const char *body, const char *parts) {
    struct told told;
    bool whole;
    size_t size = strlen(body);
    for (size_t first = 0; first <= size; first++) {
        assert_int_equal(read_in(type, body, size, first, SIZE_MAX, &told, &whole), 0);
        assert_string_equal(told.text, parts);
        assert_true(whole);
    }
    for (size_t each = 1; each < 8; each++) {
        assert_int_equal(read_in(type, body, size, 0, each, &told, &whole), 0);
        assert_string_equal(told.text, parts);
    }
}

static bool is_refused(const char *type, const char *body) {
    struct told told;
    bool whole;
    int error = read_in(type, body, strlen(body), 0, SIZE_MAX, &told, &whole);
    assert_true(error == 0 || error == EDDA_E_MALFORMED);
    assert_true(error == 0 || !whole);
    struct told again;
    assert_int_equal(read_in(type, body, strlen(body), 0, 1, &again, &whole), error);
    assert_string_equal(told.text, again.text);
    return error != 0;
}

static bool is_whole(const char *body) {
    struct told told;
    bool whole;
    return read_in(TYPE, body, strlen(body), 0, SIZE_MAX, &told, &whole) == 0 && whole;
}

static void parts_are_told_with_their_names_and_values(void **state) {
    (void)state;
    expect(TYPE,
           "--bo\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nTea\r\n"
           "--bo\r\ncontent-disposition:form-data;name=file ; filename=\"a b.md\"\r\n"
           "CONTENT-TYPE:  text/plain; charset=utf-8 \r\nX-Other: x\r\n\r\n# Tea\r\n\r\nGreen.\r\n"
           "--bo--\r\n",
           "title|-|-|Tea\nfile|a b.md|text/plain; charset=utf-8|# Tea\r\n\r\nGreen.");
}

/* Two of the same names are two, whatever is in the first. */
static void an_empty_part_is_a_part(void **state) {
    (void)state;
    expect(TYPE,
           "--bo\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n\r\n"
           "--bo\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\nx\r\n"
           "--bo--",
           "file|a.md|-|\nfile|a.md|-|x");
}

static void what_only_looks_like_a_delimiter_is_the_values(void **state) {
    (void)state;
    expect(TYPE,
           "--bo\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
           "\r\r\n-\r\n--b\r\n--b\r\r\n--not\r\n--\r\n\r\n--bo--",
           "a|-|-|\r\r\n-\r\n--b\r\n--b\r\r\n--not\r\n--\r\n");
}

static void preamble_padding_and_epilogue_are_nobodys(void **state) {
    (void)state;
    expect("multipart/form-data; charset=x; Boundary=\"b o;1\"; more",
           "hello\r\n--b o;1 \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n"
           "--b o;1--\r\n--b o;1\r\n\r\nmore",
           "a|-|-|x");
    expect(TYPE, "--bo--", "");
}

static void names_are_taken_as_they_are_written(void **state) {
    (void)state;
    expect(
        TYPE,
        "--bo\r\nContent-Disposition: form-data; x; filename=\"a; name=b.md\"; name=\"c\"; "
        "name=\"d\"\r\n\r\n\r\n"
        "--bo\r\nContent-Disposition: form-data; name=\"\"; filename=\"\"\r\n\r\n\r\n"
        "--bo\r\nContent-Disposition: form-data; name=\"q\\\"q\"; filename=\"C:\\\\a.md\"\r\n\r\n"
        "\r\n--bo\r\nContent-Disposition: form-data; name=\"open\r\n\r\n\r\n"
        "--bo\r\nContent-Disposition: form-data; name\r\n\r\n\r\n"
        "--bo\r\n\r\nno headers\r\n--bo--",
        "c|a; name=b.md|-|\n||-|\nq\\\"q|C:\\\\a.md|-|\nopen|-|-|\n-|-|-|\n-|-|-|no headers");
}

static void what_is_no_multipart_is_malformed_from_there_on(void **state) {
    (void)state;
    assert_true(is_refused("multipart/form-data", "--bo--"));
    assert_true(is_refused("multipart/form-data; boundary=", "----"));
    assert_true(is_refused("multipart/form-data; boundary=\"a\x01"
                           "b\"",
                           "--a\x01"
                           "b--"));
    assert_true(is_refused(TYPE, "--bo-x"));
    assert_true(is_refused(TYPE, "--box\r\n"));
    assert_true(is_refused(TYPE, "--bo \r\r\n"));
    assert_true(is_refused(TYPE, "--bo -"));
    assert_true(is_refused(TYPE, "--bo\r\nContent-Disposition: form-data; name=a\n\r\n"));
    assert_true(is_refused(TYPE, "--bo\r\nContent-Disposition: form-data; name=\"a\x01\"\r\n\r\n"));
    assert_false(is_refused(TYPE, "--bo\r\nContent-Disposition: form-data; name=\"a\t\"\r\n\r\n"));
}

static void a_body_is_whole_when_its_last_delimiter_has_come(void **state) {
    (void)state;
    assert_false(is_whole(""));
    assert_false(is_whole("nonsense"));
    assert_false(is_whole("--bo\r\n\r\nx"));
    assert_false(is_whole("--bo\r\n\r\nx\r\n--bo"));
    assert_false(is_whole("--bo\r\n\r\nx\r\n--bo-"));
    assert_false(is_whole("--bo\r\n\r\nx--bo--"));
    assert_true(is_whole("--bo\r\n\r\nx\r\n--bo--"));
}

static void a_boundary_has_70_bytes_at_most(void **state) {
    (void)state;
    for (int size = EDDA_MULTIPART_BOUNDARY; size <= EDDA_MULTIPART_BOUNDARY + 1; size++) {
        char boundary[EDDA_MULTIPART_BOUNDARY + 2];
        char type[200];
        char body[200];
        memset(boundary, 'b', sizeof boundary);
        (void)snprintf(type, sizeof type, "multipart/form-data; boundary=%.*s", size, boundary);
        (void)snprintf(body, sizeof body, "--%.*s--", size, boundary);
        assert_int_equal(is_refused(type, body), size > EDDA_MULTIPART_BOUNDARY);
    }
}

static void a_parts_headers_have_4096_bytes_at_most(void **state) {
    (void)state;
    for (int size = EDDA_MULTIPART_HEADER; size <= EDDA_MULTIPART_HEADER + 1; size++) {
        static char body[EDDA_MULTIPART_HEADER + 100];
        int filler = size - (int)strlen("X: \r\n\r\n");
        (void)snprintf(body, sizeof body, "--bo\r\nX: %0*d\r\n\r\nx\r\n--bo--", filler, 0);
        assert_int_equal(is_refused(TYPE, body), size > EDDA_MULTIPART_HEADER);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_told_with_their_names_and_values),
        cmocka_unit_test(an_empty_part_is_a_part),
        cmocka_unit_test(what_only_looks_like_a_delimiter_is_the_values),
        cmocka_unit_test(preamble_padding_and_epilogue_are_nobodys),
        cmocka_unit_test(names_are_taken_as_they_are_written),
        cmocka_unit_test(what_is_no_multipart_is_malformed_from_there_on),
        cmocka_unit_test(a_body_is_whole_when_its_last_delimiter_has_come),
        cmocka_unit_test(a_boundary_has_70_bytes_at_most),
        cmocka_unit_test(a_parts_headers_have_4096_bytes_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
