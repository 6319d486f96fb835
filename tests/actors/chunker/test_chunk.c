/* tests/actors/chunker/test_chunk.c: how texts become chunks, by example and by property. */
#include "actors/chunker/chunk.h"
#include "actors/text/text.h"
#include "proto/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ARENA_BYTES (16u << 20)

struct fixture {
    struct edda_arena arena;
    struct edda_chunks chunks;
};

static int make(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    edda_arena_init(&fixture->arena, ARENA_BYTES);
    *state = fixture;
    return 0;
}

static int unmake(void **state) {
    struct fixture *fixture = *state;
    edda_arena_done(&fixture->arena);
    free(fixture);
    return 0;
}

static struct edda_chunk_list chunk(void **state, const struct edda_chunk_arguments *arguments) {
    struct fixture *fixture = *state;
    assert_int_equal(edda_chunk_text(arguments, &fixture->arena, &fixture->chunks), 0);
    return fixture->chunks.chunks;
}

static struct edda_chunk_list chunk_as(void **state, const char *format, const char *text) {
    struct edda_chunk_arguments arguments = {.text = edda_text_of(text),
                                             .format = edda_text_of(format)};
    return chunk(state, &arguments);
}

static void assert_text(struct edda_text text, const char *expected) {
    if (!edda_text_is(text, expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.size, text.data, expected);
}

static void a_short_text_is_one_chunk(void **state) {
    struct edda_chunk_list list = chunk_as(state, "plain", "  One sentence. Another.\n");
    assert_int_equal(list.count, 1);
    assert_text(list.items[0].text, "One sentence. Another.");
    assert_int_equal(list.items[0].start, 2);
    assert_int_equal(list.items[0].end, 24);
    assert_int_equal(list.items[0].number, 0);
    assert_int_equal(list.items[0].tokens, 5);
}

static void white_space_gives_no_chunk(void **state) {
    assert_int_equal(chunk_as(state, "markdown", " \n\t\r\n ").count, 0);
    assert_int_equal(chunk_as(state, "plain", "").count, 0);
    assert_int_equal(chunk_as(state, "html", "<p> </p><script>x</script>").count, 0);
}

static void ranges_begin_where_the_part_begins(void **state) {
    struct edda_chunk_arguments arguments = {
        .text = EDDA_TEXT("text"), .first_byte = 1000, .title = EDDA_TEXT("T")};
    struct edda_chunk_list list = chunk(state, &arguments);
    assert_int_equal(list.items[0].start, 1000);
    assert_int_equal(list.items[0].end, 1004);
    assert_text(((struct fixture *)*state)->chunks.title, "T");
}

/* count sentences of about 20 tokens, numbered. */
static size_t write_sentences(char *out, size_t room, int from, int count) {
    size_t size = 0;
    for (int i = from; i < from + count; i++)
        size += (size_t)snprintf(out + size, room - size,
                                 "Sentence %03d walks slowly along the river bank and looks at the "
                                 "water below it today. ",
                                 i);
    return size;
}

static void long_prose_is_cut_at_sentences_near_the_target(void **state) {
    char text[8192];
    write_sentences(text, sizeof text, 0, 60);
    struct edda_chunk_list list = chunk_as(state, "plain", text);
    assert_true(list.count >= 5);
    for (size_t i = 0; i < list.count; i++) {
        assert_memory_equal(list.items[i].text.data, "Sentence", 8);
        assert_int_equal(list.items[i].text.data[list.items[i].text.size - 1], '.');
        assert_true(list.items[i].tokens <= EDDA_CHUNK_MAXIMUM_TOKENS);
        assert_true(list.items[i].tokens >= EDDA_CHUNK_MINIMUM_TOKENS);
    }
    assert_true(list.items[0].tokens > 150 && list.items[0].tokens <= 200);
}

static void a_chunk_repeats_the_sentence_before_it(void **state) {
    char text[8192];
    write_sentences(text, sizeof text, 0, 60);
    struct edda_chunk_list list = chunk_as(state, "plain", text);
    uint32_t overlap = list.items[0].end - list.items[1].start;
    assert_true(list.items[1].start < list.items[0].end);
    assert_true(overlap > 60 && overlap < 200);
    struct edda_chunk_arguments arguments = {.text = edda_text_of(text),
                                             .overlap_tokens = EDDA_CHUNK_NO_OVERLAP};
    list = chunk(state, &arguments);
    for (size_t i = 1; i < list.count; i++)
        assert_true(list.items[i].start >= list.items[i - 1].end);
}

static void headings_begin_chunks_and_name_them(void **state) {
    char text[8192] = "# Guide\n\n";
    size_t size = strlen(text);
    size += write_sentences(text + size, sizeof text - size, 0, 5);
    size += (size_t)snprintf(text + size, sizeof text - size, "\n\n## Install\n\n");
    size += write_sentences(text + size, sizeof text - size, 5, 5);
    size += (size_t)snprintf(text + size, sizeof text - size, "\n\n## Use\n\n");
    write_sentences(text + size, sizeof text - size, 10, 5);
    struct edda_chunk_arguments arguments = {.text = edda_text_of(text),
                                             .heading = EDDA_TEXT("Book")};
    struct edda_chunk_list list = chunk(state, &arguments);
    assert_int_equal(list.count, 3);
    assert_text(list.items[0].heading, "Guide");
    assert_text(list.items[1].heading, "Guide > Install");
    assert_text(list.items[2].heading, "Guide > Use");
    assert_memory_equal(list.items[1].text.data, "## Install", 10);
}

static void a_heading_never_stands_alone(void **state) {
    struct edda_chunk_list list =
        chunk_as(state, "markdown", "# A\n\n## B\n\n### C\n\nSome text here.\n\n# D\n\nMore.");
    assert_int_equal(list.count, 1);
    assert_text(list.items[0].heading, "A > B > C");
}

static void text_before_any_heading_has_the_heading_in_force(void **state) {
    struct edda_chunk_arguments arguments = {.text = EDDA_TEXT("continued text"),
                                             .heading = EDDA_TEXT("Guide > Install")};
    assert_text(chunk(state, &arguments).items[0].heading, "Guide > Install");
}

static void a_paragraph_that_fits_is_not_torn(void **state) {
    char text[8192];
    size_t size = write_sentences(text, sizeof text, 0, 7); /* about 140 tokens */
    size_t second = size + 2;
    size += (size_t)snprintf(text + size, sizeof text - size, "\n\n");
    write_sentences(text + size, sizeof text - size, 7, 7);
    struct edda_chunk_arguments arguments = {.text = edda_text_of(text),
                                             .overlap_tokens = EDDA_CHUNK_NO_OVERLAP};
    struct edda_chunk_list list = chunk(state, &arguments);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[1].start, second);
}

static void a_small_tail_joins_its_neighbour(void **state) {
    char text[8192];
    size_t size = write_sentences(text, sizeof text, 0, 9);
    snprintf(text + size, sizeof text - size, "\n\nThe end.");
    struct edda_chunk_list list = chunk_as(state, "plain", text);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].end, strlen(text));
}

static void code_is_cut_between_lines_only(void **state) {
    char text[8192] = "```c\n";
    size_t size = strlen(text);
    for (int i = 0; i < 60; i++)
        size +=
            (size_t)snprintf(text + size, sizeof text - size,
                             "    call_number_%02d(first. Second, third); # not a heading\n", i);
    snprintf(text + size, sizeof text - size, "```\n");
    struct edda_chunk_list list = chunk_as(state, "markdown", text);
    assert_true(list.count > 1);
    for (size_t i = 0; i < list.count; i++)
        assert_true(list.items[i].end == strlen(text) - 1 || text[list.items[i].end] == '\n');
}

static void chinese_is_cut_behind_its_full_stops(void **state) {
    char text[8192] = "";
    for (int i = 0; i < 40; i++)
        strncat(text, "今天天气很好，我们一起去公园散步吧，看看花。",
                sizeof text - strlen(text) - 1);
    struct edda_chunk_list list = chunk_as(state, "plain", text);
    assert_true(list.count >= 4);
    for (size_t i = 0; i < list.count; i++) {
        struct edda_text cut = list.items[i].text;
        assert_memory_equal(cut.data + cut.size - 3, "。", 3);
        assert_true(list.items[i].tokens <= EDDA_CHUNK_MAXIMUM_TOKENS);
    }
}

static void csv_chunks_carry_the_header_row(void **state) {
    char text[16384] = "name,city,note\n";
    size_t size = strlen(text);
    for (int i = 0; i < 100; i++)
        size +=
            (size_t)snprintf(text + size, sizeof text - size,
                             "Person %d,City %d,\"A note. With two\nlines, and %d\"\n", i, i, i);
    struct edda_chunk_list list = chunk_as(state, "csv", text);
    assert_true(list.count > 3);
    for (size_t i = 0; i < list.count; i++) {
        assert_text(list.items[i].heading, "name,city,note");
        if (i > 0)
            assert_memory_equal(list.items[i].text.data, "Person", 6);
    }
    struct edda_chunk_arguments later = {.text = EDDA_TEXT("a,b,c\n"),
                                         .format = EDDA_TEXT("csv"),
                                         .first_byte = 70000,
                                         .heading = EDDA_TEXT("x,y,z")};
    assert_text(chunk(state, &later).items[0].heading, "x,y,z");
}

static void json_is_cut_between_values(void **state) {
    char text[16384] = "[";
    size_t size = 1;
    for (int i = 0; i < 100; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "%s{\"id\":%d,\"text\":\"one, two \\\" three], four\"}",
                                 i > 0 ? "," : "", i);
    snprintf(text + size, sizeof text - size, "]");
    struct edda_chunk_list list = chunk_as(state, "json", text);
    assert_true(list.count > 3);
    for (size_t i = 1; i < list.count; i++)
        assert_memory_equal(list.items[i].text.data, "{\"id\"", 5);
}

static void html_gives_the_visible_text_with_its_source_range(void **state) {
    const char *html = "<html><head><title>T</title><style>p{}</style></head><body>"
                       "<h2 class=\"a>b\">Caf&eacute; &amp; Bar</h2><!-- <p>no</p> -->"
                       "<p>First&nbsp;one.<br>a < b</p><ul><li>x</li><li>y</li></ul>"
                       "<script>if (a < b) alert('</p>')</script><p>&#x4E1C;&#20140;&bogus;</p>";
    struct edda_chunk_list list = chunk_as(state, "html", html);
    assert_int_equal(list.count, 1);
    assert_text(list.items[0].text, "T\n\n## Café & Bar\n\nFirst one.\na < b\n\n- x\n- y\n\n"
                                    "东京&bogus;");
    assert_int_equal(list.items[0].heading.size, 0); /* it begins above the heading */
    assert_memory_equal(html + list.items[0].start, "T</title>", 9);
    assert_memory_equal(html + list.items[0].end - 7, "&bogus;", 7);
}

static void html_headings_name_chunks(void **state) {
    struct edda_chunk_list list =
        chunk_as(state, "html", "<h1>Caf&eacute;</h1><h2>Menu</h2><p>Soup.</p>");
    assert_text(list.items[0].heading, "Café > Menu");
}

static void broken_html_still_gives_text(void **state) {
    assert_text(chunk_as(state, "html", "a <b").items[0].text, "a");
    assert_text(chunk_as(state, "html", "1 < 2 & 3 > 2").items[0].text, "1 < 2 & 3 > 2");
    assert_text(chunk_as(state, "html", "<p title=\"open>text").items[0].text, "text");
    assert_text(chunk_as(state, "html", "<!-- open text").items == NULL ? EDDA_TEXT("")
                                                                        : EDDA_TEXT("x"),
                "");
    struct edda_chunk_arguments later = {
        .text = EDDA_TEXT("ref=\"x\">text"), .format = EDDA_TEXT("html"), .first_byte = 9};
    assert_text(chunk(state, &later).items[0].text, "text");
}

static void a_text_over_the_part_limit_is_refused(void **state) {
    struct fixture *fixture = *state;
    char *text = calloc(1, EDDA_PART_BYTES + 1);
    struct edda_chunk_arguments arguments = {.text = {text, EDDA_PART_BYTES + 1}};
    assert_int_equal(edda_chunk_text(&arguments, &fixture->arena, &fixture->chunks), EDDA_E_LIMIT);
    free(text);
}

static void a_full_arena_is_reported(void **state) {
    (void)state;
    char text[8192];
    write_sentences(text, sizeof text, 0, 60);
    struct edda_chunk_arguments arguments = {.text = edda_text_of(text)};
    struct edda_arena arena;
    struct edda_chunks chunks;
    edda_arena_init(&arena, 64);
    assert_int_equal(edda_chunk_text(&arguments, &arena, &chunks), EDDA_E_MEMORY);
    edda_arena_done(&arena);
}

static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 10;
}

static size_t write_random(char *out, size_t room, unsigned *seed) {
    static const char *const bits[] = {"word ",    "Ende. ",
                                       "\n",       "\n\n",
                                       "# Head\n", "- item\n",
                                       "```\n",    "| a | b |\n",
                                       "東京。",   "語",
                                       "é",        " ",
                                       "\t",       "1. one\n",
                                       "====\n",   "ภาษา",
                                       "<p>",      "</li>",
                                       "&amp;",    "\"",
                                       ",",        "{",
                                       "}",        "[",
                                       "]",        "supercalifragilistic",
                                       "\r\n",     "😀",
                                       "...",      "\xFF",
                                       "<script>", "-->"};
    size_t size = 0;
    size_t wanted = next_random(seed) % room;
    unsigned kinds = 1 + next_random(seed) % (sizeof bits / sizeof bits[0]);
    while (size + 32 < wanted) {
        const char *bit = bits[next_random(seed) % kinds];
        size_t times = next_random(seed) % 50 == 0 ? 200 : 1;
        for (size_t i = 0; i < times && size + 32 < wanted; i++) {
            memcpy(out + size, bit, strlen(bit));
            size += strlen(bit);
        }
    }
    return size;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static void check_properties(const struct edda_chunk_arguments *arguments,
                             struct edda_chunk_list list, bool exact) {
    uint32_t maximum = arguments->maximum_tokens ? arguments->maximum_tokens : 320;
    uint32_t covered = arguments->first_byte;
    assert_true(list.count <= EDDA_MAX_CHUNKS_PER_PART);
    for (size_t i = 0; i < list.count; i++) {
        const struct edda_chunk *item = &list.items[i];
        assert_int_equal(item->number, i);
        assert_true(item->start < item->end);
        assert_true(item->end <= arguments->first_byte + arguments->text.size);
        assert_true(item->tokens <= maximum);
        assert_true(item->text.size > 0);
        if (i > 0) {
            assert_true(item->start >= list.items[i - 1].start);
            assert_true(item->end >= list.items[i - 1].end);
        }
        if (!exact)
            continue;
        assert_true(i == 0 || item->start > list.items[i - 1].start);
        assert_int_equal(item->text.size, item->end - item->start);
        assert_ptr_equal(item->text.data,
                         arguments->text.data + (item->start - arguments->first_byte));
        assert_true(((unsigned char)item->text.data[0] & 0xC0) != 0x80);
        for (; covered < item->start; covered++)
            assert_true(is_blank(arguments->text.data[covered - arguments->first_byte]));
        covered = item->end > covered ? item->end : covered;
    }
    for (; exact && covered < arguments->first_byte + arguments->text.size; covered++)
        assert_true(is_blank(arguments->text.data[covered - arguments->first_byte]));
}

static void random_texts_keep_every_promise(void **state) {
    (void)state;
    static const char *const formats[] = {"markdown", "plain", "html", "csv", "json", ""};
    char *text = malloc(EDDA_PART_BYTES);
    for (unsigned round = 0; round < 400; round++) {
        unsigned seed = round * 7919 + 1;
        size_t room = round % 10 == 0 ? EDDA_PART_BYTES : 6000;
        struct edda_chunk_arguments arguments = {
            .text = {text, write_random(text, room, &seed)},
            .format = edda_text_of(formats[round % 6]),
            .first_byte = next_random(&seed) % 2 * 70000,
        };
        if (next_random(&seed) % 2 == 0) {
            arguments.target_tokens = 64 + next_random(&seed) % 300;
            arguments.maximum_tokens = arguments.target_tokens + next_random(&seed) % 200;
            arguments.minimum_tokens = 1 + next_random(&seed) % 300;
            arguments.overlap_tokens = next_random(&seed) % 100;
        }
        struct edda_arena arenas[2];
        struct edda_chunks chunks[2];
        for (size_t i = 0; i < 2; i++) {
            edda_arena_init(&arenas[i], ARENA_BYTES);
            assert_int_equal(edda_chunk_text(&arguments, &arenas[i], &chunks[i]), 0);
        }
        check_properties(&arguments, chunks[0].chunks, round % 6 != 2);
        assert_int_equal(chunks[0].chunks.count, chunks[1].chunks.count);
        for (size_t i = 0; i < chunks[0].chunks.count; i++) {
            assert_int_equal(chunks[0].chunks.items[i].start, chunks[1].chunks.items[i].start);
            assert_true(
                edda_text_equal(chunks[0].chunks.items[i].text, chunks[1].chunks.items[i].text));
        }
        edda_arena_done(&arenas[0]);
        edda_arena_done(&arenas[1]);
    }
    free(text);
}

static void the_smallest_sizes_stay_within_the_chunk_limit(void **state) {
    static const char *const units[] = {"東", "x", "# h\n", "東。", "a ", "\n\na", "{},", "\xFF"};
    char *text = malloc(EDDA_PART_BYTES);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t size = 0;
        for (; size + 8 <= EDDA_PART_BYTES; size += strlen(units[i]))
            memcpy(text + size, units[i], strlen(units[i]));
        struct edda_chunk_arguments arguments = {.text = {text, size},
                                                 .format = edda_text_of(i == 6 ? "json" : ""),
                                                 .target_tokens = 1,
                                                 .maximum_tokens = 1,
                                                 .minimum_tokens = 1,
                                                 .overlap_tokens = 1000};
        struct edda_chunk_list list = chunk(state, &arguments);
        assert_true(list.count > 10 && list.count <= EDDA_MAX_CHUNKS_PER_PART);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_short_text_is_one_chunk, make, unmake),
        cmocka_unit_test_setup_teardown(white_space_gives_no_chunk, make, unmake),
        cmocka_unit_test_setup_teardown(ranges_begin_where_the_part_begins, make, unmake),
        cmocka_unit_test_setup_teardown(long_prose_is_cut_at_sentences_near_the_target, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_chunk_repeats_the_sentence_before_it, make, unmake),
        cmocka_unit_test_setup_teardown(headings_begin_chunks_and_name_them, make, unmake),
        cmocka_unit_test_setup_teardown(a_heading_never_stands_alone, make, unmake),
        cmocka_unit_test_setup_teardown(text_before_any_heading_has_the_heading_in_force, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_paragraph_that_fits_is_not_torn, make, unmake),
        cmocka_unit_test_setup_teardown(a_small_tail_joins_its_neighbour, make, unmake),
        cmocka_unit_test_setup_teardown(code_is_cut_between_lines_only, make, unmake),
        cmocka_unit_test_setup_teardown(chinese_is_cut_behind_its_full_stops, make, unmake),
        cmocka_unit_test_setup_teardown(csv_chunks_carry_the_header_row, make, unmake),
        cmocka_unit_test_setup_teardown(json_is_cut_between_values, make, unmake),
        cmocka_unit_test_setup_teardown(html_gives_the_visible_text_with_its_source_range, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(html_headings_name_chunks, make, unmake),
        cmocka_unit_test_setup_teardown(broken_html_still_gives_text, make, unmake),
        cmocka_unit_test_setup_teardown(a_text_over_the_part_limit_is_refused, make, unmake),
        cmocka_unit_test_setup_teardown(a_full_arena_is_reported, make, unmake),
        cmocka_unit_test(random_texts_keep_every_promise),
        cmocka_unit_test_setup_teardown(the_smallest_sizes_stay_within_the_chunk_limit, make,
                                        unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
