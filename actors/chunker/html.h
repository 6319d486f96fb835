/* actors/chunker/html.h: HTML to the text a reader sees, with the place every byte came from.
 *
 * Tags go, script, style and comments with what they hold; common entities are decoded; h1 to h6
 * become "# " headings, list items "- ", cells " | ", blocks blank lines: Markdown enough for the
 * chunker. A tokeniser, not a browser: any input gives some text, in one pass, without failing. */
#ifndef EDDA_ACTORS_CHUNKER_HTML_H
#define EDDA_ACTORS_CHUNKER_HTML_H

#include "proto/arena.h"
#include "proto/error.h"
#include "proto/types.h"

struct edda_html {
    struct edda_text text; /* in the arena */
    uint32_t *start;       /* start[i]: source byte where text.data[i] came from; owned */
    uint32_t *end;         /* end[i]: source byte behind it; owned */
};

/* is_first: source begins the document, so that nothing before its first '<' can be a cut-off tag.
 * EDDA_E_MEMORY. */
int edda_html_read(struct edda_text source, bool is_first, struct edda_arena *arena,
                   struct edda_html *ret_html) EDDA_MUST_CHECK;
void edda_html_done(struct edda_html *html);

#endif
