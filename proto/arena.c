/* proto/arena.c: a chain of growing blocks; the newest is the one that is filled. */
#include "proto/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_BLOCK   992 /* with its head what malloc keeps at hand for a thread */
#define LARGEST_BLOCK (256u * 1024u)
#define ALIGNMENT     alignof(max_align_t)

struct edda_arena_block {
    struct edda_arena_block *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

void edda_arena_init(struct edda_arena *arena, size_t maximum) {
    *arena = (struct edda_arena){.maximum = maximum};
}

void edda_arena_done(struct edda_arena *arena) {
    struct edda_arena_block *block = arena->blocks;
    while (block) {
        struct edda_arena_block *next = block->next;
        free(block);
        block = next;
    }
    edda_arena_init(arena, arena->maximum);
}

static struct edda_arena_block *add_block(struct edda_arena *arena, size_t size) {
    size_t capacity = arena->blocks ? arena->blocks->capacity * 2 : FIRST_BLOCK;
    if (capacity > LARGEST_BLOCK) {
        capacity = LARGEST_BLOCK;
    }
    if (capacity < size) {
        capacity = size;
    }
    struct edda_arena_block *block = malloc(sizeof(*block) + capacity);
    if (!block) {
        return NULL;
    }
    block->capacity = capacity;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *edda_arena_take(struct edda_arena *arena, size_t size) {
    size_t left = arena->maximum - arena->used;
    if (size > left) {
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct edda_arena_block *block = arena->blocks;
    if (!block || block->capacity - block->used < rounded) {
        block = add_block(arena, rounded);
        if (!block) {
            return NULL;
        }
    }
    uint8_t *data = block->data + block->used;
    block->used += rounded;
    /* What rounding adds is charged as far as it fits, so that `used` never passes the maximum. */
    arena->used += rounded < left ? rounded : left;
    memset(data, 0, size);
    return data;
}

struct edda_text edda_arena_text(struct edda_arena *arena, struct edda_text text) {
    if (!text.data || text.size == SIZE_MAX) {
        return (struct edda_text){NULL, 0};
    }
    char *copy = edda_arena_take(arena, text.size + 1);
    if (!copy) {
        return (struct edda_text){NULL, 0};
    }
    memcpy(copy, text.data, text.size);
    return (struct edda_text){copy, text.size};
}
