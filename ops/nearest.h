/* ops/nearest.h: the known word a mistyped one most likely meant. */
#ifndef EDDA_OPS_NEAREST_H
#define EDDA_OPS_NEAREST_H

/* The word of known (NULL-terminated) with the fewest single-letter edits from word; NULL when even
 * the best needs more than a third of the word's letters plus one. */
const char *edda_nearest(const char *word, const char *const *known);

#endif
