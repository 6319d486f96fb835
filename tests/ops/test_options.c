/* tests/ops/test_options.c: command lines, lists, workers and near misses. */
#include "tests/proto/cmocka.h"

#include "actors/runtime/nearest.h"
#include "ops/options.h"
#include "ops/parts.h"
#include "ops/urls.h"

static char *const nothing[] = {NULL};

static int read_line(struct edda_options *options, const char *const *switches,
                     const char *const *arguments) {
    size_t count = 0;
    while (arguments[count])
        count++;
    return edda_options_init(options, switches, nothing, arguments, count);
}

static void flags_and_words_may_be_mixed(void **state) {
    (void)state;
    struct edda_options options;
    const char *line[] = {"a", "--data", "/d", "b", "--http=127.0.0.1:0", NULL};
    assert_int_equal(read_line(&options, NULL, line), 0);
    assert_int_equal(options.word_count, 2);
    assert_string_equal(options.words[1], "b");
    assert_string_equal(edda_config_text(options.config, EDDA_CONFIG_DATA), "/d");
    assert_string_equal(edda_config_text(options.config, EDDA_CONFIG_HTTP), "127.0.0.1:0");
    assert_true(options.given[EDDA_CONFIG_HTTP]);
    assert_false(options.given[EDDA_CONFIG_URL]);
    edda_options_done(&options);
}

static void what_follows_two_dashes_are_words(void **state) {
    (void)state;
    struct edda_options options;
    const char *line[] = {"--", "--data", "-x", NULL};
    assert_int_equal(read_line(&options, NULL, line), 0);
    assert_int_equal(options.word_count, 2);
    assert_string_equal(options.words[0], "--data");
    edda_options_done(&options);
}

static void a_switch_needs_no_value(void **state) {
    (void)state;
    struct edda_options options;
    const char *line[] = {"--processes", "word", NULL};
    assert_int_equal(read_line(&options, NULL, line), 0);
    assert_true(edda_config_switch(options.config, EDDA_CONFIG_PROCESSES));
    assert_int_equal(options.word_count, 1);
    edda_options_done(&options);
}

static void repeated_lists_add_up_and_replace_the_environment(void **state) {
    (void)state;
    struct edda_options options;
    char variable[] = "EDDA_CONNECT=tcp://old:1";
    char *const environment[] = {variable, NULL};
    const char *line[] = {"--connect", "tcp://a:1", "--connect", "tcp://b:2", NULL};
    assert_int_equal(edda_options_init(&options, NULL, environment, line, 4), 0);
    assert_string_equal(edda_config_text(options.config, EDDA_CONFIG_CONNECT),
                        "tcp://a:1,tcp://b:2");
    edda_options_done(&options);
}

static void an_unknown_flag_names_the_nearest(void **state) {
    (void)state;
    struct edda_options options;
    const char *line[] = {"--dta", "/d", NULL};
    assert_int_equal(read_line(&options, NULL, line), EDDA_E_INVALID);
    assert_non_null(strstr(options.message, "--data"));
    edda_options_done(&options);
}

static void an_unknown_variable_names_the_nearest(void **state) {
    (void)state;
    struct edda_options options;
    char variable[] = "EDDA_DTA=/d";
    char *const environment[] = {variable, NULL};
    assert_int_equal(edda_options_init(&options, NULL, environment, NULL, 0), EDDA_E_INVALID);
    assert_non_null(strstr(options.message, "EDDA_DATA"));
    edda_options_done(&options);
}

static void a_flag_without_its_value_says_what_it_takes(void **state) {
    (void)state;
    struct edda_options options;
    const char *line[] = {"--http", NULL};
    assert_int_equal(read_line(&options, NULL, line), EDDA_E_INVALID);
    assert_non_null(strstr(options.message, "--http needs a value"));
    edda_options_done(&options);
}

static void a_single_dash_is_refused(void **state) {
    (void)state;
    struct edda_options options;
    const char *line[] = {"-data", NULL};
    assert_int_equal(read_line(&options, NULL, line), EDDA_E_INVALID);
    edda_options_done(&options);
}

static void own_switches_belong_to_their_command(void **state) {
    (void)state;
    static const char *const switches[] = {"--dead", "--all", NULL};
    struct edda_options options;
    const char *line[] = {"--all", NULL};
    assert_int_equal(read_line(&options, switches, line), 0);
    assert_true(edda_options_own(&options, "--all"));
    assert_false(edda_options_own(&options, "--dead"));
    edda_options_done(&options);
    assert_int_equal(read_line(&options, NULL, line), EDDA_E_INVALID);
    edda_options_done(&options);
}

static void own_switches_may_have_a_value(void **state) {
    (void)state;
    static const char *const switches[] = {"--chat=", "--json", NULL};
    struct edda_options options;
    const char *apart[] = {"--chat", "--json", "word", NULL};
    const char *joined[] = {"--chat=a", "--json", "--chat=b=c", NULL};
    const char *missing[] = {"word", "--chat", NULL};
    const char *longer[] = {"--chats", "a", NULL};
    assert_int_equal(read_line(&options, switches, apart), 0);
    assert_string_equal(edda_options_own_value(&options, "--chat="), "--json");
    assert_false(edda_options_own(&options, "--json"));
    assert_int_equal(options.word_count, 1);
    edda_options_done(&options);
    assert_int_equal(read_line(&options, switches, joined), 0);
    assert_string_equal(edda_options_own_value(&options, "--chat="), "b=c");
    assert_true(edda_options_own(&options, "--json"));
    edda_options_done(&options);
    assert_int_equal(read_line(&options, switches, missing), EDDA_E_INVALID);
    assert_string_equal(options.message, "--chat needs a value");
    edda_options_done(&options);
    assert_int_equal(read_line(&options, switches, longer), EDDA_E_INVALID);
    assert_null(edda_options_own_value(&options, "--chat="));
    edda_options_done(&options);
}

static void list_items_are_trimmed_and_empty_ones_skipped(void **state) {
    (void)state;
    char item[16];
    assert_int_equal(edda_list_item(" a ,, b,", 0, item, sizeof item), 1);
    assert_string_equal(item, "a");
    assert_int_equal(edda_list_item(" a ,, b,", 1, item, sizeof item), 1);
    assert_string_equal(item, "b");
    assert_int_equal(edda_list_item(" a ,, b,", 2, item, sizeof item), 0);
    assert_int_equal(edda_list_item("", 0, item, sizeof item), 0);
    assert_int_equal(edda_list_item("fifteen letters", 0, item, sizeof item), 1);
    assert_int_equal(edda_list_item("more than fifteen", 0, item, sizeof item), EDDA_E_LIMIT);
}

/* An item that does not fit must not end the list as if nothing followed. */
static void a_list_with_an_item_too_long_or_too_many_is_refused(void **state) {
    (void)state;
    struct edda_urls urls;
    char list[EDDA_MAX_URL + 64];
    char message[256];
    unsigned count = 0;
    for (size_t size = EDDA_MAX_URL - 1; size <= EDDA_MAX_URL; size++) {
        memset(list, 'u', size);
        memcpy(list + size, ",tcp://a:1", sizeof ",tcp://a:1");
        edda_urls_init(&urls);
        bool fits = size < EDDA_MAX_URL;
        assert_int_equal(edda_urls_add_list(&urls, list), fits ? 0 : EDDA_E_LIMIT);
        assert_int_equal(urls.count, fits ? 2 : 0);
    }
    edda_urls_init(&urls);
    assert_int_equal(edda_urls_add_list(&urls, "1,2,3,4,5,6,7,8"), 0);
    assert_int_equal(edda_urls_add_list(&urls, "9"), EDDA_E_LIMIT);
    memset(list, '0', 120);
    memcpy(list, "embedder=", 9);
    memcpy(list + 120, "2,embedder=3", sizeof "2,embedder=3");
    assert_int_equal(edda_workers_of(list, "embedder", &count, message, sizeof message),
                     EDDA_E_INVALID);
    assert_string_equal(message, "--workers takes STAGE=N, nothing as long as that");
}

static void workers_are_one_unless_named(void **state) {
    (void)state;
    char message[256];
    unsigned count = 0;
    assert_int_equal(edda_workers_of("embedder=3, chunker=2", "embedder", &count, message, 256), 0);
    assert_int_equal(count, 3);
    assert_int_equal(edda_workers_of("embedder=3", "reranker", &count, message, 256), 0);
    assert_int_equal(count, 1);
}

static void workers_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const char *const lists[] = {"embedder",    "embedder=",   "embedder=0",
                                        "embedder=65", "embedder=2x", "store=2",
                                        "gateway=2",   "nobody=1",    "=3"};
    char message[256];
    unsigned count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_int_equal(edda_workers_of(lists[i], "embedder", &count, message, 256),
                         EDDA_E_INVALID);
}

/* Both as threads and as processes: what --workers takes, there is room for. */
static void as_many_workers_as_may_be_wanted_have_room(void **state) {
    (void)state;
    size_t kinds = 0;
    size_t all = 0;
    const struct edda_part_kind *table = edda_part_kinds(&kinds);
    char message[256];
    for (size_t i = 0; i < kinds; i++) {
        unsigned count = 0;
        assert_int_equal(edda_workers_of("chunker=64,embedder=64,reranker=64,llm=64", table[i].name,
                                         &count, message, 256),
                         0);
        all += count;
    }
    assert_int_equal(all, EDDA_PARTS_MOST);
}

static void a_near_miss_finds_its_word_and_nonsense_finds_none(void **state) {
    (void)state;
    static const char *const known[] = {"import", "search", "doctor"};
    assert_string_equal(edda_nearest("imprt", known, 3, edda_nearest_typo("imprt")), "import");
    assert_string_equal(edda_nearest("serach", known, 3, edda_nearest_typo("serach")), "search");
    assert_null(edda_nearest("zzzzzz", known, 3, edda_nearest_typo("zzzzzz")));
    assert_null(edda_nearest("", known, 3, edda_nearest_typo("")));
    assert_non_null(edda_nearest("zzzzzz", known, 3, SIZE_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_and_words_may_be_mixed),
        cmocka_unit_test(what_follows_two_dashes_are_words),
        cmocka_unit_test(a_switch_needs_no_value),
        cmocka_unit_test(repeated_lists_add_up_and_replace_the_environment),
        cmocka_unit_test(an_unknown_flag_names_the_nearest),
        cmocka_unit_test(an_unknown_variable_names_the_nearest),
        cmocka_unit_test(a_flag_without_its_value_says_what_it_takes),
        cmocka_unit_test(a_single_dash_is_refused),
        cmocka_unit_test(own_switches_belong_to_their_command),
        cmocka_unit_test(own_switches_may_have_a_value),
        cmocka_unit_test(list_items_are_trimmed_and_empty_ones_skipped),
        cmocka_unit_test(a_list_with_an_item_too_long_or_too_many_is_refused),
        cmocka_unit_test(workers_are_one_unless_named),
        cmocka_unit_test(workers_that_make_no_sense_are_refused),
        cmocka_unit_test(as_many_workers_as_may_be_wanted_have_room),
        cmocka_unit_test(a_near_miss_finds_its_word_and_nonsense_finds_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
