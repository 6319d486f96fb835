/* tests/fuzz/fuzz_report.c: a file that somebody says is an earlier answer of `edda eval --json`.
 *
 * What is taken compares with a run of three queries: figures are percents, chances are chances,
 * and both can be printed. An answer of ours compares with itself without a difference. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/eval/report.h"
#include "tests/fuzz/fuzz.h"

static char id_a[] = "a", id_b[] = "b", id_c[] = "c";
static struct edda_judged_query queries[] = {{.id = id_a}, {.id = id_b}, {.id = id_c}};
static const struct edda_collection collection = {
    .name = "three", .queries = queries, .query_count = 3};
static struct edda_outcome outcomes[3];
static const struct edda_run run = {.name = "written",
                                    .collection = &collection,
                                    .outcomes = outcomes,
                                    .count = 3,
                                    .known = {[EDDA_LEG_RERANKED] = true}};
static char path[] = "/tmp/edda-fuzz-XXXXXX";

static void remove_file(void) {
    unlink(path);
}

static void check_self(void) {
    struct edda_comparison comparison;
    json_t *json = json_pack("{s:[o]}", "runs", edda_report_json(&run));
    EDDA_ASSERT(json && edda_report_compare(&run, json, &comparison) == 0 && comparison.count == 3);
    for (size_t i = 0; i < EDDA_FIGURE_COUNT; i++) {
        EDDA_ASSERT(fabs(comparison.earlier[i] - comparison.now[i]) < 1e-9);
        EDDA_ASSERT(comparison.p[i] >= 1);
    }
    json_decref(json);
}

static void begin(void) {
    for (size_t i = 0; i < 3; i++) {
        double figure = (double)i / 2;
        outcomes[i].legs[EDDA_LEG_RERANKED] = (struct edda_figures){figure, figure, figure, figure};
    }
    int fd = mkstemp(path);
    EDDA_ASSERT(fd >= 0 && close(fd) == 0 && atexit(remove_file) == 0);
    check_self();
}

static void check(const struct edda_comparison *comparison) {
    char *printed = NULL;
    size_t printed_size = 0;
    json_t *json = edda_report_comparison_json(comparison);
    FILE *out = open_memstream(&printed, &printed_size);
    EDDA_ASSERT(json && out && comparison->count <= 3);
    for (size_t i = 0; i < EDDA_FIGURE_COUNT && comparison->count > 0; i++) {
        EDDA_ASSERT(comparison->earlier[i] >= 0 && comparison->earlier[i] <= 100);
        EDDA_ASSERT(comparison->now[i] >= 0 && comparison->now[i] <= 100);
        EDDA_ASSERT(comparison->p[i] >= 0 && comparison->p[i] <= 1);
        EDDA_ASSERT(json_object_get(json, edda_figure_name((enum edda_figure)i)));
    }
    edda_report_print_comparison(out, &run, comparison);
    EDDA_ASSERT(fclose(out) == 0 && printed_size > 0);
    free(printed);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool begun;
    char message[EDDA_RUN_MESSAGE] = "";
    struct edda_comparison comparison;
    json_t *earlier = NULL;
    if (!begun) {
        begun = true;
        begin();
    }
    FILE *file = fopen(path, "wb");
    EDDA_ASSERT(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    if (edda_report_read(path, &earlier, message) == 0) {
        EDDA_ASSERT(edda_report_compare(&run, earlier, &comparison) == 0);
        check(&comparison);
        json_decref(earlier);
    } else {
        EDDA_ASSERT(message[0] && !earlier);
    }
    return 0;
}
