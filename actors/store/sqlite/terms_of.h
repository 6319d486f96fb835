/* actors/store/sqlite/terms_of.h: term vectors of many chunks, and the words that came with them.
 */
#ifndef EDDA_ACTORS_STORE_SQLITE_TERMS_OF_H
#define EDDA_ACTORS_STORE_SQLITE_TERMS_OF_H

#include "actors/store/sqlite/call.h"
#include "actors/store/words.h"

/* edda_words_gather with what a reader has. */
int edda_terms_of(struct edda_reader *reader, struct edda_sqlite_call *call, uint64_t project,
                  const struct edda_worded *chunk, struct edda_word_list *words,
                  struct edda_bytes *ret_vector) EDDA_MUST_CHECK;

/* Sorts the list, drops repeats, gives it to the call. */
void edda_words_settle(struct edda_sqlite_call *call, struct edda_word_list *words);

/* Writes the call's words to the project's. */
int edda_words_write(struct edda_turn *turn, struct edda_sqlite_call *call,
                     uint64_t project) EDDA_MUST_CHECK;

#endif
