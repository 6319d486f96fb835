/* tests/actors/store/test_search_postgres.c: searches over PostgreSQL: an index in memory that
 * follows the database, and a model's vectors in it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/metric.h"
#include "actors/store/postgres/shelf.h"
#include "actors/store/postgres/vector_index.h"
#include "tests/actors/store/fixture_store.h"
#include "tests/actors/store/search_fixture.h"

static void a_store_finds_what_another_committed(void **state) {
    struct fixture *f = *state;
    struct second both = open_second(f);
    struct edda_uuid memo = accept_text(f, "Lantern", "A lamp that is carried.");
    process_all(f);
    use(&both, true);
    assert_string_equal(status_of(f, &memo), "processed");
    assert_int_equal(search(f, "lantern").hits.count, 1);
    use(&both, false);
    assert_int_equal(search(f, "lantern").hits.count, 1);
    struct edda_uuid other = accept_text(f, "Compass", "A needle that points north.");
    process_all(f);
    use(&both, true);
    assert_int_equal(search(f, "needle").hits.count, 2); /* all have vectors */
    assert_memory_equal(&search(f, "needle").hits.items[0].memo, &other, 16);
    use(&both, false);
    assert_int_equal(delete_memo(f, &memo), 0);
    use(&both, true);
    assert_int_equal(search(f, "lantern").hits.count, 1);
    assert_memory_equal(&search(f, "lantern").hits.items[0].memo, &other, 16);
    close_second(&both);
}

static void words_that_came_by_another_store_are_widened_too(void **state) {
    struct fixture *f = *state;
    struct second both = open_second(f);
    accept_text(f, "One", "Nothing of interest.");
    process_all(f);
    use(&both, true);
    assert_int_equal(search(f, "interest").hits.count, 1);
    use(&both, false);
    struct edda_uuid memo = accept_text(f, "Two", "The photosynthesis of leaves.");
    process_all(f);
    use(&both, true);
    /* Misspelled: found by the word's text alone. */
    struct edda_hits hits = search(f, "fotosynthesis");
    assert_memory_equal(&hits.hits.items[0].memo, &memo, 16);
    assert_true(hits.hits.items[0].word_score > 0);
    close_second(&both);
}

/* ---- loading in slices ---- */

/* A memo of `chunks` chunks in parts of 800. */
static struct edda_uuid accept_chunks(struct fixture *f, const char *title, unsigned chunks) {
    const char *texts[8] = {0};
    size_t count = 0;
    for (unsigned from = 0; from < chunks; from += 800) {
        char *text = edda_arena_take(&f->arena, 64 * 1024);
        size_t used = 0;
        for (unsigned i = from; i < chunks && i < from + 800; i++) {
            used += (size_t)snprintf(text + used, 64 * 1024 - used, "%s word%c%c%c\n\n", title,
                                     'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        }
        texts[count++] = text;
    }
    return accept_parts(f, title, texts, count);
}

/* Vectors that count letters are the same for many of these chunks. */
static struct edda_hits words_alone(struct fixture *f, const char *query) {
    struct edda_store_search arguments = {.query = edda_text_of(query), .limit = 10};
    struct edda_hits hits;
    assert_int_equal(ask(f, EDDA_BACKEND_WORDS, 0, &arguments, NULL, EDDA_BODY_HITS, &hits), 0);
    assert_true(hits.hits.count > 0);
    return hits;
}

static void a_project_of_more_than_a_slice_is_loaded_whole(void **state) {
    struct fixture *f = *state;
    unsigned large = EDDA_PG_SLICE_CHUNKS + 300;
    struct edda_uuid memo = accept_chunks(f, "large", large);
    for (unsigned i = 0; i < EDDA_PG_SLICE_MEMOS + 10; i++) {
        char text[64];
        snprintf(text, sizeof text, "small number%u", i);
        accept_text(f, "Small", text);
    }
    process_all(f);
    fixture_close(f);
    fixture_open(f);
    /* The last chunk of the large memo, and the last of the small ones. */
    char word[64];
    unsigned last = large - 1;
    snprintf(word, sizeof word, "word%c%c%c", 'a' + last % 26, 'a' + last / 26 % 26,
             'a' + last / 676);
    struct edda_hits hits = words_alone(f, word);
    assert_memory_equal(&hits.hits.items[0].memo, &memo, 16);
    assert_int_equal(hits.hits.items[0].number, last);
    snprintf(word, sizeof word, "number%u", EDDA_PG_SLICE_MEMOS + 9);
    assert_true(edda_text_is(words_alone(f, word).hits.items[0].text, "small number265"));
    struct edda_store_statistics statistics;
    assert_int_equal(
        ask(f, EDDA_BACKEND_STATISTICS, 0, NULL, NULL, EDDA_BODY_STORE_STATISTICS, &statistics), 0);
    assert_true(statistics.index_bytes > 100000);
}

static void an_index_that_missed_what_is_forgotten_is_loaded_anew(void **state) {
    struct fixture *f = *state;
    struct second both = open_second(f);
    struct edda_uuid memo = accept_text(f, "Lantern", "A lamp that is carried.");
    accept_text(f, "Compass", "A needle that points north.");
    process_all(f);
    use(&both, true);
    assert_int_equal(search(f, "lantern").hits.count, 2);
    use(&both, false);
    assert_int_equal(delete_memo(f, &memo), 0);
    sql_run(f, "UPDATE memo SET deleted_ms = 1 WHERE deleted_ms > 0;"
               "UPDATE version SET changed_ms = 1 WHERE state = 3");
    sweep_all(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM memo"), 1);
    assert_true(sql_integer(f, "SELECT forgotten > 0 FROM project"));
    use(&both, true);
    assert_int_equal(search(f, "lantern").hits.count, 1);
    close_second(&both);
}

/* ---- scores ---- */

static void scores_equal_those_of_sqlite(void **state) {
    struct fixture *f = *state;
    struct fixture *other = fixture_new_on(false);
    static const char *const queries[] = {"harbour lantern", "coper wintr",
                                          "meadow",          "granite falcon",
                                          "ribbons",         "thunder orchard copper"};
    fill_words(f);
    fill_words(other);
    for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
        struct edda_hits here = search(f, queries[q]);
        struct edda_hits there = search(other, queries[q]);
        assert_int_equal(here.hits.count, there.hits.count);
        assert_int_equal(here.degraded.count, 0);
        for (size_t i = 0; i < here.hits.count; i++) {
            const struct edda_hit *a = &here.hits.items[i];
            const struct edda_hit *b = &there.hits.items[i];
            assert_true(fabs(a->score - b->score) < 0.001);
            if (i == 0 || fabs(b->score - there.hits.items[i - 1].score) > 0.002) {
                assert_true(a->word_score == b->word_score); /* to the last bit */
            }
        }
    }
    fixture_free(&other);
}

/* Vectors of an old version that is not swept yet may be nearer than all that is seen. */
static void what_is_not_seen_keeps_nothing_that_is_from_being_near(void **state) {
    struct fixture *f = *state;
    struct edda_uuid memo = accept_chunks(f, "large", 300);
    for (unsigned i = 0; i < 5; i++) {
        accept_text(f, "Other", "quite another thing, of other letters: zzzzzz kkkk");
    }
    process_all(f);
    assert_int_equal(patch_text(f, &memo, "nothing of that"), 0);
    process_all(f);
    assert_int_equal(sql_integer(f, "SELECT count(*) FROM chunk_vector"), 306);
    struct edda_hits hits = search(f, "large wordaaa");
    assert_int_equal(hits.hits.count, 6);
    for (size_t i = 0; i < hits.hits.count; i++) {
        assert_true(hits.hits.items[i].vector_score > 0);
    }
}

static void assert_near(const struct edda_hits *hits, size_t count) {
    assert_int_equal(hits->degraded.count, 0);
    assert_int_equal(hits->hits.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true((hits->hits.items[i].vector_score > 0) ==
                    !edda_text_is(hits->hits.items[i].title, "Lantern"));
    }
}

/* Seen to fail, as did every search of the project, when the server's refusal is the answer. */
static void a_stored_vector_of_another_length_is_not_compared(void **state) {
    struct fixture *f = *state;
    edda_cell_t *damaged = edda_metric_cell(EDDA_METRIC_STORE_DAMAGED, NULL);
    int64_t before = edda_cell_value(damaged);
    accept_text(f, "Lantern", "A lamp that is carried.");
    accept_text(f, "Compass", "A needle that points north.");
    process_all(f);
    sql_run(f, "UPDATE chunk_vector SET vector = '[1,0]' WHERE chunk ="
               " (SELECT min(chunk) FROM chunk_vector)");
    struct edda_hits hits = search(f, "lamp or needle");
    assert_near(&hits, 2);
    assert_int_equal(edda_cell_value(damaged), before + 1);
    struct edda_text tag = EDDA_TEXT("none of these");
    struct edda_store_filter filter = {
        EDDA_TEXT("tags"), EDDA_TEXT("not_in"), EDDA_TEXT("native_field"), {&tag, 1}};
    hits = search_filtered(f, "lamp or needle", &filter, 1);
    assert_near(&hits, 2);
    assert_int_equal(edda_cell_value(damaged), before + 2);
    sql_run(f, "UPDATE chunk_vector SET vector = '[1,0,0,0]' WHERE chunk ="
               " (SELECT min(chunk) FROM chunk_vector)");
}

/* ---- the index of the vectors ---- */

static int64_t fallbacks(void) {
    return edda_cell_value(edda_metric_cell(EDDA_METRIC_STORE_EXACT_AFTER_ALL, NULL));
}

struct indexing {
    edda_pg_url_t *url;
    struct edda_pg_plain database;
    struct edda_pg_plain watch;
    char message[256];
    struct edda_pg_vector_index index; /* of the only model */
};

static void look(struct indexing *self) {
    size_t count = 0;
    assert_int_equal(edda_pg_vector_indexes(&self->database, &self->index, 1, &count), 0);
    assert_int_equal(count, 1);
}

static void open_indexing(struct indexing *self) {
    *self = (struct indexing){0};
    assert_int_equal(
        edda_pg_url_parse(fixture_postgres_url(), self->message, sizeof self->message, &self->url),
        0);
    self->database = self->watch = (struct edda_pg_plain){
        .url = self->url, .message = self->message, .message_size = sizeof self->message};
    assert_int_equal(edda_pg_plain_open(&self->database, 10000), 0);
    assert_int_equal(edda_pg_plain_open(&self->watch, 10000), 0);
    look(self);
}

static void close_indexing(struct indexing *self) {
    edda_pg_plain_close(&self->database);
    edda_pg_plain_close(&self->watch);
    edda_pg_url_free(&self->url);
}

static void ignore_progress(void *context, const char *phase, int64_t done, int64_t total) {
    (void)context;
    (void)phase;
    (void)done;
    (void)total;
}

static int build_index(struct indexing *self) {
    return edda_pg_vector_index_build(&self->database, &self->watch, &self->index, ignore_progress,
                                      NULL);
}

static void make_vector_index(void) {
    struct indexing indexing;
    open_indexing(&indexing);
    assert_int_equal(build_index(&indexing), 0);
    close_indexing(&indexing);
}

static void drop_vector_index(void) {
    struct indexing indexing;
    open_indexing(&indexing);
    assert_int_equal(edda_pg_vector_index_drop(&indexing.database, &indexing.index), 0);
    close_indexing(&indexing);
}

static void an_index_of_vectors_is_made_seen_and_dropped(void **state) {
    struct fixture *f = *state;
    struct indexing indexing;
    fill_words(f);
    open_indexing(&indexing);
    assert_int_equal(indexing.index.state, EDDA_PG_INDEX_NONE);
    assert_int_equal(indexing.index.dimension, DIMENSION);
    assert_int_equal(indexing.index.vectors, 120);
    assert_int_equal(indexing.index.largest, 120);
    /* One that was interrupted is no index; it is made anew. */
    sql_run(
        f, "DO $$ BEGIN EXECUTE format('CREATE INDEX chunk_vector_hnsw_%s ON chunk_vector (chunk)',"
           " (SELECT id FROM model)); END $$;"
           "UPDATE pg_index SET indisvalid = false WHERE indexrelid ="
           " to_regclass('chunk_vector_hnsw_' || (SELECT id FROM model))");
    look(&indexing);
    assert_int_equal(indexing.index.state, EDDA_PG_INDEX_BROKEN);
    assert_int_equal(build_index(&indexing), 0);
    look(&indexing);
    assert_int_equal(indexing.index.state, EDDA_PG_INDEX_READY);
    assert_true(indexing.index.bytes > 0);
    assert_int_equal(edda_pg_vector_index_drop(&indexing.database, &indexing.index), 0);
    look(&indexing);
    assert_int_equal(indexing.index.state, EDDA_PG_INDEX_NONE);
    indexing.index.dimension = EDDA_PG_INDEX_DIMENSION + 1;
    assert_int_equal(build_index(&indexing), EDDA_E_LIMIT);
    assert_non_null(strstr(indexing.message, "4000"));
    close_indexing(&indexing);
}

static void a_large_project_is_searched_by_the_index_of_its_vectors(void **state) {
    struct fixture *f = *state;
    fill_words(f);
    struct edda_hits exact = search(f, "harbour lantern");
    fixture_close(f);
    f->exact_chunks = 20;
    fixture_open(f);
    assert_int_equal(search(f, "harbour lantern").hits.count, exact.hits.count); /* there is none */
    make_vector_index();
    int64_t before = fallbacks();
    struct edda_hits by_index = search(f, "harbour lantern");
    assert_int_equal(fallbacks(), before);
    assert_int_equal(by_index.hits.count, exact.hits.count);
    for (size_t i = 0; i < exact.hits.count; i++) {
        assert_true(fabs(by_index.hits.items[i].score - exact.hits.items[i].score) < 0.001);
    }
    drop_vector_index();
}

static void an_index_that_gives_too_few_is_not_believed(void **state) {
    struct fixture *f = *state;
    fill_words(f);
    struct edda_hits exact = search(f, "harbour lantern");
    fixture_close(f);
    f->exact_chunks = 20;
    fixture_open(f);
    make_vector_index();
    sql_run(f, "ALTER FUNCTION nearest_chunks RENAME TO nearest_chunks_kept;"
               "CREATE FUNCTION nearest_chunks(a bigint, b bigint, c bigint, d halfvec, e bigint)"
               " RETURNS TABLE (chunk bigint, similarity double precision) LANGUAGE sql AS"
               " 'SELECT k.chunk, k.similarity FROM nearest_chunks_kept($1, $2, $3, $4, 3) k'");
    int64_t before = fallbacks();
    struct edda_hits hits = search(f, "harbour lantern");
    assert_int_equal(fallbacks(), before + 1);
    assert_int_equal(hits.hits.count, exact.hits.count);
    for (size_t i = 0; i < exact.hits.count; i++) {
        assert_true(fabs(hits.hits.items[i].vector_score - exact.hits.items[i].vector_score) <
                    0.001);
    }
    sql_run(f, "DROP FUNCTION nearest_chunks;"
               "ALTER FUNCTION nearest_chunks_kept RENAME TO nearest_chunks");
    drop_vector_index();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_store_finds_what_another_committed),
        TEST(words_that_came_by_another_store_are_widened_too),
        TEST(a_project_of_more_than_a_slice_is_loaded_whole),
        TEST(an_index_that_missed_what_is_forgotten_is_loaded_anew),
        TEST(scores_equal_those_of_sqlite),
        TEST(what_is_not_seen_keeps_nothing_that_is_from_being_near),
        TEST(a_stored_vector_of_another_length_is_not_compared),
        TEST(an_index_of_vectors_is_made_seen_and_dropped),
        TEST(a_large_project_is_searched_by_the_index_of_its_vectors),
        TEST(an_index_that_gives_too_few_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
