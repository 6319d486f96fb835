/* tests/actors/store/bench_search.c: what searches with filters find in PostgreSQL, and how fast:
 * `bench_store_search [MEMOS_A_PROJECT]`, with EDDA_TEST_POSTGRES=DIR of ops/postgres start DIR.
 *
 * 100 projects, each of 100 memos of 10 chunks, 100,000 chunks; vectors of 128 floats around 500
 * centres. Compared with a look at all vectors, in four ways: a project's nearest (1 % of the
 * rows), with a filter that leaves one memo of the project (1 % of that), and both again when a
 * project counts as large and its vectors have an index. Prints; nothing passes or fails. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/store/postgres/vector_index.h"
#include "tests/actors/store/fixture_store.h"

#define PROJECTS 100
#define CHUNKS   10 /* a memo */
#define FLOATS   128
#define CENTRES  500
#define MODEL    "bench-128"
#define ASKED    300

struct bench {
    struct fixture *f;
    unsigned memos; /* a project */
    float *vectors; /* of all chunks, in the order they were put */
    float *centres;
    uint64_t seed;
};

static float random_float(struct bench *bench) {
    bench->seed ^= bench->seed << 13;
    bench->seed ^= bench->seed >> 7;
    bench->seed ^= bench->seed << 17;
    return (float)((double)(bench->seed >> 11) / 9007199254740992.0 - 0.5);
}

static void make_vector(struct bench *bench, float *to) {
    const float *centre =
        bench->centres + (size_t)((random_float(bench) + 0.5f) * (CENTRES - 1)) * FLOATS;
    double sum = 0;
    for (size_t i = 0; i < FLOATS; i++) {
        to[i] = centre[i] + 0.6f * random_float(bench);
        sum += (double)to[i] * (double)to[i];
    }
    for (size_t i = 0; i < FLOATS; i++) {
        to[i] = (float)(to[i] / sqrt(sum));
    }
}

static const char *project_name(unsigned project) {
    static char name[16];
    snprintf(name, sizeof name, "p%u", project);
    return name;
}

/* ---- filling ---- */

static void accept_all(struct bench *bench, unsigned project) {
    for (unsigned memo = 0; memo < bench->memos; memo++) {
        char source[32];
        struct edda_text part = EDDA_TEXT("x");
        struct edda_store_accept accept = one_part(&part);
        snprintf(source, sizeof source, "source %u", memo);
        accept.source = accept.title = edda_text_of(source);
        assert_int_equal(ask_in(bench->f, project_name(project), EDDA_BACKEND_ACCEPT, 0, &accept,
                                NULL, EDDA_BODY_STORE_ACCEPTED, NULL),
                         0);
    }
}

static void put_job(struct bench *bench, const struct edda_claimed *job, float *vectors) {
    struct edda_chunk items[CHUNKS];
    char texts[CHUNKS][64];
    struct edda_store_put_chunks put = {job->job, job->memo, job->version, job->part};
    struct edda_chunks chunks = {
        .chunks = {items, CHUNKS},
        .title = job->title,
        .model = EDDA_TEXT(MODEL),
        .dimension = FLOATS,
        .vectors = {(const uint8_t *)vectors, CHUNKS * FLOATS * sizeof *vectors}};
    for (unsigned i = 0; i < CHUNKS; i++) {
        snprintf(texts[i], sizeof texts[i], "chunk number%u of many", i);
        items[i] = (struct edda_chunk){.text = edda_text_of(texts[i]), .number = i, .end = 1};
        make_vector(bench, vectors + i * FLOATS);
    }
    int error = ask_in(bench->f, job->project.data, EDDA_BACKEND_PUT_CHUNKS, job->token, &put,
                       &chunks, EDDA_BODY_STORE_STORED, NULL);
    if (error) {
        fail_msg("%s %s", edda_error_name(error), bench->f->text);
    }
}

static void fill(struct bench *bench) {
    size_t at = 0;
    for (unsigned project = 0; project < PROJECTS; project++) {
        accept_all(bench, project);
        for (struct edda_claims claims; (claims = claim_jobs(bench->f, 16)).count > 0;) {
            for (size_t i = 0; i < claims.count; i++, at += CHUNKS) {
                put_job(bench, &claims.items[i], bench->vectors + at * FLOATS);
            }
        }
        edda_arena_done(&bench->f->arena);
        edda_arena_init(&bench->f->arena, 64u * 1024u * 1024u);
    }
}

/* ---- asking ---- */

struct outcome {
    size_t rows;
    size_t right; /* of the nearest ten */
    size_t wanted;
    double ms[ASKED];
};

static float dot(const float *a, const float *b) {
    float sum = 0;
    for (size_t i = 0; i < FLOATS; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static int by_cosine(const void *a, const void *b) {
    float left = *(const float *)a;
    float right = *(const float *)b;
    return (left < right) - (left > right);
}

/* The tenth best cosine among the chunks first..first + count: a hit as good as it is right. */
static float tenth_of(const struct bench *bench, const float *query, size_t first, size_t count) {
    float *all = calloc(count, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i] = dot(query, bench->vectors + (first + i) * FLOATS);
    }
    qsort(all, count, sizeof *all, by_cosine);
    float tenth = all[count < 10 ? count - 1 : 9];
    free(all);
    return tenth;
}

/* Of the chunk that a hit is: a memo's title says which of the project's it is. */
static float cosine_of(const struct bench *bench, const float *query, size_t first,
                       const struct edda_hit *hit) {
    size_t memo = strtoul(hit->title.data + sizeof "source", NULL, 10);
    return dot(query, bench->vectors + (first + memo * CHUNKS + hit->number) * FLOATS);
}

static void ask_once(struct bench *bench, bool filtered, struct outcome *outcome, size_t number) {
    float query[FLOATS];
    char source[32];
    unsigned project = (unsigned)(number * 7 % PROJECTS);
    unsigned memo = (unsigned)(number * 13 % bench->memos);
    size_t first = (size_t)project * bench->memos * CHUNKS;
    make_vector(bench, query);
    snprintf(source, sizeof source, "source %u", memo);
    struct edda_text value = edda_text_of(source);
    struct edda_store_filter filter = {
        EDDA_TEXT("source"), EDDA_TEXT("eq"), EDDA_TEXT("native_field"), {&value, 1}};
    /* No word at all, so that vectors alone order; or one that every chunk has, so that all of a
     * memo's are found, also those that the vector is far from. */
    struct edda_store_search arguments = {.query = filtered ? EDDA_TEXT("chunk") : EDDA_TEXT("?"),
                                          .limit = 10,
                                          .filters = {&filter, filtered ? 1 : 0},
                                          .minimum_cosine = -1,
                                          .without = EDDA_WITHOUT_GRAMS};
    struct edda_embeddings embeddings = {.model = EDDA_TEXT(MODEL),
                                         .dimension = FLOATS,
                                         .count = 1,
                                         .vectors = {(const uint8_t *)query, sizeof query}};
    struct edda_hits hits;
    int64_t begin_us = edda_clock_us();
    assert_int_equal(ask_in(bench->f, project_name(project), EDDA_BACKEND_SEARCH, 0, &arguments,
                            &embeddings, EDDA_BODY_HITS, &hits),
                     0);
    outcome->ms[number] = (double)(edda_clock_us() - begin_us) / 1000;
    size_t from = filtered ? first + (size_t)memo * CHUNKS : first;
    float tenth = tenth_of(bench, query, from, filtered ? CHUNKS : (size_t)bench->memos * CHUNKS);
    outcome->wanted += 10;
    outcome->rows += hits.hits.count;
    for (size_t i = 0; i < hits.hits.count; i++) {
        outcome->right += cosine_of(bench, query, first, &hits.hits.items[i]) >= tenth - 0.001f;
    }
}

static void ask_all(struct bench *bench, const char *what, bool filtered) {
    static struct outcome outcome;
    edda_cell_t *cell = edda_metric_cell(EDDA_METRIC_STORE_EXACT_AFTER_ALL, NULL);
    int64_t before = edda_cell_value(cell);
    outcome = (struct outcome){0};
    for (size_t i = 0; i < ASKED; i++) {
        ask_once(bench, filtered, &outcome, i);
    }
    qsort(outcome.ms, ASKED, sizeof outcome.ms[0], by_size);
    printf(
        "%-34s %.2f of 10 rows, recall@10 %.3f, p50 %.1f ms, p99 %.1f ms, exact after all %lld\n",
        what, (double)outcome.rows / ASKED, (double)outcome.right / (double)outcome.wanted,
        outcome.ms[ASKED / 2], outcome.ms[ASKED * 99 / 100],
        (long long)(edda_cell_value(cell) - before));
    fflush(stdout);
}

static void ignore_progress(void *context, const char *phase, int64_t done, int64_t total) {
    (void)context;
    (void)phase;
    (void)done;
    (void)total;
}

static void build_index(void) {
    char message[256] = "";
    edda_pg_url_t *url = NULL;
    struct edda_pg_vector_index index;
    size_t count = 0;
    assert_int_equal(edda_pg_url_parse(fixture_postgres_url(), message, sizeof message, &url), 0);
    struct edda_pg_plain database = {
        .url = url, .message = message, .message_size = sizeof message};
    struct edda_pg_plain watch = {.url = url, .message = message, .message_size = sizeof message};
    assert_int_equal(edda_pg_plain_open(&database, 10000), 0);
    assert_int_equal(edda_pg_plain_open(&watch, 10000), 0);
    assert_int_equal(edda_pg_vector_indexes(&database, &index, 1, &count), 0);
    assert_int_equal(edda_pg_vector_index_build(&database, &watch, &index, ignore_progress, NULL),
                     0);
    edda_pg_plain_close(&database);
    edda_pg_plain_close(&watch);
    edda_pg_url_free(&url);
}

int main(int argc, char **argv) {
    struct bench bench = {.seed = 88172645463325252u, .memos = 100};
    edda_log_setup(EDDA_LOG_ERROR, false);
    if (argc > 1) {
        bench.memos = (unsigned)strtoul(argv[1], NULL, 10);
    }
    size_t chunks = (size_t)PROJECTS * bench.memos * CHUNKS;
    bench.vectors = calloc(chunks * FLOATS, sizeof *bench.vectors);
    bench.centres = calloc(CENTRES * FLOATS, sizeof *bench.centres);
    for (size_t i = 0; bench.centres && i < CENTRES * FLOATS; i++) {
        bench.centres[i] = random_float(&bench);
    }
    bench.f = fixture_new_on(true);
    int64_t begin_ms = edda_clock_ms();
    fill(&bench);
    printf("%zu chunks in %d projects, %d floats; put in %.0f s\n", chunks, PROJECTS, FLOATS,
           (double)(edda_clock_ms() - begin_ms) / 1000);
    sql_run(bench.f, "ANALYZE");
    ask_all(&bench, "first (indexes are loaded)", false);
    ask_all(&bench, "a project, 1 % of the rows", false);
    ask_all(&bench, "one of its memos, 1 % of that", true);
    build_index();
    fixture_close(bench.f);
    bench.f->exact_chunks = 1;
    fixture_open(bench.f);
    ask_all(&bench, "large: first (indexes are loaded)", false);
    ask_all(&bench, "large: by the vectors' index", false);
    ask_all(&bench, "large: one of its memos", true);
    fixture_free(&bench.f);
    free(bench.vectors);
    free(bench.centres);
    return 0;
}
