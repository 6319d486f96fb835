/* actors/store/index/terms.c: making and reading the term vector of a chunk. */
#include "actors/store/index/terms.h"

#include "actors/store/index/memory.h"

#include <stdlib.h>

#define TERMS_FORMAT     1u
#define TERMS_LENGTH_MAX 65535u
#define TERMS_TF_MAX     255u
#define TITLE_WEIGHT     2u

struct counted_term {
    uint32_t hash;
    uint32_t tf;
    uint32_t text_at; /* in texts, or NO_TEXT */
    uint32_t text_bytes;
};

#define NO_TEXT UINT32_MAX

struct edda_terms_memory {
    struct counted_term *counted;
    size_t counted_capacity;
    size_t counted_count;
    char *texts;
    size_t texts_capacity;
    size_t texts_bytes;
    struct edda_term *items;
    size_t items_capacity;
    uint32_t length;
    enum edda_language language;
};

int edda_terms_init(struct edda_terms *terms) {
    *terms = (struct edda_terms){0};
    edda_buffer_init(&terms->vector, 16 + 6 * (size_t)EDDA_TERMS_MAX);
    terms->memory = calloc(1, sizeof *terms->memory);
    return terms->memory ? 0 : EDDA_E_MEMORY;
}

void edda_terms_done(struct edda_terms *terms) {
    edda_buffer_done(&terms->vector);
    if (terms->memory) {
        free(terms->memory->counted);
        free(terms->memory->texts);
        free(terms->memory->items);
        free(terms->memory);
    }
    *terms = (struct edda_terms){0};
}

static bool has_kept_text(const struct edda_token *token) {
    return token->kind == EDDA_TOKEN_WORD && token->letters >= EDDA_TERM_LETTERS_MIN &&
           token->stem.size > 0;
}

static int count_token(struct edda_terms_memory *memory, const struct edda_token *token,
                       uint32_t weight) {
    int error = EDDA_GROW(memory->counted, memory->counted_capacity, memory->counted_count + 1);
    if (error) {
        return error;
    }
    struct counted_term *term = &memory->counted[memory->counted_count++];
    *term = (struct counted_term){(uint32_t)token->hash, weight, NO_TEXT, 0};
    if (!token->stopword) {
        memory->length += weight;
    }
    if (has_kept_text(token)) {
        error = EDDA_GROW(memory->texts, memory->texts_capacity,
                          memory->texts_bytes + token->stem.size);
        if (error) {
            return error;
        }
        memcpy(memory->texts + memory->texts_bytes, token->stem.data, token->stem.size);
        term->text_at = (uint32_t)memory->texts_bytes;
        term->text_bytes = (uint32_t)token->stem.size;
        memory->texts_bytes += token->stem.size;
    }
    return 0;
}

static int count_text(struct edda_terms_memory *memory, edda_analyser_t *analyser,
                      struct edda_text text, uint32_t weight, enum edda_language *language) {
    struct edda_tokens tokens;
    if (text.size == 0) {
        return 0;
    }
    int error = edda_analyser_run(analyser, text, *language, &tokens);
    for (size_t i = 0; !error && i < tokens.count; i++) {
        error = count_token(memory, &tokens.items[i], weight);
    }
    if (!error) {
        *language = tokens.language;
    }
    return error;
}

static int compare_counted(const void *left, const void *right) {
    const struct counted_term *a = left;
    const struct counted_term *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return a->text_at < b->text_at ? -1 : a->text_at > b->text_at;
}

/* Adds up equal hashes; counted is sorted. The first text of equal hashes is kept. */
static void merge_counted(struct edda_terms_memory *memory) {
    size_t kept = 0;
    for (size_t i = 0; i < memory->counted_count; i++) {
        struct counted_term *term = &memory->counted[i];
        if (kept > 0 && memory->counted[kept - 1].hash == term->hash) {
            memory->counted[kept - 1].tf += term->tf;
        } else {
            memory->counted[kept++] = *term;
        }
    }
    memory->counted_count = kept;
}

static int write_vector(struct edda_terms *terms) {
    struct edda_terms_memory *memory = terms->memory;
    uint32_t length = memory->length < TERMS_LENGTH_MAX ? memory->length : TERMS_LENGTH_MAX;
    uint32_t previous = 0;
    edda_buffer_reset(&terms->vector);
    uint8_t *out = edda_buffer_reserve(&terms->vector, 16 + 7 * memory->counted_count);
    if (!out) {
        return terms->vector.error;
    }
    size_t size = edda_varint_put(out, TERMS_FORMAT);
    out[size++] = (uint8_t)memory->language;
    size += edda_varint_put(out + size, length);
    size += edda_varint_put(out + size, (uint32_t)memory->counted_count);
    for (size_t i = 0; i < memory->counted_count; i++) {
        const struct counted_term *term = &memory->counted[i];
        uint64_t head = (uint64_t)(term->hash - previous) << 1 | (term->tf > 1);
        for (; head >= 0x80; head >>= 7) {
            out[size++] = (uint8_t)(head | 0x80);
        }
        out[size++] = (uint8_t)head;
        if (term->tf > 1) {
            out[size++] = (uint8_t)(term->tf < TERMS_TF_MAX ? term->tf : TERMS_TF_MAX);
        }
        previous = term->hash;
    }
    terms->vector.size += size;
    return 0;
}

static int list_texts(struct edda_terms *terms) {
    struct edda_terms_memory *memory = terms->memory;
    int error = EDDA_GROW(memory->items, memory->items_capacity, memory->counted_count);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < memory->counted_count; i++) {
        const struct counted_term *term = &memory->counted[i];
        if (term->text_at != NO_TEXT) {
            memory->items[terms->count++] =
                (struct edda_term){term->hash, {memory->texts + term->text_at, term->text_bytes}};
        }
    }
    terms->items = memory->items;
    return 0;
}

int edda_terms_make(struct edda_terms *terms, edda_analyser_t *analyser, struct edda_text title,
                    struct edda_text heading, struct edda_text text) {
    struct edda_terms_memory *memory = terms->memory;
    enum edda_language language = EDDA_LANGUAGE_AUTO;
    memory->counted_count = 0;
    memory->texts_bytes = 0;
    memory->length = 0;
    terms->count = 0;
    terms->items = NULL;
    int error = count_text(memory, analyser, text, 1, &language);
    if (!error) {
        error = count_text(memory, analyser, heading, 1, &language);
    }
    if (!error) {
        error = count_text(memory, analyser, title, TITLE_WEIGHT, &language);
    }
    if (error) {
        return error;
    }
    memory->language = language;
    if (memory->counted_count > 1) {
        qsort(memory->counted, memory->counted_count, sizeof *memory->counted, compare_counted);
    }
    merge_counted(memory);
    if (memory->counted_count > EDDA_TERMS_MAX) {
        return EDDA_E_LIMIT;
    }
    error = write_vector(terms);
    return error ? error : list_texts(terms);
}

/* A number of at most `bits` bits from untrusted bytes. */
static int take_number(struct edda_terms_reader *reader, unsigned bits, uint64_t *ret_value) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (reader->at == reader->end) {
            return EDDA_E_MALFORMED;
        }
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *ret_value = value;
            return value >> bits ? EDDA_E_MALFORMED : 0;
        }
    }
    return EDDA_E_MALFORMED;
}

int edda_terms_open(struct edda_terms_reader *reader, struct edda_bytes blob) {
    uint64_t format;
    uint64_t language;
    uint64_t length;
    uint64_t count;
    *reader = (struct edda_terms_reader){.at = blob.data, .first = true};
    reader->end = blob.size ? blob.data + blob.size : blob.data;
    if (take_number(reader, 7, &format) || format != TERMS_FORMAT ||
        take_number(reader, 7, &language) || take_number(reader, 16, &length) ||
        take_number(reader, 17, &count) || count > EDDA_TERMS_MAX ||
        count > (size_t)(reader->end - reader->at)) {
        return EDDA_E_MALFORMED;
    }
    reader->language = language < EDDA_LANGUAGE_COUNT ? (uint32_t)language : EDDA_LANGUAGE_AUTO;
    reader->length = (uint32_t)length;
    reader->left = (uint32_t)count;
    return 0;
}

int edda_terms_next(struct edda_terms_reader *reader) {
    uint64_t head;
    if (reader->left == 0) {
        return reader->at == reader->end ? 0 : EDDA_E_MALFORMED;
    }
    if (take_number(reader, 33, &head)) {
        return EDDA_E_MALFORMED;
    }
    uint64_t hash = reader->hash + (head >> 1);
    if (hash > UINT32_MAX || (!reader->first && head >> 1 == 0)) {
        return EDDA_E_MALFORMED;
    }
    reader->tf = 1;
    if (head & 1) {
        if (reader->at == reader->end || *reader->at < 2) {
            return EDDA_E_MALFORMED;
        }
        reader->tf = *reader->at++;
    }
    reader->hash = (uint32_t)hash;
    reader->first = false;
    reader->left--;
    return 1;
}
