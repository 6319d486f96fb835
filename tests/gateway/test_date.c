/* tests/gateway/test_date.c: expected values are Node's, of new Date(text).getTime() in UTC. */
#include "gateway/date.h"
#include "tests/proto/cmocka.h"

static void iso_forms_are_read_as_javascript_reads_them(void **state) {
    static const struct {
        const char *text;
        int64_t wall_ms;
    } cases[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"2030", 1893456000000},
        {"2030-02", 1896134400000},
        {"2030-02-03", 1896307200000},
        {"2030-02-03T04:05", 1896321900000},
        {"2030-02-03T04:05Z", 1896321900000},
        {"2030-02-03T04:05:06Z", 1896321906000},
        {"2030-02-03 04:05:06Z", 1896321906000},
        {"2030-02-03T04:05:06.7Z", 1896321906700},
        {"2030-02-03T04:05:06.789123456Z", 1896321906789},
        {"2030-02-03T04:05:06+02:00", 1896314706000},
        {"2030-02-03T04:05:06-0530", 1896341706000},
        {"2030-02-03T24:00:00Z", 1896393600000},
        {"2024-02-29", 1709164800000},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0001-01-01", -62135596800000},
        {"+275760-09-13T00:00:00.000Z", 8640000000000000},
        {"-000001-01-01", -62198755200000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t wall_ms = 42;
        if (edda_date_parse(edda_text_of(cases[i].text), &wall_ms) != 0 ||
            wall_ms != cases[i].wall_ms) {
            fail_msg("%s: %lld", cases[i].text, (long long)wall_ms);
        }
    }
}

static void what_is_no_date_is_refused(void **state) {
    static const char *const bad[] = {"",
                                      "tomorrow",
                                      "2030-13-01",
                                      "2030-00-01",
                                      "2030-02-30",
                                      "2023-02-29",
                                      "2030-1-1",
                                      "2030-02-03T",
                                      "2030-02-03T4:05",
                                      "2030-02-03T25:00",
                                      "2030-02-03T04:60",
                                      "2030-02-03T04:05:61",
                                      "2030-02-03T04:05:06.Z",
                                      "2030-02-03T04:05:06+2",
                                      "2030-02-03x",
                                      "20300203",
                                      "-000000-01-01",
                                      "+275760-09-13T00:00:00.001Z",
                                      "2030-02-03T24:00:01Z",
                                      "2030-02-03T04:05:06ZZ"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t wall_ms;
        if (edda_date_parse(edda_text_of(bad[i]), &wall_ms) != EDDA_E_INVALID) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void expect_written(int64_t wall_ms, const char *wanted) {
    char text[EDDA_DATE_TEXT];
    struct edda_text written = edda_date_format(wall_ms, text);
    assert_string_equal(text, wanted);
    assert_int_equal(written.size, strlen(wanted));
}

static void dates_are_written_with_milliseconds(void **state) {
    (void)state;
    expect_written(0, "1970-01-01T00:00:00.000Z");
    expect_written(1700000000123, "2023-11-14T22:13:20.123Z");
    expect_written(-1, "1969-12-31T23:59:59.999Z");
    expect_written(INT64_MAX, "+275760-09-13T00:00:00.000Z");
    expect_written(-62198755200000, "-000001-01-01T00:00:00.000Z");
}

static void what_is_written_reads_back_the_same(void **state) {
    (void)state;
    for (int64_t wall_ms = -EDDA_DATE_MAX_MS; wall_ms < EDDA_DATE_MAX_MS;
         wall_ms += 86400000LL * 9973 + 12345) {
        char text[EDDA_DATE_TEXT];
        int64_t again;
        assert_int_equal(edda_date_parse(edda_date_format(wall_ms, text), &again), 0);
        assert_int_equal(again, wall_ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_forms_are_read_as_javascript_reads_them),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(dates_are_written_with_milliseconds),
        cmocka_unit_test(what_is_written_reads_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
