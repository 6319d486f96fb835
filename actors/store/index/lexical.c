/* actors/store/index/lexical.c: postings, their upkeep and BM25. */
#include "actors/store/index/lexical.h"

#include <math.h>
#include <stdlib.h>

static uint8_t *posting_data(struct edda_postings *term) {
    return term->capacity ? term->data : term->inside;
}

static const uint8_t *read_data(const struct edda_postings *term) {
    return term->capacity ? term->data : term->inside;
}

void edda_lexical_done(struct edda_lexical *self) {
    for (size_t i = 0; i < self->term_count; i++) {
        if (self->terms[i].capacity) {
            free(self->terms[i].data);
        }
    }
    free(self->terms);
    free(self->places);
    free(self->lengths);
    free(self->languages);
    free(self->forward);
    edda_map_done(&self->ids);
    *self = (struct edda_lexical){0};
}

size_t edda_lexical_bytes(const struct edda_lexical *self) {
    return self->terms_capacity * sizeof *self->terms +
           self->places_capacity * sizeof *self->places +
           self->lengths_capacity * sizeof *self->lengths + self->languages_capacity +
           self->forward_capacity + self->postings_bytes +
           self->ids.size * sizeof *self->ids.entries;
}

uint32_t edda_lexical_find(const struct edda_lexical *self, uint32_t hash) {
    return edda_map_get(&self->ids, hash);
}

int edda_lexical_term(struct edda_lexical *self, uint32_t hash, uint32_t *ret_term) {
    uint32_t id = edda_map_get(&self->ids, hash);
    if (id == EDDA_MAP_NONE) {
        int error = EDDA_GROW(self->terms, self->terms_capacity, self->term_count + 1);
        if (!error) {
            error = edda_map_put(&self->ids, hash, (uint32_t)self->term_count);
        }
        if (error) {
            return error;
        }
        id = (uint32_t)self->term_count++;
        self->terms[id] = (struct edda_postings){.hash = hash, .word = EDDA_MAP_NONE};
    }
    *ret_term = id;
    return 0;
}

static int reserve_posting(struct edda_lexical *self, struct edda_postings *term) {
    size_t needed = (size_t)term->bytes + 6;
    size_t capacity = term->capacity ? term->capacity : EDDA_POSTINGS_INSIDE;
    if (needed <= capacity) {
        return 0;
    }
    size_t grown = capacity + capacity / 2 + 8;
    if (grown > UINT32_MAX) {
        return EDDA_E_LIMIT;
    }
    uint8_t *data = realloc(term->capacity ? term->data : NULL, grown);
    if (!data) {
        return EDDA_E_MEMORY;
    }
    if (!term->capacity) {
        memcpy(data, term->inside, term->bytes);
    }
    self->postings_bytes += grown - term->capacity;
    term->data = data;
    term->capacity = (uint32_t)grown;
    return 0;
}

static void append_posting(struct edda_postings *term, uint32_t slot, uint32_t tf) {
    uint8_t *data = posting_data(term);
    uint32_t gap = term->held ? slot - term->last_slot : slot;
    term->bytes += (uint32_t)edda_varint_put(data + term->bytes, gap);
    data[term->bytes++] = (uint8_t)tf;
    term->last_slot = slot;
    term->held++;
}

/* Reads the blob once to know that it is sound; returns its number of terms or an error. */
static int check_terms(struct edda_bytes terms, size_t *ret_count) {
    struct edda_terms_reader reader;
    int more = edda_terms_open(&reader, terms);
    *ret_count = reader.left;
    if (!more) {
        do {
            more = edda_terms_next(&reader);
        } while (more > 0);
    }
    return more;
}

int edda_lexical_add(struct edda_lexical *self, struct edda_bytes terms) {
    struct edda_terms_reader reader;
    size_t count;
    int error = check_terms(terms, &count);
    if (error) {
        return error;
    }
    error = EDDA_GROW(self->places, self->places_capacity, self->slot_count + 1);
    if (!error) {
        error = EDDA_GROW(self->lengths, self->lengths_capacity, self->slot_count + 1);
    }
    if (!error) {
        error = EDDA_GROW(self->languages, self->languages_capacity, self->slot_count + 1);
    }
    if (!error) {
        error =
            EDDA_GROW(self->forward, self->forward_capacity, self->forward_bytes + 5 * (count + 1));
    }
    if (!error) {
        error = edda_terms_open(&reader, terms);
    }
    if (error) {
        return error;
    }
    uint32_t slot = (uint32_t)self->slot_count++;
    self->places[slot] = self->forward_bytes;
    self->lengths[slot] = (uint16_t)reader.length;
    self->languages[slot] = (uint8_t)reader.language;
    uint8_t *forward = self->forward + self->forward_bytes;
    size_t bytes = edda_varint_put(forward, (uint32_t)count);
    while (edda_terms_next(&reader) > 0) {
        uint32_t id;
        error = edda_lexical_term(self, reader.hash, &id);
        if (!error) {
            error = reserve_posting(self, &self->terms[id]);
        }
        if (error) {
            return error; /* its postings so far are never counted; forward_bytes did not move */
        }
        append_posting(&self->terms[id], slot, reader.tf);
        bytes += edda_varint_put(forward + bytes, id);
    }
    self->forward_bytes += bytes;
    return 0;
}

void edda_lexical_count(struct edda_lexical *self, uint32_t slot, bool in) {
    const uint8_t *at = self->forward + self->places[slot];
    uint32_t change = in ? 1 : UINT32_MAX; /* -1 modulo 2^32 */
    for (uint32_t left = edda_varint_take(&at); left > 0; left--) {
        self->terms[edda_varint_take(&at)].df += change;
    }
    self->by_language[self->languages[slot]] += in ? 1 : UINT64_MAX;
    if (in) {
        self->documents++;
        self->total_length += self->lengths[slot];
    } else {
        EDDA_ASSERT(self->documents > 0 && self->total_length >= self->lengths[slot]);
        self->documents--;
        self->total_length -= self->lengths[slot];
    }
}

/* Rewrites a term's postings in place: they only become shorter or fewer. */
static void renumber_postings(struct edda_postings *term, const uint32_t *renumbered) {
    const uint8_t *at = posting_data(term);
    const uint8_t *end = at + term->bytes;
    uint32_t slot = 0;
    term->bytes = 0;
    term->held = 0;
    term->last_slot = 0;
    while (at < end) {
        slot += edda_varint_take(&at);
        uint32_t tf = *at++;
        if (renumbered[slot] != EDDA_MAP_NONE) {
            append_posting(term, renumbered[slot], tf);
        }
    }
}

/* Gives back what a shrunken list no longer needs; keeping the old memory is right too. */
static void shrink_postings(struct edda_lexical *self, struct edda_postings *term) {
    if (!term->capacity || term->bytes + 16 > term->capacity / 2) {
        return;
    }
    if (term->bytes <= EDDA_POSTINGS_INSIDE) {
        uint8_t inside[EDDA_POSTINGS_INSIDE];
        memcpy(inside, term->data, term->bytes);
        free(term->data);
        memcpy(term->inside, inside, term->bytes);
        self->postings_bytes -= term->capacity;
        term->capacity = 0;
        return;
    }
    uint8_t *data = realloc(term->data, term->bytes + 8);
    if (data) {
        self->postings_bytes -= term->capacity - (term->bytes + 8);
        term->data = data;
        term->capacity = term->bytes + 8;
    }
}

int edda_lexical_rebuild(struct edda_lexical *self, const uint32_t *renumbered) {
    uint8_t *forward = malloc(self->forward_bytes + 1);
    size_t bytes = 0;
    size_t kept = 0;
    if (!forward) {
        return EDDA_E_MEMORY;
    }
    for (size_t slot = 0; slot < self->slot_count; slot++) {
        if (renumbered[slot] == EDDA_MAP_NONE) {
            continue;
        }
        const uint8_t *from = self->forward + self->places[slot];
        const uint8_t *at = from;
        for (uint32_t left = edda_varint_take(&at); left > 0; left--) {
            (void)edda_varint_take(&at);
        }
        memcpy(forward + bytes, from, (size_t)(at - from));
        self->places[kept] = bytes;
        self->lengths[kept] = self->lengths[slot];
        self->languages[kept] = self->languages[slot];
        bytes += (size_t)(at - from);
        kept++;
    }
    for (size_t i = 0; i < self->term_count; i++) {
        renumber_postings(&self->terms[i], renumbered);
        shrink_postings(self, &self->terms[i]);
    }
    free(self->forward);
    self->forward_capacity = self->forward_bytes + 1;
    self->forward = forward;
    self->forward_bytes = bytes;
    self->slot_count = kept;
    return 0;
}

enum edda_language edda_lexical_language(const struct edda_lexical *self) {
    size_t best = EDDA_LANGUAGE_AUTO;
    for (size_t i = EDDA_LANGUAGE_AUTO + 1; i < EDDA_LANGUAGE_COUNT; i++) {
        if (self->by_language[i] > self->by_language[best] || self->by_language[best] == 0) {
            best = i;
        }
    }
    return self->by_language[best] ? (enum edda_language)best : EDDA_LANGUAGE_AUTO;
}

float edda_lexical_idf(const struct edda_lexical *self, uint32_t df) {
    double rest = (double)self->documents - (double)df + 0.5;
    return (float)log(1.0 + (rest > 0.5 ? rest : 0.5) / ((double)df + 0.5));
}

void edda_lexical_begin(const struct edda_lexical *self, struct edda_lexical_sums *sums) {
    double average = self->documents && self->total_length
                         ? (double)self->total_length / (double)self->documents
                         : 1.0;
    sums->base = EDDA_BM25_K1 * (1 - EDDA_BM25_B);
    sums->slope = (float)((double)(EDDA_BM25_K1 * EDDA_BM25_B) / average);
    for (size_t i = 0; i < EDDA_LEXICAL_FEW; i++) {
        float tf = (float)(i + 1);
        for (size_t length = 0; length < EDDA_LEXICAL_SHORT; length++) {
            sums->few[i][length] = tf / (tf + sums->base + sums->slope * (float)length);
        }
    }
}

/* The next posting's slot, and the share of its word's weight that it gets. */
static inline float take_posting(const struct edda_lexical *self,
                                 const struct edda_lexical_sums *sums, const uint8_t **at,
                                 uint32_t *slot) {
    *slot += edda_varint_take(at);
    uint32_t tf = *(*at)++;
    uint32_t length = self->lengths[*slot];
    if (tf <= EDDA_LEXICAL_FEW && length < EDDA_LEXICAL_SHORT) {
        return sums->few[tf - 1][length];
    }
    return (float)tf / ((float)tf + sums->base + sums->slope * (float)length);
}

void edda_lexical_sum(const struct edda_lexical *self, uint32_t term, float weight,
                      const struct edda_lexical_sums *sums) {
    const struct edda_postings *postings = &self->terms[term];
    const uint8_t *at = read_data(postings);
    const uint8_t *end = at + postings->bytes;
    uint32_t slot = 0;
    weight *= EDDA_BM25_K1 + 1;
    while (at < end) {
        float share = take_posting(self, sums, &at, &slot);
        sums->scores[slot] += weight * share;
    }
}

void edda_lexical_sum_best(const struct edda_lexical *self, uint32_t term, float weight,
                           struct edda_lexical_sums *sums) {
    const struct edda_postings *postings = &self->terms[term];
    const uint8_t *at = read_data(postings);
    const uint8_t *end = at + postings->bytes;
    uint32_t slot = 0;
    weight *= EDDA_BM25_K1 + 1;
    while (at < end) {
        float score = weight * take_posting(self, sums, &at, &slot);
        if (score > sums->best[slot]) {
            if (sums->best[slot] == 0) {
                sums->touched[sums->touched_count++] = slot;
            }
            sums->best[slot] = score;
        }
    }
}

void edda_lexical_end_group(struct edda_lexical_sums *sums) {
    for (size_t i = 0; i < sums->touched_count; i++) {
        uint32_t slot = sums->touched[i];
        sums->scores[slot] += sums->best[slot];
        sums->best[slot] = 0;
    }
    sums->touched_count = 0;
}
