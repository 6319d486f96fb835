/* tests/actors/store/test_torn_writes.c: a process that dies in the middle of writing a transaction
 * out leaves it whole or not at all, and everything acknowledged before.
 *
 * Through SQLite's own table of system calls the child dies at its n-th write, and n is every one
 * that its work needs, by STEP. A transaction here is of some twenty pages. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/actors/store/fixture.h"

#define STEP       5
#define PARAGRAPHS 300
#define MOST       1000 /* memos */

static atomic_int writes_left; /* the last of them is not made; 0: as many as it likes */

static ssize_t write_or_die(int fd, const void *bytes, size_t size, off_t at) {
    if (atomic_load(&writes_left) > 0 && atomic_fetch_sub(&writes_left, 1) == 1) {
        (void)kill(getpid(), SIGKILL);
    }
    return pwrite(fd, bytes, size, at);
}

/* What the child was told, through a pipe: 'b' it asks, 'a' accepted, 'p' processed. */
struct entry {
    uint8_t kind;
    struct edda_uuid memo;
};

struct memory {
    struct edda_uuid accepted[MOST];
    size_t accepted_count;
    size_t processed_count; /* of the first accepted */
    struct edda_uuid asked; /* and not accepted, when there is one */
    bool is_asked;
    unsigned unharmed; /* were there though nobody said so */
};

static void note(int ledger, uint8_t kind, const struct edda_uuid *memo) {
    struct entry entry = {kind, *memo};
    if (write(ledger, &entry, sizeof(entry)) != sizeof(entry)) {
        _exit(3);
    }
}

static const char *text_of_many_pages(void) {
    static char text[PARAGRAPHS * 100];
    size_t size = 0;
    for (int i = 0; i < PARAGRAPHS; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size,
                                 "word%d and other%d words that only paragraph %d has in it\n\n", i,
                                 i, i);
    }
    return text;
}

static void live(struct fixture *f, int ledger, int writes) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_or_die);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)write_or_die);
    f->loop = edda_loop_new("child");
    fixture_open(f);
    ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, NULL);
    atomic_store(&writes_left, writes);
    struct edda_text part = edda_text_of(text_of_many_pages());
    struct edda_store_accept accept = one_part(&part);
    note(ledger, 'b', &accept.memo);
    if (accept_memo(f, &accept, NULL) != 0) {
        _exit(4);
    }
    note(ledger, 'a', &accept.memo);
    process_all(f);
    note(ledger, 'p', &accept.memo);
    _exit(0);
}

static void read_ledger(int ledger, struct memory *memory) {
    struct entry entry;
    memory->is_asked = false;
    while (read(ledger, &entry, sizeof(entry)) == sizeof(entry)) {
        if (entry.kind == 'b') {
            memory->asked = entry.memo;
            memory->is_asked = true;
        } else if (entry.kind == 'a') {
            assert_true(memory->accepted_count < MOST);
            memory->accepted[memory->accepted_count++] = entry.memo;
            memory->is_asked = false;
        } else {
            memory->processed_count = memory->accepted_count;
        }
    }
}

/* False: it wanted no more writes. */
static bool lives_until(struct fixture *f, int writes, struct memory *memory) {
    int ledger[2];
    int status;
    assert_int_equal(pipe2(ledger, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        live(f, ledger[1], writes);
    }
    close(ledger[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    read_ledger(ledger[0], memory);
    close(ledger[0]);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return killed;
}

static void check_memory(struct fixture *f, struct memory *memory) {
    struct edda_store_memo memo;
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM pragma_integrity_check"
                                    " WHERE integrity_check <> 'ok'"),
                     0);
    check_tables(f);
    if (memory->is_asked) {
        int error = get_memo(f, &memory->asked, &memo);
        assert_true(error == EDDA_E_NOT_FOUND || error == 0);
        if (error == 0) { /* as if it were acknowledged */
            memory->accepted[memory->accepted_count++] = memory->asked;
            memory->unharmed++;
        }
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), memory->accepted_count);
    for (size_t i = 0; i < memory->accepted_count; i++) {
        assert_int_equal(get_memo(f, &memory->accepted[i], &memo), 0);
        assert_true(edda_text_is(memo.parts.items[0], text_of_many_pages()));
        assert_true(i >= memory->processed_count || memo.chunks.count > 0);
    }
}

/* Seen to fail with the journal off (tests/fault/guards/06b.patch). */
static void a_transaction_that_is_cut_while_it_is_written_leaves_nothing(void **state) {
    struct fixture *f = *state;
    struct memory *memory = calloc(1, sizeof(*memory));
    int writes = 1;
    fixture_close(f);
    while (lives_until(f, writes, memory)) {
        fixture_open(f);
        check_memory(f, memory);
        ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, NULL);
        process_all(f);
        memory->processed_count = memory->accepted_count;
        fixture_close(f);
        writes += STEP;
    }
    fixture_open(f);
    check_memory(f, memory);
    print_message("%d deaths, %zu accepted, %u of them unheard\n", writes / STEP,
                  memory->accepted_count, memory->unharmed);
    assert_true(writes > 10 * STEP);
    free(memory);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_transaction_that_is_cut_while_it_is_written_leaves_nothing, fixture_setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
