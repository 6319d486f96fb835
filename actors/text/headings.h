/* actors/text/headings.h: the Markdown headings in force while a text is walked, as a path.
 *
 * The chunker gives each chunk the path of where it begins; whoever cuts a document into parts may
 * walk one part to know the path in force where the next begins. Fenced code has no headings.
 * Limits: six levels, EDDA_HEADING_BYTES of each title; longer ones are cut at a code point. */
#ifndef EDDA_ACTORS_TEXT_HEADINGS_H
#define EDDA_ACTORS_TEXT_HEADINGS_H

#include "proto/arena.h"
#include "proto/types.h"

#define EDDA_HEADING_LEVELS     6
#define EDDA_HEADING_BYTES      160
#define EDDA_HEADING_PATH_BYTES (EDDA_HEADING_LEVELS * (EDDA_HEADING_BYTES + 3))

struct edda_headings {
    char titles[EDDA_HEADING_LEVELS][EDDA_HEADING_BYTES];
    uint8_t sizes[EDDA_HEADING_LEVELS]; /* 0: no heading of this level in force */
    char fence;                         /* '`' or '~' inside fenced code, else 0 */
    uint8_t fence_run; /* length of the run that opened it: a shorter one does not close it */
    bool underlined;   /* the last heading was a line of = or - under its title */
    char previous[EDDA_HEADING_BYTES]; /* the only line so far of the paragraph being walked */
    uint8_t previous_size;
    uint32_t paragraph_lines;
};

/* Starts with the path "A > B" (levels 1 and 2), or with none when it is absent or empty. */
void edda_headings_init(struct edda_headings *headings, struct edda_text path);

/* Looks at one line (without its line end) and keeps what it says. Returns the level, 1 to 6, when
 * the line is a heading ("## Title"), or, with `underlined`, makes the one before it a heading;
 * else 0. "key: value" above "---" is front matter, not a heading. */
unsigned edda_headings_line(struct edda_headings *headings, struct edda_text line);

/* The path in force behind a part of a document in `format` (as in edda_chunk_arguments) when
 * `before` was in force at its start: Markdown's headings, CSV's first row (when the part begins
 * the document), else none. Writes to buffer and returns the size. */
size_t edda_headings_after(struct edda_text format, struct edda_text part, bool is_first,
                           struct edda_text before, char buffer[EDDA_HEADING_PATH_BYTES]);

/* Writes "A > B" to buffer and returns its size, 0 when no heading is in force. */
size_t edda_headings_path(const struct edda_headings *headings,
                          char buffer[EDDA_HEADING_PATH_BYTES]);

/* What a model is given of a chunk: its memo's title, its heading path and itself, a line each;
 * what is empty has none. In the arena when anything stands before it. EDDA_E_MEMORY. */
int edda_headed_text(struct edda_text title, struct edda_text heading, struct edda_text text,
                     struct edda_arena *arena, struct edda_text *ret_text) EDDA_MUST_CHECK;

#endif
