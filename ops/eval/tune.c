/* ops/eval/tune.c: a table of weights by questions, and the best of its rows. */
#include "ops/eval/tune.h"

#include <stdlib.h>

#include "ops/eval/ranking.h"
#include "ops/eval/statistics.h"

#define SEED  20251
#define SIDE  (100 / EDDA_TUNE_STEP + 1)
#define TRIES (SIDE * (SIDE + 1) / 2)

_Static_assert(EDDA_TUNE_HITS <= EDDA_RANKING_CHUNKS, "a question's chunks are one ranking");

struct table {
    const struct edda_tune_question *questions;
    size_t count;
    struct edda_tune_weights tries[TRIES];
    double *figures; /* TRIES rows of count */
};

static double judge(const struct edda_tune_question *question, struct edda_tune_weights weights) {
    struct edda_scored_chunk chunks[EDDA_TUNE_HITS];
    struct edda_ranking ranking;
    struct edda_figures figures = {0};
    for (size_t i = 0; i < question->hit_count; i++) {
        const struct edda_tune_hit *hit = &question->hits[i];
        chunks[i] = (struct edda_scored_chunk){hit->document,
                                               (double)((float)weights.words * hit->words +
                                                        (float)weights.grams * hit->grams +
                                                        (float)weights.vector * hit->vector)};
    }
    edda_ranking_make(chunks, question->hit_count, &ranking);
    (void)edda_metric_judge(question->judged->grades, question->judged->grade_count,
                            ranking.documents, ranking.count, &figures);
    return figures.ndcg_10;
}

static void fill(struct table *table) {
    size_t row = 0;
    for (unsigned words = 0; words <= 100; words += EDDA_TUNE_STEP) {
        for (unsigned grams = 0; words + grams <= 100; grams += EDDA_TUNE_STEP) {
            struct edda_tune_weights weights = {words, grams, 100 - words - grams};
            for (size_t i = 0; i < table->count; i++) {
                table->figures[row * table->count + i] = judge(&table->questions[i], weights);
            }
            table->tries[row++] = weights;
        }
    }
}

static unsigned distance(struct edda_tune_weights a, struct edda_tune_weights b) {
    return (unsigned)abs((int)a.words - (int)b.words) + (unsigned)abs((int)a.grams - (int)b.grams) +
           (unsigned)abs((int)a.vector - (int)b.vector);
}

/* The row that is best for all questions but those of a fold; EDDA_TUNE_FOLDS: for all. */
static size_t choose(const struct table *table, size_t fold, struct edda_tune_weights given) {
    size_t best = 0;
    double best_sum = -1;
    for (size_t row = 0; row < TRIES; row++) {
        double sum = 0;
        for (size_t i = 0; i < table->count; i++) {
            sum += i % EDDA_TUNE_FOLDS == fold ? 0 : table->figures[row * table->count + i];
        }
        bool nearer = distance(table->tries[row], given) < distance(table->tries[best], given);
        if (sum > best_sum || (sum == best_sum && nearer)) {
            best = row;
            best_sum = sum;
        }
    }
    return best;
}

static void validate(const struct table *table, struct edda_tune_weights given, double *differences,
                     struct edda_tuned *ret_tuned) {
    double before = 0;
    double after = 0;
    for (size_t fold = 0; fold < EDDA_TUNE_FOLDS; fold++) {
        size_t row = choose(table, fold, given);
        for (size_t i = fold; i < table->count; i += EDDA_TUNE_FOLDS) {
            double as_given = judge(&table->questions[i], given);
            double as_chosen = table->figures[row * table->count + i];
            before += as_given;
            after += as_chosen;
            differences[i] = as_chosen - as_given;
        }
    }
    *ret_tuned = (struct edda_tuned){
        .weights = table->tries[choose(table, EDDA_TUNE_FOLDS, given)],
        .before = before / (double)table->count,
        .after = after / (double)table->count,
        .p = edda_randomisation(differences, table->count, SEED),
    };
}

int edda_tune(const struct edda_tune_question *questions, size_t count,
              struct edda_tune_weights given, struct edda_tuned *ret_tuned) {
    if (count < EDDA_TUNE_FOLDS) {
        return EDDA_E_INVALID;
    }
    struct table *table = malloc(sizeof *table);
    double *figures = malloc(TRIES * count * sizeof *figures);
    double *differences = malloc(count * sizeof *differences);
    bool room = table && figures && differences;
    if (room) {
        *table = (struct table){.questions = questions, .count = count, .figures = figures};
        fill(table);
        validate(table, given, differences, ret_tuned);
    }
    free(table);
    free(figures);
    free(differences);
    return room ? 0 : EDDA_E_MEMORY;
}
