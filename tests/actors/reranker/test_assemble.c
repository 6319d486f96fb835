/* tests/actors/reranker/test_assemble.c: ranked chunks into passages. */
#include "actors/reranker/assemble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM 256

struct fixture {
    struct edda_arena arena;
    struct edda_hit items[ROOM];
    struct edda_hits hits;
};

static int set_up(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){0};
    edda_arena_init(&fixture.arena, (size_t)8 * 1024 * 1024);
    fixture.hits.hits.items = fixture.items;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    edda_arena_done(&fixture->arena);
    return 0;
}

/* A chunk of `document`, whose bytes [start, end) it holds. Scores fall from hit to hit. */
static struct edda_hit *add(struct fixture *fixture, unsigned char memo, uint32_t number,
                            const char *document, uint32_t start, uint32_t end) {
    struct edda_hit *hit = &fixture->items[fixture->hits.hits.count++];
    hit->memo.bytes[0] = memo;
    hit->chunk.bytes[0] = memo;
    hit->chunk.bytes[1] = (unsigned char)number;
    hit->number = number;
    hit->start = start;
    hit->end = end;
    hit->score = 1.0 / (double)fixture->hits.hits.count;
    hit->text = (struct edda_text){document + start, end - start};
    return hit;
}

static struct edda_hit *add_text(struct fixture *fixture, unsigned char memo, uint32_t number,
                                 const char *text) {
    return add(fixture, memo, number, text, 0, (uint32_t)strlen(text));
}

static const struct edda_hit *assemble(struct fixture *fixture, uint32_t top_k, size_t wanted) {
    assert_int_equal(edda_assemble(&fixture->hits, top_k, &fixture->arena), 0);
    assert_int_equal(fixture->hits.hits.count, wanted);
    return fixture->hits.hits.items;
}

#define STORY "One fox ran. Two owls sat. Three cats slept. Four dogs barked."

static void
chunks_that_follow_each_other_are_one_passage_and_their_overlap_is_there_once(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 1, 1, STORY, 13, 44);
    add(fixture, 2, 0, "Something else.", 0, 15);
    add(fixture, 1, 2, STORY, 27, 62);
    add(fixture, 1, 0, STORY, 0, 26);
    const struct edda_hit *hits = assemble(fixture, 0, 2);
    assert_true(edda_text_is(hits[0].text, STORY));
    assert_int_equal(hits[0].start, 0);
    assert_int_equal(hits[0].end, 62);
    assert_int_equal(hits[0].number, 0);
    assert_int_equal(hits[0].chunk.bytes[1], 1); /* the best ranked one's */
    assert_true(hits[0].score == 1.0);
    assert_int_equal(hits[1].memo.bytes[0], 2);
}

static void a_chunk_between_two_passages_makes_one_of_them(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 1, 0, STORY, 0, 12);
    add(fixture, 2, 0, "Something else.", 0, 15);
    add(fixture, 1, 2, STORY, 27, 44);
    add(fixture, 1, 1, STORY, 13, 26);
    const struct edda_hit *hits = assemble(fixture, 0, 2);
    assert_true(edda_text_is(hits[0].text, "One fox ran.\nTwo owls sat.\nThree cats slept."));
    assert_int_equal(hits[1].memo.bytes[0], 2);
}

static void a_passage_that_is_behind_takes_its_place_before_the_one_it_joins(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 1, 2, STORY, 27, 44);
    add(fixture, 1, 0, STORY, 0, 12);
    add(fixture, 1, 3, STORY, 45, 62);
    add(fixture, 1, 1, STORY, 13, 26);
    const struct edda_hit *hits = assemble(fixture, 0, 1);
    assert_true(edda_text_is(hits[0].text, "One fox ran.\nTwo owls sat.\nThree cats slept.\n"
                                           "Four dogs barked."));
    assert_int_equal(hits[0].chunk.bytes[1], 2);
    assert_int_equal(hits[0].end, 62);
}

static void overlap_of_a_text_that_is_not_the_documents_bytes_is_found_by_its_words(void **state) {
    struct fixture *fixture = *state;
    struct edda_hit *first = add_text(fixture, 1, 0, "One fox ran. Two owls sat.");
    struct edda_hit *second = add_text(fixture, 1, 1, "Two owls sat. Three cats slept.");
    first->end = 90; /* with the markup that is not in it */
    second->start = 60;
    second->end = 130;
    const struct edda_hit *hits = assemble(fixture, 0, 1);
    assert_true(edda_text_is(hits[0].text, "One fox ran. Two owls sat. Three cats slept."));
}

static void chunks_under_different_headings_of_other_memos_or_apart_stay_apart(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 1, 0, STORY, 0, 12)->heading = EDDA_TEXT("Birds");
    add(fixture, 1, 1, STORY, 13, 26)->heading = EDDA_TEXT("Cats");
    add(fixture, 1, 3, STORY, 45, 62)->heading = EDDA_TEXT("Cats");
    add(fixture, 2, 2, STORY, 27, 44)->heading = EDDA_TEXT("Cats");
    assemble(fixture, 0, 4);
}

static void of_equal_texts_only_the_best_ranked_stays(void **state) {
    struct fixture *fixture = *state;
    add_text(fixture, 2, 0, "The same words.");
    add_text(fixture, 1, 0, "The same words.");
    add_text(fixture, 1, 1, "Other words.");
    add_text(fixture, 3, 7, "The same words.");
    const struct edda_hit *hits = assemble(fixture, 0, 2);
    assert_int_equal(hits[0].memo.bytes[0], 2);
    assert_int_equal(hits[1].memo.bytes[0], 1);
}

static void places_that_joining_and_folding_free_go_to_the_next(void **state) {
    struct fixture *fixture = *state;
    add(fixture, 1, 0, STORY, 0, 12);
    add(fixture, 1, 1, STORY, 13, 26);
    add_text(fixture, 2, 0, "The same words.");
    add_text(fixture, 3, 0, "The same words.");
    add_text(fixture, 4, 0, "The last words.");
    add_text(fixture, 5, 0, "One too many.");
    const struct edda_hit *hits = assemble(fixture, 3, 3);
    assert_int_equal(hits[0].memo.bytes[0], 1);
    assert_int_equal(hits[1].memo.bytes[0], 2);
    assert_int_equal(hits[2].memo.bytes[0], 4);
}

static char many[40][24];

static void add_many(struct fixture *fixture, unsigned char memo, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(many[i], sizeof many[i], "Chunk %u of %u.", i, memo);
        add_text(fixture, memo, i * 2, many[i]);
    }
}

static void a_memo_takes_half_of_the_places_while_others_have_something_to_say(void **state) {
    struct fixture *fixture = *state;
    add_many(fixture, 1, 20);
    for (unsigned char memo = 2; memo < 10; memo++) {
        char *text = many[20 + memo];
        (void)snprintf(text, sizeof many[0], "Memo %u.", memo);
        add_text(fixture, memo, 0, text);
    }
    const struct edda_hit *hits = assemble(fixture, 10, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(hits[i].memo.bytes[0], i < 5 ? 1 : i - 3);
    }
}

static void of_few_places_a_memo_takes_three(void **state) {
    struct fixture *fixture = *state;
    add_many(fixture, 1, EDDA_ASSEMBLE_MEMO + 1);
    add_text(fixture, 2, 0, "Another's.");
    const struct edda_hit *hits = assemble(fixture, EDDA_ASSEMBLE_MEMO + 1, EDDA_ASSEMBLE_MEMO + 1);
    assert_int_equal(hits[EDDA_ASSEMBLE_MEMO - 1].memo.bytes[0], 1);
    assert_int_equal(hits[EDDA_ASSEMBLE_MEMO].memo.bytes[0], 2);
}

static void a_memo_alone_takes_all_places(void **state) {
    struct fixture *fixture = *state;
    add_many(fixture, 1, 20);
    const struct edda_hit *hits = assemble(fixture, 10, 10);
    assert_int_equal(hits[9].number, 18);
}

static void a_passage_grows_up_to_its_limit_and_not_by_a_byte_more(void **state) {
    static char text[EDDA_ASSEMBLE_BYTES + 1];
    for (uint32_t over = 0; over < 2; over++) {
        struct fixture *fixture = *state;
        fixture->hits.hits = (struct edda_hit_list){fixture->items, 0};
        memset(text, 'x', sizeof text);
        memset(text + EDDA_ASSEMBLE_BYTES / 2, 'y', sizeof text / 2 + 1);
        add(fixture, 1, 0, text, 0, EDDA_ASSEMBLE_BYTES / 2);
        add(fixture, 1, 1, text, EDDA_ASSEMBLE_BYTES / 2, EDDA_ASSEMBLE_BYTES + over);
        assemble(fixture, 0, 1 + over);
    }
}

static void nothing_is_no_error(void **state) {
    assemble(*state, 10, 0);
}

static void without_memory_the_hits_are_as_they_were(void **state) {
    struct fixture *fixture = *state;
    struct edda_arena small;
    add(fixture, 1, 0, STORY, 0, 12);
    add(fixture, 1, 1, STORY, 13, 26);
    edda_arena_init(&small, 64);
    assert_int_equal(edda_assemble(&fixture->hits, 0, &small), EDDA_E_MEMORY);
    assert_int_equal(fixture->hits.hits.count, 2);
    assert_ptr_equal(fixture->hits.hits.items, fixture->items);
    edda_arena_done(&small);
}

/* Whatever the chunks and their order: no byte of a document is lost or said twice. */
static void passages_of_a_whole_document_hold_all_of_it_once(void **state) {
    enum { DOCUMENT = 2000 };
    static char document[DOCUMENT];
    for (unsigned seed = 1; seed <= 500; seed++) {
        struct fixture *fixture = *state;
        fixture->hits.hits = (struct edda_hit_list){fixture->items, 0};
        srandom(seed);
        for (size_t i = 0; i < DOCUMENT; i++) {
            document[i] = (char)('a' + random() % 26);
        }
        uint32_t start = 0;
        uint32_t end = 0;
        for (uint32_t number = 0; end < DOCUMENT; number++) {
            start = number == 0 ? 0 : end - (uint32_t)(random() % 30);
            end += 40 + (uint32_t)(random() % 200);
            end = end > DOCUMENT ? DOCUMENT : end;
            add(fixture, 1, number, document, start, end);
        }
        for (size_t i = fixture->hits.hits.count; i > 1; i--) {
            size_t other = (size_t)random() % i;
            struct edda_hit hit = fixture->items[i - 1];
            fixture->items[i - 1] = fixture->items[other];
            fixture->items[other] = hit;
        }
        const struct edda_hit *hits = assemble(fixture, 0, 1);
        assert_int_equal(hits[0].start, 0);
        assert_int_equal(hits[0].end, DOCUMENT);
        size_t written = 0; /* a line's end where nothing overlapped is not the document's */
        for (size_t i = 0; i < hits[0].text.size; i++) {
            if (hits[0].text.data[i] != '\n') {
                assert_true(written < DOCUMENT);
                assert_int_equal(hits[0].text.data[i], document[written++]);
            }
        }
        assert_int_equal(written, DOCUMENT);
        edda_arena_done(&fixture->arena);
        edda_arena_init(&fixture->arena, (size_t)8 * 1024 * 1024);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(chunks_that_follow_each_other_are_one_passage_and_their_overlap_is_there_once),
        TEST(a_chunk_between_two_passages_makes_one_of_them),
        TEST(a_passage_that_is_behind_takes_its_place_before_the_one_it_joins),
        TEST(overlap_of_a_text_that_is_not_the_documents_bytes_is_found_by_its_words),
        TEST(chunks_under_different_headings_of_other_memos_or_apart_stay_apart),
        TEST(of_equal_texts_only_the_best_ranked_stays),
        TEST(places_that_joining_and_folding_free_go_to_the_next),
        TEST(a_memo_takes_half_of_the_places_while_others_have_something_to_say),
        TEST(of_few_places_a_memo_takes_three),
        TEST(a_memo_alone_takes_all_places),
        TEST(a_passage_grows_up_to_its_limit_and_not_by_a_byte_more),
        TEST(nothing_is_no_error),
        TEST(without_memory_the_hits_are_as_they_were),
        TEST(passages_of_a_whole_document_hold_all_of_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
