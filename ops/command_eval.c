/* ops/command_eval.c: `edda eval --collection DIR`: how good search is, on judged questions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/store/index/fusion.h"
#include "ops/answer.h"
#include "ops/command.h"
#include "ops/eval/asking.h"
#include "ops/eval/remote.h"
#include "ops/eval/report.h"

#define RUNS      2 /* as written, mistyped */
#define TUNE_SURE 0.05

struct eval {
    const struct edda_options *options;
    struct edda_collection collection;
    edda_local_t *local;
    edda_remote_t *remote;
    struct edda_asking asking;
    edda_eval_search search;
    void *context;
    struct edda_run runs[RUNS];
    struct edda_tune_question *questions; /* --tune: of the run under way, then of the first */
    struct edda_tune_hit *scores;         /* owned, EDDA_TUNE_HITS of each */
    size_t run_count;
    size_t strangers;
    json_t *earlier;
    bool as_json;
    char message[EDDA_RUN_MESSAGE];
};

_Static_assert(EDDA_LOCAL_MESSAGE == EDDA_RUN_MESSAGE &&
                   EDDA_COLLECTION_MESSAGE == EDDA_RUN_MESSAGE,
               "one message for all");

static int report(const struct eval *eval) {
    fprintf(stderr, "edda eval: %s\n", eval->message);
    return EDDA_EXIT_FAILED;
}

static const char *value_of(const struct eval *eval, const char *name) {
    return edda_options_own_value(eval->options, name);
}

/* ---- what is asked, and what is measured ---- */

static int read_collection(struct eval *eval) {
    const char *count = value_of(eval, "--queries=");
    char *end = NULL;
    unsigned long kept = count ? strtoul(count, &end, 10) : 0;
    if (count && (end == count || *end || kept == 0)) {
        snprintf(eval->message, sizeof eval->message, "--queries takes a number from 1, not %s",
                 count);
        return EDDA_E_INVALID;
    }
    int error =
        edda_collection_read(value_of(eval, "--collection="), &eval->collection, eval->message);
    if (!error && count)
        edda_collection_keep(&eval->collection, kept);
    if (!error && eval->collection.unknown_documents + eval->collection.unknown_queries > 0)
        fprintf(stderr,
                "edda eval: %zu judgements are of documents, %zu of queries that are not there\n",
                eval->collection.unknown_documents, eval->collection.unknown_queries);
    return error;
}

/* A comma-separated list of parts. */
static int read_without(struct eval *eval) {
    const char *list = value_of(eval, "--without=");
    char part[64];
    int more;
    for (size_t n = 0; (more = edda_list_item(list, n, part, sizeof part)) > 0; n++) {
        if (edda_asking_without(&eval->asking, part))
            continue;
        int size = snprintf(eval->message, sizeof eval->message, "there is no part %s, only", part);
        const char *name;
        for (size_t i = 0; (name = edda_asking_part(i)) != NULL && size > 0 &&
                           (size_t)size < sizeof eval->message;
             i++)
            size +=
                snprintf(eval->message + size, sizeof eval->message - (size_t)size, " %s", name);
        return EDDA_E_INVALID;
    }
    if (more < 0)
        snprintf(eval->message, sizeof eval->message, "--without names no part as long as that");
    return more;
}

static int open_service(struct eval *eval) {
    const edda_config_t *config = eval->options->config;
    int error = 0;
    if (eval->options->given[EDDA_CONFIG_URL]) {
        eval->remote =
            edda_remote_new(edda_config_text(config, EDDA_CONFIG_URL), edda_answer_key(config));
        snprintf(eval->message, sizeof eval->message, "out of memory");
        eval->search = edda_remote_search;
        eval->context = eval->remote;
        return eval->remote ? edda_remote_ingest(eval->remote, &eval->collection, &eval->strangers,
                                                 eval->message)
                            : EDDA_E_MEMORY;
    }
    error = edda_local_open(eval->options->config, &eval->local, eval->message);
    if (!error)
        error = edda_local_ingest(eval->local, &eval->collection, eval->message);
    eval->asking.local = eval->local;
    eval->search = edda_asking_search;
    eval->context = &eval->asking;
    return error;
}

static int prepare_tuning(struct eval *eval) {
    size_t count = eval->collection.query_count;
    if (count < EDDA_TUNE_FOLDS) {
        snprintf(eval->message, sizeof eval->message, "--tune wants %d questions at least",
                 EDDA_TUNE_FOLDS);
        return EDDA_E_INVALID;
    }
    eval->questions = calloc(count + 1, sizeof *eval->questions);
    eval->scores = calloc(count + 1, EDDA_TUNE_HITS * sizeof *eval->scores);
    if (!eval->questions || !eval->scores) {
        snprintf(eval->message, sizeof eval->message, "out of memory");
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++)
        eval->questions[i] = (struct edda_tune_question){.judged = &eval->collection.queries[i],
                                                         .hits = eval->scores + i * EDDA_TUNE_HITS};
    eval->asking.tuning = eval->questions;
    return 0;
}

static int make_runs(struct eval *eval) {
    size_t wanted = edda_options_own(eval->options, "--typo") ? 2 : 1;
    int error = edda_options_own(eval->options, "--tune") ? prepare_tuning(eval) : 0;
    for (size_t i = 0; i < wanted && !error; i++) {
        if (i == 1)
            eval->asking.tuning = NULL; /* on the questions as written */
        error = edda_run_make(&eval->runs[i], &eval->collection, i == 1, eval->search,
                              eval->context, eval->message);
        eval->run_count += !error;
    }
    return error;
}

/* ---- answers ---- */

static void print_notes(const struct eval *eval) {
    if (eval->local)
        printf("vectors by %s\n", edda_local_model(eval->local));
    if (value_of(eval, "--without="))
        printf("without %s\n", value_of(eval, "--without="));
    if (eval->strangers > 0)
        printf("the project holds %zu other memos, which are never right\n", eval->strangers);
}

static int print_tables(struct eval *eval) {
    print_notes(eval);
    for (size_t i = 0; i < eval->run_count; i++)
        edda_report_print(stdout, &eval->runs[i]);
    for (size_t i = 0; i < eval->run_count && eval->earlier; i++) {
        struct edda_comparison comparison;
        int error = edda_report_compare(&eval->runs[i], eval->earlier, &comparison);
        if (error)
            return error;
        edda_report_print_comparison(stdout, &eval->runs[i], &comparison);
    }
    return 0;
}

/* What the program has now: as set, or the defaults of the model. */
static struct edda_tune_weights weights_now(const struct eval *eval) {
    const edda_config_t *config = eval->options->config;
    unsigned words = (unsigned)edda_config_number(config, EDDA_CONFIG_FUSION_WORDS);
    unsigned grams = (unsigned)edda_config_number(config, EDDA_CONFIG_FUSION_GRAMS);
    unsigned vector = (unsigned)edda_config_number(config, EDDA_CONFIG_FUSION_VECTOR);
    struct edda_fusion_weights standard =
        edda_fusion_is_builtin(edda_text_of(edda_local_model(eval->local))) ? EDDA_FUSION_BUILTIN
                                                                            : EDDA_FUSION_MODEL;
    if (words + grams + vector > 0)
        return (struct edda_tune_weights){words, grams, vector};
    return (struct edda_tune_weights){(unsigned)lroundf(standard.words * 100),
                                      (unsigned)lroundf(standard.grams * 100),
                                      (unsigned)lroundf(standard.vector * 100)};
}

static int print_tuned(struct eval *eval) {
    struct edda_tuned tuned;
    struct edda_tune_weights now = weights_now(eval);
    int error = edda_tune(eval->questions, eval->collection.query_count, now, &tuned);
    if (error)
        return error;
    printf(
        "tuned on %zu questions, each judged by weights chosen without it: nDCG@10 of the fused\n"
        "ranking %.2f with words %u, grams %u, vector %u; %.2f with those chosen (p = %.4f)\n",
        eval->collection.query_count, tuned.before * 100, now.words, now.grams, now.vector,
        tuned.after * 100, tuned.p);
    if (tuned.after <= tuned.before || tuned.p > TUNE_SURE)
        printf("no better than chance: keep what is set\n");
    else
        printf("EDDA_FUSION_WORDS=%u\nEDDA_FUSION_GRAMS=%u\nEDDA_FUSION_VECTOR=%u\n",
               tuned.weights.words, tuned.weights.grams, tuned.weights.vector);
    return 0;
}

static int print_json(struct eval *eval) {
    const struct edda_collection *collection = &eval->collection;
    json_t *json = json_pack(
        "{s:s,s:s,s:i,s:i,s:s,s:s,s:[]}", "edda", EDDA_VERSION, "collection", collection->name,
        "documents", (int)collection->document_count, "queries", (int)collection->query_count,
        "model", eval->local ? edda_local_model(eval->local) : "", "without",
        value_of(eval, "--without=") ? value_of(eval, "--without=") : "", "runs");
    for (size_t i = 0; i < eval->run_count && json; i++) {
        struct edda_comparison comparison;
        json_t *run = edda_report_json(&eval->runs[i]);
        if (eval->earlier && edda_report_compare(&eval->runs[i], eval->earlier, &comparison) == 0)
            json_object_set_new(run, "compared", edda_report_comparison_json(&comparison));
        json_array_append_new(json_object_get(json, "runs"), run);
    }
    bool good = json && json_dumpf(json, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0 &&
                putchar('\n') != EOF;
    json_decref(json);
    return good ? 0 : EDDA_E_MEMORY;
}

static int evaluate(struct eval *eval) {
    int error = read_without(eval);
    if (!error && value_of(eval, "--compare="))
        error = edda_report_read(value_of(eval, "--compare="), &eval->earlier, eval->message);
    if (!error)
        error = read_collection(eval);
    if (!error)
        error = open_service(eval);
    if (!error)
        error = make_runs(eval);
    if (error)
        return error;
    error = eval->as_json ? print_json(eval) : print_tables(eval);
    if (!error && eval->questions)
        error = print_tuned(eval);
    if (error)
        snprintf(eval->message, sizeof eval->message, "out of memory, or nowhere to write");
    return error;
}

int edda_command_eval(const struct edda_command *command, const struct edda_options *options) {
    struct eval eval = {.options = options, .as_json = edda_options_own(options, "--json")};
    eval.asking.all_legs = !eval.as_json || !edda_options_own_value(options, "--without=");
    if (!edda_options_own_value(options, "--collection="))
        return edda_command_misused(command, "--collection DIR is missing");
    if (options->given[EDDA_CONFIG_URL] && edda_options_own_value(options, "--without="))
        return edda_command_misused(command, "--without works in this process, not with --url");
    if (edda_options_own(options, "--tune") && (options->given[EDDA_CONFIG_URL] || eval.as_json))
        return edda_command_misused(command, "--tune works in this process and in words, not with "
                                             "--url or --json");
    int status = evaluate(&eval) == 0 ? EDDA_EXIT_OK : report(&eval);
    for (size_t i = 0; i < eval.run_count; i++)
        edda_run_done(&eval.runs[i]);
    edda_remote_destroy(&eval.remote);
    edda_local_close(&eval.local, edda_options_own(options, "--keep"));
    edda_collection_done(&eval.collection);
    json_decref(eval.earlier);
    free(eval.questions);
    free(eval.scores);
    return status;
}
