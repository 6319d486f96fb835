/* actors/text/parts.h: a document's text cut into parts small enough for one durable job.
 *
 * A part has at most EDDA_PART_BYTES and ends, best first, behind a blank line, a line, a sentence,
 * a space, a code point: the last such end in the second half of the room. The parts are
 * consecutive and cover the text exactly. Where the cuts fall depends on the bytes alone, never on
 * how they are fed, so that an upload repeated in other pieces is staged as the same parts.
 *
 * One thread. Memory: one part and what was fed beyond it, never the document. Text need not be
 * valid UTF-8; where it is, every part is. */
#ifndef EDDA_ACTORS_TEXT_PARTS_H
#define EDDA_ACTORS_TEXT_PARTS_H

#include "proto/error.h"
#include "proto/limits.h"
#include "proto/types.h"

/* Takes one finished part: `number` from 0, `first_byte` its place in the document. The text is
 * borrowed for the call. A negative return stops the feeding function, which returns it. */
typedef int edda_parts_sink(void *context, struct edda_text part, uint32_t number,
                            uint64_t first_byte);

struct edda_parts {
    char *pending; /* owned; EDDA_PART_BYTES + 1 bytes: a part and the byte that shows it is full */
    size_t pending_bytes;
    uint64_t first_byte; /* of pending in the document */
    uint32_t number;     /* of the next part */
    edda_parts_sink *sink;
    void *context;
};

/* EDDA_E_MEMORY. */
int edda_parts_init(struct edda_parts *parts, edda_parts_sink *sink, void *context) EDDA_MUST_CHECK;

/* Accepts an init that failed and a struct of zeros. */
void edda_parts_done(struct edda_parts *parts);

/* Adds bytes to the document and gives every part that is now certain to the sink. After an error
 * of the sink, which is passed on, the cutter is spent: only edda_parts_done may follow. */
int edda_parts_feed(struct edda_parts *parts, struct edda_text bytes) EDDA_MUST_CHECK;

/* Gives what is left. An empty document has no part. Errors are the sink's. */
int edda_parts_finish(struct edda_parts *parts) EDDA_MUST_CHECK;

/* The size of text's first part: text.size when all of it fits. The same cut as above, for callers
 * that have the whole document. */
size_t edda_parts_cut(struct edda_text text);

#endif
