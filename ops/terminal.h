/* ops/terminal.h: words of strangers on a terminal, and words of the command line. */
#ifndef EDDA_OPS_TERMINAL_H
#define EDDA_OPS_TERMINAL_H

#include <stdio.h>

#include "ops/options.h"

/* Every control character, C1's among them, becomes "?", for they would reach the terminal. Text is
 * UTF-8 in whole characters. */
void edda_print_word(FILE *out, const char *text, size_t size);

/* The same, but line ends and tabs stay. */
void edda_print_lines(FILE *out, const char *text, size_t size);

/* The words with a space between them, in a new string (free it); NULL when out of memory. */
char *edda_words_joined(const struct edda_options *options);

#endif
