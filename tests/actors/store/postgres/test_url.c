/* tests/actors/store/postgres/test_url.c: a URL taken apart, and what must never be said of it. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/store/postgres/url.h"
#include "tests/proto/cmocka.h"

static edda_pg_url_t *parse(const char *text) {
    char message[200];
    edda_pg_url_t *url = NULL;
    if (edda_pg_url_parse(text, message, sizeof message, &url) != 0) {
        fail_msg("%s: %s", text, message);
    }
    return url;
}

static void hosts_ports_and_kinds_are_read(void **state) {
    edda_pg_url_t *url =
        parse("postgresql://edda:pw@db1.example:5433,10.0.0.7,[::1]:5434/edda?sslmode=require");
    (void)state;
    assert_int_equal(edda_pg_url_hosts(url), 3);
    assert_string_equal(edda_pg_url_host(url, 0)->name, "db1.example");
    assert_string_equal(edda_pg_url_host(url, 0)->port, "5433");
    assert_int_equal(edda_pg_url_host(url, 0)->kind, EDDA_PG_HOST_NAME);
    assert_int_equal(edda_pg_url_host(url, 1)->kind, EDDA_PG_HOST_NUMBER);
    assert_string_equal(edda_pg_url_host(url, 1)->port, "");
    assert_int_equal(edda_pg_url_host(url, 2)->kind, EDDA_PG_HOST_NUMBER);
    assert_string_equal(edda_pg_url_host(url, 2)->name, "::1");
    assert_true(edda_pg_url_has_names(url));
    assert_string_equal(edda_pg_url_shown(url), "edda@db1.example:5433,10.0.0.7,[::1]:5434/edda");
    edda_pg_url_free(&url);
}

static void a_name_with_its_address_needs_no_look_up(void **state) {
    edda_pg_url_t *url = parse("postgres://db.example/edda?hostaddr=10.1.2.3");
    (void)state;
    assert_int_equal(edda_pg_url_host(url, 0)->kind, EDDA_PG_HOST_NUMBER);
    assert_string_equal(edda_pg_url_host(url, 0)->address, "10.1.2.3");
    assert_false(edda_pg_url_has_names(url));
    edda_pg_url_free(&url);
}

static void a_socket_needs_none_either(void **state) {
    edda_pg_url_t *url = parse("postgres:///edda?host=/run/postgresql");
    (void)state;
    assert_int_equal(edda_pg_url_host(url, 0)->kind, EDDA_PG_HOST_SOCKET);
    assert_false(edda_pg_url_has_names(url));
    edda_pg_url_free(&url);
    url = parse("postgres:///edda");
    assert_int_equal(edda_pg_url_hosts(url), 1);
    assert_int_equal(edda_pg_url_host(url, 0)->kind, EDDA_PG_HOST_SOCKET);
    edda_pg_url_free(&url);
}

static void what_the_url_leaves_out_comes_from_libpqs_variables(void **state) {
    (void)state;
    setenv("PGHOST", "from.environment", 1);
    edda_pg_url_t *url = parse("postgres:///edda");
    unsetenv("PGHOST");
    assert_string_equal(edda_pg_url_host(url, 0)->name, "from.environment");
    assert_int_equal(edda_pg_url_host(url, 0)->kind, EDDA_PG_HOST_NAME);
    edda_pg_url_free(&url);
}

/* Each holds the word hunter2 where a password was not encoded, or where it should be. */
static void what_is_no_url_is_refused_without_repeating_any_of_it(void **state) {
    static const char *const wrong[] = {
        "hunter2",
        "mysql://edda:hunter2@db/edda",
        "host=db password=hunter2",
        "postgres://edda:hun/ter2@db/edda", /* libpq reads the port as "hun" */
        "postgres://edda:hunter2@x@db/edda",
        "postgres://edda:hunter2%zz@db/edda",
        "postgres://edda:hunter2@db:70000/edda",
        "postgres://edda:hunter2@db:0/edda",
        "postgres://edda:hunter2@db/edda?nothing=hunter2",
        "postgres://edda:hunter2@db/edda?service=hunter2",
        "postgres://edda:hunter2@db/edda?target_session_attrs=prefer-standby",
        "postgres://edda:hunter2@a,b,c,d,e,f,g,h,i/edda",
        "postgres://[hunter2/edda",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char message[200] = "";
        edda_pg_url_t *url = NULL;
        if (edda_pg_url_parse(wrong[i], message, sizeof message, &url) != EDDA_E_INVALID) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_null(url);
        assert_true(strlen(message) > 20);
        if (strstr(message, "hunter2") || strstr(message, "hun") || strstr(message, "ter2")) {
            fail_msg("%s: %s", wrong[i], message);
        }
    }
}

static const char *value_of(const struct edda_pg_conninfo *conninfo, const char *keyword) {
    const char *value = NULL;
    for (size_t i = 0; conninfo->keywords[i]; i++) {
        if (strcmp(conninfo->keywords[i], keyword) == 0) {
            assert_null(value); /* once */
            value = conninfo->values[i];
        }
    }
    return value;
}

static void libpq_gets_addresses_beside_names_and_our_defaults(void **state) {
    edda_pg_url_t *url = parse("postgres://edda:pw@a.example,10.0.0.7:5433/edda"
                               "?connect_timeout=3&keepalives_idle=7&tcp_user_timeout=25000"
                               "&options=-c%20x%3Dy");
    const struct edda_pg_address addresses[] = {{0, "10.0.0.1"}, {0, "fd00::2"}, {1, "10.0.0.7"}};
    struct edda_pg_conninfo conninfo;
    (void)state;
    assert_int_equal(edda_pg_conninfo_make(&conninfo, url, addresses, 3, "-c jit=off"), 0);
    assert_string_equal(value_of(&conninfo, "host"), "a.example,a.example,10.0.0.7");
    assert_string_equal(value_of(&conninfo, "hostaddr"), "10.0.0.1,fd00::2,10.0.0.7");
    assert_string_equal(value_of(&conninfo, "port"), ",,5433");
    assert_string_equal(value_of(&conninfo, "user"), "edda");
    assert_string_equal(value_of(&conninfo, "password"), "pw");
    assert_string_equal(value_of(&conninfo, "options"), "-c x=y -c jit=off");
    assert_string_equal(value_of(&conninfo, "keepalives_idle"), "7");
    assert_string_equal(value_of(&conninfo, "keepalives_interval"), "2");
    assert_string_equal(value_of(&conninfo, "keepalives_count"), "3");
    assert_string_equal(value_of(&conninfo, "tcp_user_timeout"), "25000");
    assert_string_equal(value_of(&conninfo, "target_session_attrs"), "read-write");
    assert_string_equal(value_of(&conninfo, "gssencmode"), "disable");
    assert_string_equal(value_of(&conninfo, "client_encoding"), "UTF8");
    assert_null(value_of(&conninfo, "connect_timeout"));
    edda_pg_conninfo_done(&conninfo);
    edda_pg_url_free(&url);
}

/* Ten seconds, whether the server has acknowledged all it was sent or not. */
static void
a_server_that_is_gone_is_noticed_within_ten_seconds_unless_the_url_says_else(void **state) {
    edda_pg_url_t *url = parse("postgres://edda:pw@10.0.0.7/edda");
    const struct edda_pg_address addresses[] = {{0, "10.0.0.7"}};
    struct edda_pg_conninfo conninfo;
    (void)state;
    assert_int_equal(edda_pg_conninfo_make(&conninfo, url, addresses, 1, NULL), 0);
    assert_string_equal(value_of(&conninfo, "keepalives_idle"), "4");
    assert_string_equal(value_of(&conninfo, "keepalives_interval"), "2");
    assert_string_equal(value_of(&conninfo, "keepalives_count"), "3");
    assert_string_equal(value_of(&conninfo, "tcp_user_timeout"), "10000");
    edda_pg_conninfo_done(&conninfo);
    edda_pg_url_free(&url);
}

static void a_store_that_may_have_any_server_gets_one_it_can_write(void **state) {
    edda_pg_url_t *url =
        parse("postgres://edda:pw@10.0.0.1,10.0.0.2/edda?target_session_attrs=any");
    const struct edda_pg_address addresses[] = {{0, "10.0.0.1"}, {1, "10.0.0.2"}};
    struct edda_pg_conninfo conninfo;
    (void)state;
    assert_int_equal(edda_pg_conninfo_make(&conninfo, url, addresses, 2, NULL), 0);
    assert_string_equal(value_of(&conninfo, "target_session_attrs"), "read-write");
    edda_pg_conninfo_done(&conninfo);
    edda_pg_url_free(&url);
}

static void words_are_one_line_without_the_password(void **state) {
    edda_pg_url_t *url = parse("postgres://edda:hunter2@db/edda");
    char words[EDDA_PG_WORDS];
    char text[2000];
    (void)state;
    edda_pg_words(url, "FATAL:  \"hunter2\" is\n\twrong:\r\n hunter2hunter2 \n", words);
    assert_string_equal(words, "FATAL: '***' is wrong: ******");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    edda_pg_words(url, text, words);
    assert_true(strlen(words) < EDDA_PG_WORDS);
    edda_pg_words(NULL, "hunter2", words);
    assert_string_equal(words, "hunter2");
    edda_pg_url_free(&url);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_ports_and_kinds_are_read),
        cmocka_unit_test(a_name_with_its_address_needs_no_look_up),
        cmocka_unit_test(a_socket_needs_none_either),
        cmocka_unit_test(what_the_url_leaves_out_comes_from_libpqs_variables),
        cmocka_unit_test(what_is_no_url_is_refused_without_repeating_any_of_it),
        cmocka_unit_test(libpq_gets_addresses_beside_names_and_our_defaults),
        cmocka_unit_test(
            a_server_that_is_gone_is_noticed_within_ten_seconds_unless_the_url_says_else),
        cmocka_unit_test(a_store_that_may_have_any_server_gets_one_it_can_write),
        cmocka_unit_test(words_are_one_line_without_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
