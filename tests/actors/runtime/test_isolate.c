/* tests/actors/runtime/test_isolate.c: a function in a child that crashes, hangs, eats and lies.
 *
 * The child is this program, started again with the word "isolated". */
#include "actors/runtime/isolate.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "actors/runtime/isolated.h"
#include "tests/harness/fake_broker.h"

#define MIB ((size_t)1024 * 1024)

/* ---- the child's side ---- */

extern char **environ;

static void __attribute__((noreturn)) hang(void) {
    for (;;) {
        pause();
    }
}

static void eat(void) {
    for (;;) {
        char *more = malloc(MIB);
        if (more) {
            memset(more, 1, MIB);
        }
    }
}

static void count_files(struct edda_buffer *out) {
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += lseek(fd, 0, SEEK_CUR) >= 0 || send(fd, "", 0, MSG_NOSIGNAL) >= 0 ? 1 : 0;
    }
    (void)edda_buffer_printf(out, "%u", count);
}

static void list_environment(struct edda_buffer *out) {
    for (char **variable = environ; *variable; variable++) {
        (void)edda_buffer_printf(out, "%s\n", *variable);
    }
}

static int serve(struct edda_bytes request, struct edda_buffer *out) {
    struct edda_text word = {(const char *)request.data, request.size};
    if (edda_text_is(word, "crash")) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
    } else if (edda_text_is(word, "exit")) {
        _exit(7);
    } else if (edda_text_is(word, "hang")) {
        hang();
    } else if (edda_text_is(word, "eat")) {
        eat();
    } else if (edda_text_is(word, "fail")) {
        return EDDA_E_MALFORMED;
    } else if (edda_text_is(word, "pid")) {
        (void)edda_buffer_printf(out, "%d", (int)getpid());
    } else if (edda_text_is(word, "files")) {
        count_files(out);
    } else if (edda_text_is(word, "environment")) {
        list_environment(out);
    } else if (edda_text_is(word, "close")) {
        close(EDDA_ISOLATED_FD);
        hang();
    } else if (edda_text_is(word, "lie")) {
        struct edda_isolated_head head = {.size = 0x7fffffff};
        (void)!write(EDDA_ISOLATED_FD, &head, sizeof head);
        hang();
    } else {
        (void)edda_buffer_append(out, request.data, request.size);
    }
    return 0;
}

/* ---- the parent's ---- */

struct heard {
    edda_loop_t *loop;
    unsigned count;
    unsigned wanted;
    int error;
    char reason[256];
    char text[8192];
    size_t size;
};

struct fixture {
    edda_loop_t *loop;
    edda_isolate_t *isolate;
    struct heard heard;
};

static void on_done(void *context, const struct edda_isolate_answer *answer) {
    struct heard *heard = context;
    heard->error = answer->error;
    assert_true(answer->error ? answer->reason && answer->reason[0] : !answer->reason);
    (void)snprintf(heard->reason, sizeof heard->reason, "%s", answer->reason ? answer->reason : "");
    heard->size = answer->bytes.size;
    size_t kept = heard->size < sizeof heard->text - 1 ? heard->size : sizeof heard->text - 1;
    memcpy(heard->text, kept ? (const void *)answer->bytes.data : "", kept);
    heard->text[kept] = '\0';
    if (++heard->count >= heard->wanted) {
        edda_loop_stop(heard->loop);
    }
}

static const char *const arguments[] = {"isolated", NULL};

static void open_isolate(struct fixture *fixture, unsigned children, uint32_t uses, uint32_t run_ms,
                         size_t answer_bytes) {
    edda_isolate_destroy(&fixture->isolate);
    fixture->isolate = edda_isolate_new(&(struct edda_isolate_options){
        .loop = fixture->loop,
        .name = "the tested function",
        .arguments = arguments,
        .children = children,
        .memory_bytes = 256 * MIB,
        .run_ms = run_ms,
        .uses = uses,
        .answer_bytes = answer_bytes,
    });
    assert_non_null(fixture->isolate);
}

static int set_up(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){.loop = edda_loop_new("test")};
    fixture.heard.loop = fixture.loop;
    open_isolate(&fixture, 2, 100, 60000, MIB);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    edda_isolate_destroy(&fixture->isolate);
    edda_loop_destroy(&fixture->loop);
    return waitpid(-1, NULL, WNOHANG) < 0 ? 0 : -1; /* no child is left, not even a dead one */
}

static int try_run(struct fixture *fixture, const char *word) {
    return edda_isolate_run(fixture->isolate,
                            (struct edda_bytes){(const uint8_t *)word, strlen(word)}, on_done,
                            &fixture->heard);
}

static bool is_heard(void *context) {
    const struct fixture *fixture = context;
    return fixture->heard.count > 0;
}

static struct heard *run(struct fixture *fixture, const char *word) {
    fixture->heard.count = 0;
    fixture->heard.wanted = 1;
    assert_int_equal(try_run(fixture, word), 0);
    assert_true(fake_loop_until(fixture->loop, is_heard, fixture, FAKE_WAIT_MS));
    assert_int_equal(fixture->heard.count, 1);
    return &fixture->heard;
}

static void expect_failure(struct fixture *fixture, const char *word, int error,
                           const char *reason) {
    const struct heard *heard = run(fixture, word);
    assert_int_equal(heard->error, error);
    assert_non_null(strstr(heard->reason, reason));
    assert_string_equal(run(fixture, "still here")->text, "still here");
}

static void bytes_go_in_and_come_out(void **state) {
    assert_string_equal(run(*state, "hello")->text, "hello");
    assert_int_equal(run(*state, "")->size, 0);
    assert_int_equal(run(*state, "")->error, 0);
}

static void what_the_function_returns_is_the_calls_error(void **state) {
    const struct heard *heard = run(*state, "fail");
    assert_int_equal(heard->error, EDDA_E_MALFORMED);
    assert_string_equal(heard->reason, edda_error_text(EDDA_E_MALFORMED));
}

/* Seen to fail without say_how() (tests/fault/guards/17c.patch). */
static void a_crash_fails_its_call_with_its_signal_and_no_other(void **state) {
    expect_failure(*state, "crash", EDDA_E_FAILED, "the tested function died of signal 11");
    expect_failure(*state, "exit", EDDA_E_FAILED, "the tested function ended with status 7");
}

/* Seen to fail without on_look() (tests/fault/guards/19b.patch). */
static void a_call_that_hangs_is_ended_at_its_time(void **state) {
    open_isolate(*state, 1, 100, 300, MIB);
    struct fixture *fixture = *state;
    const struct heard *heard = run(fixture, "hang");
    assert_int_equal(heard->error, EDDA_E_TIMEOUT);
    assert_string_equal(heard->reason, "the tested function took more than 300 ms");
    open_isolate(fixture, 1, 100, 60000, MIB);
    assert_string_equal(run(fixture, "within its time")->text, "within its time");
}

static void a_child_that_closes_its_end_does_not_wait_for_its_time(void **state) {
    expect_failure(*state, "close", EDDA_E_FAILED, "the tested function died of signal 9");
}

static void a_call_that_eats_memory_is_ended(void **state) {
    expect_failure(*state, "eat", EDDA_E_LIMIT, "took more than 256 MiB of memory");
}

static void an_answer_may_be_as_long_as_its_limit_and_no_byte_longer(void **state) {
    struct fixture *fixture = *state;
    open_isolate(fixture, 1, 100, 60000, 5);
    assert_int_equal(run(fixture, "12345")->size, 5);
    assert_int_equal(run(fixture, "123456")->error, EDDA_E_LIMIT);
    const struct heard *heard = run(fixture, "lie");
    assert_int_equal(heard->error, EDDA_E_LIMIT);
    assert_string_equal(heard->reason, "the tested function answered more than 5 bytes");
}

static void a_request_may_be_as_long_as_its_limit_and_no_byte_longer(void **state) {
    struct fixture *fixture = *state;
    open_isolate(fixture, 1, 100, 60000, EDDA_ISOLATE_REQUEST);
    uint8_t *bytes = calloc(1, EDDA_ISOLATE_REQUEST + 1);
    assert_non_null(bytes);
    memset(bytes, 'x', EDDA_ISOLATE_REQUEST + 1);
    struct edda_bytes request = {bytes, EDDA_ISOLATE_REQUEST + 1};
    assert_int_equal(edda_isolate_run(fixture->isolate, request, on_done, &fixture->heard),
                     EDDA_E_LIMIT);
    request.size--;
    fixture->heard.wanted = 1;
    assert_int_equal(edda_isolate_run(fixture->isolate, request, on_done, &fixture->heard), 0);
    assert_int_equal(edda_loop_run(fixture->loop), 0);
    assert_int_equal(fixture->heard.error, 0);
    assert_int_equal(fixture->heard.size, EDDA_ISOLATE_REQUEST);
    free(bytes);
}

static void as_many_calls_at_once_as_there_may_be_children(void **state) {
    struct fixture *fixture = *state;
    fixture->heard.wanted = 2;
    assert_int_equal(try_run(fixture, "one"), 0);
    assert_int_equal(try_run(fixture, "two"), 0);
    assert_int_equal(try_run(fixture, "three"), EDDA_E_BUSY);
    assert_int_equal(edda_loop_run(fixture->loop), 0);
    assert_int_equal(try_run(fixture, "three"), 0);
    assert_int_equal(edda_loop_run(fixture->loop), 0);
    assert_string_equal(fixture->heard.text, "three");
}

static void as_many_children_as_there_is_room_for(void **state) {
    struct fixture *fixture = *state;
    open_isolate(fixture, EDDA_ISOLATE_CHILDREN, 100, 60000, MIB);
    fixture->heard.wanted = EDDA_ISOLATE_CHILDREN;
    for (size_t i = 0; i < EDDA_ISOLATE_CHILDREN; i++) {
        assert_int_equal(try_run(fixture, "all at once"), 0);
    }
    assert_int_equal(try_run(fixture, "one more"), EDDA_E_BUSY);
    assert_int_equal(edda_loop_run(fixture->loop), 0);
    assert_int_equal(fixture->heard.count, EDDA_ISOLATE_CHILDREN);
    assert_string_equal(fixture->heard.text, "all at once");
}

/* How a process ends that asks for so many. */
static int ask_for_children(struct fixture *fixture, unsigned children) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        open_isolate(fixture, children, 1, 1000, MIB);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void more_children_than_there_is_room_for_are_a_mistake_of_the_program(void **state) {
    assert_int_equal(ask_for_children(*state, 0), SIGABRT);
    assert_int_equal(ask_for_children(*state, EDDA_ISOLATE_CHILDREN), 0);
    assert_int_equal(ask_for_children(*state, EDDA_ISOLATE_CHILDREN + 1), SIGABRT);
}

static void a_child_takes_as_many_calls_as_it_may_and_then_another_does(void **state) {
    struct fixture *fixture = *state;
    open_isolate(fixture, 1, 2, 60000, MIB);
    long first = strtol(run(fixture, "pid")->text, NULL, 10);
    assert_int_equal(strtol(run(fixture, "pid")->text, NULL, 10), first);
    assert_int_not_equal(strtol(run(fixture, "pid")->text, NULL, 10), first);
    assert_int_not_equal(first, getpid());
}

static void a_child_has_no_descriptors_and_no_environment_of_its_parent(void **state) {
    int files[8];
    for (size_t i = 0; i < 8; i++) {
        files[i] = dup(STDERR_FILENO);
    }
    assert_int_equal(setenv("EDDA_API_KEY", "sk_proj_secret", 1), 0);
    assert_true(strtol(run(*state, "files")->text, NULL, 10) <= 4);
    const char *environment = run(*state, "environment")->text;
    assert_non_null(strstr(environment, EDDA_ISOLATED_MEMORY "=268435456\n"));
    assert_null(strstr(environment, "secret"));
    assert_null(strstr(environment, "PATH="));
    assert_int_equal(unsetenv("EDDA_API_KEY"), 0);
    for (size_t i = 0; i < 8; i++) {
        close(files[i]);
    }
}

static void calls_that_are_open_at_the_end_are_cancelled(void **state) {
    struct fixture *fixture = *state;
    fixture->heard.count = 0;
    fixture->heard.wanted = 9;
    assert_int_equal(try_run(fixture, "hang"), 0);
    assert_int_equal(try_run(fixture, "hang"), 0);
    edda_isolate_destroy(&fixture->isolate);
    assert_int_equal(fixture->heard.count, 2);
    assert_int_equal(fixture->heard.error, EDDA_E_CANCELLED);
}

static void without_descriptors_a_call_is_refused_and_the_next_may_go(void **state) {
    struct fixture *fixture = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(try_run(fixture, "hello"), EDDA_E_MEMORY);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(run(fixture, "hello")->text, "hello");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "isolated") == 0) {
        return edda_isolated_serve(serve);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bytes_go_in_and_come_out),
        TEST(what_the_function_returns_is_the_calls_error),
        TEST(a_crash_fails_its_call_with_its_signal_and_no_other),
        TEST(a_call_that_hangs_is_ended_at_its_time),
        TEST(a_child_that_closes_its_end_does_not_wait_for_its_time),
        TEST(a_call_that_eats_memory_is_ended),
        TEST(an_answer_may_be_as_long_as_its_limit_and_no_byte_longer),
        TEST(a_request_may_be_as_long_as_its_limit_and_no_byte_longer),
        TEST(as_many_calls_at_once_as_there_may_be_children),
        TEST(as_many_children_as_there_is_room_for),
        TEST(more_children_than_there_is_room_for_are_a_mistake_of_the_program),
        TEST(a_child_takes_as_many_calls_as_it_may_and_then_another_does),
        TEST(a_child_has_no_descriptors_and_no_environment_of_its_parent),
        TEST(calls_that_are_open_at_the_end_are_cancelled),
        TEST(without_descriptors_a_call_is_refused_and_the_next_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
