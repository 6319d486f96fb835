/* actors/chunker/chunk.h: text in, chunks out: a pure function of its arguments.
 *
 * The text is taken apart by its structure (headings, blocks, list items, rows, sentences, then
 * lines, words and code points where those are too long) and packed again, in order, towards the
 * target size: a chunk ends at a heading, else at a block, else at a sentence. A chunk that does
 * not begin under a new heading repeats the last sentences before it as overlap.
 *
 * Holds for every result: ranges ascend, start and end; every byte that is not white space lies in
 * a chunk (HTML: every byte of visible text); no chunk is estimated over the maximum; all cuts are
 * between code points of valid input; the same arguments give the same chunks. For all formats but
 * HTML a chunk's text is the exact bytes of its range; HTML gives the visible text, entities
 * decoded, headings and list items marked as in Markdown, with the range it came from.
 *
 * Tokens are estimated as in actors/text/tokens.h.
 *
 * Limits: text of EDDA_PART_BYTES; target 64 to 8192 tokens, maximum from the target to 16384,
 * minimum 24 to half the target, overlap at most half the target: arguments outside are moved
 * inside, and so at most EDDA_MAX_CHUNKS_PER_PART chunks can come out. */
#ifndef EDDA_ACTORS_CHUNKER_CHUNK_H
#define EDDA_ACTORS_CHUNKER_CHUNK_H

#include "proto/arena.h"
#include "proto/body_stage.h"
#include "proto/error.h"

#define EDDA_CHUNK_TARGET_TOKENS  200
#define EDDA_CHUNK_MAXIMUM_TOKENS 320
#define EDDA_CHUNK_MINIMUM_TOKENS 40
#define EDDA_CHUNK_OVERLAP_TOKENS 30
#define EDDA_CHUNK_NO_OVERLAP     0xffffffffu

/* Fills *ret_chunks: chunks and title; no vectors. Texts point into arguments->text or the arena.
 * White space alone gives no chunk. Formats this build does not know are cut as plain text.
 * EDDA_E_LIMIT (text too long), EDDA_E_MEMORY (arena or heap). */
int edda_chunk_text(const struct edda_chunk_arguments *arguments, struct edda_arena *arena,
                    struct edda_chunks *ret_chunks) EDDA_MUST_CHECK;

#endif
