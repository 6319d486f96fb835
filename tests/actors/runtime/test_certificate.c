/* tests/actors/runtime/test_certificate.c: key pairs as text, ours and czmq's. */
#include "actors/runtime/certificate.h"

#include <czmq.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/proto/cmocka.h"

#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
#define WHOLE  "curve\n    public-key = \"" PUBLIC "\"\n    secret-key = \"" SECRET "\"\n"

static char folder[] = "/tmp/edda-certificate-XXXXXX";
static char path[64];
static char secret_path[80];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/edda-certificate-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(secret_path, sizeof secret_path, "%s_secret", path);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(path);
    (void)unlink(secret_path);
    return rmdir(folder);
}

static int parse(const char *text, struct edda_certificate *ret_certificate) {
    return edda_certificate_parse(text, strlen(text), ret_certificate);
}

static void a_certificate_is_read_as_it_was_written(void **state) {
    (void)state;
    static const struct edda_certificate written[] = {
        {.public_key = PUBLIC, .secret_key = SECRET},
        {.public_key = PUBLIC},
    };
    for (size_t i = 0; i < 2; i++) {
        struct edda_certificate read = {.public_key = "before"};
        struct edda_buffer text;
        edda_buffer_init(&text, EDDA_CERTIFICATE_SIZE);
        edda_certificate_write(&written[i], &text);
        assert_int_equal(text.error, 0);
        struct edda_bytes bytes = edda_buffer_bytes(&text);
        assert_int_equal(edda_certificate_parse((const char *)bytes.data, bytes.size, &read), 0);
        assert_string_equal(read.public_key, written[i].public_key);
        assert_string_equal(read.secret_key, written[i].secret_key);
        edda_buffer_done(&text);
    }
}

static void what_czmq_wrote_is_read(void **state) {
    (void)state;
    zcert_t *theirs = zcert_new();
    zcert_set_meta(theirs, "name", "%s", "somebody");
    assert_int_equal(zcert_save(theirs, path), 0);
    char text[EDDA_CERTIFICATE_SIZE];
    struct edda_certificate read;
    for (int secret = 0; secret < 2; secret++) {
        FILE *file = fopen(secret ? secret_path : path, "re");
        assert_non_null(file);
        size_t size = fread(text, 1, sizeof text, file);
        fclose(file);
        assert_int_equal(edda_certificate_parse(text, size, &read), 0);
        assert_string_equal(read.public_key, zcert_public_txt(theirs));
        assert_string_equal(read.secret_key, secret ? zcert_secret_txt(theirs) : "");
    }
    zcert_destroy(&theirs);
}

static void czmq_reads_what_is_written(void **state) {
    (void)state;
    const struct edda_certificate ours = {.public_key = PUBLIC, .secret_key = SECRET};
    struct edda_buffer text;
    edda_buffer_init(&text, EDDA_CERTIFICATE_SIZE);
    edda_certificate_write(&ours, &text);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    struct edda_bytes bytes = edda_buffer_bytes(&text);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    fclose(file);
    edda_buffer_done(&text);
    zcert_t *read = zcert_load(path);
    assert_non_null(read);
    assert_string_equal(zcert_public_txt(read), PUBLIC);
    assert_string_equal(zcert_secret_txt(read), SECRET);
    zcert_destroy(&read);
}

static void comments_other_sections_and_windows_line_ends_are_passed_over(void **state) {
    (void)state;
    struct edda_certificate read;
    assert_int_equal(parse("# said\r\nmetadata\r\n    name = \"x\"\r\n\r\ncurve\r\n"
                           "\tpublic-key=" PUBLIC "\r\nother\r\n    public-key = \"no\"",
                           &read),
                     0);
    assert_string_equal(read.public_key, PUBLIC);
    assert_string_equal(read.secret_key, "");
}

static void what_is_no_certificate_is_refused_and_sets_nothing(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "curve\n",
        "curve\n    secret-key = \"" SECRET "\"\n",
        "    public-key = \"" PUBLIC "\"\n",
        "curve\n    public-key = \"" PUBLIC "x\"\n",
        "curve\n    public-key = \"short\"\n",
        "curve\n    public-key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI~\"\n",
        "curve\n    public-key = \"#####################################!!!\"\n",
        WHOLE "    public-key = \"" PUBLIC "\"\n",
        WHOLE "    colour = \"blue\"\n",
        WHOLE "    nothing\n",
        PUBLIC,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct edda_certificate read = {.public_key = "before"};
        if (parse(wrong[i], &read) != EDDA_E_INVALID) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_string_equal(read.public_key, "before");
    }
}

static void a_certificate_is_bounded_on_both_sides(void **state) {
    (void)state;
    char text[EDDA_CERTIFICATE_SIZE + 1];
    struct edda_certificate read;
    memset(text, '\n', sizeof text);
    memcpy(text, WHOLE, strlen(WHOLE));
    assert_int_equal(edda_certificate_parse(text, EDDA_CERTIFICATE_SIZE, &read), 0);
    assert_int_equal(edda_certificate_parse(text, sizeof text, &read), EDDA_E_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_czmq_wrote_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(czmq_reads_what_is_written, set_up, tear_down),
        cmocka_unit_test(a_certificate_is_read_as_it_was_written),
        cmocka_unit_test(comments_other_sections_and_windows_line_ends_are_passed_over),
        cmocka_unit_test(what_is_no_certificate_is_refused_and_sets_nothing),
        cmocka_unit_test(a_certificate_is_bounded_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
