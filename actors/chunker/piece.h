/* actors/chunker/piece.h: the smallest pieces of a text that packing keeps whole, in order.
 *
 * A piece is a sentence, a line of code, a row, a heading, or a part of one that was over the
 * limit. Its rank says how good a chunk's end in front of it would be. Sizes are in units of
 * actors/text/tokens.h. Internal to the chunker. */
#ifndef EDDA_ACTORS_CHUNKER_PIECE_H
#define EDDA_ACTORS_CHUNKER_PIECE_H

#include "proto/arena.h"
#include "proto/error.h"
#include "proto/types.h"

enum edda_rank {
    EDDA_RANK_WORD,     /* inside a sentence */
    EDDA_RANK_SENTENCE, /* or line, item, row */
    EDDA_RANK_BLOCK,    /* paragraph, list, table, code */
    EDDA_RANK_SECTION,  /* heading */
};

struct edda_piece {
    uint32_t start; /* bytes of the text, neither end is white space */
    uint32_t end;
    uint32_t units; /* the white space in front of it included */
    uint32_t rest;  /* units from here to the end of the block */
    uint32_t path;  /* index of the heading path in force */
    uint8_t rank;
};

struct edda_pieces {
    struct edda_text text;
    struct edda_piece *items; /* owned */
    size_t count;
    size_t capacity;
    struct edda_text *paths; /* owned list of views into the arena */
    size_t path_count;
    size_t path_capacity;
    struct edda_arena *arena;
    uint32_t whole_units;  /* a sentence up to this stays whole */
    uint32_t broken_units; /* the pieces of a longer one */
    int error;             /* sticks; later calls do nothing */
};

void edda_pieces_init(struct edda_pieces *pieces, struct edda_text text, struct edda_arena *arena,
                      uint32_t target_tokens);
void edda_pieces_done(struct edda_pieces *pieces);

/* From here on pieces stand under path (copied to the arena). */
void edda_pieces_path(struct edda_pieces *pieces, struct edda_text path);

/* Adds [start, end) trimmed, in several pieces when it is too long; nothing when it is blank. */
void edda_pieces_add(struct edda_pieces *pieces, size_t start, size_t end, enum edda_rank rank);

/* Adds [start, end) sentence by sentence; only the first has the rank given. */
void edda_pieces_add_prose(struct edda_pieces *pieces, size_t start, size_t end,
                           enum edda_rank rank);

/* Fills in `rest`. Call once, when all are added. Returns the error that stuck. */
int edda_pieces_finish(struct edda_pieces *pieces);

#endif
