/* tests/actors/store/test_commits.c: how many operations a commit of a store in a directory takes.
 *
 * Through SQLite's own table of system calls the writer is held at a write, until all that the next
 * commits are to take waits for it. */
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "actors/runtime/metric.h"
#include "actors/store/sqlite/writer.h"
#include "tests/actors/store/fixture.h"

static atomic_bool holds_next_write;
static sem_t is_held;
static sem_t may_go_on;

static ssize_t write_when_let(int fd, const void *bytes, size_t size, off_t at) {
    if (atomic_exchange(&holds_next_write, false)) {
        (void)sem_post(&is_held);
        while (sem_wait(&may_go_on) != 0) {
        }
    }
    return pwrite(fd, bytes, size, at);
}

struct counter {
    struct fixture *f;
    size_t open;
};

static void on_accepted(void *context, const struct edda_backend_answer *answer) {
    struct counter *counter = context;
    assert_int_equal(answer->error, 0);
    if (--counter->open == 0) {
        edda_loop_stop(counter->f->loop);
    }
}

static void accept_one(struct counter *counter, struct edda_store_accept *accept) {
    static struct edda_text part = EDDA_TEXT("Some text.");
    *accept = one_part(&part);
    struct edda_backend_request request = {
        .operation = EDDA_BACKEND_ACCEPT,
        .project = EDDA_TEXT(PROJECT),
        .arguments = accept,
        .done = on_accepted,
        .context = counter,
    };
    assert_int_equal(edda_backend_submit(counter->f->backend, &request), 0);
    counter->open++;
}

/* How many commits take so many operations that wait together. */
static int64_t commits_of(struct fixture *f, size_t count) {
    static struct edda_store_accept accepts[EDDA_WRITER_BATCH + 2];
    struct counter counter = {.f = f};
    edda_cell_t *commits = edda_metric_cell(EDDA_METRIC_STORE_COMMITS, NULL);
    atomic_store(&holds_next_write, true);
    accept_one(&counter, &accepts[count]);
    while (sem_wait(&is_held) != 0) {
    }
    int64_t before = edda_cell_value(commits);
    for (size_t i = 0; i < count; i++) {
        accept_one(&counter, &accepts[i]);
    }
    (void)sem_post(&may_go_on);
    (void)edda_loop_run(f->loop);
    assert_int_equal(counter.open, 0);
    return edda_cell_value(commits) - before - 1; /* the one that was held */
}

static void a_commit_takes_as_many_operations_as_it_may_and_the_next_the_rest(void **state) {
    assert_int_equal(commits_of(*state, EDDA_WRITER_BATCH), 1);
    assert_int_equal(commits_of(*state, EDDA_WRITER_BATCH + 1), 2);
    assert_int_equal(sql_integer(*state, "SELECT count(*) FROM memo"), 2 * EDDA_WRITER_BATCH + 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_commit_takes_as_many_operations_as_it_may_and_the_next_the_rest, fixture_setup,
            fixture_teardown),
    };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_when_let);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)write_when_let);
    (void)sem_init(&is_held, 0, 0);
    (void)sem_init(&may_go_on, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
