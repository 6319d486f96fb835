#include "actors/text/fold.h"
#include "actors/text/sieve.h"
#include "actors/text/text.h"
#include "actors/text/vote.h"
#include "actors/text/words.h"

#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK_BYTES  32768
#define KEEP_BLOCKS  8 /* kept between runs; more are given back */
#define FIRST_TOKENS 1024
#define KEEP_TOKENS  16384
#define WORD_ROOM    (3 * EDDA_FOLD_BYTES) /* key, surface and stem of one word */
#define GRAM_MAXIMUM 4
#define AHEAD        4    /* words read before the first of them is looked up */
#define HIGH         0xFF /* in ascii[]: first byte of a longer sequence */

struct block {
    struct block *next;
    size_t used;
    char bytes[BLOCK_BYTES];
};

/* A word that was read and is not looked up yet. */
struct pending {
    size_t size;
    uint32_t start;
    uint32_t end;
    uint32_t behind; /* words held back by a sieve between it and the next that waits */
    char key[EDDA_FOLD_BYTES + 16]; /* read_plain writes, and words.c reads, behind its size */
};

struct edda_analyser {
    uint8_t classes[0x10000]; /* enum edda_fold_class of the first plane, 0: not asked yet */
    uint8_t ascii[256];       /* lower case of letters and digits, 0: separator, HIGH */
    edda_words_t *words;
    struct edda_token *tokens;
    size_t token_count;
    size_t token_capacity;
    struct block *blocks; /* the texts of the tokens; the first is being filled */
    struct block *spare;
    uint32_t position;
    struct pending pending[AHEAD]; /* a ring */
    size_t pending_first;
    size_t pending_count;
};

/* What a scan walks over; source is the text's beginning, for byte offsets. */
struct scan {
    const char *source;
    const char *at;
    const char *end;
};

edda_analyser_t *edda_analyser_new(void) {
    struct edda_analyser *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    for (unsigned i = 0; i < 256; i++) {
        bool digit = i >= '0' && i <= '9';
        bool lower = i >= 'a' && i <= 'z';
        bool upper = i >= 'A' && i <= 'Z';
        self->ascii[i] = (uint8_t)(digit || lower ? i : upper ? i + 32 : i >= 0x80 ? HIGH : 0);
    }
    self->words = edda_words_new();
    self->tokens = malloc(FIRST_TOKENS * sizeof *self->tokens);
    self->token_capacity = FIRST_TOKENS;
    if (self->words == NULL || self->tokens == NULL)
        edda_analyser_destroy(&self);
    return self;
}

static void free_blocks(struct block **list) {
    while (*list != NULL) {
        struct block *block = *list;
        *list = block->next;
        free(block);
    }
}

void edda_analyser_destroy(edda_analyser_t **self_p) {
    if (*self_p == NULL)
        return;
    edda_words_destroy(&(*self_p)->words);
    free_blocks(&(*self_p)->blocks);
    free_blocks(&(*self_p)->spare);
    free((*self_p)->tokens);
    free(*self_p);
    *self_p = NULL;
}

/* Forgets the last run's tokens and gives back what only a huge text needed. */
static void begin_run(edda_analyser_t *self) {
    self->token_count = 0;
    self->position = 0;
    self->pending_count = 0;
    if (self->token_capacity > KEEP_TOKENS) {
        struct edda_token *smaller = realloc(self->tokens, FIRST_TOKENS * sizeof *smaller);
        if (smaller != NULL) {
            self->tokens = smaller;
            self->token_capacity = FIRST_TOKENS;
        }
    }
    size_t kept = 0;
    while (self->blocks != NULL && kept++ < KEEP_BLOCKS) {
        struct block *block = self->blocks;
        self->blocks = block->next;
        block->next = self->spare;
        self->spare = block;
    }
    free_blocks(&self->blocks);
}

/* Room for size more bytes of token text in the first block; NULL when memory is short. */
static char *reserve_text(edda_analyser_t *self, size_t size) {
    if (self->blocks != NULL && self->blocks->used + size <= BLOCK_BYTES)
        return self->blocks->bytes + self->blocks->used;
    struct block *block = self->spare;
    if (block != NULL)
        self->spare = block->next;
    else if ((block = malloc(sizeof *block)) == NULL)
        return NULL;
    block->used = 0;
    block->next = self->blocks;
    self->blocks = block;
    return block->bytes;
}

static struct edda_token *add_token(edda_analyser_t *self) {
    if (self->token_count == self->token_capacity) {
        size_t capacity = self->token_capacity * 2;
        struct edda_token *tokens = realloc(self->tokens, capacity * sizeof *tokens);
        if (tokens == NULL)
            return NULL;
        self->tokens = tokens;
        self->token_capacity = capacity;
    }
    return &self->tokens[self->token_count++];
}

/* The class of the code point at *at (a high byte), which is moved behind it. */
static inline enum edda_fold_class read_class(edda_analyser_t *self, const char **at,
                                              const char *end, uint32_t *ret_point) {
    uint32_t point = (unsigned char)**at;
    if (point >= 0xC2 && point < 0xE0 && end - *at >= 2 && ((*at)[1] & 0xC0) == 0x80) {
        point =
            (point & 0x1F) << 6 | ((unsigned char)(*at)[1] & 0x3F); /* most of Europe's scripts */
        *at += 2;
    } else {
        point = edda_text_next(at, end);
    }
    *ret_point = point;
    if (point >= 0x10000)
        return edda_fold_class(point);
    if (self->classes[point] == 0)
        self->classes[point] = (uint8_t)edda_fold_class(point);
    return self->classes[point];
}

/* Copies the letters and digits that are ASCII, in lower case, sixteen at a time while it can;
 * may write up to 16 bytes behind what it counts. Returns how many. */
static size_t read_plain(const edda_analyser_t *self, const char *at, const char *end, char *out) {
    size_t size = 0;
#ifdef __SSE2__
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                        _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
        __m128i digits = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)),
                                       _mm_cmplt_epi8(bytes, _mm_set1_epi8('9' + 1)));
        __m128i folded = _mm_or_si128(bytes, _mm_and_si128(letters, _mm_set1_epi8(0x20)));
        _mm_storeu_si128((__m128i *)(void *)(out + size), folded);
        unsigned others = ~(unsigned)_mm_movemask_epi8(_mm_or_si128(letters, digits));
        unsigned count = (unsigned)__builtin_ctz(others);
        size += count;
        if (count < 16 || size > EDDA_FOLD_BYTES - 16)
            return size;
        at += 16;
    }
#endif
    for (; at < end && size < EDDA_FOLD_BYTES; at++) {
        uint8_t plain = self->ascii[(unsigned char)*at];
        if (plain == 0 || plain == HIGH)
            break;
        out[size++] = (char)plain;
    }
    return size;
}

/* Copies the run of letters, digits and marks at scan->at to key, ASCII in lower case. */
static size_t read_run(edda_analyser_t *self, struct scan *scan, char *key) {
    size_t size = read_plain(self, scan->at, scan->end, key);
    const char *at = scan->at + size;
    while (at < scan->end && size < EDDA_FOLD_BYTES) {
        uint8_t plain = self->ascii[(unsigned char)*at];
        if (plain != HIGH) {
            if (plain == 0)
                break;
            key[size++] = (char)plain;
            at++;
            continue;
        }
        const char *next = at;
        uint32_t point;
        enum edda_fold_class class = read_class(self, &next, scan->end, &point);
        size_t bytes = (size_t)(next - at);
        if (class < EDDA_FOLD_LETTER || class > EDDA_FOLD_MARK || size + bytes > EDDA_FOLD_BYTES)
            break;
        while (at < next) /* one to four bytes: not worth a call */
            key[size++] = *at++;
    }
    scan->at = at;
    return size;
}

/* Looks up the word that waits longest and makes it a token. */
static int take_pending(edda_analyser_t *self, enum edda_language language) {
    const struct pending *pending = &self->pending[self->pending_first];
    char *key = reserve_text(self, WORD_ROOM);
    if (key == NULL)
        return EDDA_E_MEMORY;
    self->pending_first = (self->pending_first + 1) % AHEAD;
    self->pending_count--;
    struct edda_text run = {pending->key, pending->size};
    struct edda_word word;
    edda_words_find(self->words, run, language, &word);
    uint32_t position = self->position;
    self->position += (word.surface.size > 0) + pending->behind;
    if (word.surface.size == 0)
        return 0;
    struct edda_token *token = add_token(self);
    if (token == NULL)
        return EDDA_E_MEMORY;
    struct edda_text surface = word.surface_is_run ? run : word.surface;
    memcpy(key, surface.data, surface.size);
    char *free_at = key + surface.size;
    token->surface = (struct edda_text){key, surface.size};
    token->stem = (struct edda_text){key, word.stem.size};
    if (!word.stem_is_prefix) {
        memcpy(free_at, word.stem.data, word.stem.size);
        token->stem.data = free_at;
        free_at += word.stem.size;
    }
    self->blocks->used = (size_t)(free_at - self->blocks->bytes);
    token->hash = word.hash;
    token->position = position;
    token->start = pending->start;
    token->end = pending->end;
    token->kind = word.kind;
    token->letters = word.letters;
    token->stopword = (word.languages >> language & 1u) != 0;
    return 0;
}

static int take_all_pending(edda_analyser_t *self, enum edda_language language) {
    int error = 0;
    while (error == 0 && self->pending_count > 0)
        error = take_pending(self, language);
    return error;
}

/* A word that a sieve holds back has its place among the others, and no more. */
static void pass_over(edda_analyser_t *self) {
    if (self->pending_count == 0)
        self->position++;
    else
        self->pending[(self->pending_first + self->pending_count - 1) % AHEAD].behind++;
}

/* Reads a word; it waits until AHEAD more are read, while the memory of words comes near. */
static int scan_word(edda_analyser_t *self, struct scan *scan, enum edda_language language,
                     const struct edda_sieve *sieve) {
    int error = self->pending_count == AHEAD ? take_pending(self, language) : 0;
    struct pending *pending = &self->pending[(self->pending_first + self->pending_count) % AHEAD];
    pending->start = (uint32_t)(scan->at - scan->source);
    pending->size = read_run(self, scan, pending->key);
    pending->end = (uint32_t)(scan->at - scan->source);
    pending->behind = 0;
    struct edda_text run = {pending->key, pending->size};
    if (sieve != NULL && !edda_sieve_passes(sieve, run)) {
        pass_over(self);
        return error;
    }
    self->pending_count++;
    edda_words_expect(self->words, run, language);
    return error;
}

/* One character of an unspaced run, folded. */
struct unit {
    char bytes[4];
    uint8_t size;
    uint32_t start;
    uint32_t end;
};

/* Reads the next character of the run; false at its end. */
static bool read_unit(edda_analyser_t *self, struct scan *scan, enum edda_fold_class class,
                      struct unit *ret_unit) {
    const char *next = scan->at;
    uint32_t point = 0;
    if (scan->at >= scan->end || self->ascii[(unsigned char)*next] != HIGH ||
        read_class(self, &next, scan->end, &point) != class)
        return false;
    uint32_t mark = 0;
    if (class == EDDA_FOLD_CJK && next < scan->end) {
        const char *behind = next;
        mark = edda_text_next(&behind, scan->end);
        if (mark == 0x3099 || mark == 0x309A || mark == 0xFF9E || mark == 0xFF9F)
            next = behind;
        else
            mark = 0;
    }
    ret_unit->size = (uint8_t)edda_fold_encode(edda_fold_unspaced(point, mark), ret_unit->bytes);
    ret_unit->start = (uint32_t)(scan->at - scan->source);
    ret_unit->end = (uint32_t)(next - scan->source);
    scan->at = next;
    return true;
}

static int add_gram(edda_analyser_t *self, const struct unit *units, size_t count) {
    char *bytes = reserve_text(self, 4 * GRAM_MAXIMUM);
    struct edda_token *token = bytes != NULL ? add_token(self) : NULL;
    if (token == NULL)
        return EDDA_E_MEMORY;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + size, units[i].bytes, units[i].size);
        size += units[i].size;
    }
    self->blocks->used += size;
    *token = (struct edda_token){
        .surface = {bytes, size},
        .stem = {bytes, size},
        .hash = edda_text_hash(bytes, size),
        .position = self->position,
        .start = units[0].start,
        .end = units[count - 1].end,
        .kind = EDDA_TOKEN_CJK,
        .letters = (uint8_t)count,
    };
    return 0;
}

/* All n-grams of shortest to longest characters of the run at scan->at. */
static int scan_grams(edda_analyser_t *self, struct scan *scan, enum edda_fold_class class,
                      enum edda_language language) {
    size_t shortest = class == EDDA_FOLD_CJK ? 1 : 3;
    size_t longest = class == EDDA_FOLD_CJK ? 2 : 4;
    struct unit window[GRAM_MAXIMUM];
    size_t filled = 0;
    int pending = take_all_pending(self, language);
    if (pending != 0)
        return pending;
    for (bool first = true;; first = false) {
        while (filled < longest && read_unit(self, scan, class, &window[filled]))
            filled++;
        if (filled == 0)
            return 0;
        if (first && filled < shortest)
            shortest = filled; /* a run too short for a gram is one token */
        if (filled < shortest)
            return 0;
        for (size_t count = shortest; count <= filled; count++) {
            int error = add_gram(self, window, count);
            if (error != 0)
                return error;
        }
        self->position++;
        memmove(window, window + 1, --filled * sizeof window[0]);
    }
}

/* Moves to the next run and gives its class (LETTER for words of any kind); SEPARATOR at the end.
 */
static enum edda_fold_class find_run(edda_analyser_t *self, struct scan *scan) {
    while (scan->at < scan->end) {
        uint8_t plain = self->ascii[(unsigned char)*scan->at];
        if (plain == 0) {
            scan->at++;
            continue;
        }
        if (plain != HIGH)
            return EDDA_FOLD_LETTER;
        const char *next = scan->at;
        uint32_t point;
        enum edda_fold_class class = read_class(self, &next, scan->end, &point);
        if (class == EDDA_FOLD_CJK || class == EDDA_FOLD_UNSPACED)
            return class;
        if (class == EDDA_FOLD_LETTER || class == EDDA_FOLD_DIGIT)
            return EDDA_FOLD_LETTER;
        scan->at = next;
    }
    return EDDA_FOLD_SEPARATOR;
}

enum edda_language edda_analyser_language(edda_analyser_t *self, struct edda_text text) {
    struct scan scan = {text.data, text.data, text.data + text.size};
    struct edda_vote vote = {.words = 0};
    for (;;) {
        enum edda_fold_class class = find_run(self, &scan);
        if (class == EDDA_FOLD_SEPARATOR)
            break;
        if (class != EDDA_FOLD_LETTER) {
            struct unit unit;
            while (read_unit(self, &scan, class, &unit))
                continue;
            continue;
        }
        char key[WORD_ROOM];
        struct edda_text run = {key, read_run(self, &scan, key)};
        struct edda_word word;
        edda_words_find(self->words, run, EDDA_LANGUAGE_AUTO, &word);
        if (edda_vote_word(&vote, &word))
            break;
    }
    return edda_vote_winner(&vote);
}

int edda_analyser_sift(edda_analyser_t *self, struct edda_text text, enum edda_language language,
                       const struct edda_sieve *sieve, struct edda_tokens *ret_tokens) {
    EDDA_ASSERT(language < EDDA_LANGUAGE_COUNT);
    if (text.size > UINT32_MAX)
        return EDDA_E_LIMIT;
    begin_run(self);
    if (language == EDDA_LANGUAGE_AUTO)
        language = edda_analyser_language(self, text);
    if (language == EDDA_LANGUAGE_AUTO)
        language = EDDA_LANGUAGE_ENGLISH;
    struct scan scan = {text.data, text.data, text.data + text.size};
    int error = 0;
    for (enum edda_fold_class class; (class = find_run(self, &scan)) != EDDA_FOLD_SEPARATOR;) {
        error = class == EDDA_FOLD_LETTER ? scan_word(self, &scan, language, sieve)
                                          : scan_grams(self, &scan, class, language);
        if (error != 0)
            return error;
    }
    error = take_all_pending(self, language);
    *ret_tokens = (struct edda_tokens){self->tokens, self->token_count, self->position, language};
    return error;
}

int edda_analyser_run(edda_analyser_t *self, struct edda_text text, enum edda_language language,
                      struct edda_tokens *ret_tokens) {
    return edda_analyser_sift(self, text, language, NULL, ret_tokens);
}
