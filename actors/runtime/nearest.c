/* actors/runtime/nearest.c: Levenshtein distances, the smallest wins. */
#include "actors/runtime/nearest.h"

#include <string.h>

#define LONGEST 63

/* Levenshtein distance of words cut at LONGEST letters. */
static size_t count_edits(const char *a, const char *b) {
    size_t a_size = strnlen(a, LONGEST);
    size_t b_size = strnlen(b, LONGEST);
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_size];
}

size_t edda_nearest_typo(const char *word) {
    return strlen(word) / 3 + 1;
}

const char *edda_nearest(const char *word, const char *const *known, size_t count,
                         size_t most_edits) {
    const char *best = NULL;
    size_t best_edits = 0;
    for (size_t i = 0; i < count; i++) {
        size_t edits = count_edits(word, known[i]);
        if (edits <= most_edits && (!best || edits < best_edits)) {
            best_edits = edits;
            best = known[i];
        }
    }
    return best;
}
