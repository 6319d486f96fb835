/* tests/actors/store/fixture.c: one ask after the other. */
#include "tests/actors/store/fixture.h"

#include <math.h>

#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "tests/actors/store/fixture_store.h"

#define ARENA_BYTES (512u * 1024u * 1024u)

static const struct fixture_store *store_of(const struct fixture *f) {
    return f->postgres ? &fixture_postgres : &fixture_sqlite;
}

void fixture_on_ready(void *context) {
    struct fixture *f = context;
    f->ready++;
    if (f->pump) {
        f->pump_wake(f->pump);
    }
}

void fixture_open(struct fixture *f) {
    char message[512] = "";
    int error = store_of(f)->open(f, message, sizeof message);
    if (error) {
        fail_msg("%s", message);
    }
}

edda_backend_t *fixture_open_another(struct fixture *f) {
    edda_backend_t *first = f->backend;
    f->backend = NULL;
    fixture_open(f);
    edda_backend_t *second = f->backend;
    f->backend = first;
    return second;
}

int fixture_setup(void **state) {
    *state = fixture_new();
    return 0;
}

int fixture_teardown(void **state) {
    struct fixture *f = *state;
    check_tables(f);
    fixture_free(&f);
    return 0;
}

void fixture_close(struct fixture *f) {
    edda_backend_destroy(&f->backend);
}

struct fixture *fixture_new(void) {
    const char *store = getenv("EDDA_TEST_STORE");
    return fixture_new_on(store && strcmp(store, "postgres") == 0);
}

struct fixture *fixture_new_on(bool postgres) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->postgres = postgres;
    store_of(f)->make_place(f);
    f->loop = edda_loop_new("test");
    edda_arena_init(&f->arena, ARENA_BYTES);
    f->model = "test-4";
    fixture_open(f);
    return f;
}

void fixture_free(struct fixture **f_p) {
    struct fixture *f = *f_p;
    edda_backend_destroy(&f->backend);
    edda_loop_destroy(&f->loop);
    edda_arena_done(&f->arena);
    store_of(f)->remove_place(f);
    free(f);
    *f_p = NULL;
}

/* ---- asking ---- */

struct question {
    struct fixture *f;
    enum edda_backend_operation operation;
    uint16_t type;
    void *ret_record;
    bool answered;
};

/* A body is copied by its codec: so every answer is also one that fits its message. */
static void copy_body(struct question *question, const void *record) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 4 * 1024 * 1024);
    assert_int_equal(edda_body_encode(question->type, record, &buffer), 0);
    assert_true(buffer.size <= EDDA_MAX_FRAME_BYTES);
    char *kept = edda_arena_take(&question->f->arena, buffer.size + 1);
    assert_non_null(kept);
    memcpy(kept, buffer.data, buffer.size);
    struct edda_bytes bytes = {(const uint8_t *)kept, buffer.size};
    edda_buffer_done(&buffer);
    assert_int_equal(
        edda_body_decode(question->type, bytes, &question->f->arena, question->ret_record), 0);
}

static void copy_claims(struct question *question, const struct edda_claims *claims) {
    struct edda_arena *arena = &question->f->arena;
    struct edda_claims *copy = question->ret_record;
    *copy = *claims;
    copy->items = edda_arena_take(arena, (claims->count + 1) * sizeof(*copy->items));
    for (size_t i = 0; i < claims->count; i++) {
        copy->items[i] = claims->items[i];
        copy->items[i].project = edda_arena_text(arena, claims->items[i].project);
        copy->items[i].title = edda_arena_text(arena, claims->items[i].title);
        copy->items[i].format = edda_arena_text(arena, claims->items[i].format);
        copy->items[i].heading = edda_arena_text(arena, claims->items[i].heading);
        copy->items[i].text = edda_arena_text(arena, claims->items[i].text);
    }
}

static void on_done(void *context, const struct edda_backend_answer *answer) {
    struct question *question = context;
    struct fixture *f = question->f;
    f->error = answer->error;
    snprintf(f->text, sizeof(f->text), "%s", answer->text ? answer->text : "");
    if (!answer->error && question->ret_record) {
        if (question->operation == EDDA_BACKEND_CLAIM) {
            copy_claims(question, answer->record);
        } else if (question->type == EDDA_BODY_NONE) {
            memcpy(question->ret_record, answer->record,
                   edda_backend_result_size(question->operation));
        } else {
            copy_body(question, answer->record);
        }
    }
    question->answered = true;
    edda_loop_stop(f->loop);
}

int ask_in(struct fixture *f, const char *project, enum edda_backend_operation operation,
           uint64_t fence, const void *arguments, const void *input, uint16_t type,
           void *ret_record) {
    struct question question = {f, operation, type, ret_record, false};
    struct edda_backend_request request = {
        .operation = operation,
        .project = edda_text_of(project),
        .fence = fence,
        .arguments = arguments,
        .input = input,
        .done = on_done,
        .context = &question,
    };
    assert_int_equal(edda_backend_submit(f->backend, &request), 0);
    while (!question.answered) {
        edda_loop_run(f->loop);
    }
    return f->error;
}

int ask(struct fixture *f, enum edda_backend_operation operation, uint64_t fence,
        const void *arguments, const void *input, uint16_t type, void *ret_record) {
    return ask_in(f, PROJECT, operation, fence, arguments, input, type, ret_record);
}

/* ---- words ---- */

struct edda_uuid accept_parts(struct fixture *f, const char *title, const char *const *texts,
                              size_t count) {
    struct edda_text parts[64];
    struct edda_store_accepted accepted;
    struct edda_store_accept accept = {.memo = edda_uuid_new(), .title = edda_text_of(title)};
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        parts[i] = edda_text_of(texts[i]);
        accept.content_bytes += parts[i].size;
    }
    accept.parts = (struct edda_texts){parts, count};
    int error = ask(f, EDDA_BACKEND_ACCEPT, 0, &accept, NULL, EDDA_BODY_STORE_ACCEPTED, &accepted);
    assert_int_equal(error, 0);
    assert_true(edda_uuid_equal(&accepted.memo, &accept.memo));
    return accepted.memo;
}

struct edda_store_accept one_part(struct edda_text *part) {
    return (struct edda_store_accept){.memo = edda_uuid_new(),
                                      .title = EDDA_TEXT("Title"),
                                      .parts = {part, 1},
                                      .content_bytes = part->size};
}

int accept_memo(struct fixture *f, const struct edda_store_accept *arguments,
                struct edda_store_accepted *accepted) {
    return ask(f, EDDA_BACKEND_ACCEPT, 0, arguments, NULL, EDDA_BODY_STORE_ACCEPTED, accepted);
}

struct edda_uuid accept_text(struct fixture *f, const char *title, const char *text) {
    return accept_parts(f, title, &text, 1);
}

struct edda_store_select select_memo(struct fixture *f, const struct edda_uuid *memo) {
    char *text = edda_arena_take(&f->arena, EDDA_UUID_TEXT);
    edda_uuid_format(memo, text);
    return (struct edda_store_select){.id = edda_text_of(text)};
}

int patch_text(struct fixture *f, const struct edda_uuid *memo, const char *text) {
    struct edda_text part = edda_text_of(text);
    struct edda_store_patch patch = {.id = select_memo(f, memo).id,
                                     .set = EDDA_PATCH_CONTENT,
                                     .parts = {&part, 1},
                                     .content_bytes = part.size};
    return ask(f, EDDA_BACKEND_PATCH, 0, &patch, NULL, EDDA_BODY_STORE_ACCEPTED, NULL);
}

int patch_title(struct fixture *f, const struct edda_uuid *memo, const char *title) {
    struct edda_store_patch patch = {
        .id = select_memo(f, memo).id, .set = EDDA_PATCH_TITLE, .title = edda_text_of(title)};
    return ask(f, EDDA_BACKEND_PATCH, 0, &patch, NULL, EDDA_BODY_STORE_ACCEPTED, NULL);
}

int delete_memo(struct fixture *f, const struct edda_uuid *memo) {
    struct edda_store_select select = select_memo(f, memo);
    return ask(f, EDDA_BACKEND_DELETE, 0, &select, NULL, EDDA_BODY_EMPTY, NULL);
}

struct edda_claims claim_jobs(struct fixture *f, uint32_t limit) {
    struct edda_claim claim = {limit, {limit, limit}};
    struct edda_claims claims = {0};
    assert_int_equal(ask(f, EDDA_BACKEND_CLAIM, 0, &claim, NULL, EDDA_BODY_NONE, &claims), 0);
    return claims;
}

void vector_of(struct edda_text text, float ret_vector[DIMENSION]) {
    for (size_t i = 0; i < DIMENSION; i++) {
        ret_vector[i] = 0.01f;
    }
    for (size_t i = 0; i < text.size; i++) {
        ret_vector[(unsigned char)text.data[i] % DIMENSION] += 1;
    }
}

struct edda_chunks chunks_of(struct fixture *f, const struct edda_claimed *job) {
    struct edda_chunk *items = edda_arena_take(&f->arena, 1024 * sizeof(*items));
    float *vectors = edda_arena_take(&f->arena, 1024 * DIMENSION * sizeof(*vectors));
    struct edda_chunks chunks = {.chunks = {items, 0},
                                 .title = job->title,
                                 .model = edda_text_of(f->model),
                                 .dimension = DIMENSION};
    const char *at = job->text.data;
    const char *end = at + job->text.size;
    while (at < end && chunks.chunks.count < 1024) {
        const char *stop = memmem(at, (size_t)(end - at), "\n\n", 2);
        const char *next = stop ? stop + 2 : end;
        stop = stop ? stop : end;
        if (stop > at && strspn(at, " \n") < (size_t)(stop - at)) {
            struct edda_chunk *chunk = &items[chunks.chunks.count];
            chunk->text = (struct edda_text){at, (size_t)(stop - at)};
            chunk->number = (uint32_t)chunks.chunks.count;
            chunk->start = job->first_byte + (uint32_t)(at - job->text.data);
            chunk->end = chunk->start + (uint32_t)chunk->text.size;
            vector_of(chunk->text, vectors + chunks.chunks.count++ * DIMENSION);
        }
        at = next;
    }
    chunks.vectors = (struct edda_floats){(const uint8_t *)vectors,
                                          chunks.chunks.count * DIMENSION * sizeof(*vectors)};
    return chunks;
}

int put_chunks(struct fixture *f, const struct edda_claimed *job, uint64_t token,
               const struct edda_chunks *chunks, struct edda_store_stored *ret_stored) {
    struct edda_store_put_chunks put = {job->job, job->memo, job->version, job->part};
    return ask(f, EDDA_BACKEND_PUT_CHUNKS, token, &put, chunks, EDDA_BODY_STORE_STORED, ret_stored);
}

int part_chunks(struct fixture *f, const struct edda_claimed *job, struct edda_chunks *ret_chunks) {
    struct edda_store_put_chunks part = {job->job, job->memo, job->version, job->part};
    return ask_in(f, job->project.data, EDDA_BACKEND_PART_CHUNKS, 0, &part, NULL, EDDA_BODY_CHUNKS,
                  ret_chunks);
}

void vectors_for(struct fixture *f, struct edda_chunks *chunks) {
    size_t count = chunks->chunks.count;
    float *vectors = edda_arena_take(&f->arena, (count + 1) * DIMENSION * sizeof(*vectors));
    for (size_t i = 0; i < count; i++) {
        vector_of(chunks->chunks.items[i].text, vectors + i * DIMENSION);
    }
    chunks->model = edda_text_of(f->model);
    chunks->dimension = DIMENSION;
    chunks->vectors =
        (struct edda_floats){(const uint8_t *)vectors, count * DIMENSION * sizeof(*vectors)};
}

int put_vectors(struct fixture *f, const struct edda_claimed *job, uint64_t token,
                const struct edda_chunks *chunks, struct edda_store_stored *ret_stored) {
    struct edda_store_put_chunks put = {job->job, job->memo, job->version, job->part};
    return ask_in(f, job->project.data, EDDA_BACKEND_PUT_VECTORS, token, &put, chunks,
                  EDDA_BODY_STORE_STORED, ret_stored);
}

/* One whose memo is gone by now is stale before its chunks are read. */
static struct edda_store_stored commit_vectors(struct fixture *f, const struct edda_claimed *job,
                                               uint64_t token) {
    struct edda_store_stored stored = {.stale = true};
    struct edda_chunks chunks;
    int error = part_chunks(f, job, &chunks);
    if (error == EDDA_E_NOT_FOUND) {
        return stored;
    }
    assert_int_equal(error, 0);
    vectors_for(f, &chunks);
    error = put_vectors(f, job, token, &chunks, &stored);
    if (error) {
        fail_msg("put_vectors: %s %s", edda_error_name(error), f->text);
    }
    return stored;
}

struct edda_store_stored commit_job(struct fixture *f, const struct edda_claimed *job,
                                    uint64_t token) {
    struct edda_store_stored stored = {0};
    if (job->kind == EDDA_JOB_EMBED) {
        return commit_vectors(f, job, token);
    }
    struct edda_chunks chunks = chunks_of(f, job);
    int error = put_chunks(f, job, token, &chunks, &stored);
    if (error) {
        fail_msg("put_chunks: %s %s", edda_error_name(error), f->text);
    }
    return stored;
}

int fail_job(struct fixture *f, const struct edda_claimed *job, uint64_t token,
             enum edda_job_event event) {
    struct edda_failure failure = {
        .lease = {job->job, token, job->memo}, .event = event, .reason = EDDA_TEXT("because")};
    struct edda_failed failed;
    assert_int_equal(ask(f, EDDA_BACKEND_FAIL, 0, &failure, NULL, EDDA_BODY_NONE, &failed), 0);
    return failed.stale ? 0 : failed.dead ? 2 : 1;
}

uint64_t renew_job(struct fixture *f, const struct edda_claimed *job, uint64_t token) {
    struct edda_lease lease = {job->job, token, job->memo};
    struct edda_leases leases = {&lease, 1};
    struct edda_store_count count;
    assert_int_equal(ask(f, EDDA_BACKEND_RENEW, 0, &leases, NULL, EDDA_BODY_STORE_COUNT, &count),
                     0);
    return count.count;
}

struct edda_store_reembedded reembed_in(struct fixture *f, const char *project, const char *model,
                                        bool look) {
    struct edda_store_reembed wanted = {edda_text_of(model), DIMENSION, look};
    struct edda_store_reembedded counts = {0};
    assert_int_equal(ask_in(f, project, EDDA_BACKEND_REEMBED, 0, &wanted, NULL,
                            EDDA_BODY_STORE_REEMBEDDED, &counts),
                     0);
    return counts;
}

struct edda_store_reembedded reembed(struct fixture *f, const char *model) {
    return reembed_in(f, PROJECT, model, false);
}

size_t sweep_all(struct fixture *f) {
    struct edda_swept swept = {.more = true};
    size_t rows = 0;
    for (unsigned i = 0; swept.more && i < 1000; i++) {
        assert_int_equal(ask(f, EDDA_BACKEND_SWEEP, 0, NULL, NULL, EDDA_BODY_NONE, &swept), 0);
        rows += swept.rows;
    }
    assert_false(swept.more);
    return rows;
}

size_t process_all(struct fixture *f) {
    size_t done = 0;
    for (;;) {
        struct edda_claims claims = claim_jobs(f, 16);
        if (claims.count == 0) {
            return done;
        }
        for (size_t i = 0; i < claims.count; i++) {
            assert_false(commit_job(f, &claims.items[i], claims.items[i].token).stale);
            done++;
        }
    }
}

struct edda_store_status full_status_of(struct fixture *f, const struct edda_uuid *memo) {
    struct edda_store_select select = select_memo(f, memo);
    struct edda_store_status status = {0};
    assert_int_equal(ask(f, EDDA_BACKEND_STATUS, 0, &select, NULL, EDDA_BODY_STORE_STATUS, &status),
                     0);
    return status;
}

const char *status_of(struct fixture *f, const struct edda_uuid *memo) {
    struct edda_store_status status = full_status_of(f, memo);
    return edda_arena_text(&f->arena, status.status).data;
}

int get_memo(struct fixture *f, const struct edda_uuid *memo, struct edda_store_memo *ret_memo) {
    struct edda_store_select select = select_memo(f, memo);
    return ask(f, EDDA_BACKEND_GET, 0, &select, NULL, EDDA_BODY_STORE_MEMO, ret_memo);
}

struct edda_hits search_filtered(struct fixture *f, const char *query,
                                 struct edda_store_filter *filters, size_t count) {
    struct edda_store_search arguments = {
        .query = edda_text_of(query), .limit = 50, .filters = {filters, count}};
    float vector[DIMENSION];
    vector_of(arguments.query, vector);
    struct edda_embeddings embeddings = {.model = edda_text_of(f->model),
                                         .dimension = DIMENSION,
                                         .count = 1,
                                         .vectors = {(const uint8_t *)vector, sizeof(vector)}};
    struct edda_hits hits = {0};
    int error = ask(f, EDDA_BACKEND_SEARCH, 0, &arguments, &embeddings, EDDA_BODY_HITS, &hits);
    assert_int_equal(error, 0);
    return hits;
}

struct edda_hits search(struct fixture *f, const char *query) {
    return search_filtered(f, query, NULL, 0);
}

/* ---- beside the store ---- */

int64_t sql_integer(struct fixture *f, const char *sql) {
    return store_of(f)->integer(f, sql);
}

void sql_run(struct fixture *f, const char *sql) {
    store_of(f)->run(f, sql);
}

void assert_kept(const struct fixture *f, const uint8_t *given, const float *put) {
    float vector[DIMENSION];
    double length = 0;
    memcpy(vector, given, sizeof(vector));
    for (size_t i = 0; i < DIMENSION; i++) {
        length += (double)put[i] * (double)put[i];
    }
    if (!f->postgres) {
        assert_memory_equal(vector, put, sizeof(vector));
    }
    for (size_t i = 0; i < DIMENSION && f->postgres; i++) {
        double wanted = length > 0 ? (double)put[i] / sqrt(length) : 0;
        assert_true(fabs((double)vector[i] - wanted) < 0.001);
    }
}

const char *either(const struct fixture *f, const char *sqlite, const char *postgres) {
    return f->postgres ? postgres : sqlite;
}

int64_t vectors_of_model(struct fixture *f, const char *model) {
    char sql[400];
    snprintf(sql, sizeof sql, store_of(f)->vectors_of_model, model);
    return sql_integer(f, sql);
}

int64_t vectors_waiting(struct fixture *f) {
    return sql_integer(f, store_of(f)->vectors_waiting);
}

void check_tables(struct fixture *f) {
    store_of(f)->check_tables(f);
}

void let_time_pass(struct fixture *f) {
    sql_run(f, "UPDATE job SET run_at_ms = 0 WHERE state = 0;"
               "UPDATE job SET lease_until_ms = 1 WHERE state = 1");
}
