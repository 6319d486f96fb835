/* tests/actors/runtime/test_metric.c: cells, labels, exposition, and the log beside them. */
#include "actors/runtime/metric.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/log.h"
#include "tests/proto/cmocka.h"

static char *write_all(void) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, 1 << 24);
    edda_metric_write(&buffer);
    assert_int_equal(edda_buffer_append(&buffer, "", 1), 0);
    return (char *)buffer.data;
}

static void assert_line(const char *line) {
    char *text = write_all();
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (!strstr(text, wanted)) {
        fail_msg("no line %s", line);
    }
    free(text);
}

static void counters_and_gauges_are_written_with_their_labels(void **state) {
    (void)state;
    edda_cell_t *cell = edda_metric_cell(EDDA_METRIC_HTTP_REQUESTS, "200");
    assert_ptr_equal(cell, edda_metric_cell(EDDA_METRIC_HTTP_REQUESTS, "200"));
    edda_cell_add(cell, 3);
    edda_metric_add(EDDA_METRIC_HTTP_REQUESTS, "404", 1);
    edda_cell_set(edda_metric_cell(EDDA_METRIC_HTTP_CONNECTIONS, NULL), 17);
    assert_int_equal(edda_cell_value(cell), 3);
    assert_line("edda_http_requests_total{status=\"200\"} 3");
    assert_line("edda_http_requests_total{status=\"404\"} 1");
    assert_line("# TYPE edda_http_requests_total counter");
    assert_line("edda_http_connections 17");
    assert_line("# TYPE edda_http_connections gauge");
}

static void a_histogram_counts_into_cumulative_buckets(void **state) {
    (void)state;
    edda_cell_t *cell = edda_metric_cell(EDDA_METRIC_HTTP_SECONDS, "search");
    edda_cell_observe(cell, 0.00001);
    edda_cell_observe(cell, 0.003);
    edda_cell_observe(cell, 1000);
    edda_cell_observe(cell, -1);
    assert_int_equal(edda_cell_value(cell), 4);
    assert_line("edda_http_request_seconds_bucket{route=\"search\",le=\"5e-05\"} 2");
    assert_line("edda_http_request_seconds_bucket{route=\"search\",le=\"0.0025\"} 2");
    assert_line("edda_http_request_seconds_bucket{route=\"search\",le=\"0.005\"} 3");
    assert_line("edda_http_request_seconds_bucket{route=\"search\",le=\"60\"} 3");
    assert_line("edda_http_request_seconds_bucket{route=\"search\",le=\"+Inf\"} 4");
    assert_line("edda_http_request_seconds_count{route=\"search\"} 4");
    edda_cell_observe(edda_metric_cell(EDDA_METRIC_STORE_COMMIT_SECONDS, NULL), 0.25);
    assert_line("edda_store_commit_seconds_sum 0.250000");
}

static void a_label_cannot_break_the_format(void **state) {
    (void)state;
    edda_metric_add(EDDA_METRIC_DROPPED, "a\"b\\c\nd", 1);
    assert_line("edda_messages_dropped_total{reason=\"a_b_c_d\"} 1");
}

static void *add_many(void *cell) {
    for (int i = 0; i < 10000; i++) {
        edda_cell_add(cell, 1);
        edda_metric_add(EDDA_METRIC_JOBS, "counted", 1);
    }
    return NULL;
}

static void threads_count_without_losing(void **state) {
    (void)state;
    edda_cell_t *cell = edda_metric_cell(EDDA_METRIC_STORE_COMMITS, NULL);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, add_many, cell);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(edda_cell_value(cell), 30000);
    assert_int_equal(edda_cell_value(edda_metric_cell(EDDA_METRIC_JOBS, "counted")), 30000);
}

/* Last: fills the table. */
static void cells_are_bounded_and_the_rest_is_other(void **state) {
    (void)state;
    char label[32];
    for (int i = 0; i < EDDA_METRIC_MAX_CELLS + 10; i++) {
        (void)snprintf(label, sizeof label, "v%d", i);
        edda_metric_add(EDDA_METRIC_EMBED_CACHE, label, 1);
    }
    edda_cell_t *other = edda_metric_cell(EDDA_METRIC_EMBED_CACHE, "one too many");
    assert_ptr_equal(other, edda_metric_cell(EDDA_METRIC_EMBED_CACHE, "another"));
    assert_true(edda_cell_value(other) >= 10);
    char line[128];
    (void)snprintf(line, sizeof line, "edda_embed_cache_total{result=\"other\"} %lld",
                   (long long)edda_cell_value(other));
    assert_line(line);
}

/* Runs edda_log with standard error in a file and gives the line. */
#define CAPTURE(line, ...)                                                                         \
    do {                                                                                           \
        FILE *file = tmpfile();                                                                    \
        int saved = dup(STDERR_FILENO);                                                            \
        assert_non_null(file);                                                                     \
        dup2(fileno(file), STDERR_FILENO);                                                         \
        edda_log(__VA_ARGS__);                                                                     \
        dup2(saved, STDERR_FILENO);                                                                \
        close(saved);                                                                              \
        rewind(file);                                                                              \
        (line)[fread((line), 1, sizeof(line) - 1, file)] = '\0';                                   \
        (void)fclose(file);                                                                        \
    } while (0)

static void a_log_line_has_time_level_event_and_pairs(void **state) {
    (void)state;
    char line[4096];
    edda_log_setup(EDDA_LOG_INFO, false);
    CAPTURE(line, EDDA_LOG_WARNING, "worker_gone", "service=%s running=%d", "embed", 3);
    assert_non_null(strstr(line, "Z warning worker_gone service=embed running=3\n"));
    CAPTURE(line, EDDA_LOG_DEBUG, "quiet", "a=%d", 1);
    assert_string_equal(line, "");
    CAPTURE(line, EDDA_LOG_ERROR, "forged", "text=\"a\nb\"");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void no_value_can_forge_a_pair(void **state) {
    (void)state;
    static const char forger[] = "a\" level=error msg=\"b\\";
    char line[4096];
    edda_log_setup(EDDA_LOG_INFO, false);
    CAPTURE(line, EDDA_LOG_INFO, "said", "text=\"%s\" bare=%.*s", forger, 9, "x y=z\"zzzzzz");
    assert_non_null(
        strstr(line, " said text=\"a\\\" level=error msg=\\\"b\\\\\" bare=x?y=z?zzz\n"));
    edda_log_setup(EDDA_LOG_INFO, true);
    CAPTURE(line, EDDA_LOG_INFO, "said", "text=\"%s\" n=%d", forger, 5);
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "text")), forger);
    assert_string_equal(json_string_value(json_object_get(json, "n")), "5");
    assert_int_equal(json_object_size(json), 5);
    json_decref(json);
    edda_log_setup(EDDA_LOG_INFO, false);
}

static void numbers_of_every_size_are_logged(void **state) {
    (void)state;
    char line[4096];
    CAPTURE(line, EDDA_LOG_INFO, "n",
            "a=%d b=%u c=%zu d=%lld e=%llu f=%ld g=%lu h=%.2f i=%08x j=%d%%", -1, UINT32_MAX,
            SIZE_MAX, -5000000000LL, 1ULL << 63, -7L, 8UL, 1.5, 0xabu, 50);
    assert_non_null(strstr(line, "a=-1 b=4294967295 c=18446744073709551615 d=-5000000000 "
                                 "e=9223372036854775808 f=-7 g=8 h=1.50 i=000000ab j=50%\n"));
    CAPTURE(line, EDDA_LOG_INFO, "n", "a=%s b=%c", "", 'x');
    assert_non_null(strstr(line, "a= b=x\n"));
}

static void a_json_log_line_is_json_at_any_length(void **state) {
    (void)state;
    char line[4096];
    char text[2000];
    edda_log_setup(EDDA_LOG_INFO, true);
    for (size_t size = 0; size < sizeof text; size += 37) {
        memset(text, size % 2 ? '\\' : 'x', size);
        text[size] = '\0';
        CAPTURE(line, EDDA_LOG_INFO, "long", "a=%s b=\"%s\" c=%d", "two", text, 5);
        assert_true(strlen(line) <= 1024);
        json_error_t error;
        json_t *json = json_loads(line, 0, &error);
        if (!json) {
            fail_msg("%s in %s", error.text, line);
        }
        assert_string_equal(json_string_value(json_object_get(json, "a")), "two");
        assert_string_equal(json_string_value(json_object_get(json, "event")), "long");
        json_decref(json);
    }
    edda_log_setup(EDDA_LOG_INFO, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_are_written_with_their_labels),
        cmocka_unit_test(a_histogram_counts_into_cumulative_buckets),
        cmocka_unit_test(a_label_cannot_break_the_format),
        cmocka_unit_test(threads_count_without_losing),
        cmocka_unit_test(a_log_line_has_time_level_event_and_pairs),
        cmocka_unit_test(no_value_can_forge_a_pair),
        cmocka_unit_test(numbers_of_every_size_are_logged),
        cmocka_unit_test(a_json_log_line_is_json_at_any_length),
        cmocka_unit_test(cells_are_bounded_and_the_rest_is_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
