/* tests/actors/provider/test_sse.c: streams cut anywhere give the same events. */
#include "actors/provider/sse.h"

#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_BYTES 8192

/* "event|data;" for each event. */
static char heard[LOG_BYTES];
static int stop_after; /* events; 0: never */

static int note_event(void *context, struct edda_text event, struct edda_text data) {
    int *count = context;
    size_t used = strlen(heard);
    snprintf(heard + used, LOG_BYTES - used, "%.*s|%.*s;", (int)event.size, event.data,
             (int)data.size, data.data);
    (*count)++;
    return stop_after && *count == stop_after ? 7 : 0;
}

static int feed_all(struct edda_event_reader *reader, const char *stream, size_t size,
                    size_t piece) {
    for (size_t at = 0; at < size; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        int stop = edda_event_reader_feed(
            reader, (struct edda_bytes){(const uint8_t *)stream + at, length});
        if (stop) {
            return stop;
        }
    }
    return 0;
}

static const char *read_stream(const char *stream, size_t piece) {
    struct edda_event_reader reader;
    int count = 0;
    heard[0] = '\0';
    edda_event_reader_init(&reader, note_event, &count);
    assert_int_equal(feed_all(&reader, stream, strlen(stream), piece), 0);
    edda_event_reader_done(&reader);
    return heard;
}

static void expect(const char *stream, const char *events) {
    for (size_t piece = 1; piece <= strlen(stream) + 1; piece++) {
        assert_string_equal(read_stream(stream, piece), events);
    }
}

static void each_blank_line_gives_an_event(void **state) {
    (void)state;
    expect("data: one\n\ndata: two\n\n", "message|one;message|two;");
}

static void lines_end_with_lf_or_crlf_or_cr_also_mixed(void **state) {
    (void)state;
    expect("data: a\r\n\r\ndata: b\r\rdata: c\n\ndata: d\r\n\n",
           "message|a;message|b;message|c;message|d;");
}

static void data_of_several_lines_is_joined(void **state) {
    (void)state;
    expect("data: a\ndata:b\ndata:  c\ndata\n\n", "message|a\nb\n c\n;");
}

static void an_event_without_data_is_none_and_its_name_is_forgotten(void **state) {
    (void)state;
    expect("event: ping\n\ndata: x\n\nevent: stop\ndata: y\n\ndata: z\n\n",
           "message|x;stop|y;message|z;");
}

static void an_empty_data_line_is_an_event_with_nothing_in_it(void **state) {
    (void)state;
    expect("data:\n\n", "message|;");
}

static void comments_and_unknown_fields_are_passed_over(void **state) {
    (void)state;
    expect(": hello\n:\nid: 7\nretry: 10\nother: x\nword\ndata: x\n\n", "message|x;");
}

static void a_byte_order_mark_at_the_beginning_is_passed_over_and_only_there(void **state) {
    (void)state;
    expect("\xef\xbb\xbf"
           "data: a\n\n",
           "message|a;");
    expect("data: a\n\n\xef\xbb\xbf"
           "data: b\n\n",
           "message|a;");
}

static void an_event_that_is_not_complete_at_the_end_is_dropped(void **state) {
    (void)state;
    expect("data: a\n\ndata: b\n", "message|a;");
    expect("data: a\n\ndata: b", "message|a;");
}

static void who_hears_may_stop_the_reading(void **state) {
    (void)state;
    static const char stream[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    struct edda_event_reader reader;
    int count = 0;
    heard[0] = '\0';
    stop_after = 2;
    edda_event_reader_init(&reader, note_event, &count);
    assert_int_equal(feed_all(&reader, stream, sizeof stream - 1, 100), 7);
    assert_string_equal(heard, "message|a;message|b;");
    edda_event_reader_done(&reader);
    stop_after = 0;
}

/* Feeds "data: " and size letters without a line end, in pieces. */
static int feed_long(size_t size, bool line_end) {
    struct edda_event_reader reader;
    int count = 0;
    char *line = malloc(size + 8);
    memcpy(line, "data: ", 6);
    memset(line + 6, 'x', size);
    memcpy(line + 6 + size, "\n\n", 2);
    heard[0] = '\0';
    edda_event_reader_init(&reader, note_event, &count);
    int error = feed_all(&reader, line, size + 6 + (line_end ? 2 : 0), 60000);
    edda_event_reader_done(&reader);
    free(line);
    return error;
}

static void a_line_may_have_a_mebibyte_and_no_more(void **state) {
    (void)state;
    assert_int_equal(feed_long(EDDA_SSE_LINE - 6, true), 0);
    assert_int_equal(feed_long(EDDA_SSE_LINE - 5, true), EDDA_E_LIMIT);
    assert_int_equal(feed_long(EDDA_SSE_LINE - 5, false), EDDA_E_LIMIT);
}

static int feed_lines(size_t lines, size_t size) {
    struct edda_event_reader reader;
    int count = 0;
    char *line = malloc(size + 1);
    int error = 0;
    memcpy(line, "data: ", 6);
    memset(line + 6, 'y', size - 6);
    line[size] = '\n';
    heard[0] = '\0';
    edda_event_reader_init(&reader, note_event, &count);
    for (size_t i = 0; i < lines && !error; i++) {
        error =
            edda_event_reader_feed(&reader, (struct edda_bytes){(const uint8_t *)line, size + 1});
    }
    edda_event_reader_done(&reader);
    free(line);
    return error;
}

static void an_events_data_may_have_a_mebibyte_and_no_more(void **state) {
    (void)state;
    /* Each line gives 1023 letters, and a line break between two. */
    assert_int_equal(feed_lines(1024, 1023 + 6), 0);
    assert_int_equal(feed_lines(1026, 1023 + 6), EDDA_E_LIMIT);
}

static void random_bytes_in_one_piece_or_in_many_give_the_same(void **state) {
    (void)state;
    static const char letters[] = "data: \n\r\n:eventx{}\xef\xbb\xbf";
    struct random random = {11};
    for (int round = 0; round < 20000; round++) {
        char stream[64];
        size_t size = random_below(&random, sizeof stream - 1);
        for (size_t i = 0; i < size; i++) {
            stream[i] = letters[random_below(&random, sizeof letters - 1)];
        }
        stream[size] = '\0';
        char whole[LOG_BYTES];
        snprintf(whole, sizeof whole, "%s", read_stream(stream, sizeof stream));
        size_t piece = 1 + random_below(&random, 5);
        assert_string_equal(read_stream(stream, piece), whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_blank_line_gives_an_event),
        cmocka_unit_test(lines_end_with_lf_or_crlf_or_cr_also_mixed),
        cmocka_unit_test(data_of_several_lines_is_joined),
        cmocka_unit_test(an_event_without_data_is_none_and_its_name_is_forgotten),
        cmocka_unit_test(an_empty_data_line_is_an_event_with_nothing_in_it),
        cmocka_unit_test(comments_and_unknown_fields_are_passed_over),
        cmocka_unit_test(a_byte_order_mark_at_the_beginning_is_passed_over_and_only_there),
        cmocka_unit_test(an_event_that_is_not_complete_at_the_end_is_dropped),
        cmocka_unit_test(who_hears_may_stop_the_reading),
        cmocka_unit_test(a_line_may_have_a_mebibyte_and_no_more),
        cmocka_unit_test(an_events_data_may_have_a_mebibyte_and_no_more),
        cmocka_unit_test(random_bytes_in_one_piece_or_in_many_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
