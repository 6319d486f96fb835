/* actors/store/postgres/words.h: words and vectors on their way into their tables. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_WORDS_H
#define EDDA_ACTORS_STORE_POSTGRES_WORDS_H

#include "actors/store/postgres/call.h"
#include "actors/store/words.h"

/* Puts the project's new words, in a transaction of its own and before the one that needs them: so
 * nobody waits for another's words until that one's commit. Then the step. */
int edda_pg_put_words(struct edda_pg_call *call, int64_t project, struct edda_word_list *words,
                      edda_pg_step_fn then) EDDA_MUST_CHECK;

/* A part's vectors, each made one of length 1 and narrowed to halves, little-endian; absent where a
 * chunk has none. Errors are those of edda_part_vectors_look, with words. Any thread. */
int edda_pg_unit_vectors(struct edda_pg_call *call, const struct edda_chunks *chunks,
                         struct edda_bytes **ret_halves) EDDA_MUST_CHECK;

/* Them as an array; errors stick in the call's buffer. Once a connection stood. */
void edda_pg_build_halves(struct edda_pg_call *call, const struct edda_bytes *halves, size_t count,
                          struct edda_pg_built *built);

#endif
