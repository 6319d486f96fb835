/* actors/store/postgres/words.c: words, once a project; vectors, one a chunk. */
#include "actors/store/postgres/words.h"

#include "actors/store/index/vectors.h"
#include "actors/store/part_vectors.h"
#include "actors/store/postgres/store.h"

/* ---- words ---- */

static int on_words(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_word_list *words = call->words;
    (void)result;
    for (size_t i = 0; i < words->count; i++) {
        edda_known_add(&call->store->known, (uint64_t)call->words_project, words->items[i].hash);
    }
    return call->after_words(call, NULL);
}

int edda_pg_put_words(struct edda_pg_call *call, int64_t project, struct edda_word_list *words,
                      edda_pg_step_fn then) {
    struct edda_pg_built hashes;
    struct edda_pg_built texts;
    if (words->count == 0) {
        return then(call, NULL);
    }
    call->words = words;
    call->words_project = project;
    call->after_words = then;
    edda_buffer_reset(&call->buffer);
    edda_pg_build_array(&hashes, &call->buffer, EDDA_PG_BIGINT);
    for (size_t i = 0; i < words->count; i++) {
        edda_pg_array_bigint(&hashes, words->items[i].hash);
    }
    edda_pg_build_array(&texts, &call->buffer, EDDA_PG_TEXT);
    for (size_t i = 0; i < words->count; i++) {
        edda_pg_array_text(&texts, words->items[i].text);
    }
    if (call->buffer.error) {
        return call->buffer.error;
    }
    return edda_pg_call_run(call, EDDA_PGSQL_TERMS_PUT,
                            VALUES(BIGINT(project), BUILT(&hashes), BUILT(&texts)), on_words);
}

/* ---- vectors ---- */

int edda_pg_unit_vectors(struct edda_pg_call *call, const struct edda_chunks *chunks,
                         struct edda_bytes **ret_halves) {
    const char *text = NULL;
    int error = edda_part_vectors_look(&call->arena, chunks, ret_halves, &text);
    if (error) {
        return edda_pg_call_fail(call, error, text);
    }
    for (size_t i = 0; i < chunks->chunks.count; i++) {
        struct edda_bytes *vector = &(*ret_halves)[i];
        if (!vector->data) {
            continue;
        }
        uint16_t *halves = edda_arena_take(&call->arena, vector->size / 2);
        if (!halves) {
            return EDDA_E_MEMORY;
        }
        bool usable = edda_vectors_narrow((struct edda_floats){vector->data, vector->size},
                                          chunks->dimension, halves);
        *vector = usable ? (struct edda_bytes){(const uint8_t *)halves, vector->size / 2}
                         : (struct edda_bytes){NULL, 0};
    }
    return 0;
}

void edda_pg_build_halves(struct edda_pg_call *call, const struct edda_bytes *halves, size_t count,
                          struct edda_pg_built *built) {
    edda_pg_build_array(built, &call->buffer, edda_pg_halfvec_type(call->store->database));
    for (size_t i = 0; i < count; i++) {
        if (halves[i].data) {
            edda_pg_array_halfvec_of_halves(built, halves[i]);
        } else {
            edda_pg_array_absent(built);
        }
    }
}
