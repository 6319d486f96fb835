/* tests/ops/test_files.c: what an import takes, what it calls it, and what it sends. */
#include "tests/proto/cmocka.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/document.h"
#include "ops/endpoint.h"
#include "proto/limits.h"

static char directory[] = "/tmp/edda-files-XXXXXX";

static void write_file(const char *name, const char *text, size_t size) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    mkdir(path, 0700);
}

static int make_directory(void **state) {
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    make_folder("docs");
    make_folder("docs/deep");
    make_folder("docs/.git");
    write_file("docs/a.md", "# The title #\ntext", 18);
    write_file("docs/deep/b.TXT", "plain", 5);
    write_file("docs/c.pdf", "%PDF", 4);
    write_file("docs/.hidden.md", "x", 1);
    write_file("docs/.git/d.md", "x", 1);
    write_file("docs/bad.txt", "a\0b", 3);
    write_file("docs/latin.txt", "caf\xe9", 4);
    write_file("docs/empty.md", "", 0);
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    static const char *const names[] = {"docs/a.md",       "docs/deep/b.TXT", "docs/c.pdf",
                                        "docs/.hidden.md", "docs/.git/d.md",  "docs/bad.txt",
                                        "docs/latin.txt",  "docs/empty.md"};
    static const char *const folders[] = {"docs/.git", "docs/deep", "docs"};
    for (size_t i = 0; i < 8; i++)
        unlink(names[i]);
    for (size_t i = 0; i < 3; i++)
        rmdir(folders[i]);
    return chdir("/") | rmdir(directory);
}

static void a_folder_gives_its_text_files_in_order(void **state) {
    (void)state;
    struct edda_files files;
    char message[256];
    edda_files_init(&files);
    assert_int_equal(edda_files_add(&files, "./docs/", message, sizeof message), 0);
    edda_files_finish(&files);
    assert_int_equal(files.count, 5);
    assert_string_equal(files.items[0].reference, "docs/a.md");
    assert_string_equal(files.items[2].reference, "docs/deep/b.TXT");
    assert_int_equal(files.skipped, 2);
    edda_files_done(&files);
}

static void a_file_named_twice_is_taken_once(void **state) {
    (void)state;
    struct edda_files files;
    char message[256];
    edda_files_init(&files);
    assert_int_equal(edda_files_add(&files, "docs/a.md", message, sizeof message), 0);
    assert_int_equal(edda_files_add(&files, "docs//a.md", message, sizeof message), 0);
    edda_files_finish(&files);
    assert_int_equal(files.count, 1);
    edda_files_done(&files);
}

static void a_named_file_of_another_kind_is_refused(void **state) {
    (void)state;
    struct edda_files files;
    char message[256];
    edda_files_init(&files);
    assert_int_equal(edda_files_add(&files, "docs/c.pdf", message, sizeof message), EDDA_E_INVALID);
    assert_int_equal(edda_files_add(&files, "docs/none.md", message, sizeof message),
                     EDDA_E_NOT_FOUND);
    assert_non_null(strstr(message, "docs/none.md"));
    assert_int_equal(symlink("nowhere.md", "dangling.md"), 0);
    assert_int_equal(edda_files_add(&files, "dangling.md", message, sizeof message),
                     EDDA_E_INVALID);
    assert_string_equal(message, "dangling.md is no file and no folder");
    assert_int_equal(unlink("dangling.md"), 0);
    assert_int_equal(edda_files_add(&files, "/dev/null", message, sizeof message), EDDA_E_INVALID);
    edda_files_done(&files);
}

static void references_are_tidy_paths(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"docs/a.md", "docs/a.md"},
        {"./docs//a.md", "docs/a.md"},
        {"/srv/docs/a.md", "srv/docs/a.md"},
        {"../../docs/./a.md", "docs/a.md"},
        {"a..md", "a..md"},
        {"docs/../a.md", "docs/../a.md"},
    };
    char reference[EDDA_REFERENCE_TEXT];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        edda_files_reference(pairs[i][0], reference);
        assert_string_equal(reference, pairs[i][1]);
    }
}

static void a_long_path_keeps_its_end_and_stays_different(void **state) {
    (void)state;
    char first[600];
    char second[600];
    memset(first, 'x', sizeof first);
    memset(second, 'x', sizeof second);
    second[0] = 'y';
    memcpy(first + 590, "/end.md", 8);
    memcpy(second + 590, "/end.md", 8);
    char a[EDDA_REFERENCE_TEXT];
    char b[EDDA_REFERENCE_TEXT];
    edda_files_reference(first, a);
    edda_files_reference(second, b);
    assert_int_equal(strlen(a), EDDA_REFERENCE_TEXT - 1);
    assert_string_not_equal(a, b);
    assert_string_equal(a + strlen(a) - 7, "/end.md");
}

static void a_markdown_file_is_titled_by_its_heading_and_others_by_name(void **state) {
    (void)state;
    struct edda_file markdown = {.path = (char[]){"docs/a.md"}, .reference = "docs/a.md"};
    struct edda_file plain = {.path = (char[]){"docs/deep/b.TXT"}, .reference = "docs/deep/b.TXT"};
    struct edda_document document;
    const char *why = NULL;
    assert_int_equal(edda_document_read(&document, &markdown, &why), 0);
    assert_string_equal(document.title, "The title");
    edda_document_done(&document);
    assert_int_equal(edda_document_read(&document, &plain, &why), 0);
    assert_string_equal(document.title, "b");
    edda_document_done(&document);
}

static void what_is_no_text_is_refused_with_a_reason(void **state) {
    (void)state;
    static const char *const paths[] = {"docs/bad.txt", "docs/latin.txt", "docs/empty.md",
                                        "docs/gone.md"};
    static const char *const reasons[] = {"not UTF-8 text", "not UTF-8 text", "empty",
                                          "No such file or directory"};
    for (size_t i = 0; i < 4; i++) {
        struct edda_file file = {.path = (char *)(uintptr_t)paths[i], .reference = "r"};
        struct edda_document document;
        const char *why = NULL;
        assert_int_not_equal(edda_document_read(&document, &file, &why), 0);
        assert_string_equal(why, reasons[i]);
    }
}

/* Of zeros, which are no text either: but that is said of what was read. */
static void a_file_is_bounded_on_both_sides(void **state) {
    (void)state;
    struct edda_file file = {.path = (char[]){"docs/large.txt"}, .reference = "r"};
    struct edda_document document;
    const char *why = NULL;
    write_file("docs/large.txt", "", 0);
    assert_int_equal(truncate("docs/large.txt", EDDA_MAX_CONTENT_BYTES), 0);
    assert_int_equal(edda_document_read(&document, &file, &why), EDDA_E_INVALID);
    assert_string_equal(why, "not UTF-8 text");
    assert_int_equal(truncate("docs/large.txt", EDDA_MAX_CONTENT_BYTES + 1), 0);
    assert_int_equal(edda_document_read(&document, &file, &why), EDDA_E_LIMIT);
    assert_string_equal(why, "larger than 32 MiB");
    assert_int_equal(unlink("docs/large.txt"), 0);
}

static void the_same_document_gives_the_same_request_and_key(void **state) {
    (void)state;
    struct edda_file file = {.path = (char[]){"docs/a.md"}, .reference = "docs/a.md"};
    struct edda_document document;
    const char *why = NULL;
    char *types[2];
    uint8_t *bodies[2];
    size_t sizes[2];
    char keys[3][EDDA_DOCUMENT_HASH + 2];
    assert_int_equal(edda_document_read(&document, &file, &why), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(edda_document_form(&document, &types[i], &bodies[i], &sizes[i]), 0);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bodies[0], bodies[1], sizes[0]);
    assert_string_equal(types[0], types[1]);
    edda_document_key(&document, 0, keys[0]);
    edda_document_key(&document, 0, keys[1]);
    edda_document_key(&document, 1, keys[2]);
    assert_string_equal(keys[0], keys[1]);
    assert_string_not_equal(keys[0], keys[2]);
    assert_int_equal(strlen(keys[0]), 66);
    for (int i = 0; i < 2; i++) {
        free(types[i]);
        free(bodies[i]);
    }
    edda_document_done(&document);
}

static void a_memo_is_the_same_when_its_text_is(void **state) {
    (void)state;
    static const char same[] = "{\"content\":\"# The title #\\ntext\",\"metadata\":{}}";
    static const char other[] = "{\"content\":\"# The title #\\ntexts\",\"metadata\":{}}";
    struct edda_file file = {.path = (char[]){"docs/a.md"}, .reference = "docs/a.md"};
    struct edda_document document;
    const char *why = NULL;
    assert_int_equal(edda_document_read(&document, &file, &why), 0);
    assert_true(
        edda_document_same(&document, (struct edda_bytes){(const uint8_t *)same, sizeof same - 1}));
    assert_false(edda_document_same(&document,
                                    (struct edda_bytes){(const uint8_t *)other, sizeof other - 1}));
    assert_false(edda_document_same(&document, (struct edda_bytes){(const uint8_t *)"{", 1}));
    edda_document_done(&document);
}

static void the_broker_of_a_directory_is_beside_its_data(void **state) {
    (void)state;
    char url[EDDA_MAX_URL];
    char message[256];
    char real[PATH_MAX];
    assert_int_equal(edda_data_endpoint("docs", true, url, message, sizeof message), 0);
    assert_non_null(realpath("docs", real));
    assert_memory_equal(url, "ipc://", 6);
    assert_memory_equal(url + 6, real, strlen(real));
    assert_string_equal(url + 6 + strlen(real), "/run/broker.sock");
    assert_false(edda_endpoint_answers(url));
    assert_int_equal(edda_data_endpoint("nowhere", true, url, message, sizeof message),
                     EDDA_E_NOT_FOUND);
}

static void a_directory_too_deep_for_a_socket_gets_a_short_place(void **state) {
    (void)state;
    char deep[PATH_MAX] = "docs/";
    memset(deep + 5, 'd', 100);
    char run[PATH_MAX + 8];
    char first[EDDA_MAX_URL];
    char second[EDDA_MAX_URL];
    char message[256];
    setenv("XDG_RUNTIME_DIR", directory, 1);
    assert_int_equal(edda_data_prepare(deep, message, sizeof message), 0);
    assert_int_equal(edda_data_endpoint(deep, true, first, message, sizeof message), 0);
    assert_int_equal(edda_data_endpoint(deep, false, second, message, sizeof message), 0);
    assert_string_equal(first, second);
    assert_true(strlen(first) - 6 + 5 <= sizeof((struct sockaddr_un *)0)->sun_path - 1);
    char *slash = strrchr(first, '/');
    *slash = '\0';
    struct stat status;
    assert_int_equal(stat(first + 6, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(chmod(first + 6, 0777), 0);
    assert_int_equal(edda_data_endpoint(deep, true, second, message, sizeof message),
                     EDDA_E_DENIED);
    rmdir(first + 6);
    snprintf(run, sizeof run, "%s/run", deep);
    rmdir(run);
    rmdir(deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_gives_its_text_files_in_order),
        cmocka_unit_test(a_file_named_twice_is_taken_once),
        cmocka_unit_test(a_named_file_of_another_kind_is_refused),
        cmocka_unit_test(references_are_tidy_paths),
        cmocka_unit_test(a_long_path_keeps_its_end_and_stays_different),
        cmocka_unit_test(a_markdown_file_is_titled_by_its_heading_and_others_by_name),
        cmocka_unit_test(what_is_no_text_is_refused_with_a_reason),
        cmocka_unit_test(a_file_is_bounded_on_both_sides),
        cmocka_unit_test(the_same_document_gives_the_same_request_and_key),
        cmocka_unit_test(a_memo_is_the_same_when_its_text_is),
        cmocka_unit_test(the_broker_of_a_directory_is_beside_its_data),
        cmocka_unit_test(a_directory_too_deep_for_a_socket_gets_a_short_place),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
