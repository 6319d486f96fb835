/* actors/reranker/assemble.h: ranked chunks made into what somebody is to read.
 *
 *   duplicates folded    of equal texts only the best ranked stays
 *   neighbours joined    chunks of one memo that follow each other under one heading become one
 *                        passage, at the better one's place, with the better one's scores; what
 *                        they overlap in is there once
 *   memos mixed          a memo takes no more than half of the places (EDDA_ASSEMBLE_MEMO at least)
 *                        while others have something to say
 *
 * A joined passage keeps its best chunk's uuid; number, heading and start are its first chunk's,
 * end its last one's: the byte range in the document that text stands for, whatever white space
 * between two chunks it leaves out.
 *
 * Pure but for the arena, where the new list and the joined texts live. Limits: a passage of
 * EDDA_ASSEMBLE_BYTES, so that a citation still points at something one can check. */
#ifndef EDDA_ACTORS_RERANKER_ASSEMBLE_H
#define EDDA_ACTORS_RERANKER_ASSEMBLE_H

#include "proto/arena.h"
#include "proto/body_stage.h"

#define EDDA_ASSEMBLE_BYTES 4096
#define EDDA_ASSEMBLE_MEMO  3

/* hits: best first; replaced by at most top_k passages (0: as many as there are), best first.
 * EDDA_E_MEMORY: hits are as they were. */
int edda_assemble(struct edda_hits *hits, uint32_t top_k, struct edda_arena *arena) EDDA_MUST_CHECK;

#endif
