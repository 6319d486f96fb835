/* tests/ops/test_collection.c: judged collections, and what is wrong with some. */
#include "tests/proto/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/eval/collection.h"

static char folder[] = "/tmp/edda-collection-XXXXXX";
static const char *const names[] = {"docs.jsonl", "corpus.jsonl", "queries.jsonl", "qrels.tsv",
                                    "qrels/test.tsv"};
static char message[EDDA_COLLECTION_MESSAGE];
static struct edda_collection collection;

/* Each '~' is a NUL. */
static void write_file(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (; *text; text++)
        assert_int_not_equal(fputc(*text == '~' ? '\0' : *text, file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void remove_all(void) {
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

static int make_folder(void **state) {
    (void)state;
    char path[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/qrels", folder);
    return mkdir(path, 0700);
}

static int remove_folder(void **state) {
    (void)state;
    char path[256];
    remove_all();
    snprintf(path, sizeof path, "%s/qrels", folder);
    return rmdir(path) | rmdir(folder);
}

static int read_three(const char *docs, const char *queries, const char *qrels) {
    remove_all();
    write_file("docs.jsonl", docs);
    write_file("queries.jsonl", queries);
    write_file("qrels.tsv", qrels);
    return edda_collection_read(folder, &collection, message);
}

static void a_folder_of_either_naming_is_read(void **state) {
    (void)state;
    assert_int_equal(read_three("{\"id\":\"a\",\"title\":\"T\",\"text\":\"one\"}\n\n"
                                "{\"id\":2,\"text\":\"two\"}\n",
                                "{\"id\":\"q1\",\"text\":\"?\"}\n{\"id\":\"q2\",\"text\":\"!\"}",
                                "query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\t2\t1\n"),
                     0);
    assert_int_equal(collection.document_count, 2);
    assert_string_equal(collection.documents[1].id, "2");
    assert_string_equal(collection.documents[1].title, "");
    assert_int_equal(collection.query_count, 1); /* nothing is right for q2 */
    assert_int_equal(collection.queries[0].grade_count, 2);
    assert_true(collection.queries[0].grades[0].grade == 2);
    edda_collection_done(&collection);
    remove_all();
    write_file("corpus.jsonl", "{\"_id\":\"a\",\"text\":\"one\"}\n");
    write_file("queries.jsonl", "{\"_id\":\"q\",\"text\":\"?\"}\n");
    write_file("qrels/test.tsv", "q\ta\t1\r\n");
    assert_int_equal(edda_collection_read(folder, &collection, message), 0);
    assert_int_equal(collection.query_count, 1);
    edda_collection_done(&collection);
}

static void judgements_of_what_is_not_there_are_counted(void **state) {
    (void)state;
    assert_int_equal(read_three("{\"id\":\"a\",\"text\":\"one\"}", "{\"id\":\"q\",\"text\":\"?\"}",
                                "q\ta\t1\nq\tgone\t1\nnobody\ta\t1\n"),
                     0);
    assert_int_equal(collection.unknown_documents, 1);
    assert_int_equal(collection.unknown_queries, 1);
    assert_int_equal(collection.queries[0].grade_count, 2);
    edda_collection_done(&collection);
}

static void queries_kept_are_spread_over_all(void **state) {
    (void)state;
    assert_int_equal(read_three("{\"id\":\"a\",\"text\":\"one\"}",
                                "{\"id\":\"x\",\"text\":\"?\"}\n{\"id\":\"q\",\"text\":\"?\"}\n"
                                "{\"id\":\"r\",\"text\":\"?\"}\n{\"id\":\"s\",\"text\":\"?\"}\n"
                                "{\"id\":\"t\",\"text\":\"?\"}\n{\"id\":\"u\",\"text\":\"?\"}\n",
                                "u\ta\t1\nr\ta\t1\nq\ta\t1\ns\ta\t1\nt\ta\t1\n"),
                     0);
    edda_collection_keep(&collection, 6);
    assert_int_equal(collection.query_count, 5); /* of x nothing is right */
    edda_collection_keep(&collection, 2);
    assert_int_equal(collection.query_count, 2);
    assert_string_equal(collection.queries[0].id, "q");
    assert_string_equal(collection.queries[1].id, "s");
    edda_collection_keep(&collection, 0);
    assert_int_equal(collection.query_count, 0);
    edda_collection_done(&collection);
}

static void a_bad_line_is_named(void **state) {
    (void)state;
    static const struct {
        const char *docs;
        const char *queries;
        const char *qrels;
        const char *said;
    } cases[] = {
        {"{\"id\":\"a\",\"text\":\"x\"}\n{\"id\"", "", "", "docs.jsonl:2: this is not JSON"},
        {"[1]", "", "", "docs.jsonl:1: this is no JSON object"},
        {"{\"text\":\"x\"}", "", "", "there is no \"id\""},
        {"{\"id\":\"a\"}", "", "", "neither \"text\" nor \"title\""},
        {"{\"id\":\"a\",\"text\":7}", "", "", "\"text\" is no string"},
        {"{\"id\":\"a\",\"text\":\"x\"}\n{\"id\":\"a\",\"text\":\"y\"}", "", "",
         "a is there twice"},
        {"{\"id\":\"a\",\"text\":\"x\"}", "{\"id\":\"q\"}", "",
         "queries.jsonl:1: there is no \"text\""},
        {"{\"id\":\"a\",\"text\":\"x\"}", "{\"id\":\"q\",\"text\":\"?\"}", "h\nq\ta\n",
         "qrels.tsv:2: not query, document and grade"},
        {"{\"id\":\"a\",\"text\":\"x\"}", "{\"id\":\"q\",\"text\":\"?\"}", "h\nq\ta\tx1\n",
         "qrels.tsv:2: not query"},
        {"{\"id\":\"a\",\"text\":\"x\"}", "{\"id\":\"q\",\"text\":\"?\"}", "q\ta\t0\n",
         "no query of this collection has a right answer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_three(cases[i].docs, cases[i].queries, cases[i].qrels),
                         EDDA_E_INVALID);
        assert_non_null(strstr(message, cases[i].said));
    }
}

/* What C's functions would take for the end of the line hides nothing. */
static void a_nul_is_an_error_wherever_it_stands(void **state) {
    (void)state;
    static const char doc[] = "{\"id\":\"a\",\"text\":\"x\"}\n";
    static const char query[] = "{\"id\":\"q\",\"text\":\"?\"}\n";
    static const struct {
        const char *docs;
        const char *queries;
        const char *qrels;
        const char *said;
    } cases[] = {
        {"\n~{\"id\":\"b\",\"text\":\"y\"}\n", query, "q\ta\t1\n",
         "docs.jsonl:2: there is a NUL character in the line"},
        {doc, "  ~\n", "q\ta\t1\n", "queries.jsonl:1: there is a NUL"},
        {doc, query, "q\ta\t1\n~q\tb\t1\n", "qrels.tsv:2: there is a NUL"},
        {doc, query, "q\ta\t1~\tx\n", "qrels.tsv:1: there is a NUL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_three(cases[i].docs, cases[i].queries, cases[i].qrels),
                         EDDA_E_INVALID);
        assert_non_null(strstr(message, cases[i].said));
    }
}

static void a_missing_file_is_named(void **state) {
    (void)state;
    remove_all();
    assert_int_equal(edda_collection_read(folder, &collection, message), EDDA_E_IO);
    assert_non_null(strstr(message, "docs.jsonl"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_of_either_naming_is_read),
        cmocka_unit_test(judgements_of_what_is_not_there_are_counted),
        cmocka_unit_test(queries_kept_are_spread_over_all),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(a_nul_is_an_error_wherever_it_stands),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
