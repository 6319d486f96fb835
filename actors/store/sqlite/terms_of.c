/* actors/store/sqlite/terms_of.c: words of a call, gathered by a reader and written by the writer.
 */
#include "actors/store/sqlite/terms_of.h"

#include "actors/store/sqlite/store.h"

int edda_terms_of(struct edda_reader *reader, struct edda_sqlite_call *call, uint64_t project,
                  const struct edda_worded *chunk, struct edda_word_list *words,
                  struct edda_bytes *ret_vector) {
    int error = edda_reader_need_terms(reader);
    return error ? error
                 : edda_words_gather(&reader->terms, reader->analyser, &call->arena,
                                     &call->store->known, project, chunk, words, ret_vector);
}

void edda_words_settle(struct edda_sqlite_call *call, struct edda_word_list *words) {
    edda_words_sort(words);
    call->words = words->items;
    call->word_count = words->count;
}

int edda_words_write(struct edda_turn *turn, struct edda_sqlite_call *call, uint64_t project) {
    int error = 0;
    call->word_project = project;
    for (size_t i = 0; i < call->word_count && !error; i++) {
        error = edda_query_run(
            turn->database, EDDA_SQL_TERM_INSERT,
            VALUES(INTEGER(project), INTEGER(call->words[i].hash), TEXT(call->words[i].text)),
            NULL);
    }
    return error;
}
