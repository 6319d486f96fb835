/* actors/store/index/terms.h: a chunk's term vector: what the lexical index needs to know of its
 * text.
 *
 * Made once, when the chunk is put; stored by the backend in the chunk's row; replayed to load an
 * index without reading any text. The bytes:
 *   varint 1 (format) · byte language · varint length · varint count ·
 *   count times: varint (gap << 1 | (tf > 1)) [· byte tf, when tf > 1], gap to the previous hash
 * Hashes are the low 32 bits of the stems' hashes, strictly ascending. length is the number of
 * tokens, the title counted twice, stopwords not counted. language is enum edda_language, as used.
 * About 350 bytes a chunk of 900 characters.
 *
 * The hashes' texts are kept apart, once a project (table `term`), because only expansion needs
 * them: words of 3 to 32 letters without a digit. Threads: none of its own. Limits: EDDA_TERMS_MAX
 * distinct terms a chunk. */
#ifndef EDDA_ACTORS_STORE_INDEX_TERMS_H
#define EDDA_ACTORS_STORE_INDEX_TERMS_H

#include "actors/text/text.h"
#include "proto/buffer.h"

#define EDDA_TERMS_MAX        65536
#define EDDA_TERM_LETTERS_MIN 3 /* of a term whose text is kept */
#define EDDA_TERM_LETTERS_MAX 32

struct edda_term {
    uint32_t hash;
    struct edda_text text; /* borrowed until the next call on the same edda_terms */
};

/* Reused from chunk to chunk. */
struct edda_terms {
    struct edda_buffer vector;     /* the blob */
    const struct edda_term *items; /* distinct terms that have a text, ascending by hash */
    size_t count;
    struct edda_terms_memory *memory; /* owned, private */
};

/* EDDA_E_MEMORY. */
int edda_terms_init(struct edda_terms *terms) EDDA_MUST_CHECK;
void edda_terms_done(struct edda_terms *terms);

/* Fills vector and items from a chunk. title and heading may be absent. The text's language, found
 * by vote, is used for all three. EDDA_E_MEMORY, EDDA_E_LIMIT (too many distinct terms). */
int edda_terms_make(struct edda_terms *terms, edda_analyser_t *analyser, struct edda_text title,
                    struct edda_text heading, struct edda_text text) EDDA_MUST_CHECK;

/* Reads a blob back, one term after the other. */
struct edda_terms_reader {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t language; /* enum edda_language; EDDA_LANGUAGE_AUTO when this build has no such one */
    uint32_t length;   /* of the chunk, in tokens; at most 65535 */
    uint32_t left;     /* terms not read yet */
    uint32_t hash;     /* of the term read last */
    uint32_t tf;
    bool first;
};

/* EDDA_E_MALFORMED when the head is not ours. */
int edda_terms_open(struct edda_terms_reader *reader, struct edda_bytes blob) EDDA_MUST_CHECK;

/* 1: hash and tf hold the next term; 0: the end, exactly at the blob's end; EDDA_E_MALFORMED. */
int edda_terms_next(struct edda_terms_reader *reader) EDDA_MUST_CHECK;

#endif
