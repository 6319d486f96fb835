/* tests/actors/store/test_memos.c: accepting and reading memos, keys, the list of jobs. */
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/store/memos.h"
#include "tests/actors/store/fixture.h"

/* ---- accept ---- */

static void an_accept_that_is_sent_again_is_replayed(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept arguments = one_part(&part);
    struct edda_store_accepted first;
    struct edda_store_accepted second;
    assert_int_equal(accept_memo(f, &arguments, &first), 0);
    assert_int_equal(accept_memo(f, &arguments, &second), 0);
    assert_false(first.replayed);
    assert_true(second.replayed);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM job"), 1);
}

/* Seen to fail without find_earlier() or ACCEPT's replayed (tests/fault/guards/07.patch, 07b). */
static void an_idempotency_key_replays_the_same_request(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept arguments = one_part(&part);
    struct edda_store_accepted first;
    struct edda_store_accepted second;
    arguments.idempotency_key = EDDA_TEXT("key-1");
    arguments.fingerprint = (struct edda_bytes){(const uint8_t *)"0123456789abcdef", 16};
    assert_int_equal(accept_memo(f, &arguments, &first), 0);
    arguments.memo = edda_uuid_new();
    assert_int_equal(accept_memo(f, &arguments, &second), 0);
    assert_true(second.replayed);
    assert_true(edda_uuid_equal(&first.memo, &second.memo));
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
}

static void an_idempotency_key_with_another_body_is_a_mismatch(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept arguments = one_part(&part);
    arguments.idempotency_key = EDDA_TEXT("key-1");
    arguments.fingerprint = (struct edda_bytes){(const uint8_t *)"0123456789abcdef", 16};
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    arguments.memo = edda_uuid_new();
    arguments.fingerprint = (struct edda_bytes){(const uint8_t *)"fedcba9876543210", 16};
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_MISMATCH);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
    /* The key is the project's own. */
    assert_int_equal(ask_in(f, "other", EDDA_BACKEND_ACCEPT, 0, &arguments, NULL,
                            EDDA_BODY_STORE_ACCEPTED, NULL),
                     0);
}

static void wrong_accepts_are_refused_and_leave_nothing(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept arguments = one_part(&part);
    arguments.content_bytes++;
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
    arguments = one_part(&part);
    part = EDDA_TEXT("Some \xff text.");
    arguments.content_bytes = part.size;
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
    part = (struct edda_text){"a\0b", 3};
    arguments.content_bytes = 3;
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
    arguments.memo = (struct edda_uuid){{0}};
    part = EDDA_TEXT("x");
    arguments.content_bytes = 1;
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
    arguments.memo = edda_uuid_new();
    assert_int_equal(
        ask_in(f, "", EDDA_BACKEND_ACCEPT, 0, &arguments, NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
        EDDA_E_INVALID);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 0);
}

/* Seen to fail on SQLite, which keeps it, without check_fields. */
static void no_field_of_a_memo_may_hold_nul(void **state) {
    struct fixture *f = *state;
    const struct edda_text with_nul = {"{\0}", 3};
    struct edda_text part = EDDA_TEXT("x");
    for (int field = 0; field < 6; field++) {
        struct edda_store_accept arguments = one_part(&part);
        *(struct edda_text *[]){
            &arguments.title,    &arguments.source, &arguments.reference_id,
            &arguments.metadata, &arguments.scopes, &arguments.idempotency_key}[field] = with_nul;
        assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_INVALID);
        assert_string_equal(f->text, "a field is not valid UTF-8");
    }
    struct edda_uuid memo = accept_text(f, "Title", "x");
    for (int field = 0; field < 5; field++) {
        struct edda_store_patch patch = {
            .id = select_memo(f, &memo).id,
            .set = (uint32_t[]){EDDA_PATCH_TITLE, EDDA_PATCH_SOURCE, EDDA_PATCH_REFERENCE_ID,
                                EDDA_PATCH_METADATA, EDDA_PATCH_SCOPES}[field]};
        *(struct edda_text *[]){&patch.title, &patch.source, &patch.reference_id, &patch.metadata,
                                &patch.scopes}[field] = with_nul;
        assert_int_equal(
            ask(f, EDDA_BACKEND_PATCH, 0, &patch, NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
            EDDA_E_INVALID);
        assert_string_equal(f->text, "a field is not valid UTF-8");
    }
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
}

static void a_part_may_be_as_large_as_its_limit_and_no_larger(void **state) {
    struct fixture *f = *state;
    char *large = malloc(EDDA_PART_BYTES + 1);
    memset(large, 'a', EDDA_PART_BYTES + 1);
    struct edda_text part = {large, EDDA_PART_BYTES};
    struct edda_store_accept arguments = one_part(&part);
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    arguments = one_part(&part);
    part.size++;
    arguments.content_bytes = part.size;
    assert_int_equal(accept_memo(f, &arguments, NULL), EDDA_E_LIMIT);
    free(large);
}

static void a_blank_content_gives_no_chunks_and_is_processed(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "  \n\n \n");
    struct edda_store_memo read;
    assert_int_equal(process_all(f), 1);
    assert_string_equal(status_of(f, &memo), "processed");
    assert_int_equal(get_memo(f, &memo, &read), 0);
    assert_int_equal(read.chunks.count, 0);
    struct edda_uuid empty = accept_parts(f, "Title", NULL, 0);
    assert_string_equal(status_of(f, &empty), "processed");
}

/* ---- reading ---- */

static void a_memo_reads_back_as_it_was_written(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Gr\xc3\xbc\xc3\x9f"
                                      "e.\n\nSecond.");
    struct edda_text tags[] = {EDDA_TEXT("b"), EDDA_TEXT("a")};
    struct edda_store_accept arguments = one_part(&part);
    arguments.source = EDDA_TEXT("mail");
    arguments.reference_id = EDDA_TEXT("ref-1");
    arguments.tags = (struct edda_texts){tags, 2};
    arguments.metadata = EDDA_TEXT("{\"a\":1}");
    arguments.scopes = EDDA_TEXT("{\"user\":\"u\"}");
    arguments.expires_wall_ms = edda_clock_wall_ms() + 100000;
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    process_all(f);
    struct edda_store_memo memo;
    assert_int_equal(get_memo(f, &arguments.memo, &memo), 0);
    assert_true(edda_uuid_equal(&memo.uuid, &arguments.memo));
    assert_true(edda_text_is(memo.title, "Title"));
    assert_true(edda_text_is(memo.source, "mail"));
    assert_true(edda_text_is(memo.reference_id, "ref-1"));
    assert_true(edda_text_is(memo.metadata, "{\"a\":1}"));
    assert_true(edda_text_is(memo.scopes, "{\"user\":\"u\"}"));
    assert_true(edda_text_is(memo.type, "plaintext"));
    assert_true(edda_text_is(memo.status, "processed"));
    assert_int_equal(memo.expires_wall_ms, arguments.expires_wall_ms);
    assert_int_equal(memo.tags.count, 2);
    assert_true(edda_text_is(memo.tags.items[0].tag, "b"));
    assert_int_equal(memo.content_bytes, part.size);
    assert_int_equal(memo.content_length, part.size - 2);
    assert_int_equal(memo.version, 1);
    assert_int_equal(memo.chunks.count, 2);
    assert_int_equal(memo.chunks.items[1].number, 1);
    assert_true(edda_text_is(memo.chunks.items[1].text, "Second."));
    struct edda_uuid uuid = edda_uuid_chunk(&memo.uuid, 1, 0, 1);
    assert_true(edda_uuid_equal(&memo.chunks.items[1].uuid, &uuid));
    assert_false(memo.more);
}

static void another_project_s_memo_is_not_found(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_text(f, "Title", "Some text.");
    struct edda_store_select select = select_memo(f, &memo);
    static const enum edda_backend_operation operations[] = {EDDA_BACKEND_GET, EDDA_BACKEND_STATUS,
                                                             EDDA_BACKEND_DELETE};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask_in(f, "other", operations[i], 0, &select, NULL, EDDA_BODY_NONE, NULL),
                         EDDA_E_NOT_FOUND);
    }
    select.id = EDDA_TEXT("not-a-uuid");
    assert_int_equal(ask(f, EDDA_BACKEND_GET, 0, &select, NULL, EDDA_BODY_STORE_MEMO, NULL),
                     EDDA_E_NOT_FOUND);
    assert_string_equal(status_of(f, &memo), "processing");
}

static void the_newest_memo_of_a_reference_id_wins(void **state) {
    struct fixture *f = *state;
    struct edda_text part = EDDA_TEXT("Some text.");
    struct edda_store_accept arguments = one_part(&part);
    arguments.reference_id = EDDA_TEXT("ref");
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    struct edda_uuid older = arguments.memo;
    arguments.memo = edda_uuid_new();
    assert_int_equal(accept_memo(f, &arguments, NULL), 0);
    struct edda_store_select select = {.id = EDDA_TEXT("ref"), .by_reference = true};
    struct edda_store_status status;
    assert_int_equal(ask(f, EDDA_BACKEND_STATUS, 0, &select, NULL, EDDA_BODY_STORE_STATUS, &status),
                     0);
    assert_true(edda_uuid_equal(&status.uuid, &arguments.memo));
    assert_int_equal(delete_memo(f, &arguments.memo), 0);
    assert_int_equal(ask(f, EDDA_BACKEND_STATUS, 0, &select, NULL, EDDA_BODY_STORE_STATUS, &status),
                     0);
    assert_true(edda_uuid_equal(&status.uuid, &older));
}

static void a_large_memo_is_read_in_pages_of_half_a_mebibyte(void **state) {
    struct fixture *f = *state;
    enum { PARTS = 20, PART = 60000 };
    char *text = malloc(PART * PARTS + 1);
    const char *parts[PARTS];
    for (size_t i = 0; i < (size_t)PART * PARTS; i++) {
        text[i] = (char)('a' + i / 500 % 26);
        if (i % 600 == 598 || i % 600 == 599) {
            text[i] = '\n';
        }
        if (i % PART == PART - 1) {
            text[i] = '\0';
        }
    }
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = text + i * PART;
    }
    struct edda_uuid memo = accept_parts(f, "Large", parts, PARTS);
    process_all(f);
    struct edda_store_select select = select_memo(f, &memo);
    size_t bytes = 0;
    uint32_t number = 0;
    uint32_t parts_read = 0;
    unsigned pages = 0;
    for (bool more = true; more; pages++) {
        struct edda_store_memo page;
        assert_int_equal(ask(f, EDDA_BACKEND_GET, 0, &select, NULL, EDDA_BODY_STORE_MEMO, &page),
                         0);
        assert_true(pages == 0 ? page.title.size > 0 : page.title.size == 0);
        size_t on_page = 0;
        for (size_t i = 0; i < page.parts.count; i++) {
            assert_int_equal(page.parts.items[i].size, PART - 1);
            assert_memory_equal(page.parts.items[i].data, parts[parts_read++], PART - 1);
            on_page += PART - 1;
        }
        for (size_t i = 0; i < page.chunks.count; i++) {
            assert_int_equal(page.chunks.items[i].number, number++);
            bytes += page.chunks.items[i].text.size;
            on_page += page.chunks.items[i].text.size;
        }
        assert_true(on_page <= EDDA_MEMO_PAGE_BYTES);
        assert_true(page.chunks.count == 0 || parts_read == PARTS);
        select.from_part = page.next_part;
        select.from_chunk = page.next_chunk;
        select.version = page.version;
        more = page.more;
    }
    assert_true(pages >= 4);
    assert_int_equal(parts_read, PARTS);
    assert_int_equal(number, sql_integer(f, "SELECT count(*) FROM chunk"));
    assert_int_equal(bytes, sql_integer(f, "SELECT sum(length(text)) FROM chunk"));
    select.version = 7;
    assert_int_equal(ask(f, EDDA_BACKEND_GET, 0, &select, NULL, EDDA_BODY_STORE_MEMO, NULL),
                     EDDA_E_CONFLICT);
    free(text);
}

static void memos_are_listed_newest_first_in_pages(void **state) {
    struct fixture *f = *state;
    struct edda_store_page page = {1, 2};
    struct edda_store_memos memos;
    accept_text(f, "one", "a");
    struct edda_uuid two = accept_text(f, "two", "bb");
    accept_text(f, "three", "ccc");
    assert_int_equal(ask(f, EDDA_BACKEND_LIST, 0, &page, NULL, EDDA_BODY_STORE_MEMOS, &memos), 0);
    assert_int_equal(memos.count, 3);
    assert_int_equal(memos.memos.count, 2);
    assert_true(edda_text_is(memos.memos.items[0].title, "three"));
    assert_int_equal(memos.memos.items[0].content_length, 3);
    assert_int_equal(delete_memo(f, &two), 0);
    assert_int_equal(ask(f, EDDA_BACKEND_LIST, 0, &page, NULL, EDDA_BODY_STORE_MEMOS, &memos), 0);
    assert_int_equal(memos.count, 2);
    assert_true(edda_text_is(memos.memos.items[1].title, "one"));
    page.page = 2;
    assert_int_equal(ask(f, EDDA_BACKEND_LIST, 0, &page, NULL, EDDA_BODY_STORE_MEMOS, &memos), 0);
    assert_int_equal(memos.memos.count, 0);
    page = (struct edda_store_page){0, 2};
    assert_int_equal(ask(f, EDDA_BACKEND_LIST, 0, &page, NULL, EDDA_BODY_STORE_MEMOS, NULL),
                     EDDA_E_INVALID);
    page = (struct edda_store_page){1, 101};
    assert_int_equal(ask(f, EDDA_BACKEND_LIST, 0, &page, NULL, EDDA_BODY_STORE_MEMOS, NULL),
                     EDDA_E_INVALID);
}

/* ---- keys, jobs, statistics ---- */

static void a_key_is_stored_found_listed_and_revoked(void **state) {
    struct fixture *f = *state;
    struct edda_bytes hash = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32};
    struct edda_store_key key = {.project = EDDA_TEXT("p"),
                                 .name = EDDA_TEXT("mine"),
                                 .hash = hash,
                                 .prefix = EDDA_TEXT("sk_proj_abcd"),
                                 .rate = 600,
                                 .concurrency = 7};
    struct edda_store_key found;
    struct edda_store_keys keys;
    struct edda_store_count count;
    assert_int_equal(ask(f, EDDA_BACKEND_KEY_CREATE, 0, &key, NULL, EDDA_BODY_STORE_KEY, &found),
                     0);
    struct edda_uuid uuid = found.uuid;
    assert_int_equal(ask(f, EDDA_BACKEND_KEY_CREATE, 0, &key, NULL, EDDA_BODY_STORE_KEY, &found),
                     0);
    assert_true(edda_uuid_equal(&uuid, &found.uuid));
    struct edda_store_key check = {.hash = hash};
    assert_int_equal(ask(f, EDDA_BACKEND_KEY_CHECK, 0, &check, NULL, EDDA_BODY_STORE_KEY, &found),
                     0);
    assert_true(edda_text_is(found.project, "p"));
    assert_int_equal(found.hash.size, 0);
    assert_int_equal(found.rate, 600);
    assert_int_equal(found.concurrency, 7);
    struct edda_store_key all = {0};
    assert_int_equal(ask(f, EDDA_BACKEND_KEY_LIST, 0, &all, NULL, EDDA_BODY_STORE_KEYS, &keys), 0);
    assert_int_equal(keys.keys.count, 1);
    assert_int_equal(keys.keys.items[0].rate, 600);
    all.project = EDDA_TEXT("q");
    assert_int_equal(ask(f, EDDA_BACKEND_KEY_LIST, 0, &all, NULL, EDDA_BODY_STORE_KEYS, &keys), 0);
    assert_int_equal(keys.keys.count, 0);
    struct edda_store_key revoke = {.prefix = EDDA_TEXT("sk_proj_abcd")};
    assert_int_equal(
        ask(f, EDDA_BACKEND_KEY_REVOKE, 0, &revoke, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
    assert_int_equal(count.count, 1);
    assert_int_equal(ask(f, EDDA_BACKEND_KEY_CHECK, 0, &check, NULL, EDDA_BODY_STORE_KEY, NULL),
                     EDDA_E_NOT_FOUND);
    struct edda_store_key nothing = {0};
    assert_int_equal(
        ask(f, EDDA_BACKEND_KEY_REVOKE, 0, &nothing, NULL, EDDA_BODY_STORE_COUNT, &count), 0);
    assert_int_equal(count.count, 0);
}

static void jobs_are_listed_and_counted(void **state) {
    struct fixture *f = *state;
    const char *const parts[] = {"one", "two"};
    struct edda_store_jobs jobs;
    struct edda_store_statistics statistics;
    accept_parts(f, "Title", parts, 2);
    struct edda_claims claims = claim_jobs(f, 1);
    sql_run(f, "UPDATE job SET attempts = 100 WHERE state = 1");
    assert_int_equal(fail_job(f, &claims.items[0], claims.items[0].token, EDDA_JOB_FAILED), 2);
    struct edda_store_jobs_query query = {.dead = false};
    assert_int_equal(ask(f, EDDA_BACKEND_JOBS, 0, &query, NULL, EDDA_BODY_STORE_JOBS, &jobs), 0);
    assert_int_equal(jobs.total, 2);
    query.dead = true;
    assert_int_equal(ask(f, EDDA_BACKEND_JOBS, 0, &query, NULL, EDDA_BODY_STORE_JOBS, &jobs), 0);
    assert_int_equal(jobs.total, 1);
    assert_true(edda_text_is(jobs.jobs.items[0].state, "dead"));
    assert_true(edda_text_is(jobs.jobs.items[0].error, "because"));
    assert_true(edda_text_is(jobs.jobs.items[0].title, "Title"));
    query.after = jobs.jobs.items[0].id;
    assert_int_equal(ask(f, EDDA_BACKEND_JOBS, 0, &query, NULL, EDDA_BODY_STORE_JOBS, &jobs), 0);
    assert_int_equal(jobs.jobs.count, 0);
    query.after = 0;
    assert_int_equal(
        ask_in(f, "other", EDDA_BACKEND_JOBS, 0, &query, NULL, EDDA_BODY_STORE_JOBS, &jobs), 0);
    assert_int_equal(jobs.total, 0);
    assert_int_equal(
        ask(f, EDDA_BACKEND_STATISTICS, 0, NULL, NULL, EDDA_BODY_STORE_STATISTICS, &statistics), 0);
    assert_int_equal(statistics.projects, 1);
    assert_int_equal(statistics.memos, 1);
    assert_int_equal(statistics.memos_error, 1);
    assert_int_equal(statistics.jobs_ready, 1);
    assert_int_equal(statistics.jobs_dead, 1);
    assert_true(statistics.database_bytes > 0);
}

static void vectors_that_do_not_fit_are_refused_before_anything_is_stored(void **state) {
    struct fixture *f = *state;
    accept_text(f, "Title", "Some text.");
    struct edda_claims jobs = claim_jobs(f, 1);
    struct edda_store_put_chunks put = {jobs.items[0].job, jobs.items[0].memo, 1, 0};
    struct edda_chunk chunk = {.text = EDDA_TEXT("Some text.")};
    float vector[DIMENSION] = {1, 2, 3, 4};
    struct edda_chunks chunks = {.chunks = {&chunk, 1},
                                 .model = EDDA_TEXT("test-4"),
                                 .dimension = DIMENSION,
                                 .vectors = {(const uint8_t *)vector, sizeof(vector) - 4}};
    assert_int_equal(ask(f, EDDA_BACKEND_PUT_CHUNKS, jobs.items[0].token, &put, &chunks,
                         EDDA_BODY_STORE_STORED, NULL),
                     EDDA_E_INVALID);
    chunks.vectors.size = sizeof(vector);
    vector[2] = 0.0f / 0.0f;
    assert_int_equal(ask(f, EDDA_BACKEND_PUT_CHUNKS, jobs.items[0].token, &put, &chunks,
                         EDDA_BODY_STORE_STORED, NULL),
                     EDDA_E_INVALID);
    vector[2] = 1;
    put.part = 1;
    assert_int_equal(ask(f, EDDA_BACKEND_PUT_CHUNKS, jobs.items[0].token, &put, &chunks,
                         EDDA_BODY_STORE_STORED, NULL),
                     EDDA_E_INVALID);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk"), 0);
    put.part = 0;
    assert_int_equal(ask(f, EDDA_BACKEND_PUT_CHUNKS, jobs.items[0].token, &put, &chunks,
                         EDDA_BODY_STORE_STORED, NULL),
                     0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_accept_that_is_sent_again_is_replayed),
        TEST(an_idempotency_key_replays_the_same_request),
        TEST(an_idempotency_key_with_another_body_is_a_mismatch),
        TEST(wrong_accepts_are_refused_and_leave_nothing),
        TEST(no_field_of_a_memo_may_hold_nul),
        TEST(a_part_may_be_as_large_as_its_limit_and_no_larger),
        TEST(a_blank_content_gives_no_chunks_and_is_processed),
        TEST(a_memo_reads_back_as_it_was_written),
        TEST(another_project_s_memo_is_not_found),
        TEST(the_newest_memo_of_a_reference_id_wins),
        TEST(a_large_memo_is_read_in_pages_of_half_a_mebibyte),
        TEST(memos_are_listed_newest_first_in_pages),
        TEST(a_key_is_stored_found_listed_and_revoked),
        TEST(jobs_are_listed_and_counted),
        TEST(vectors_that_do_not_fit_are_refused_before_anything_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
