/* tests/fuzz/fuzz_chunk.c: any bytes, in any format and size, give chunks that keep chunk.h's word.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "actors/chunker/chunk.h"
#include "proto/limits.h"

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Everything between `from` and `to` is white space. */
static void check_gap(struct edda_text text, uint32_t from, uint32_t to) {
    for (; from < to; from++)
        EDDA_ASSERT(is_blank(text.data[from]));
}

static void check(const struct edda_chunk_arguments *arguments, struct edda_chunk_list list,
                  bool exact) {
    uint32_t covered = 0;
    uint32_t first = arguments->first_byte;
    EDDA_ASSERT(list.count <= EDDA_MAX_CHUNKS_PER_PART);
    for (size_t i = 0; i < list.count; i++) {
        const struct edda_chunk *chunk = &list.items[i];
        EDDA_ASSERT(chunk->number == i && chunk->start >= first && chunk->start < chunk->end);
        EDDA_ASSERT(chunk->end - first <= arguments->text.size);
        EDDA_ASSERT(chunk->tokens >= 1 && chunk->tokens <= 16384);
        EDDA_ASSERT(i == 0 || chunk->end >= list.items[i - 1].end);
        if (!exact)
            continue;
        EDDA_ASSERT(i == 0 || chunk->start > list.items[i - 1].start);
        EDDA_ASSERT(chunk->text.data == arguments->text.data + (chunk->start - first));
        EDDA_ASSERT(chunk->text.size == chunk->end - chunk->start);
        check_gap(arguments->text, covered, chunk->start - first);
        covered = chunk->end - first > covered ? chunk->end - first : covered;
    }
    if (exact)
        check_gap(arguments->text, covered, (uint32_t)arguments->text.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const formats[] = {"markdown", "plain", "html", "csv", "json", "?"};
    struct fuzz_input input = {data, data + size};
    struct edda_chunk_arguments arguments = {
        .format = edda_text_of(formats[fuzz_take(&input, 1) % 6]),
        .target_tokens = (uint32_t)fuzz_take(&input, 1),
        .maximum_tokens = (uint32_t)fuzz_take(&input, 1) * 2,
        .minimum_tokens = (uint32_t)fuzz_take(&input, 1),
        .overlap_tokens = (uint32_t)fuzz_take(&input, 1),
        .first_byte = (uint32_t)fuzz_take(&input, 1) * 1000,
        .heading = EDDA_TEXT("A > B"),
    };
    size_t left = (size_t)(input.end - input.at);
    left = left < EDDA_PART_BYTES ? left : EDDA_PART_BYTES;
    uint8_t *copy = fuzz_copy(input.at, left);
    arguments.text = (struct edda_text){(const char *)copy, left};
    struct edda_arena arena;
    struct edda_chunks chunks;
    edda_arena_init(&arena, 16u << 20);
    int error = edda_chunk_text(&arguments, &arena, &chunks);
    EDDA_ASSERT(error == 0);
    check(&arguments, chunks.chunks, !edda_text_is(arguments.format, "html"));
    edda_arena_done(&arena);
    free(copy);
    return 0;
}
