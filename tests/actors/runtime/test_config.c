/* tests/actors/runtime/test_config.c: order of sources, ranges, and words that help. */
#include "actors/runtime/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/proto/cmocka.h"

static edda_config_t *config;
static const char *message;

static int set_up(void **state) {
    (void)state;
    config = edda_config_new();
    message = NULL;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    edda_config_destroy(&config);
    return config ? -1 : 0;
}

static int read_environment(const char *first, const char *second) {
    char *environment[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL};
    return edda_config_environment(config, environment, &message);
}

static void every_setting_has_a_default_within_its_range(void **state) {
    (void)state;
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_DATA), "./edda-data");
    assert_int_equal(edda_config_number(config, EDDA_CONFIG_SEARCH_MS), 5000);
    assert_false(edda_config_switch(config, EDDA_CONFIG_PROCESSES));
    assert_string_equal(edda_setting_info(EDDA_CONFIG_HTTP)->flag, "--http");
}

static void flags_win_over_environment_and_that_over_defaults(void **state) {
    (void)state;
    assert_int_equal(read_environment("EDDA_DATA=/a", "EDDA_SEARCH_MS=700"), 0);
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_DATA), "/a");
    assert_int_equal(edda_config_number(config, EDDA_CONFIG_SEARCH_MS), 700);
    assert_int_equal(edda_config_flag(config, "--data", "/b", &message), 0);
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_DATA), "/b");
}

static void variables_of_others_are_not_looked_at(void **state) {
    (void)state;
    assert_int_equal(read_environment("PATH=/bin", "EDDAX=1"), 0);
    assert_int_equal(read_environment("EMBEDDING_PROVIDER=builtin", "HOME"), 0);
}

static void an_empty_variable_counts_as_not_set_where_nothing_is_no_value(void **state) {
    (void)state;
    assert_int_equal(read_environment("LLM_PROVIDER=", "VOYAGE_API_KEY="), 0);
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_LLM_PROVIDER), "builtin");
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_VOYAGE_API_KEY), "");
}

static void a_provider_nobody_knows_is_refused_with_those_there_are(void **state) {
    (void)state;
    assert_int_equal(read_environment("LLM_PROVIDER=openapi", NULL), EDDA_E_INVALID);
    assert_string_equal(message, "LLM_PROVIDER must be one of "
                                 "builtin,openai,anthropic,gemini,groq,local");
}

static void a_secret_is_known_to_be_there_and_never_named_in_a_message(void **state) {
    (void)state;
    char key[600];
    assert_false(edda_config_has_secret(config));
    assert_int_equal(read_environment("OPENAI_API_KEY=sk-hush", NULL), 0);
    assert_true(edda_config_has_secret(config));
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_OPENAI_API_KEY), "sk-hush");
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_int_equal(edda_config_flag(config, "--openai-api-key", key, &message), EDDA_E_INVALID);
    assert_null(strstr(message, "kkk"));
}

static void an_unknown_variable_names_the_nearest(void **state) {
    (void)state;
    assert_int_equal(read_environment("EDDA_DTA=/a", NULL), EDDA_E_INVALID);
    assert_string_equal(message, "unknown variable EDDA_DTA; did you mean EDDA_DATA?");
}

static void an_unknown_flag_names_the_nearest(void **state) {
    (void)state;
    assert_int_equal(edda_config_flag(config, "--htp", "x", &message), EDDA_E_NOT_FOUND);
    assert_string_equal(message, "unknown option --htp; did you mean --http?");
}

static void numbers_outside_their_range_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",       "x",  "5x",  " 5",    "99",
                                        "600001", "-1", "1e3", "0x100", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(edda_config_flag(config, "--search-ms", wrong[i], &message),
                         EDDA_E_INVALID);
        assert_string_equal(message, "--search-ms must be a number from 100 to 600000");
    }
    assert_int_equal(edda_config_flag(config, "--search-ms", "100", &message), 0);
    assert_int_equal(edda_config_flag(config, "--search-ms", "600000", &message), 0);
    assert_int_equal(edda_config_number(config, EDDA_CONFIG_SEARCH_MS), 600000);
}

static void switches_know_the_usual_words(void **state) {
    (void)state;
    static const char *const on[] = {"1", "true", "yes", "on"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(edda_config_flag(config, "--processes", "0", &message), 0);
        assert_false(edda_config_switch(config, EDDA_CONFIG_PROCESSES));
        assert_int_equal(edda_config_flag(config, "--processes", on[i], &message), 0);
        assert_true(edda_config_switch(config, EDDA_CONFIG_PROCESSES));
    }
    assert_int_equal(edda_config_flag(config, "--processes", "maybe", &message), EDDA_E_INVALID);
}

static void closed_words_are_listed_when_missed(void **state) {
    (void)state;
    assert_int_equal(edda_config_flag(config, "--log-level", "loud", &message), EDDA_E_INVALID);
    assert_string_equal(message, "--log-level must be one of debug,info,warning,error");
    assert_int_equal(edda_config_flag(config, "--log-level", "warning", &message), 0);
    assert_int_equal(edda_config_flag(config, "--log-level", "warn", &message), EDDA_E_INVALID);
    assert_int_equal(edda_config_flag(config, "--log-level", "info,warning", &message),
                     EDDA_E_INVALID);
    assert_int_equal(edda_config_flag(config, "--log-format", "xml", &message), EDDA_E_INVALID);
    assert_string_equal(message, "--log-format must be one of text,json");
}

static void a_message_never_repeats_a_value(void **state) {
    (void)state;
    char secret[400];
    memset(secret, 's', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    assert_int_equal(edda_config_flag(config, "--api-key", secret, &message), EDDA_E_INVALID);
    assert_null(strstr(message, "ssss"));
}

static void a_file_variable_reads_the_value_from_a_file(void **state) {
    (void)state;
    char path[] = "config-test-XXXXXX";
    char variable[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "the-key\n", 8), 8);
    close(fd);
    (void)snprintf(variable, sizeof variable, "EDDA_API_KEY_FILE=%s", path);
    assert_int_equal(read_environment(variable, NULL), 0);
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_API_KEY), "the-key");
    assert_int_equal(read_environment(variable, "EDDA_API_KEY=x"), EDDA_E_INVALID);
    assert_string_equal(message, "EDDA_API_KEY and EDDA_API_KEY_FILE are both set");
    assert_int_equal(read_environment(variable, "EDDA_API_KEY="), 0);
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_API_KEY), "the-key");
    assert_int_equal(read_environment("EDDA_API_KEY_FILE=", "EDDA_API_KEY=x"), 0);
    assert_string_equal(edda_config_text(config, EDDA_CONFIG_API_KEY), "x");
    static const struct {
        const char *content;
        size_t size;
        const char *message;
    } wrong[] = {
        {"", 0, "EDDA_API_KEY_FILE names a file that is empty"},
        {"\n", 1, "EDDA_API_KEY_FILE names a file that is empty"},
        {"a\0b", 3, "EDDA_API_KEY_FILE names a file that is no text"},
        {"the-key\r\nInjected: yes\n", 23,
         "EDDA_API_KEY_FILE must be one line, without control characters"},
        {"a\tb", 3, "EDDA_API_KEY_FILE must be one line, without control characters"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        FILE *again = fopen(path, "w");
        assert_non_null(again);
        assert_int_equal(fwrite(wrong[i].content, 1, wrong[i].size, again), wrong[i].size);
        assert_int_equal(fclose(again), 0);
        assert_int_equal(read_environment(variable, NULL), EDDA_E_INVALID);
        assert_string_equal(message, wrong[i].message);
    }
    assert_int_equal(read_environment("EDDA_API_KEY=a\nb", NULL), EDDA_E_INVALID);
    unlink(path);
    assert_int_equal(read_environment(variable, NULL), EDDA_E_INVALID);
    assert_non_null(strstr(message, "EDDA_API_KEY_FILE names a file that cannot be read"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_setting_has_a_default_within_its_range, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(flags_win_over_environment_and_that_over_defaults, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(variables_of_others_are_not_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_empty_variable_counts_as_not_set_where_nothing_is_no_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_provider_nobody_knows_is_refused_with_those_there_are,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_secret_is_known_to_be_there_and_never_named_in_a_message,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_variable_names_the_nearest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_flag_names_the_nearest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_outside_their_range_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(switches_know_the_usual_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_words_are_listed_when_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_never_repeats_a_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_variable_reads_the_value_from_a_file, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
