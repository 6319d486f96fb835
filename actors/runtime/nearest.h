/* actors/runtime/nearest.h: the known word a mistyped one most likely meant. */
#ifndef EDDA_RUNTIME_NEAREST_H
#define EDDA_RUNTIME_NEAREST_H

#include <stddef.h>

/* The one of count words with the fewest single-letter edits from word, the first of equals; words
 * are compared by their first 63 letters. NULL when even the best needs more than most_edits. */
const char *edda_nearest(const char *word, const char *const *known, size_t count,
                         size_t most_edits);

/* The edits a person makes in a word of this size: a third of its letters and one. */
size_t edda_nearest_typo(const char *word);

#endif
