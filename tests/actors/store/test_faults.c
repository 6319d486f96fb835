/* tests/actors/store/test_faults.c: kill -9, full disks, foreign files: nothing acknowledged is
 * lost, and the process never falls with its disk. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/store/sqlite/sqlite.h"
#include "tests/actors/store/fixture.h"

#define ROUNDS 30

static int teardown(void **state) {
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

/* ---- kill -9 ---- */

/* What the child was told, one byte of kind and a uuid, written to a pipe after each answer. */
struct entry {
    uint8_t kind; /* 'a' accepted, 'd' about to be deleted, 'p' called processed */
    struct edda_uuid memo;
} __attribute__((packed));

static void note(int ledger, uint8_t kind, const struct edda_uuid *memo) {
    struct entry entry = {kind, *memo};
    if (write(ledger, &entry, sizeof(entry)) != sizeof(entry)) {
        _exit(3);
    }
}

/* The child's life: memos come, change and go until somebody kills it. */
static void live(struct fixture *f, int ledger, unsigned seed) {
    struct edda_uuid memos[64];
    size_t count = 0;
    const char *const parts[] = {"one alpha\n\ntwo beta", "three gamma", "four delta"};
    f->loop = edda_loop_new("child");
    fixture_open(f);
    ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, NULL);
    for (;;) {
        unsigned choice = (unsigned)rand_r(&seed) % 10;
        if (count < 4 || (choice < 4 && count < 64)) {
            memos[count] = accept_parts(f, "Title", parts, 1 + choice % 3);
            note(ledger, 'a', &memos[count++]);
        } else if (choice == 4) {
            note(ledger, 'd', &memos[--count]);
            delete_memo(f, &memos[count]);
        } else if (choice == 5) {
            char text[64];
            snprintf(text, sizeof(text), "patched %u", rand_r(&seed));
            patch_text(f, &memos[(unsigned)rand_r(&seed) % count], text);
        } else {
            struct edda_claims jobs = claim_jobs(f, 3);
            for (size_t i = 0; i < jobs.count; i++) {
                if (rand_r(&seed) % 8 == 0) {
                    fail_job(f, &jobs.items[i], jobs.items[i].token, EDDA_JOB_OUTSIDE);
                } else if (commit_job(f, &jobs.items[i], jobs.items[i].token).complete) {
                    note(ledger, 'p', &jobs.items[i].memo);
                }
            }
        }
    }
}

struct memory {
    struct entry entries[200000];
    size_t count;
};

static void read_ledger(int ledger, struct memory *memory) {
    struct entry entry;
    ssize_t got;
    while ((got = read(ledger, &entry, sizeof(entry))) == sizeof(entry)) {
        assert_true(memory->count < sizeof(memory->entries) / sizeof(memory->entries[0]));
        memory->entries[memory->count++] = entry;
    }
}

static bool was_deleted(const struct memory *memory, const struct edda_uuid *memo) {
    for (size_t i = 0; i < memory->count; i++) {
        if (memory->entries[i].kind == 'd' && edda_uuid_equal(&memory->entries[i].memo, memo)) {
            return true;
        }
    }
    return false;
}

static void check_ledger(struct fixture *f, const struct memory *memory, bool settled) {
    for (size_t i = 0; i < memory->count; i++) {
        const struct entry *entry = &memory->entries[i];
        if (entry->kind == 'a' && !was_deleted(memory, &entry->memo)) {
            struct edda_store_memo memo;
            assert_int_equal(get_memo(f, &entry->memo, &memo), 0);
            if (settled) {
                assert_true(edda_text_is(memo.status, "processed"));
                assert_true(memo.chunks.count > 0);
            }
        } else if (entry->kind == 'p' && !was_deleted(memory, &entry->memo)) {
            struct edda_store_memo memo;
            assert_int_equal(get_memo(f, &entry->memo, &memo), 0);
            assert_true(memo.chunks.count > 0);
        }
    }
}

/* Seen to fail without the COMMIT before an answer (tests/fault/guards/06.patch). */
static void nothing_acknowledged_is_lost_by_kill_9_at_any_moment(void **state) {
    struct fixture *f = *state;
    struct memory *memory = calloc(1, sizeof(*memory));
    unsigned seed = 20240611;
    fixture_close(f);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int ledger[2];
        assert_int_equal(pipe2(ledger, O_CLOEXEC), 0);
        (void)fcntl(ledger[1], F_SETPIPE_SZ, 1024 * 1024);
        pid_t child = fork();
        if (child == 0) {
            live(f, ledger[1], seed + round);
        }
        close(ledger[1]);
        long wait_us = 30000 + rand_r(&seed) % 120000;
        nanosleep(&(struct timespec){0, wait_us * 1000}, NULL);
        int status;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        read_ledger(ledger[0], memory);
        close(ledger[0]);
        if (round % 5 == 4) {
            fixture_open(f);
            check_tables(f);
            check_ledger(f, memory, false);
            fixture_close(f);
        }
    }
    fixture_open(f);
    ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, NULL);
    let_time_pass(f);
    process_all(f);
    check_tables(f);
    check_ledger(f, memory, true);
    assert_true(memory->count > ROUNDS);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version WHERE state = 0 AND memo IN"
                                    " (SELECT id FROM memo WHERE deleted_ms = 0)"),
                     0);
    free(memory);
}

/* ---- disks ---- */

static void a_full_disk_is_an_io_error_and_passes(void **state) {
    struct fixture *f = *state;
    struct rlimit before;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    process_all(f);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tiny = {4096, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    struct edda_text part = EDDA_TEXT("More text.");
    struct edda_store_accept accept = {
        .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
    int errors[3];
    for (int i = 0; i < 3; i++) {
        errors[i] = ask(f, EDDA_BACKEND_ACCEPT, 0, &accept, NULL, EDDA_BODY_STORE_ACCEPTED, NULL);
    }
    int probe = ask(f, EDDA_BACKEND_PROBE, 0, NULL, NULL, EDDA_BODY_NONE, NULL);
    struct edda_store_select select = select_memo(f, &memo);
    int reading = ask(f, EDDA_BACKEND_GET, 0, &select, NULL, EDDA_BODY_STORE_MEMO, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(errors[i], EDDA_E_IO);
    }
    assert_int_equal(probe, EDDA_E_IO);
    assert_int_equal(reading, 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
    assert_int_equal(ask(f, EDDA_BACKEND_ACCEPT, 0, &accept, NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
                     0);
    assert_int_equal(ask(f, EDDA_BACKEND_PROBE, 0, NULL, NULL, EDDA_BODY_NONE, NULL), 0);
    check_tables(f);
}

static void a_broken_file_is_an_io_error_and_never_an_abort(void **state) {
    struct fixture *f = *state;
    char path[128];
    char garbage[4096];
    char message[256];
    struct edda_uuid memos[50];
    for (size_t i = 0; i < 50; i++) {
        memos[i] = accept_text(f, "Title", "Some text that is long enough to need some pages.");
    }
    process_all(f);
    fixture_close(f);
    snprintf(path, sizeof(path), "%s/edda.db", f->directory);
    int file = open(path, O_RDWR);
    struct stat info;
    assert_true(file >= 0 && fstat(file, &info) == 0);
    memset(garbage, 0xa5, sizeof(garbage));
    for (off_t at = 8192; at < info.st_size; at += (off_t)sizeof(garbage)) {
        assert_int_equal(pwrite(file, garbage, sizeof(garbage), at), sizeof(garbage));
    }
    close(file);
    struct edda_sqlite_options options = {.loop = f->loop, .directory = f->directory, .threads = 1};
    int error = edda_sqlite_open(&options, message, sizeof(message), &f->backend);
    if (error) {
        assert_int_equal(error, EDDA_E_IO);
        return;
    }
    struct edda_store_select select = select_memo(f, &memos[7]);
    assert_int_equal(ask(f, EDDA_BACKEND_GET, 0, &select, NULL, EDDA_BODY_STORE_MEMO, NULL),
                     EDDA_E_IO);
    struct edda_text part = EDDA_TEXT("More text.");
    struct edda_store_accept accept = {
        .memo = edda_uuid_new(), .parts = {&part, 1}, .content_bytes = part.size};
    assert_int_equal(ask(f, EDDA_BACKEND_ACCEPT, 0, &accept, NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
                     EDDA_E_IO);
}

static void a_directory_belongs_to_one_store_at_a_time(void **state) {
    struct fixture *f = *state;
    edda_backend_t *second = NULL;
    char message[256];
    struct edda_sqlite_options options = {.loop = f->loop, .directory = f->directory, .threads = 1};
    assert_int_equal(edda_sqlite_open(&options, message, sizeof(message), &second),
                     EDDA_E_CONFLICT);
    assert_non_null(strstr(message, f->directory));
    assert_null(second);
    fixture_close(f);
    assert_int_equal(edda_sqlite_open(&options, message, sizeof(message), &second), 0);
    edda_backend_destroy(&second);
}

static void a_database_of_a_newer_program_is_refused_with_words(void **state) {
    struct fixture *f = *state;
    char message[256];
    struct edda_sqlite_options options = {.loop = f->loop, .directory = f->directory, .threads = 1};
    fixture_close(f);
    sql_run(f, "INSERT INTO schema_version VALUES (99, 0)");
    assert_int_equal(edda_sqlite_open(&options, message, sizeof(message), &f->backend),
                     EDDA_E_VERSION);
    assert_non_null(strstr(message, "99"));
}

static void a_directory_that_cannot_be_made_is_refused_with_words(void **state) {
    struct fixture *f = *state;
    edda_backend_t *second = NULL;
    char message[256];
    struct edda_sqlite_options options = {
        .loop = f->loop, .directory = "/proc/nowhere/store", .threads = 1};
    assert_int_equal(edda_sqlite_open(&options, message, sizeof(message), &second), EDDA_E_IO);
    assert_non_null(strstr(message, "/proc/nowhere/store"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_acknowledged_is_lost_by_kill_9_at_any_moment),
        TEST(a_full_disk_is_an_io_error_and_passes),
        TEST(a_broken_file_is_an_io_error_and_never_an_abort),
        TEST(a_directory_belongs_to_one_store_at_a_time),
        TEST(a_database_of_a_newer_program_is_refused_with_words),
        TEST(a_directory_that_cannot_be_made_is_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
