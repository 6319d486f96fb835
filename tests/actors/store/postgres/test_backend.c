/* tests/actors/store/postgres/test_backend.c: the store's door over PostgreSQL: one answer each,
 * limits, deadlines, its end. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/backend.h"
#include "tests/actors/store/postgres/database.h"

struct store {
    edda_loop_t *loop;
    edda_backend_t *backend;
    struct edda_postgres_options options;
};

struct answers {
    struct store *store;
    size_t open;
    size_t good;
    size_t failed;
    int error; /* the last that was not 0 */
};

static void open_store(struct store *store, const char *url) {
    char message[256] = "";
    store->options.loop = store->loop;
    store->options.url = url;
    if (edda_postgres_open(&store->options, message, sizeof message, &store->backend) != 0) {
        fail_msg("%s", message);
    }
}

/* Of commits that need not reach the disk. */
static const char *hasty_url(void) {
    static char url[400];
    snprintf(url, sizeof url, "%s?options=-c%%20synchronous_commit%%3Doff", server_url());
    return url;
}

static int setup(void **state) {
    static struct store store;
    store = (struct store){.loop = edda_loop_new("test"),
                           .options = {.connections = 4,
                                       .prepare = true,
                                       .statement_ms = 10000,
                                       .connect_ms = 5000,
                                       .threads = 2}};
    (void)beside(
        "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    open_store(&store, hasty_url());
    *state = &store;
    return 0;
}

static int teardown(void **state) {
    struct store *store = *state;
    edda_backend_destroy(&store->backend);
    edda_loop_destroy(&store->loop);
    return 0;
}

static void on_answered(void *context, const struct edda_backend_answer *answer) {
    struct answers *answers = context;
    answers->open--;
    answers->good += answer->error == 0;
    answers->failed += answer->error != 0;
    answers->error = answer->error ? answer->error : answers->error;
    if (answers->open == 0) {
        edda_loop_stop(answers->store->loop);
    }
}

static int submit(struct answers *answers, int64_t deadline_ms) {
    struct edda_backend_request request = {.operation = EDDA_BACKEND_PROBE,
                                           .deadline_ms = deadline_ms,
                                           .done = on_answered,
                                           .context = answers};
    int error = edda_backend_submit(answers->store->backend, &request);
    answers->open += error == 0;
    return error;
}

static void wait_for_answers(struct answers *answers) {
    while (answers->open > 0) {
        edda_loop_run(answers->store->loop);
    }
}

static void a_probe_reads_and_commits_by_the_database_s_clock(void **state) {
    struct answers answers = {.store = *state};
    assert_int_equal(submit(&answers, 0), 0);
    assert_int_equal(answers.good, 0);
    wait_for_answers(&answers);
    assert_int_equal(answers.good, 1);
    assert_string_equal(
        beside("SELECT abs(extract(epoch FROM now()) * 1000 - at_ms) < 60000 FROM probe"), "t");
}

static void what_was_not_begun_by_its_deadline_is_expired(void **state) {
    struct answers answers = {.store = *state};
    assert_int_equal(submit(&answers, edda_clock_ms() - 1), 0);
    wait_for_answers(&answers);
    assert_int_equal(answers.error, EDDA_E_EXPIRED);
    assert_int_equal(submit(&answers, edda_clock_ms() + 60000), 0);
    wait_for_answers(&answers);
    assert_int_equal(answers.good, 1);
}

static void
one_more_than_the_most_open_requests_is_refused_and_the_others_are_answered(void **state) {
    struct answers answers = {.store = *state};
    for (size_t i = 0; i < EDDA_BACKEND_MAX_OPEN; i++) {
        assert_int_equal(submit(&answers, 0), 0);
    }
    assert_int_equal(submit(&answers, 0), EDDA_E_BUSY);
    wait_for_answers(&answers);
    assert_int_equal(answers.good + answers.failed, EDDA_BACKEND_MAX_OPEN);
    assert_true(answers.failed == 0 || answers.error == EDDA_E_BUSY);
    assert_int_equal(submit(&answers, 0), 0);
    wait_for_answers(&answers);
}

static void destroying_the_store_finishes_what_is_open(void **state) {
    struct store *store = *state;
    struct answers answers = {.store = store};
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(submit(&answers, 0), 0);
    }
    edda_backend_destroy(&store->backend);
    assert_int_equal(answers.open, 0);
    assert_int_equal(answers.good, 50);
}

static void a_store_whose_database_went_away_answers_and_comes_back(void **state) {
    struct store *store = *state;
    struct answers answers = {.store = store};
    assert_int_equal(submit(&answers, 0), 0);
    wait_for_answers(&answers);
    server_do("stop");
    assert_int_equal(submit(&answers, 0), 0);
    wait_for_answers(&answers);
    assert_int_equal(answers.good, 1);
    assert_true(answers.error == EDDA_E_UNAVAILABLE || answers.error == EDDA_E_IO);
    server_do("start");
    for (int i = 0; i < 100 && answers.good < 2; i++) {
        assert_int_equal(submit(&answers, 0), 0);
        wait_for_answers(&answers);
    }
    assert_int_equal(answers.good, 2);
}

/* ---- the server is killed ---- */

#define MEMOS 60

static void submit_accepts(struct answers *answers, const struct edda_store_accept *accepts) {
    for (size_t i = 0; i < MEMOS; i++) {
        struct edda_backend_request request = {.operation = EDDA_BACKEND_ACCEPT,
                                               .project = EDDA_TEXT("p"),
                                               .arguments = &accepts[i],
                                               .done = on_answered,
                                               .context = answers};
        assert_int_equal(edda_backend_submit(answers->store->backend, &request), 0);
        answers->open++;
    }
}

static void on_tick(void *context) {
    edda_loop_stop(context);
}

static void memos_that_were_answered_survive_a_server_that_is_killed(void **state) {
    struct store *store = *state;
    struct answers answers = {.store = store};
    struct edda_timer tick = {.fire = on_tick, .context = store->loop, .name = "test"};
    struct edda_store_accept accepts[MEMOS];
    struct edda_text part = EDDA_TEXT("Some text.");
    for (size_t i = 0; i < MEMOS; i++) {
        accepts[i] = (struct edda_store_accept){
            .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
    }
    edda_backend_destroy(&store->backend);
    open_store(store, server_url());
    submit_accepts(&answers, accepts);
    while (answers.good < 5) {
        edda_loop_timer_set(store->loop, &tick, edda_clock_ms() + 1);
        edda_loop_run(store->loop);
    }
    edda_loop_timer_cancel(store->loop, &tick);
    server_do("kill");
    wait_for_answers(&answers);
    server_do("start");
    assert_true(strtoul(beside("SELECT count(*) FROM memo"), NULL, 10) >= answers.good);
    for (int i = 0; i < 100 && answers.good < MEMOS; i++) {
        answers.good = 0;
        submit_accepts(&answers, accepts);
        wait_for_answers(&answers);
    }
    assert_string_equal(beside("SELECT count(*) FROM memo"), "60");
    assert_string_equal(beside("SELECT count(*) FROM job WHERE state = 0"), "60");
    assert_string_equal(beside("SELECT sum(memos) FROM project_count"), "60");
}

static void a_database_that_is_not_there_is_refused_with_words_without_the_password(void **state) {
    struct store *store = *state;
    struct edda_postgres_options options = store->options;
    edda_backend_t *backend = NULL;
    char message[256] = "";
    options.url = "postgres://edda:secretpassword@127.0.0.1:1/edda";
    assert_int_equal(edda_postgres_open(&options, message, sizeof message, &backend),
                     EDDA_E_UNAVAILABLE);
    assert_null(backend);
    assert_null(strstr(message, "secretpassword"));
    assert_true(strlen(message) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_probe_reads_and_commits_by_the_database_s_clock),
        TEST(what_was_not_begun_by_its_deadline_is_expired),
        TEST(one_more_than_the_most_open_requests_is_refused_and_the_others_are_answered),
        TEST(destroying_the_store_finishes_what_is_open),
        TEST(a_store_whose_database_went_away_answers_and_comes_back),
        TEST(memos_that_were_answered_survive_a_server_that_is_killed),
        TEST(a_database_that_is_not_there_is_refused_with_words_without_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
