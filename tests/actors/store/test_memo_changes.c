/* tests/actors/store/test_memo_changes.c: staging, patches, deleting and sweeping. */
#include <inttypes.h>
#include <stdio.h>

#include "actors/runtime/clock.h"
#include "tests/actors/store/fixture.h"

/* ---- staging ---- */

static int put_parts(struct fixture *f, const struct edda_uuid *memo, uint32_t first,
                     const char *const *texts, size_t count) {
    struct edda_text items[8];
    for (size_t i = 0; i < count; i++) {
        items[i] = edda_text_of(texts[i]);
    }
    struct edda_store_put_part put = {*memo, first, {items, count}};
    return ask(f, EDDA_BACKEND_PUT_PART, 0, &put, NULL, EDDA_BODY_EMPTY, NULL);
}

static void staged_parts_become_a_memo_in_their_order(void **state) {
    struct fixture *f = *state;
    const char *const texts[] = {"# Guide\n\nfirst", "second", "## Next\n\nthird"};
    struct edda_store_accept arguments = {.memo = edda_uuid_new(),
                                          .title = EDDA_TEXT("Title"),
                                          .format = EDDA_TEXT("markdown"),
                                          .staged_parts = 3,
                                          .content_bytes = 14 + 6 + 14};
    assert_int_equal(put_parts(f, &arguments.memo, 1, texts + 1, 2), 0);
    assert_int_equal(put_parts(f, &arguments.memo, 0, texts, 1), 0);
    assert_int_equal(put_parts(f, &arguments.memo, 0, texts, 2), 0);
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    assert_int_equal(put_parts(f, &arguments.memo, 0, texts, 1), 0);
    struct edda_claims jobs = claim_jobs(f, 10);
    assert_int_equal(jobs.count, 3);
    assert_true(edda_text_is(jobs.items[1].text, "second"));
    assert_int_equal(jobs.items[1].first_byte, 14);
    assert_true(edda_text_is(jobs.items[1].heading, "Guide"));
    assert_int_equal(jobs.items[2].first_byte, 20);
    for (size_t i = 0; i < 3; i++) {
        commit_job(f, &jobs.items[i], jobs.items[i].token);
    }
    struct edda_store_memo memo;
    assert_int_equal(get_memo(f, &arguments.memo, &memo), 0);
    assert_int_equal(memo.parts.count, 3);
    assert_int_equal(memo.chunks.count, 5);
    assert_int_equal(memo.chunks.items[4].number, 4);
    assert_int_equal(memo.content_bytes, 34);
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
}

static void an_accept_of_parts_that_are_missing_is_refused(void **state) {
    struct fixture *f = *state;
    const char *const texts[] = {"first", "second"};
    struct edda_store_accept arguments = {
        .memo = edda_uuid_new(), .title = EDDA_TEXT("T"), .staged_parts = 2, .content_bytes = 11};
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_NOT_FOUND);
    assert_int_equal(put_parts(f, &arguments.memo, 1, texts + 1, 1), 0);
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
    assert_int_equal(put_parts(f, &arguments.memo, 0, texts, 1), 0);
    arguments.content_bytes = 12;
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
    arguments.content_bytes = 11;
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
}

static void a_patch_of_staged_parts_that_is_sent_again_changes_nothing(void **state) {
    struct fixture *f = *state;
    const char *const texts[] = {"first", "second"};
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    process_all(f);
    struct edda_store_patch patch = {.id = select_memo(f, &memo).id,
                                     .set = EDDA_PATCH_CONTENT,
                                     .staged = edda_uuid_new(),
                                     .staged_parts = 2,
                                     .content_bytes = 11};
    struct edda_store_accepted accepted;
    assert_int_equal(ask(f, EDDA_BACKEND_PATCH, 0, &patch, NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
                     EDDA_E_NOT_FOUND);
    assert_int_equal(put_parts(f, &patch.staged, 0, texts, 2), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            ask(f, EDDA_BACKEND_PATCH, 0, &patch, NULL, EDDA_BODY_STORE_ACCEPTED, &accepted), 0);
        assert_int_equal(accepted.version, 2);
    }
    assert_int_equal(process_all(f), 2);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version"), 2);
}

/* ---- patches ---- */

static void a_patch_with_the_same_content_is_no_change(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    process_all(f);
    assert_int_equal(patch_text(f, &memo, "Some text."), 0);
    assert_int_equal(claim_jobs(f, 1).count, 0);
    assert_string_equal(status_of(f, &memo), "processed");
}

static void only_the_named_fields_change(void **state) {
    struct fixture *f = *state;
    struct edda_text tag = EDDA_TEXT("t");
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    process_all(f);
    struct edda_store_patch patch = {.id = select_memo(f, &memo).id,
                                     .set = EDDA_PATCH_METADATA | EDDA_PATCH_TAGS |
                                            EDDA_PATCH_EXPIRES | EDDA_PATCH_SOURCE,
                                     .title = EDDA_TEXT("ignored"),
                                     .metadata = EDDA_TEXT("{\"b\":2}"),
                                     .source = EDDA_TEXT("web"),
                                     .expires_wall_ms = 4000000000000,
                                     .tags = {&tag, 1}};
    struct edda_store_memo read;
    assert_int_equal(ask(f, EDDA_BACKEND_PATCH, 0, &patch, NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
                     0);
    assert_int_equal(get_memo(f, &memo, &read), 0);
    assert_true(edda_text_is(read.title, "Title"));
    assert_true(edda_text_is(read.metadata, "{\"b\":2}"));
    assert_true(edda_text_is(read.source, "web"));
    assert_int_equal(read.expires_wall_ms, 4000000000000);
    assert_int_equal(read.tags.count, 1);
    assert_int_equal(read.chunks.count, 1);
    assert_true(edda_text_is(read.status, "processed"));
    assert_int_equal(claim_jobs(f, 1).count, 0);
}

static void readers_see_the_old_content_until_the_new_is_complete(void **state) {
    struct fixture *f = *state;
    struct edda_store_memo read;
    struct edda_uuid memo = accept_text(f, "Title", "Old text.");
    process_all(f);
    assert_int_equal(patch_text(f, &memo, "New text."), 0);
    assert_int_equal(get_memo(f, &memo, &read), 0);
    assert_true(edda_text_is(read.parts.items[0], "Old text."));
    assert_true(edda_text_is(read.chunks.items[0].text, "Old text."));
    assert_true(edda_text_is(read.status, "processing"));
    process_all(f);
    assert_int_equal(get_memo(f, &memo, &read), 0);
    assert_true(edda_text_is(read.parts.items[0], "New text."));
    assert_true(edda_text_is(read.chunks.items[0].text, "New text."));
    assert_int_equal(read.chunks.count, 1);
    assert_int_equal(read.version, 2);
}

static void the_newest_of_several_patches_wins(void **state) {
    struct fixture *f = *state;
    struct edda_store_memo read;
    struct edda_uuid memo = accept_text(f, "Title", "One.");
    struct edda_claims first = claim_jobs(f, 1);
    assert_int_equal(patch_text(f, &memo, "Two."), 0);
    struct edda_claims second = claim_jobs(f, 1);
    assert_int_equal(patch_text(f, &memo, "Three."), 0);
    assert_true(commit_job(f, &second.items[0], second.items[0].token).stale);
    assert_true(commit_job(f, &first.items[0], first.items[0].token).stale);
    assert_int_equal(process_all(f), 1);
    assert_int_equal(get_memo(f, &memo, &read), 0);
    assert_true(edda_text_is(read.chunks.items[0].text, "Three."));
    assert_int_equal(read.version, 3);
}

static void a_failed_patch_leaves_the_old_content_to_be_found(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Ancient wisdom.");
    process_all(f);
    assert_int_equal(patch_text(f, &memo, "Broken text."), 0);
    sql_run(f, "UPDATE job SET attempts = 100 WHERE state = 0");
    struct edda_claims jobs = claim_jobs(f, 1);
    assert_int_equal(fail_job(f, &jobs.items[0], jobs.items[0].token, EDDA_JOB_FAILED), 2);
    assert_string_equal(status_of(f, &memo), "error");
    assert_int_equal(search(f, "wisdom").hits.count, 1);
    assert_int_equal(patch_text(f, &memo, "Mended text."), 0);
    process_all(f);
    assert_string_equal(status_of(f, &memo), "processed");
    assert_int_equal(search(f, "wisdom").hits.items[0].word_score > 0, 0);
}

/* ---- deleting and sweeping ---- */

static void a_deleted_memo_never_comes_back(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept arguments = one_part(&part);
    struct edda_store_accepted accepted;
    struct edda_store_memo read;
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    assert_int_equal(delete_memo(f, &arguments.memo), 0);
    assert_int_equal(delete_memo(f, &arguments.memo), EDDA_E_NOT_FOUND);
    assert_int_equal(accept_memo(f, &arguments, &accepted), 0);
    assert_true(accepted.replayed);
    assert_int_equal(get_memo(f, &arguments.memo, &read), EDDA_E_NOT_FOUND);
    assert_int_equal(claim_jobs(f, 1).count, 0);
}

static void sweeping_removes_what_nobody_needs(void **state) {
    struct fixture *f = *state;
    const char *const staged[] = {"first", "second"};
    struct edda_uuid orphan = edda_uuid_new();
    struct edda_uuid kept = accept_text(f, "Kept", "Kept text.");
    struct edda_uuid memo = accept_text(f, "Gone", "Some text.\n\nMore text.");
    process_all(f);
    assert_int_equal(put_parts(f, &orphan, 0, staged, 2), 0);
    assert_int_equal(patch_text(f, &kept, "Kept text, patched."), 0);
    process_all(f);
    assert_int_equal(delete_memo(f, &memo), 0);
    sweep_all(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 2);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version WHERE state = 4"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk WHERE text LIKE 'Some%'"), 0);
    sql_run(f, "UPDATE version SET changed_ms = 1 WHERE state IN (3, 4); UPDATE staging SET"
               " created_ms = 1; UPDATE memo SET deleted_ms = 1 WHERE deleted_ms > 0");
    sweep_all(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM version"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM part"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM part_text"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM staging"), 0);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job"), 1);
    assert_string_equal(status_of(f, &kept), "processed");
}

static void a_memo_is_deleted_a_month_after_it_expired(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    process_all(f);
    sql_run(f, either(f, "UPDATE memo SET expires_ms = unixepoch() * 1000 - 86400000",
                      "UPDATE memo SET expires_ms = extract(epoch FROM now()) * 1000 - 86400000"));
    sweep_all(f);
    assert_string_equal(status_of(f, &memo), "processed");
    sql_run(f, "UPDATE memo SET expires_ms = 1");
    sweep_all(f);
    assert_int_equal(delete_memo(f, &memo), EDDA_E_NOT_FOUND);
}

/* How long the README says that rows are kept: half a minute before they are there, half a minute
 * later they are not. */
static void rows_are_kept_for_as_long_as_is_said(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *table;
        const char *time;
        const char *which;
        int64_t seconds;
    } kept[] = {
        {"version", "changed_ms", "state = 3", 60},
        {"version", "changed_ms", "state = 4", 24 * 3600},
        {"staging", "created_ms", "created_ms > 0", 24 * 3600},
        {"memo", "deleted_ms", "deleted_ms > 0", 24 * 3600},
        {"idempotency", "created_ms", "created_ms > 0", 7 * 24 * 3600},
        {"memo", "expires_ms", "expires_ms > 0 AND deleted_ms = 0", 30 * 24 * 3600},
    };
    const char *const staged[] = {"first"};
    struct edda_uuid orphan = edda_uuid_new();
    struct edda_uuid patched = accept_text(f, "Patched", "Some text.");
    struct edda_uuid deleted = accept_text(f, "Deleted", "Some text.");
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept expires = one_part(&part);
    expires.idempotency_key = EDDA_TEXT("key");
    expires.fingerprint = (struct edda_bytes){(const uint8_t *)"0123456789abcdef", 16};
    expires.expires_wall_ms = edda_clock_wall_ms() + 100000;
    assert_int_equal(accept_memo(f, &expires, NULL), 0);
    process_all(f);
    assert_int_equal(patch_text(f, &patched, "Other text."), 0);
    process_all(f);
    assert_int_equal(put_parts(f, &orphan, 0, staged, 1), 0);
    assert_int_equal(delete_memo(f, &deleted), 0);
    sweep_all(f);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        char count[200];
        (void)snprintf(count, sizeof count, "SELECT count(*) FROM %s WHERE %s", kept[i].table,
                       kept[i].which);
        for (int late = 0; late < 2; late++) {
            int64_t age_ms = (kept[i].seconds + (late ? 30 : -30)) * 1000;
            char sql[400];
            (void)snprintf(sql, sizeof sql, "UPDATE %s SET %s = %s - %" PRId64 " WHERE %s",
                           kept[i].table, kept[i].time,
                           either(f, "unixepoch() * 1000", "extract(epoch FROM now()) * 1000"),
                           age_ms, kept[i].which);
            sql_run(f, sql);
            sweep_all(f);
            assert_int_equal(sql_integer(f, count), late ? 0 : 1);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(staged_parts_become_a_memo_in_their_order),
        TEST(an_accept_of_parts_that_are_missing_is_refused),
        TEST(a_patch_of_staged_parts_that_is_sent_again_changes_nothing),
        TEST(a_patch_with_the_same_content_is_no_change),
        TEST(only_the_named_fields_change),
        TEST(readers_see_the_old_content_until_the_new_is_complete),
        TEST(the_newest_of_several_patches_wins),
        TEST(a_failed_patch_leaves_the_old_content_to_be_found),
        TEST(a_deleted_memo_never_comes_back),
        TEST(sweeping_removes_what_nobody_needs),
        TEST(a_memo_is_deleted_a_month_after_it_expired),
        TEST(rows_are_kept_for_as_long_as_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
