/* tests/actors/embedder/test_requests.c: jobs and a provider that is well: how often it is asked,
 * for what, and what comes back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/embedder/hash_embed.h"
#include "proto/half.h"
#include "tests/actors/embedder/live_embedder.h"
#include "tests/proto/cmocka.h"

static const char *const plain[] = {NULL};

static bool is_zero(const float *row, uint32_t dimension) {
    for (uint32_t i = 0; i < dimension; i++) {
        if (row[i] < 0 || row[i] > 0) {
            return false;
        }
    }
    return true;
}

static bool equal_rows(const float *a, const float *b, uint32_t dimension) {
    return memcmp(a, b, dimension * sizeof *a) == 0;
}

static void a_query_is_answered_with_the_providers_vector(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    live_embedder_query(&live, 1, "Where is the mill?");
    struct live_vectors first = live_embedder_vectors(&live, 1);
    assert_string_equal(live.detail, "embeds with openai:text-embedding-3-small");
    assert_true(edda_text_is(first.model, "openai:text-embedding-3-small"));
    assert_int_equal(first.dimension, 1024);
    assert_int_equal(first.count, 1);
    assert_false(is_zero(first.rows, 1024));
    live_embedder_query(&live, 2, "Where is the mill?"); /* from the cache */
    live_embedder_query(&live, 3, "Where is the mull?");
    assert_true(equal_rows(live_embedder_vectors(&live, 2).rows, first.rows, 1024));
    assert_false(equal_rows(live_embedder_vectors(&live, 3).rows, first.rows, 1024));
    assert_int_equal(live_embedder_requests(&live), 2);
    live_role_stop(&live);
}

static void a_part_of_200_chunks_takes_three_calls_of_96(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, (const char *const[]){"EDDA_EMBEDDING_BATCH", "96", NULL});
    struct edda_chunks chunks = live_embedder_make(&live, "chunk", 200);
    live_embedder_chunks(&live, 1, &chunks);
    struct live_vectors vectors = live_embedder_vectors(&live, 1);
    assert_int_equal(vectors.count, 200);
    assert_int_equal(live_embedder_requests(&live), 3);
    assert_int_equal(live_embedder_items(&live), 200);
    /* Each row stands in its chunk's place. */
    live_embedder_document(&live, 2, LIVE_URGENT, "chunk 0");
    live_embedder_document(&live, 3, LIVE_URGENT, "chunk 199");
    assert_true(equal_rows(live_embedder_vectors(&live, 2).rows, vectors.rows, 1024));
    assert_true(equal_rows(live_embedder_vectors(&live, 3).rows, vectors.rows + 199 * 1024, 1024));
    assert_int_equal(live_embedder_requests(&live), 3);
    live_role_stop(&live);
}

static void a_chunk_is_embedded_with_title_and_heading(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    struct edda_chunks chunks = live_embedder_make(&live, "chunk", 2);
    chunks.title = EDDA_TEXT("Mills");
    chunks.chunks.items[0].heading = EDDA_TEXT("Old > Water");
    live_embedder_chunks(&live, 1, &chunks);
    struct live_vectors vectors = live_embedder_vectors(&live, 1);
    live_embedder_document(&live, 2, LIVE_URGENT, "Mills\nOld > Water\nchunk 0");
    assert_true(equal_rows(live_embedder_vectors(&live, 2).rows, vectors.rows, 1024));
    live_embedder_document(&live, 3, LIVE_URGENT, "Mills\nchunk 1");
    assert_true(equal_rows(live_embedder_vectors(&live, 3).rows, vectors.rows + 1024, 1024));
    assert_int_equal(live_embedder_requests(&live), 1);
    assert_true(edda_text_is(vectors.chunks.title, "Mills"));
    assert_true(edda_text_is(vectors.chunks.chunks.items[1].text, "chunk 1"));
    live_role_stop(&live);
}

static void many_jobs_share_a_call(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":300}}");
    bool seen[32] = {false};
    for (uint8_t i = 0; i < 31; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "question %u", i);
        live_embedder_query(&live, i, text); /* the first goes alone, at once */
    }
    for (uint8_t i = 0; i < 31; i++) {
        uint8_t number;
        assert_int_equal(live_embedder_any(&live, &number).count, 1);
        assert_false(seen[number]);
        seen[number] = true;
    }
    assert_true(live_embedder_requests(&live) <= 6);
    assert_int_equal(live_embedder_items(&live), 31);
    live_role_stop(&live);
}

static void queries_overtake_bulk(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state,
                        (const char *const[]){"EDDA_EMBEDDING_BATCH", "10",
                                              "EDDA_PROVIDER_CONCURRENCY", "2", NULL});
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":50}}");
    struct edda_chunks chunks = live_embedder_make(&live, "chunk", 200); /* a second, a call each */
    live_embedder_chunks(&live, 1, &chunks);
    live_embedder_query(&live, 2, "a question");
    (void)live_embedder_vectors(&live, 2);
    assert_true(live_embedder_items(&live) < 100);
    assert_int_equal(live_embedder_vectors(&live, 1).count, 200);
    live_role_stop(&live);
}

static void equal_texts_of_many_jobs_are_asked_for_once(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, plain);
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":100}}");
    for (uint8_t i = 0; i < 10; i++) {
        live_embedder_query(&live, i, "the same question");
    }
    for (uint8_t i = 0; i < 10; i++) {
        (void)live_embedder_vectors(&live, i);
    }
    assert_int_equal(live_embedder_items(&live), 1);
    live_role_stop(&live);
}

static void blank_texts_have_zeros_and_ask_nobody(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, (const char *const[]){"EMBEDDING_DIMENSION", "64", NULL});
    struct edda_text items[3] = {EDDA_TEXT(""), EDDA_TEXT(" \n\t"), EDDA_TEXT("mill")};
    struct edda_embed_arguments arguments = {.texts = {items, 2}};
    live_embedder_embed(&live, 1, LIVE_URGENT, &arguments);
    struct live_vectors vectors = live_embedder_vectors(&live, 1);
    assert_int_equal(vectors.count, 2);
    assert_int_equal(vectors.dimension, 64);
    assert_true(is_zero(vectors.rows, 2 * 64));
    assert_int_equal(live_embedder_requests(&live), 0);
    arguments.texts.count = 3;
    live_embedder_embed(&live, 2, LIVE_URGENT, &arguments);
    vectors = live_embedder_vectors(&live, 2);
    assert_true(is_zero(vectors.rows, 2 * 64));
    assert_false(is_zero(vectors.rows + 2 * 64, 64));
    assert_int_equal(live_embedder_items(&live), 1);
    arguments.texts.count = 0;
    live_embedder_embed(&live, 3, LIVE_URGENT, &arguments);
    assert_int_equal(live_embedder_vectors(&live, 3).count, 0);
    live_role_stop(&live);
}

/* Rows 0.5, 0, 0, ... of every second chunk. */
static void give_rows(struct live_role *live, struct edda_chunks *chunks, bool halves) {
    size_t values = chunks->chunks.count * 64;
    float *floats = edda_arena_take(&live->arena, values * sizeof *floats);
    uint16_t *packed = edda_arena_take(&live->arena, values * sizeof *packed);
    for (size_t i = 0; i < chunks->chunks.count; i += 2) {
        floats[i * 64] = 0.5F;
        packed[i * 64] = edda_half_from_float(0.5F);
    }
    chunks->model = EDDA_TEXT("openai:text-embedding-3-small");
    chunks->dimension = 64;
    chunks->vectors = (struct edda_floats){0};
    chunks->halves = (struct edda_bytes){0};
    if (halves) {
        chunks->halves = (struct edda_bytes){(uint8_t *)packed, values * sizeof *packed};
    } else {
        chunks->vectors = (struct edda_floats){(uint8_t *)floats, values * sizeof *floats};
    }
}

static void rows_that_are_there_are_kept(void **state) {
    static const char *const prefixes[] = {"floats", "halves"};
    struct live_role live;
    live_embedder_start(&live, *state, (const char *const[]){"EMBEDDING_DIMENSION", "64", NULL});
    for (uint8_t round = 0; round < 2; round++) {
        struct edda_chunks chunks = live_embedder_make(&live, prefixes[round], 10);
        give_rows(&live, &chunks, round == 1);
        live_embedder_chunks(&live, round, &chunks);
        struct live_vectors vectors = live_embedder_vectors(&live, round);
        assert_false(vectors.halves);
        for (size_t i = 0; i < 10; i++) {
            const float *row = vectors.rows + i * 64;
            bool given = row[0] >= 0.5F && row[0] <= 0.5F && is_zero(row + 1, 63);
            assert_int_equal(given, i % 2 == 0);
            assert_false(is_zero(row, 64));
        }
        assert_int_equal(live_embedder_items(&live), (round + 1) * 5);
    }
    live_role_stop(&live);
}

static void rows_of_another_model_or_dimension_are_not_kept(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, (const char *const[]){"EMBEDDING_DIMENSION", "64", NULL});
    struct edda_chunks chunks = live_embedder_make(&live, "model", 4);
    give_rows(&live, &chunks, false);
    chunks.model = EDDA_TEXT("openai:text-embedding-3-large");
    live_embedder_chunks(&live, 1, &chunks);
    struct live_vectors vectors = live_embedder_vectors(&live, 1);
    assert_true(edda_text_is(vectors.model, "openai:text-embedding-3-small"));
    assert_int_equal(live_embedder_items(&live), 4);
    chunks = live_embedder_make(&live, "dimension", 4);
    give_rows(&live, &chunks, false);
    chunks.dimension = 32;
    chunks.vectors.size /= 2;
    live_embedder_chunks(&live, 2, &chunks);
    assert_int_equal(live_embedder_vectors(&live, 2).dimension, 64);
    assert_int_equal(live_embedder_items(&live), 8);
    live_role_stop(&live);
}

static void large_vectors_are_given_as_halves(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state, (const char *const[]){"EMBEDDING_DIMENSION", "4096", NULL});
    struct edda_chunks chunks = live_embedder_make(&live, "chunk", 190); /* 3,040 KiB of floats */
    live_embedder_chunks(&live, 1, &chunks);
    struct live_vectors floats = live_embedder_vectors(&live, 1);
    assert_false(floats.halves);
    chunks = live_embedder_make(&live, "chunk", 300);
    live_embedder_chunks(&live, 2, &chunks);
    struct live_vectors halves = live_embedder_vectors(&live, 2);
    assert_true(halves.halves);
    for (size_t i = 0; i < (size_t)190 * 4096; i++) {
        assert_true(fabsf(halves.rows[i] - floats.rows[i]) <= fabsf(floats.rows[i]) / 2048 + 1e-7F);
    }
    chunks = live_embedder_make(&live, "chunk", 400); /* too large in any way */
    live_embedder_chunks(&live, 3, &chunks);
    const char *text = live_embedder_failure(&live, 3, EDDA_E_LIMIT, EDDA_BLAME_JOB, NULL);
    assert_non_null(strstr(text, "too large for a message"));
    live_role_stop(&live);
}

static void another_model_is_asked_when_it_is_wanted(void **state) {
    struct live_role live;
    struct edda_text item = EDDA_TEXT("Where is the mill?");
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("query"), .texts = {&item, 1}};
    live_embedder_start(&live, *state,
                        (const char *const[]){"VOYAGE_BASE_URL", "@voyage/v1", "VOYAGE_API_KEY",
                                              "pa-1", "COHERE_BASE_URL", "@cohere", NULL});
    static const struct {
        const char *wanted;
        uint32_t dimension;
        const char *given;
        uint32_t given_dimension;
    } cases[] = {
        {"hash-256", 256, "hash-256", 256},
        {"voyage:voyage-3", 512, "voyage:voyage-3", 512},
        {"voyage:voyage-3", 256, "voyage:voyage-3", 256},
        {"openai:text-embedding-3-large", 96, "openai:text-embedding-3-large", 96},
        {"openai:text-embedding-3-small", 0, "openai:text-embedding-3-small", 1024},
        {"openai:text-embedding-3-small", 1024, "openai:text-embedding-3-small", 1024},
        {"cohere:embed-v4.0", 64, "openai:text-embedding-3-small", 1024}, /* without a key */
        {"nobody:model", 64, "openai:text-embedding-3-small", 1024},
        {"hash-512", 512, "openai:text-embedding-3-small", 1024},
    };
    for (uint8_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        arguments.model = edda_text_of(cases[i].wanted);
        arguments.dimension = cases[i].dimension;
        live_embedder_embed(&live, i, LIVE_URGENT, &arguments);
        struct live_vectors vectors = live_embedder_vectors(&live, i);
        assert_true(edda_text_is(vectors.model, cases[i].given));
        assert_int_equal(vectors.dimension, cases[i].given_dimension);
    }
    json_t *counters = provider_process_counters(live.provider);
    json_t *paths = json_object_get(counters, "paths");
    assert_int_equal(json_integer_value(json_object_get(paths, "/voyage/v1/embeddings")), 2);
    assert_int_equal(json_integer_value(json_object_get(paths, "/openai/v1/embeddings")), 2);
    json_decref(counters);
    /* More other models than are kept: the oldest makes room. */
    for (uint8_t i = 0; i < 12; i++) {
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, "voyage:model-%u", i % 6);
        arguments.model = edda_text_of(wanted);
        arguments.dimension = 32;
        live_embedder_embed(&live, 100 + i, LIVE_URGENT, &arguments);
        assert_true(edda_text_is(live_embedder_vectors(&live, 100 + i).model, wanted));
    }
    live_role_stop(&live);
}

static void a_builtin_embedder_asks_a_provider_where_it_is_wanted(void **state) {
    struct live_role live;
    struct edda_text item = EDDA_TEXT("Where is the mill?");
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("query"),
                                             .texts = {&item, 1},
                                             .model = EDDA_TEXT("openai:text-embedding-3-small"),
                                             .dimension = 128};
    live_embedder_start(&live, *state,
                        (const char *const[]){"EMBEDDING_PROVIDER", "builtin", NULL});
    live_embedder_embed(&live, 1, LIVE_URGENT, &arguments);
    struct live_vectors vectors = live_embedder_vectors(&live, 1);
    assert_string_equal(live.detail, "embeds with " EDDA_HASH_EMBED_MODEL);
    assert_true(edda_text_is(vectors.model, "openai:text-embedding-3-small"));
    assert_int_equal(vectors.dimension, 128);
    live_embedder_query(&live, 2, "Where is the mill?");
    assert_true(edda_text_is(live_embedder_vectors(&live, 2).model, EDDA_HASH_EMBED_MODEL));
    live_role_stop(&live);
}

static void a_cancelled_job_leaves_the_line(void **state) {
    struct live_role live;
    live_embedder_start(&live, *state,
                        (const char *const[]){"EDDA_EMBEDDING_BATCH", "10",
                                              "EDDA_PROVIDER_CONCURRENCY", "2", NULL});
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":100}}");
    struct edda_chunks chunks = live_embedder_make(&live, "cancelled", 500);
    live_embedder_chunks(&live, 1, &chunks);
    live_embedder_query(&live, 2, "a question"); /* its answer: the first batch is asked for */
    (void)live_embedder_vectors(&live, 2);
    live_embedder_cancel(&live, 1);
    struct edda_chunks others = live_embedder_make(&live, "others", 5);
    live_embedder_chunks(&live, 3, &others);
    assert_int_equal(live_embedder_vectors(&live, 3).count, 5);
    int64_t items = live_embedder_items(&live);
    assert_true(items < 100);
    chunks.chunks.count = 10; /* what was asked for already is known */
    live_embedder_chunks(&live, 4, &chunks);
    assert_int_equal(live_embedder_vectors(&live, 4).count, 10);
    assert_int_equal(live_embedder_items(&live), items);
    live_role_stop(&live);
}

static void a_line_that_is_full_gives_jobs_back(void **state) {
    struct live_role live;
    live_embedder_start_narrow(
        &live, *state,
        (const char *const[]){"EDDA_EMBEDDING_BATCH", "10", "EDDA_PROVIDER_CONCURRENCY", "1", NULL},
        100);
    provider_process_set(live.provider, "{\"embed\":{\"latency_ms\":50}}");
    struct edda_chunks chunks = live_embedder_make(&live, "first", 100); /* just fits */
    struct edda_chunks more = live_embedder_make(&live, "more", 101);
    live_embedder_chunks(&live, 1, &chunks);
    live_embedder_chunks(&live, 2, &more);
    (void)fake_broker_expect_after_credit(live.fake, FAKE_BACK, EDDA_RETURN);
    assert_int_equal(live_embedder_vectors(&live, 1).count, 100);
    live_role_stop(&live);
}

static void a_provider_that_is_not_set_up_stops_the_role(void **state) {
    (void)state;
    live_embedder_expect_refusal((const char *const[]){"EMBEDDING_PROVIDER", "openai", NULL},
                                 EDDA_E_INVALID);
    live_embedder_expect_refusal((const char *const[]){"EMBEDDING_PROVIDER", "voyage", NULL},
                                 EDDA_E_INVALID);
    live_embedder_expect_refusal((const char *const[]){"EMBEDDING_PROVIDER", "tei",
                                                       "EMBEDDING_SERVICE_URL", "host:80", NULL},
                                 EDDA_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_answered_with_the_providers_vector),
        cmocka_unit_test(a_part_of_200_chunks_takes_three_calls_of_96),
        cmocka_unit_test(a_chunk_is_embedded_with_title_and_heading),
        cmocka_unit_test(many_jobs_share_a_call),
        cmocka_unit_test(queries_overtake_bulk),
        cmocka_unit_test(equal_texts_of_many_jobs_are_asked_for_once),
        cmocka_unit_test(blank_texts_have_zeros_and_ask_nobody),
        cmocka_unit_test(rows_that_are_there_are_kept),
        cmocka_unit_test(rows_of_another_model_or_dimension_are_not_kept),
        cmocka_unit_test(large_vectors_are_given_as_halves),
        cmocka_unit_test(another_model_is_asked_when_it_is_wanted),
        cmocka_unit_test(a_builtin_embedder_asks_a_provider_where_it_is_wanted),
        cmocka_unit_test(a_cancelled_job_leaves_the_line),
        cmocka_unit_test(a_line_that_is_full_gives_jobs_back),
        cmocka_unit_test(a_provider_that_is_not_set_up_stops_the_role),
    };
    return cmocka_run_group_tests(tests, start_provider, stop_provider);
}
