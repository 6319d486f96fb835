/* tests/actors/store/test_backlog.c: how much may wait to be processed before more is refused. */
#include <unistd.h>

#include "tests/actors/store/fixture.h"

#define WAITING "SELECT count(*) FROM job WHERE kind = 0 AND state < 2"

static void limit(struct fixture *f, int64_t project, int64_t all) {
    fixture_close(f);
    f->project_backlog = project;
    f->backlog = all;
    fixture_open(f);
}

/* The last memo that accept_in asked for. */
static struct edda_uuid last;

static int accept_in(struct fixture *f, const char *project, const char *text) {
    struct edda_text part = edda_text_of(text);
    struct edda_store_accept accept = one_part(&part);
    last = accept.memo;
    return ask_in(f, project, EDDA_BACKEND_ACCEPT, 0, &accept, NULL, EDDA_BODY_STORE_ACCEPTED,
                  NULL);
}

/* PostgreSQL meets what was done beside an accept by the next count only. */
#define TRIES    100
#define PAUSE_US 50000

static int accept_soon(struct fixture *f, const char *project, const char *text) {
    int error = accept_in(f, project, text);
    for (int i = 0; f->postgres && i < TRIES && (error == EDDA_E_QUOTA || error == EDDA_E_BUSY);
         i++) {
        usleep(PAUSE_US);
        error = accept_in(f, project, text);
    }
    return error;
}

static int patch_soon(struct fixture *f, const struct edda_uuid *memo, const char *text) {
    int error = patch_text(f, memo, text);
    for (int i = 0; f->postgres && i < TRIES && error == EDDA_E_QUOTA; i++) {
        usleep(PAUSE_US);
        error = patch_text(f, memo, text);
    }
    return error;
}

static void delete_last(struct fixture *f, const char *project) {
    char text[EDDA_UUID_TEXT];
    edda_uuid_format(&last, text);
    struct edda_store_select select = {.id = edda_text_of(text)};
    assert_int_equal(
        ask_in(f, project, EDDA_BACKEND_DELETE, 0, &select, NULL, EDDA_BODY_EMPTY, NULL), 0);
}

/* Seen to fail without edda_backlog_check, or edda_pg_backlog_ask, in accept.c, and in patch.c. */
static void a_project_over_its_share_is_refused_until_something_is_done(void **state) {
    struct fixture *f = *state;
    limit(f, 2, 0);
    struct edda_uuid first = accept_text(f, "One", "a");
    assert_int_equal(accept_in(f, PROJECT, "b"), 0);
    assert_int_equal(accept_in(f, PROJECT, "c"), EDDA_E_QUOTA);
    assert_string_equal(f->text, "too much of this project is still being processed");
    assert_int_equal(patch_text(f, &first, "other"), EDDA_E_QUOTA);
    assert_int_equal(accept_in(f, "q", "another project's"), 0);
    delete_last(f, "q");
    /* What changes no content is not refused. */
    assert_int_equal(patch_title(f, &first, "Uno"), 0);
    assert_true(process_all(f) > 0);
    assert_int_equal(patch_soon(f, &first, "other"), 0);
    assert_int_equal(accept_in(f, PROJECT, "c"), 0);
    assert_int_equal(accept_in(f, PROJECT, "d"), EDDA_E_QUOTA);
    assert_true(process_all(f) > 0);
}

static void all_projects_together_have_a_limit_too(void **state) {
    struct fixture *f = *state;
    limit(f, 0, 2);
    assert_int_equal(accept_in(f, PROJECT, "a"), 0);
    assert_int_equal(accept_in(f, "r", "c"), 0);
    struct edda_uuid waiting = last;
    assert_int_equal(accept_in(f, "q", "b"), EDDA_E_BUSY);
    assert_string_equal(f->text, "too much is still being processed");
    assert_int_equal(accept_in(f, PROJECT, "b"), EDDA_E_BUSY);
    last = waiting;
    delete_last(f, "r");
    assert_int_equal(accept_soon(f, PROJECT, "b"), 0);
    assert_true(process_all(f) > 0);
}

static void a_request_sent_again_is_answered_over_the_limit(void **state) {
    struct fixture *f = *state;
    limit(f, 1, 0);
    struct edda_text part = EDDA_TEXT("a");
    struct edda_store_accept accept = one_part(&part);
    struct edda_store_accepted accepted;
    assert_int_equal(accept_memo(f, &accept, NULL), 0);
    assert_int_equal(accept_in(f, PROJECT, "b"), EDDA_E_QUOTA);
    assert_int_equal(accept_memo(f, &accept, &accepted), 0);
    assert_true(accepted.replayed);
    assert_true(process_all(f) > 0);
}

static void one_document_may_go_over_the_limit(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"one", "two", "three"};
    limit(f, 1, 0);
    (void)accept_parts(f, "Three", parts, 3);
    assert_int_equal(sql_integer(f, WAITING), 3);
    assert_int_equal(accept_in(f, PROJECT, "b"), EDDA_E_QUOTA);
    assert_true(process_all(f) > 0);
    assert_int_equal(sql_integer(f, WAITING), 0);
}

static void what_is_deleted_or_dead_waits_no_longer(void **state) {
    struct fixture *f = *state;
    limit(f, 2, 0);
    (void)accept_text(f, "One", "a");
    (void)accept_text(f, "Two", "b");
    sql_run(f, "UPDATE job SET state = 3, last_error = 'x' WHERE id = (SELECT min(id) FROM job);"
               "UPDATE version SET state = 2, error = 'x' WHERE id = (SELECT min(id) >> 12 FROM"
               " job)");
    assert_int_equal(sql_integer(f, WAITING), 1);
    assert_int_equal(accept_soon(f, PROJECT, "c"), 0);
    assert_int_equal(accept_in(f, PROJECT, "d"), EDDA_E_QUOTA);
    assert_true(process_all(f) > 0);
    assert_int_equal(sql_integer(f, WAITING), 0);
}

/* ---- many at once ---- */

#define CROWD 40

struct crowd {
    struct fixture *f;
    size_t open;
    size_t errors[64]; /* by -error */
    struct edda_store_accept accepts[CROWD];
};

static void on_answer(void *context, const struct edda_backend_answer *answer) {
    struct crowd *crowd = context;
    crowd->errors[-answer->error]++;
    if (--crowd->open == 0) {
        edda_loop_stop(crowd->f->loop);
    }
}

static struct crowd *submit_crowd(struct fixture *f) {
    static struct crowd crowd;
    static struct edda_text part = EDDA_TEXT("Some text.");
    crowd = (struct crowd){.f = f};
    for (size_t i = 0; i < CROWD; i++) {
        crowd.accepts[i] = one_part(&part);
        struct edda_backend_request request = {.operation = EDDA_BACKEND_ACCEPT,
                                               .project = edda_text_of(i % 2 ? PROJECT : "q"),
                                               .arguments = &crowd.accepts[i],
                                               .done = on_answer,
                                               .context = &crowd};
        crowd.open++;
        assert_int_equal(edda_backend_submit(f->backend, &request), 0);
    }
    return &crowd;
}

/* Seen to fail when on PostgreSQL what was admitted is not added to a count. */
static void accepts_that_come_at_once_do_not_go_over_it_together(void **state) {
    struct fixture *f = *state;
    limit(f, 10, 0);
    const struct crowd *crowd = submit_crowd(f);
    edda_loop_run(f->loop);
    assert_int_equal(crowd->open, 0);
    assert_int_equal(crowd->errors[0], 20);
    assert_int_equal(crowd->errors[-EDDA_E_QUOTA], CROWD - 20);
    limit(f, 0, 25);
    crowd = submit_crowd(f);
    edda_loop_run(f->loop);
    assert_int_equal(crowd->errors[0], 5);
    assert_int_equal(crowd->errors[-EDDA_E_BUSY], CROWD - 5);
}

static void accepts_that_wait_when_the_store_goes_are_answered(void **state) {
    struct fixture *f = *state;
    limit(f, 10, 10);
    const struct crowd *crowd = submit_crowd(f);
    fixture_close(f);
    assert_int_equal(crowd->open, 0);
    fixture_open(f);
    assert_true(sql_integer(f, WAITING) <= 10);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_project_over_its_share_is_refused_until_something_is_done),
        WITH_STORE(all_projects_together_have_a_limit_too),
        WITH_STORE(a_request_sent_again_is_answered_over_the_limit),
        WITH_STORE(one_document_may_go_over_the_limit),
        WITH_STORE(what_is_deleted_or_dead_waits_no_longer),
        WITH_STORE(accepts_that_come_at_once_do_not_go_over_it_together),
        WITH_STORE(accepts_that_wait_when_the_store_goes_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
