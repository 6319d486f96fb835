/* ops/eval/typo.h: a question as somebody mistypes it.
 *
 * Each word of four letters and more gets one random edit with probability .2: a letter lost,
 * added, changed, or swapped with the next; never the first or last letter. Letters of any script
 * that writes words with spaces; new letters come from the word itself or, in words of ASCII, from
 * the Latin alphabet. Words with digits in them stay. Pure.
 *
 * It matches edits the index repairs by design (distance 1): it shows that they are repaired, not
 * how people mistype. */
#ifndef EDDA_OPS_EVAL_TYPO_H
#define EDDA_OPS_EVAL_TYPO_H

#include "ops/eval/statistics.h"

/* A new string (free it), the same for the same text; NULL when out of memory. */
char *edda_typo_new(struct edda_text text);

#endif
