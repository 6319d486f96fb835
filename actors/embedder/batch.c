#include "actors/embedder/batch.h"

#include <endian.h>

#define ROW_BYTES (EDDA_HASH_EMBED_DIMENSION * sizeof(float))

static int take_vectors(struct edda_batch *batch, struct edda_arena *arena) {
    if (batch->count == 0)
        return 0;
    batch->vectors = edda_arena_take(arena, batch->count * ROW_BYTES);
    return batch->vectors != NULL ? 0 : EDDA_E_MEMORY;
}

int edda_batch_init_texts(struct edda_batch *batch, struct edda_texts texts,
                          struct edda_arena *arena) {
    *batch = (struct edda_batch){.texts = texts, .count = texts.count};
    return take_vectors(batch, arena);
}

int edda_batch_init_chunks(struct edda_batch *batch, const struct edda_chunks *chunks,
                           struct edda_arena *arena) {
    *batch = (struct edda_batch){.chunks = chunks, .count = chunks->chunks.count};
    return take_vectors(batch, arena);
}

void edda_batch_set(struct edda_batch *batch, size_t index, const float *vector) {
    EDDA_ASSERT(index < batch->count);
    uint8_t *row = batch->vectors + index * ROW_BYTES;
    for (size_t i = 0; i < EDDA_HASH_EMBED_DIMENSION; i++) {
        uint32_t bits;
        memcpy(&bits, &vector[i], sizeof bits);
        bits = htole32(bits);
        memcpy(row + i * sizeof bits, &bits, sizeof bits);
    }
}

static void append_line(struct edda_buffer *scratch, struct edda_text line) {
    if (line.size == 0)
        return;
    edda_buffer_append(scratch, line.data, line.size);
    edda_buffer_append(scratch, "\n", 1);
}

/* The text a chunk is embedded as. */
static int join_chunk(const struct edda_batch *batch, size_t index, struct edda_buffer *scratch,
                      struct edda_text *ret_text) {
    const struct edda_chunk *chunk = &batch->chunks->chunks.items[index];
    edda_buffer_reset(scratch);
    append_line(scratch, batch->chunks->title);
    append_line(scratch, chunk->heading);
    append_line(scratch, chunk->text);
    *ret_text = (struct edda_text){(const char *)scratch->data, scratch->size};
    return scratch->error;
}

int edda_batch_run(struct edda_batch *batch, edda_hash_embed_t *embed, struct edda_buffer *scratch,
                   size_t slice_bytes) {
    size_t used = 0;
    while (batch->next < batch->count && used < slice_bytes) {
        struct edda_text text;
        int error = 0;
        if (batch->chunks != NULL)
            error = join_chunk(batch, batch->next, scratch, &text);
        else
            text = batch->texts.items[batch->next];
        float vector[EDDA_HASH_EMBED_DIMENSION];
        if (error == 0)
            error = edda_hash_embed_text(embed, text, vector);
        if (error != 0)
            return error;
        edda_batch_set(batch, batch->next++, vector);
        used += text.size;
    }
    return 0;
}

struct edda_floats edda_batch_vectors(const struct edda_batch *batch) {
    return (struct edda_floats){batch->vectors, batch->count * ROW_BYTES};
}
