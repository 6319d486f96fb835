/* actors/store/content.c: hashes, lengths, headings and the snippet of a content. */
#include "actors/store/content.h"

#include <sodium.h>

#include "actors/text/headings.h"
#include "actors/text/text.h"

_Static_assert(EDDA_SHA_BYTES == crypto_hash_sha256_BYTES, "sha256");

int edda_content_begin(struct edda_arena *arena, size_t most, struct edda_content *ret_content) {
    *ret_content = (struct edda_content){.snippet = {"", 0}};
    ret_content->parts = edda_arena_take(arena, (most + 1) * sizeof(*ret_content->parts));
    return ret_content->parts ? 0 : EDDA_E_MEMORY;
}

/* Headings of part `count` follow from the text before it. */
static int set_next_heading(struct edda_arena *arena, struct edda_text format,
                            struct edda_text text, struct edda_content *content) {
    char path[EDDA_HEADING_PATH_BYTES];
    struct edda_part_facts *facts = &content->parts[content->count];
    size_t size = edda_headings_after(format, text, content->count == 0, facts->heading, path);
    if (size == 0) {
        return 0;
    }
    facts[1].heading = edda_arena_text(arena, (struct edda_text){path, size});
    return facts[1].heading.data ? 0 : EDDA_E_MEMORY;
}

/* Counts in a part whose hash, bytes, length and heading are known. */
static void count_part(struct edda_arena *arena, struct edda_text text,
                       struct edda_content *content) {
    const struct edda_part_facts *facts = &content->parts[content->count];
    if (content->count == 0) {
        content->snippet = edda_arena_text(arena, edda_text_prefix(text, EDDA_SNIPPET_POINTS));
        content->snippet = edda_text_or_empty(content->snippet);
    }
    content->bytes += facts->bytes;
    content->length += facts->length;
    content->count++;
}

static void hash_parts(struct edda_content *content) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < content->count; i++) {
        crypto_hash_sha256_update(&state, content->parts[i].sha, EDDA_SHA_BYTES);
    }
    crypto_hash_sha256_final(&state, content->sha);
}

int edda_content_measure(struct edda_arena *arena, const struct edda_texts *texts,
                         struct edda_text format, struct edda_content *ret_content) {
    int error = edda_content_begin(arena, texts->count, ret_content);
    ret_content->texts = texts;
    for (size_t i = 0; i < texts->count && !error; i++) {
        struct edda_text text = edda_text_or_empty(texts->items[i]);
        struct edda_part_facts *facts = &ret_content->parts[i];
        crypto_hash_sha256(facts->sha, (const uint8_t *)text.data, text.size);
        facts->bytes = text.size;
        facts->length = edda_text_length(text);
        if (i + 1 < texts->count) {
            error = set_next_heading(arena, format, text, ret_content);
        }
        if (!error) {
            count_part(arena, text, ret_content);
        }
    }
    if (!error) {
        hash_parts(ret_content);
    }
    return error;
}

int edda_content_add(struct edda_arena *arena, struct edda_text format, struct edda_text text,
                     struct edda_bytes sha, uint64_t length, size_t most,
                     struct edda_content *content) {
    struct edda_part_facts *facts = &content->parts[content->count];
    if (content->count >= most || sha.size != EDDA_SHA_BYTES) {
        return EDDA_E_INVALID;
    }
    memcpy(facts->sha, sha.data, EDDA_SHA_BYTES);
    facts->bytes = text.size;
    facts->length = length;
    int error = set_next_heading(arena, format, text, content);
    if (!error) {
        count_part(arena, text, content);
    }
    return error;
}

int edda_content_end(size_t most, uint64_t content_bytes, struct edda_content *content) {
    if (content->count != most || content->bytes != content_bytes) {
        return EDDA_E_INVALID;
    }
    hash_parts(content);
    return 0;
}
