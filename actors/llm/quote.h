/* actors/llm/quote.h: what of a passage can be quoted by itself: its sentences, list items, rows
 * and lines of code, without headings, fences and marks.
 *
 * A walk over a text that copies nothing. Sentences over EDDA_QUOTE_TOKENS come in pieces, cut
 * behind a comma or a blank. Pure. */
#ifndef EDDA_ACTORS_LLM_QUOTE_H
#define EDDA_ACTORS_LLM_QUOTE_H

#include "proto/buffer.h"
#include "proto/types.h"

#define EDDA_QUOTE_TOKENS 140 /* 630 characters of Latin writing */

struct edda_quotes {
    struct edda_text text;
    size_t at;
    size_t block_end; /* of the paragraph, item, row or line being walked */
    bool fenced;      /* inside fenced code */
    bool inside;      /* of a sentence that was cut */
};

struct edda_quote {
    struct edda_text text; /* a trimmed part of the walk's text, not empty */
    bool begun;            /* its sentence began before it */
    bool cut;              /* and goes on behind it */
    bool code;             /* a line of fenced code */
};

void edda_quotes_begin(struct edda_quotes *quotes, struct edda_text text);

/* False: there is no more. */
bool edda_quotes_next(struct edda_quotes *quotes, struct edda_quote *ret_quote);

/* Appends text of a document so that it cannot cite or end its passage: "[[" becomes "[ [". flat:
 * white space in a row becomes one blank. */
void edda_quote_write(struct edda_buffer *out, struct edda_text text, bool flat);

#endif
