/* actors/chunker/structure.h: a text in one of the known formats taken apart into ranked pieces. */
#ifndef EDDA_ACTORS_CHUNKER_STRUCTURE_H
#define EDDA_ACTORS_CHUNKER_STRUCTURE_H

#include "actors/chunker/piece.h"

/* Each fills pieces (just initialised) from its text; errors stick in pieces. heading is the path
 * in force where the text begins. */
void edda_structure_markdown(struct edda_pieces *pieces, struct edda_text heading);
void edda_structure_plain(struct edda_pieces *pieces, struct edda_text heading);

/* Rows; the header row is every chunk's heading: the first row of the first part, else heading. */
void edda_structure_csv(struct edda_pieces *pieces, struct edda_text heading, bool is_first);

/* By lines and by the values of the outermost array or object. Need not be valid JSON. */
void edda_structure_json(struct edda_pieces *pieces, struct edda_text heading);

#endif
