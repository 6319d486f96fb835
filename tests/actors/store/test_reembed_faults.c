/* tests/actors/store/test_reembed_faults.c: embedding anew beside searches, and killed at any
 * moment. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "tests/actors/store/fixture.h"

/* ---- searches while projects change over ---- */

#define MEMOS    12
#define ROUNDS   24
#define WATCHERS 4

static const char *const models[] = {"test-4", "new-4"};

struct watcher {
    struct fixture *f;
    struct edda_store_search arguments;
    float vector[DIMENSION];
    struct edda_embeddings embeddings;
    unsigned open;
    unsigned whole; /* searches with the model that served */
    unsigned named; /* with the other, told so */
    bool stop;
};

static void watch(struct watcher *watcher);

/* Either all vectors of the query's model took part or none, and then the other model is named. */
static void on_watched(void *context, const struct edda_backend_answer *answer) {
    struct watcher *watcher = context;
    const struct edda_hits *hits = answer->record;
    size_t near = 0;
    assert_int_equal(answer->error, 0);
    assert_int_equal(hits->hits.count, MEMOS);
    for (size_t i = 0; i < hits->hits.count; i++) {
        near += hits->hits.items[i].vector_score > 0;
    }
    if (hits->degraded.count) {
        assert_int_equal(near, 0);
        assert_true(hits->model.size > 0 &&
                    !edda_text_equal(hits->model, watcher->embeddings.model));
        watcher->named++;
    } else {
        assert_int_equal(near, MEMOS);
        assert_int_equal(hits->model.size, 0);
        watcher->whole++;
    }
    watcher->open--;
    if (!watcher->stop) {
        watch(watcher);
    }
}

static void watch(struct watcher *watcher) {
    struct edda_backend_request request = {
        .operation = EDDA_BACKEND_SEARCH,
        .project = EDDA_TEXT(PROJECT),
        .arguments = &watcher->arguments,
        .input = &watcher->embeddings,
        .done = on_watched,
        .context = watcher,
    };
    assert_int_equal(edda_backend_submit(watcher->f->backend, &request), 0);
    watcher->open++;
}

struct counter {
    struct fixture *f;
    size_t open;
    size_t complete;
};

static void on_stored(void *context, const struct edda_backend_answer *answer) {
    struct counter *counter = context;
    const struct edda_store_stored *stored = answer->record;
    assert_int_equal(answer->error, 0);
    assert_false(stored->stale);
    counter->complete += stored->complete;
    if (--counter->open == 0) {
        edda_loop_stop(counter->f->loop);
    }
}

/* Commits all parts in the same moment. */
static void embed_all_at_once(struct fixture *f) {
    struct counter counter = {.f = f};
    struct edda_claims jobs = claim_jobs(f, MEMOS);
    struct edda_store_put_chunks puts[MEMOS];
    struct edda_chunks chunks[MEMOS];
    assert_int_equal(jobs.count, MEMOS);
    for (size_t i = 0; i < jobs.count; i++) {
        const struct edda_claimed *job = &jobs.items[i];
        puts[i] = (struct edda_store_put_chunks){job->job, job->memo, job->version, job->part};
        assert_int_equal(part_chunks(f, job, &chunks[i]), 0);
        vectors_for(f, &chunks[i]);
    }
    for (size_t i = 0; i < jobs.count; i++) {
        struct edda_backend_request request = {
            .operation = EDDA_BACKEND_PUT_VECTORS,
            .project = EDDA_TEXT(PROJECT),
            .fence = jobs.items[i].token,
            .arguments = &puts[i],
            .input = &chunks[i],
            .done = on_stored,
            .context = &counter,
        };
        assert_int_equal(edda_backend_submit(f->backend, &request), 0);
        counter.open++;
    }
    while (counter.open) {
        edda_loop_run(f->loop);
    }
    assert_int_equal(counter.complete, 1);
}

static void searches_see_the_vectors_of_one_model_and_all_of_them(void **state) {
    struct fixture *f = *state;
    struct watcher watchers[WATCHERS];
    char text[32];
    for (int i = 0; i < MEMOS; i++) {
        snprintf(text, sizeof(text), "walrus number%d", i);
        accept_text(f, "Title", text);
    }
    process_all(f);
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = (struct watcher){
            .f = f,
            .arguments = {.query = EDDA_TEXT("walrus"), .limit = 50},
            .embeddings = {.model = edda_text_of(models[i % 2]),
                           .dimension = DIMENSION,
                           .count = 1},
        };
        vector_of(watchers[i].arguments.query, watchers[i].vector);
        watchers[i].embeddings.vectors =
            (struct edda_floats){(const uint8_t *)watchers[i].vector, sizeof(watchers[i].vector)};
    }
    for (int i = 0; i < WATCHERS; i++) {
        watch(&watchers[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        f->model = models[(round + 1) % 2];
        struct edda_store_reembedded counts = reembed(f, f->model);
        assert_int_equal(counts.queued, MEMOS);
        embed_all_at_once(f);
        /* What was told to be so can be found at once. */
        assert_int_equal(search(f, "walrus").degraded.count, 0);
        if (round % 3) {
            sweep_all(f);
        }
    }
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i].stop = true;
    }
    for (int i = 0; i < WATCHERS; i++) {
        while (watchers[i].open) {
            search(f, "walrus");
        }
        assert_true(watchers[i].whole > 0 && watchers[i].named > 0);
    }
}

/* ---- kill -9 ---- */

#define KILLS 24

static const char *const targets[] = {"m0-4", "m1-4", "m2-4"};

/* The model that was asked for last, as the tables say. */
static unsigned target_of(struct fixture *f) {
    return (unsigned)sql_integer(f, "SELECT coalesce((SELECT CAST(substr(o.name, 2, 1) AS INTEGER)"
                                    " FROM project p JOIN model o ON o.id = coalesce(p.next_model,"
                                    " p.model)), 0)");
}

/* Commits or fails a job as an embedder of the model `target` would, or one that lags behind. */
static void work_on(struct fixture *f, const struct edda_claimed *job, unsigned target,
                    unsigned *seed) {
    struct edda_chunks chunks;
    struct edda_store_stored stored;
    unsigned model = rand_r(seed) % 4 ? target : (unsigned)rand_r(seed) % 3;
    f->model = targets[model];
    if (rand_r(seed) % 8 == 0) {
        fail_job(f, job, job->token, EDDA_JOB_OUTSIDE);
    } else if (job->kind == EDDA_JOB_CHUNK) {
        commit_job(f, job, job->token);
    } else if (part_chunks(f, job, &chunks) == 0) {
        vectors_for(f, &chunks);
        if (put_vectors(f, job, job->token, &chunks, &stored) != 0) {
            fail_job(f, job, job->token, EDDA_JOB_OUTSIDE);
        }
    }
}

/* The child's life: minds, memos and vectors change until somebody kills it. */
static void live(struct fixture *f, int ledger, unsigned seed) {
    struct edda_uuid memos[24];
    size_t count = 0;
    const char *const parts[] = {"one alpha\n\ntwo beta", "three gamma", "four delta"};
    f->loop = edda_loop_new("child");
    fixture_open(f);
    ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, NULL);
    unsigned target = target_of(f);
    for (;;) {
        unsigned choice = (unsigned)rand_r(&seed) % 20;
        if (count < 4 || (choice < 3 && count < 24)) {
            memos[count] = accept_parts(f, "Title", parts, 1 + choice % 3);
            if (write(ledger, &memos[count++], sizeof(memos[0])) != sizeof(memos[0])) {
                _exit(3);
            }
        } else if (choice == 4) {
            char text[64];
            snprintf(text, sizeof(text), "patched %u", rand_r(&seed));
            patch_text(f, &memos[(unsigned)rand_r(&seed) % count], text);
        } else if (choice == 5) {
            patch_title(f, &memos[(unsigned)rand_r(&seed) % count], "Another");
        } else if (choice == 6) {
            target = (unsigned)rand_r(&seed) % 3;
            reembed(f, targets[target]);
        } else if (choice == 7) {
            ask(f, EDDA_BACKEND_SWEEP, 0, NULL, NULL, EDDA_BODY_NONE, NULL);
        } else if (choice == 8) {
            if (write(ledger, &memos[--count], sizeof(memos[0])) != sizeof(memos[0])) {
                _exit(3);
            }
            delete_memo(f, &memos[count]);
        } else if (choice == 9) {
            search(f, "alpha");
        } else {
            let_time_pass(f);
            struct edda_claims jobs = claim_jobs(f, 6);
            for (size_t i = 0; i < jobs.count; i++) {
                work_on(f, &jobs.items[i], target, &seed);
            }
        }
    }
}

/* Every vector that counts is that of its chunk's text. */
static void check_vectors(struct fixture *f) {
    char path[128];
    sqlite3 *handle = NULL;
    sqlite3_stmt *query = NULL;
    snprintf(path, sizeof(path), "%s/edda.db", f->directory);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(handle,
                           "SELECT c.text, i.vector FROM chunk c JOIN chunk_index i ON i.id = c.id"
                           " UNION ALL SELECT c.text, n.vector FROM chunk c JOIN vector_next n ON"
                           " n.id = c.id",
                           -1, &query, NULL),
        SQLITE_OK);
    while (sqlite3_step(query) == SQLITE_ROW) {
        float expected[DIMENSION];
        vector_of((struct edda_text){(const char *)sqlite3_column_text(query, 0),
                                     (size_t)sqlite3_column_bytes(query, 0)},
                  expected);
        assert_int_equal(sqlite3_column_bytes(query, 1), sizeof(expected));
        assert_memory_equal(sqlite3_column_blob(query, 1), expected, sizeof(expected));
    }
    sqlite3_finalize(query);
    sqlite3_close(handle);
}

/* How often a memo was written: once when it was answered, once more before it was deleted. */
static unsigned times_written(const struct edda_uuid *memos, size_t count,
                              const struct edda_uuid *memo) {
    unsigned times = 0;
    for (size_t i = 0; i < count; i++) {
        times += edda_uuid_equal(&memos[i], memo);
    }
    return times;
}

static void check_memos(struct fixture *f, const struct edda_uuid *memos, size_t count) {
    struct edda_store_memo memo;
    for (size_t i = 0; i < count; i++) {
        int error = get_memo(f, &memos[i], &memo);
        assert_true(error == 0 || times_written(memos, count, &memos[i]) == 2);
        assert_true(error != 0 || memo.chunks.count > 0);
    }
}

static void end_all_work(struct fixture *f) {
    ask(f, EDDA_BACKEND_RELEASE, 0, NULL, NULL, EDDA_BODY_STORE_COUNT, NULL);
    f->model = "end-4";
    reembed(f, f->model);
    let_time_pass(f);
    process_all(f);
    sweep_all(f);
}

static void a_re_embedding_that_is_killed_at_any_moment_goes_on(void **state) {
    struct fixture *f = *state;
    enum { MOST = 100000 };
    struct edda_uuid *memos = calloc(MOST, sizeof(*memos));
    size_t count = 0;
    unsigned seed = 20250302;
    fixture_close(f);
    for (unsigned round = 0; round < KILLS; round++) {
        int ledger[2];
        int status;
        ssize_t got;
        assert_int_equal(pipe2(ledger, O_CLOEXEC), 0);
        (void)fcntl(ledger[1], F_SETPIPE_SZ, 1024 * 1024);
        pid_t child = fork();
        if (child == 0) {
            live(f, ledger[1], seed + round);
        }
        close(ledger[1]);
        long wait_us = 60000 + rand_r(&seed) % 200000;
        nanosleep(&(struct timespec){0, wait_us * 1000}, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        while ((got = read(ledger[0], &memos[count], sizeof(*memos))) == sizeof(*memos)) {
            assert_true(++count < MOST);
        }
        close(ledger[0]);
        if (round % 4 == 3) {
            fixture_open(f);
            check_tables(f);
            check_vectors(f);
            fixture_close(f);
        }
    }
    fixture_open(f);
    end_all_work(f);
    check_tables(f);
    check_vectors(f);
    check_memos(f, memos, count);
    assert_true(count > KILLS);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM project p JOIN model o ON o.id = p.model"
                                    " WHERE o.name = 'end-4' AND p.next_model IS NULL"),
                     1);
    assert_int_equal(
        sql_integer(f, "SELECT count(*) FROM memo m JOIN part p ON p.id >> 12 = m.current_version"
                       " JOIN model o ON o.id = p.model WHERE m.deleted_ms = 0 AND o.name <>"
                       " 'end-4'"),
        0);
    free(memos);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(searches_see_the_vectors_of_one_model_and_all_of_them),
        TEST(a_re_embedding_that_is_killed_at_any_moment_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
