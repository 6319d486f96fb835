/* actors/store/index/grams.c: the sample of 4-grams, and scoring texts by a query's grams. */
#include "actors/store/index/grams.h"

#include "actors/store/index/lexical.h"

#include <math.h>
#include <stdlib.h>

typedef uint8_t lanes __attribute__((vector_size(16)));

/* The lower-case letter or digit of each byte, and 255 where there is none in *ret_gaps. */
static lanes fold_lanes(lanes bytes, lanes *ret_gaps) {
    lanes low = bytes | 0x20;
    lanes letters = (lanes)((low - 'a') < 26);
    lanes digits = (lanes)((bytes - '0') < 10);
    lanes gaps = ~(letters | digits);
    *ret_gaps = gaps;
    return (low & letters) | (bytes & digits) | (gaps & '_');
}

uint8_t edda_gram_fold_byte(uint8_t byte) {
    uint8_t low = byte | 0x20;
    bool letter = low >= 'a' && low <= 'z';
    bool digit = byte >= '0' && byte <= '9';
    return letter ? low : digit ? byte : '_';
}

const char *edda_gram_ascii_end(const char *at, const char *end) {
    uint64_t eight;
    for (; end - at >= 8; at += 8) {
        memcpy(&eight, at, 8);
        if (eight & UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    while (at < end && (unsigned char)*at < 0x80) {
        at++;
    }
    return at;
}

uint32_t edda_gram_fold_ascii(const char *from, size_t count, uint8_t before, uint8_t *ret_folded) {
    lanes letters = {0}; /* at most EDDA_GRAM_BLOCK / 16 in each */
    lanes ends = {0};
    uint8_t last[16] = {0};
    uint32_t length = 0;
    ret_folded[-1] = before; /* so that each byte's forerunner is one load away */
    for (size_t i = 0; i < count; i += 16) {
        lanes bytes;
        lanes gaps;
        lanes forerunners;
        if (count - i >= 16) {
            memcpy(&bytes, from + i, 16);
        } else { /* the rest counts as letters and is taken off below */
            memset(last, 'a', sizeof last);
            memcpy(last, from + i, count - i);
            memcpy(&bytes, last, 16);
        }
        lanes folded = fold_lanes(bytes, &gaps);
        memcpy(ret_folded + i, &folded, 16);
        memcpy(&forerunners, ret_folded + i - 1, 16);
        letters += ~gaps & 1;
        ends += gaps & (lanes)(forerunners != '_') & 1;
    }
    for (size_t i = 0; i < 16; i++) {
        length += letters[i];
        length -= ends[i];
    }
    return length - (uint32_t)((16 - count % 16) % 16);
}

int edda_folder_init(struct edda_folder *folder) {
    folder->entries = calloc(EDDA_FOLDER_POINTS, sizeof *folder->entries);
    return folder->entries ? 0 : EDDA_E_MEMORY;
}

void edda_folder_done(struct edda_folder *folder) {
    free(folder->entries);
    folder->entries = NULL;
}

static struct edda_folded fold_point(uint32_t point) {
    char bytes[4];
    struct edda_folded folded;
    edda_fold_run((struct edda_text){bytes, edda_fold_encode(point, bytes)}, &folded);
    return folded;
}

uint32_t edda_folder_learn(struct edda_folder *folder, uint32_t point) {
    uint32_t kind = (uint32_t)edda_fold_class(point);
    uint32_t folded = 0;
    uint32_t more = 0;
    if (kind == EDDA_FOLD_CJK || kind == EDDA_FOLD_UNSPACED) {
        folded = edda_fold_unspaced(point, 0) & 0xFFFF;
    } else if (kind != EDDA_FOLD_SEPARATOR && !(point >= 0x300 && point < 0x370)) {
        struct edda_folded run = fold_point(point);
        const char *at = run.bytes;
        if (run.size) {
            folded = edda_text_next(&at, run.bytes + run.size) & 0xFFFF;
            more = at < run.bytes + run.size ? EDDA_FOLDER_SECOND : 0;
        }
    }
    uint32_t entry = kind << EDDA_FOLDER_CLASS_SHIFT | folded | more;
    if (point < EDDA_FOLDER_POINTS) {
        folder->entries[point] = entry;
    }
    return entry;
}

size_t edda_folder_rest(uint32_t point, uint32_t ret_points[3]) {
    struct edda_folded run = fold_point(point);
    const char *at = run.bytes;
    const char *end = run.bytes + run.size;
    size_t count = 0;
    if (at < end) {
        (void)edda_text_next(&at, end);
    }
    while (at < end && count < 3) {
        ret_points[count++] = edda_text_next(&at, end);
    }
    return count;
}

/* ---- the sample ---- */

void edda_gram_sample_done(struct edda_gram_sample *sample) {
    for (size_t i = 0; i < sample->chunk_count; i++) {
        free(sample->chunks[i].items);
    }
    free(sample->chunks);
    edda_map_done(&sample->df);
    *sample = (struct edda_gram_sample){0};
}

size_t edda_gram_sample_bytes(const struct edda_gram_sample *sample) {
    return sample->chunks_capacity * sizeof *sample->chunks + sample->item_bytes +
           sample->df.size * sizeof *sample->df.entries;
}

uint64_t edda_gram_sample_key(const struct edda_uuid *uuid) {
    return edda_text_hash(uuid->bytes, sizeof uuid->bytes);
}

static uint32_t sampled_df(const struct edda_gram_sample *sample, uint32_t gram) {
    uint32_t df = edda_map_get(&sample->df, gram);
    return df == EDDA_MAP_NONE ? 0 : df;
}

static void forget_grams(struct edda_gram_sample *sample, const uint32_t *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t df = sampled_df(sample, items[i]);
        if (df > 1) {
            int error = edda_map_put(&sample->df, items[i], df - 1);
            EDDA_ASSERT(!error); /* the key is there */
        } else {
            edda_map_remove(&sample->df, items[i]);
        }
    }
}

int edda_gram_sample_take(struct edda_gram_sample *sample, struct edda_index_grams *grams) {
    int error = EDDA_GROW(sample->chunks, sample->chunks_capacity, sample->chunk_count + 1);
    for (size_t i = 0; !error && i < grams->count; i++) {
        error = edda_map_put(&sample->df, grams->items[i], sampled_df(sample, grams->items[i]) + 1);
        if (error) {
            forget_grams(sample, grams->items, i);
        }
    }
    if (error) {
        return error;
    }
    sample->chunks[sample->chunk_count++] = (struct edda_sampled){
        .key = edda_gram_sample_key(&grams->uuid),
        .uuid = grams->uuid,
        .items = grams->items,
        .count = (uint32_t)grams->count,
        .length = grams->length,
    };
    sample->total_length += grams->length;
    sample->item_bytes += grams->count * sizeof *grams->items;
    *grams = (struct edda_index_grams){.uuid = grams->uuid};
    return 0;
}

void edda_gram_sample_drop(struct edda_gram_sample *sample, size_t i) {
    struct edda_sampled *dropped = &sample->chunks[i];
    forget_grams(sample, dropped->items, dropped->count);
    sample->total_length -= dropped->length;
    sample->item_bytes -= dropped->count * sizeof *dropped->items;
    free(dropped->items);
    *dropped = sample->chunks[--sample->chunk_count];
}

struct collected {
    uint32_t *items;
    size_t capacity;
    size_t count;
    int error;
};

static inline void collect_gram(void *context, bool whole, uint32_t key) {
    struct collected *collected = context;
    if (!whole) {
        return;
    }
    if (collected->count == collected->capacity && !collected->error) {
        collected->error = EDDA_GROW(collected->items, collected->capacity, collected->count + 512);
    }
    if (!collected->error) {
        collected->items[collected->count++] = key;
    }
}

static int compare_keys(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

int edda_grams_collect(struct edda_folder *folder, const struct edda_index_text *text,
                       struct edda_index_grams *ret_grams) {
    struct collected all = {0};
    const struct edda_text fields[] = {text->title, text->heading, text->text};
    uint32_t length = 0;
    for (size_t i = 0; i < 3; i++) {
        length += edda_gram_scan(folder, fields[i], collect_gram, &all);
    }
    if (all.error) {
        free(all.items);
        return all.error;
    }
    size_t kept = 0;
    if (all.count) {
        qsort(all.items, all.count, sizeof *all.items, compare_keys);
        for (size_t i = 0; i < all.count; i++) {
            if (kept == 0 || all.items[kept - 1] != all.items[i]) {
                all.items[kept++] = all.items[i];
            }
        }
        uint32_t *fitted = realloc(all.items, kept * sizeof *fitted);
        all.items = fitted ? fitted : all.items;
    }
    ret_grams->items = all.items;
    ret_grams->count = kept;
    ret_grams->length = length;
    return 0;
}

/* ---- a query ---- */

void edda_gram_query_clear(struct edda_gram_query *query) {
    memset(query->filter, 0, sizeof query->filter);
    memset(query->places, 0, sizeof query->places);
    memset(query->counts, 0, sizeof query->counts);
    query->count = 0;
    query->touched_count = 0;
}

/* The place of key in the table, or the empty one where it would go. */
static inline size_t find_gram(const struct edda_gram_query *query, uint32_t key) {
    size_t place = key >> 21; /* the high bits are the well mixed ones */
    while (query->places[place] && query->keys[query->places[place] - 1] != key) {
        place = (place + 1) % EDDA_GRAMS_PLACES;
    }
    return place;
}

static inline void add_gram(void *context, bool whole, uint32_t key) {
    struct edda_gram_query *query = context;
    if (!whole) {
        return;
    }
    size_t place = find_gram(query, key);
    if (query->places[place]) {
        query->weights[query->places[place] - 1]++;
    } else if (query->count < EDDA_GRAMS_MAX) {
        query->keys[query->count] = key;
        query->weights[query->count] = 1;
        query->places[place] = (uint16_t)++query->count;
        query->filter[key >> 20] = 1;
    }
}

void edda_gram_query_add(struct edda_gram_query *query, struct edda_folder *folder,
                         const struct edda_token *token) {
    if (token->kind != EDDA_TOKEN_CJK) {
        (void)edda_gram_scan(folder, token->surface, add_gram, query);
        return;
    }
    const char *at = token->surface.data;
    const char *end = at + token->surface.size;
    uint64_t window = 0;
    unsigned count = 0;
    while (at < end && count < EDDA_GRAM_POINTS) {
        window = window << 16 | (edda_text_next(&at, end) & 0xFFFF);
        count++;
    }
    if (count > 0) {
        add_gram(query, true,
                 count < EDDA_GRAM_POINTS ? edda_gram_short_key(window, count)
                                          : edda_gram_key(window));
    }
}

void edda_gram_query_ready(struct edda_gram_query *query, const struct edda_gram_sample *sample) {
    double documents = (double)sample->chunk_count;
    double average = sample->chunk_count && sample->total_length
                         ? (double)sample->total_length / documents
                         : 1000.0;
    query->base = EDDA_BM25_K1 * (1 - EDDA_BM25_B);
    query->slope = (float)((double)(EDDA_BM25_K1 * EDDA_BM25_B) / average);
    for (size_t i = 0; i < query->count; i++) {
        double df = sampled_df(sample, query->keys[i]);
        query->idf[i] = (float)log(1.0 + (documents - df + 0.5) / (df + 0.5)) *
                        (float)query->weights[i] * (EDDA_BM25_K1 + 1);
    }
}

static void count_found(struct edda_gram_query *query, uint32_t key) {
    size_t place = find_gram(query, key);
    if (query->places[place]) {
        uint16_t gram = (uint16_t)(query->places[place] - 1);
        if (query->counts[gram]++ == 0) {
            query->touched[query->touched_count++] = gram;
        }
    }
}

/* A window across two words is no gram of the query, so it need not be refused here. */
static inline void count_gram(void *context, bool whole, uint32_t key) {
    struct edda_gram_query *query = context;
    (void)whole;
    if (__builtin_expect(query->filter[key >> 20], 0)) {
        count_found(query, key);
    }
}

float edda_gram_query_score(struct edda_gram_query *query, struct edda_folder *folder,
                            const struct edda_index_text *text) {
    const struct edda_text fields[] = {text->title, text->heading, text->text};
    uint32_t length = 0;
    query->touched_count = 0;
    for (size_t i = 0; i < 3; i++) {
        length += edda_gram_scan(folder, fields[i], count_gram, query);
    }
    float norm = query->base + query->slope * (float)length;
    float score = 0;
    for (size_t i = 0; i < query->touched_count; i++) {
        uint16_t gram = query->touched[i];
        float tf = (float)query->counts[gram];
        score += query->idf[gram] * tf / (tf + norm);
        query->counts[gram] = 0;
    }
    return score;
}
