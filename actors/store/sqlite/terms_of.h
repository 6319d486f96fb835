/* actors/store/sqlite/terms_of.h: term vectors of many chunks, and the words that came with them.
 */
#ifndef EDDA_ACTORS_STORE_SQLITE_TERMS_OF_H
#define EDDA_ACTORS_STORE_SQLITE_TERMS_OF_H

#include "actors/store/sqlite/call.h"

/* Gathers while chunks are looked at; memory is the call's arena. */
struct edda_word_list {
    struct edda_new_word *items;
    size_t count;
    size_t capacity;
};

/* The term vector of one chunk, copied to the call's arena; its words that are not known yet are
 * added to the list. project 0: not known yet, every word is new. */
int edda_terms_of(struct edda_reader *reader, struct edda_sqlite_call *call, uint64_t project,
                  struct edda_text title, struct edda_text heading, struct edda_text text,
                  struct edda_word_list *words, struct edda_bytes *ret_vector) EDDA_MUST_CHECK;

/* Sorts the list, drops repeats, gives it to the call. */
void edda_words_settle(struct edda_sqlite_call *call, struct edda_word_list *words);

/* Writes the call's words to the project's. */
int edda_words_write(struct edda_turn *turn, struct edda_sqlite_call *call,
                     uint64_t project) EDDA_MUST_CHECK;

#endif
