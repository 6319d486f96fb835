/* actors/store/content.h: a memo's new content, measured before a database sees it. Pure.
 *
 * Whether two contents are equal is decided by sha: the hash of the parts' hashes. */
#ifndef EDDA_ACTORS_STORE_CONTENT_H
#define EDDA_ACTORS_STORE_CONTENT_H

#include "actors/store/memos.h"
#include "proto/arena.h"

#define EDDA_SHA_BYTES 32

struct edda_part_facts {
    uint8_t sha[EDDA_SHA_BYTES];
    uint64_t bytes;
    uint64_t length;          /* code points */
    struct edda_text heading; /* in force at its beginning; may be absent */
};

struct edda_content {
    const struct edda_texts *texts; /* NULL when staged */
    int64_t staged;                 /* the version row that holds the staged parts, or 0 */
    struct edda_part_facts *parts;
    size_t count;
    uint64_t bytes;
    uint64_t length;
    uint8_t sha[EDDA_SHA_BYTES]; /* of the parts' hashes */
    struct edda_text snippet;
};

/* Hashes and measures texts; headings by format. EDDA_E_MEMORY. */
int edda_content_measure(struct edda_arena *arena, const struct edda_texts *texts,
                         struct edda_text format, struct edda_content *ret_content) EDDA_MUST_CHECK;

/* ---- the same of parts that were measured one by one, when they were staged ---- */

/* Room for up to most parts. EDDA_E_MEMORY. */
int edda_content_begin(struct edda_arena *arena, size_t most,
                       struct edda_content *ret_content) EDDA_MUST_CHECK;

/* The next part, whose hash, bytes and length are known; sha may be of another size, which is
 * EDDA_E_INVALID, as is one part too many. EDDA_E_MEMORY. */
int edda_content_add(struct edda_arena *arena, struct edda_text format, struct edda_text text,
                     struct edda_bytes sha, uint64_t length, size_t most,
                     struct edda_content *content) EDDA_MUST_CHECK;

/* EDDA_E_INVALID: it is not `most` parts of content_bytes in all. */
int edda_content_end(size_t most, uint64_t content_bytes,
                     struct edda_content *content) EDDA_MUST_CHECK;

/* "" for an absent text: for columns that are never NULL. */
static inline struct edda_text edda_text_or_empty(struct edda_text text) {
    return text.data ? text : (struct edda_text){"", 0};
}

#endif
