/* actors/store/sqlite/reader.c: what a thread of the store works with. */
#include "actors/store/sqlite/call.h"

int edda_reader_need_terms(struct edda_reader *reader) {
    if (!reader->analyser) {
        reader->analyser = edda_analyser_new();
    }
    if (!reader->analyser) {
        return EDDA_E_MEMORY;
    }
    if (!reader->has_terms) {
        int error = edda_terms_init(&reader->terms);
        if (error) {
            return error;
        }
        reader->has_terms = true;
    }
    return 0;
}

int edda_reader_need_scratch(struct edda_reader *reader) {
    if (!reader->analyser) {
        reader->analyser = edda_analyser_new();
    }
    if (reader->analyser && !reader->scratch) {
        reader->scratch = edda_index_scratch_new(reader->analyser);
    }
    return reader->scratch ? 0 : EDDA_E_MEMORY;
}

void edda_reader_done(struct edda_reader *reader) {
    edda_index_scratch_destroy(&reader->scratch);
    if (reader->has_terms) {
        edda_terms_done(&reader->terms);
    }
    edda_analyser_destroy(&reader->analyser);
    edda_database_close(&reader->database);
}
