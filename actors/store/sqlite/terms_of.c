/* actors/store/sqlite/terms_of.c: what the search index needs of a chunk, made once. */
#include "actors/store/sqlite/terms_of.h"

#include <stdlib.h>

#include "actors/store/sqlite/store.h"

static int add_word(struct edda_sqlite_call *call, const struct edda_term *term,
                    struct edda_word_list *words) {
    if (words->count == words->capacity) {
        size_t capacity = words->capacity ? words->capacity * 2 : 256;
        struct edda_new_word *larger = edda_arena_take(&call->arena, capacity * sizeof(*larger));
        if (!larger) {
            return EDDA_E_MEMORY;
        }
        if (words->count) {
            memcpy(larger, words->items, words->count * sizeof(*larger));
        }
        words->items = larger;
        words->capacity = capacity;
    }
    struct edda_text copy = edda_arena_text(&call->arena, term->text);
    if (!copy.data) {
        return EDDA_E_MEMORY;
    }
    words->items[words->count++] = (struct edda_new_word){term->hash, copy};
    return 0;
}

int edda_terms_of(struct edda_reader *reader, struct edda_sqlite_call *call, uint64_t project,
                  struct edda_text title, struct edda_text heading, struct edda_text text,
                  struct edda_word_list *words, struct edda_bytes *ret_vector) {
    int error = edda_reader_need_terms(reader);
    if (!error) {
        error = edda_terms_make(&reader->terms, reader->analyser, title, heading, text);
    }
    if (error) {
        return error;
    }
    const struct edda_terms *terms = &reader->terms;
    for (size_t i = 0; i < terms->count && !error; i++) {
        if (project == 0 || !edda_known_has(&call->store->known, project, terms->items[i].hash)) {
            error = add_word(call, &terms->items[i], words);
        }
    }
    uint8_t *copy = edda_arena_take(&call->arena, terms->vector.size);
    if (!error && !copy) {
        error = EDDA_E_MEMORY;
    }
    if (!error) {
        memcpy(copy, terms->vector.data, terms->vector.size);
        *ret_vector = (struct edda_bytes){copy, terms->vector.size};
    }
    return error;
}

static int by_hash(const void *a, const void *b) {
    uint32_t left = ((const struct edda_new_word *)a)->hash;
    uint32_t right = ((const struct edda_new_word *)b)->hash;
    return (left > right) - (left < right);
}

void edda_words_settle(struct edda_sqlite_call *call, struct edda_word_list *words) {
    size_t kept = 0;
    if (words->count) {
        qsort(words->items, words->count, sizeof(*words->items), by_hash);
    }
    for (size_t i = 0; i < words->count; i++) {
        if (kept == 0 || words->items[i].hash != words->items[kept - 1].hash) {
            words->items[kept++] = words->items[i];
        }
    }
    call->words = words->items;
    call->word_count = kept;
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
