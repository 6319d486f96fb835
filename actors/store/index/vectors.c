/* actors/store/index/vectors.c: rows, quantised, and the two passes of a search. */
#include "actors/store/index/vectors.h"

#include <math.h>
#include <stdlib.h>

#define ALIGNMENT   64
#define AHEAD       4    /* rows fetched before they are compared */
#define GUESS_AHEAD 16   /* and before they are looked for */
#define HALF_AHEAD  1024 /* bytes of a float16 row fetched before it is multiplied */
#define SCAN_BLOCK  256

int edda_vectors_init(struct edda_vectors *self, struct edda_text model, uint32_t dimension) {
    *self = (struct edda_vectors){.dimension = dimension};
    self->stride = (dimension + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    self->model = strndup(model.data, model.size);
    return self->model ? 0 : EDDA_E_MEMORY;
}

void edda_vectors_done(struct edda_vectors *self) {
    free(self->model);
    free(self->rows);
    free(self->halves);
    free(self->scales);
    free(self->slots);
    *self = (struct edda_vectors){0};
}

size_t edda_vectors_bytes(const struct edda_vectors *self) {
    return self->row_capacity *
           (self->stride + 2 * (size_t)self->dimension + sizeof(float) + sizeof(uint32_t));
}

void edda_vectors_scratch_done(struct edda_vectors_scratch *scratch) {
    free(scratch->query);
    free(scratch->floats);
    free(scratch->pool);
    *scratch = (struct edda_vectors_scratch){0};
}

/* Copies and normalises to length 1; false for a zero or non-finite vector. */
static bool normalise(struct edda_floats vector, uint32_t dimension, float *ret_values) {
    double sum = 0;
    memcpy(ret_values, vector.data, (size_t)dimension * 4);
    for (uint32_t i = 0; i < dimension; i++) {
        sum += (double)ret_values[i] * (double)ret_values[i];
    }
    if (!(sum > 1e-30) || !isfinite(sum)) {
        return false;
    }
    float factor = (float)(1.0 / sqrt(sum));
    for (uint32_t i = 0; i < dimension; i++) {
        ret_values[i] *= factor;
    }
    return true;
}

#define ROUNDING (1.0 / 1024) /* of a square of a length of 1, when its values are halves */

bool edda_vectors_narrow(struct edda_floats vector, uint32_t dimension, uint16_t *ret_halves) {
    double sum = 0;
    float value;
    for (uint32_t i = 0; i < dimension; i++) {
        memcpy(&value, vector.data + (size_t)i * sizeof value, sizeof value);
        sum += (double)value * (double)value;
    }
    if (!(sum > 1e-30) || !isfinite(sum)) {
        return false;
    }
    double factor = fabs(sum - 1) <= ROUNDING ? 1 : 1 / sqrt(sum);
    for (uint32_t i = 0; i < dimension; i++) {
        memcpy(&value, vector.data + (size_t)i * sizeof value, sizeof value);
        ret_halves[i] = edda_half_from_float((float)((double)value * factor));
    }
    return true;
}

/* Returns the scale: value ~ scale * int8. ret_row is `stride` bytes. */
static float quantise(const float *values, uint32_t dimension, size_t stride, int8_t *ret_row) {
    float largest = 0;
    for (uint32_t i = 0; i < dimension; i++) {
        float absolute = fabsf(values[i]);
        largest = absolute > largest ? absolute : largest;
    }
    float scale = largest / 127.0f;
    memset(ret_row, 0, stride);
    for (uint32_t i = 0; i < dimension; i++) {
        float value = values[i] / scale;
        ret_row[i] = (int8_t)(value >= 0 ? value + 0.5f : value - 0.5f);
    }
    return scale;
}

/* Grows the four arrays together; row_capacity moves last, so a failure in between only wastes. */
static int reserve_row(struct edda_vectors *self) {
    if (self->row_count < self->row_capacity) {
        return 0;
    }
    size_t capacity = self->row_capacity + self->row_capacity / 2 + 16;
    uint16_t *halves = realloc(self->halves, capacity * self->dimension * sizeof *halves);
    if (halves) {
        self->halves = halves;
    }
    float *scales = realloc(self->scales, capacity * sizeof *scales);
    if (scales) {
        self->scales = scales;
    }
    uint32_t *slots = realloc(self->slots, capacity * sizeof *slots);
    if (slots) {
        self->slots = slots;
    }
    int8_t *rows = aligned_alloc(ALIGNMENT, capacity * self->stride);
    if (!halves || !scales || !slots || !rows) {
        free(rows);
        return EDDA_E_MEMORY;
    }
    if (self->row_count) {
        memcpy(rows, self->rows, self->row_count * self->stride);
    }
    free(self->rows);
    self->rows = rows;
    self->row_capacity = capacity;
    return 0;
}

int edda_vectors_add(struct edda_vectors *self, uint32_t slot, struct edda_floats vector) {
    int error = reserve_row(self);
    float *values = error ? NULL : malloc((size_t)self->dimension * sizeof *values);
    if (!values) {
        return EDDA_E_MEMORY;
    }
    size_t row = self->row_count;
    uint16_t *halves = self->halves + row * self->dimension;
    bool usable = edda_vectors_narrow(vector, self->dimension, halves);
    if (usable) {
        self->row_count++;
        for (uint32_t i = 0; i < self->dimension; i++) {
            values[i] = edda_half_to_float(halves[i]);
        }
        self->scales[row] =
            quantise(values, self->dimension, self->stride, self->rows + row * self->stride);
        self->slots[row] = slot;
    }
    free(values);
    return usable;
}

void edda_vectors_rebuild(struct edda_vectors *self, const uint32_t *renumbered) {
    size_t kept = 0;
    for (size_t row = 0; row < self->row_count; row++) {
        uint32_t slot = renumbered[self->slots[row]];
        if (slot == EDDA_MAP_NONE) {
            continue;
        }
        if (kept != row) {
            memcpy(self->rows + kept * self->stride, self->rows + row * self->stride, self->stride);
            memcpy(self->halves + kept * self->dimension, self->halves + row * self->dimension,
                   self->dimension * sizeof *self->halves);
            self->scales[kept] = self->scales[row];
        }
        self->slots[kept++] = slot;
    }
    self->row_count = kept;
}

/* ---- searching: a pool of the best rows by approximate score; `slot` holds the row ---- */

static void swap_scored(struct edda_scored *a, struct edda_scored *b) {
    struct edda_scored kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves the `wanted` best of count items to the front, in no order: Hoare's selection, the middle
 * of three as the pivot. */
static void keep_best(struct edda_scored *items, size_t count, size_t wanted) {
    size_t first = 0;
    size_t last = count;
    while (last - first > 1) {
        float a = items[first].score;
        float b = items[first + (last - first) / 2].score;
        float c = items[last - 1].score;
        float pivot = a > b ? (b > c ? b : (a > c ? c : a)) : (a > c ? a : (b > c ? c : b));
        size_t left = first;
        size_t right = last - 1;
        for (;;) {
            while (items[left].score > pivot) {
                left++;
            }
            while (items[right].score < pivot) {
                right--;
            }
            if (left >= right) {
                break;
            }
            swap_scored(&items[left++], &items[right--]);
        }
        size_t border = left > first ? left : first + 1;
        if (wanted == border) {
            return;
        }
        if (wanted < border) {
            last = border;
        } else {
            first = border;
        }
    }
}

static float least_of(const struct edda_scored *items, size_t count) {
    float least = items[0].score;
    for (size_t i = 1; i < count; i++) {
        least = items[i].score < least ? items[i].score : least;
    }
    return least;
}

/* The pool takes up to twice what is wanted before it is halved: far cheaper than a heap, because a
 * row costs a comparison and, rarely, a place. */
static size_t scan_rows(const struct edda_vectors *self, edda_vectors_scan_fn scan,
                        const int8_t *query, size_t wanted, edda_vectors_test_fn test,
                        void *context, struct edda_scored *pool) {
    int32_t products[SCAN_BLOCK];
    size_t held = 0;
    float least = 0;
    for (size_t first = 0; first < self->row_count; first += SCAN_BLOCK) {
        size_t left = self->row_count - first;
        size_t count = left < SCAN_BLOCK ? left : SCAN_BLOCK;
        scan(self->rows + first * self->stride, self->stride, count, query, products);
        for (size_t i = 0; i < count; i++) {
            float score = (float)products[i] * self->scales[first + i];
            if (score <= least || !test(context, self->slots[first + i])) {
                continue;
            }
            pool[held++] = (struct edda_scored){score, (uint32_t)(first + i)};
            if (held == 2 * wanted) {
                keep_best(pool, held, wanted);
                held = wanted;
                least = least_of(pool, held);
            }
        }
    }
    if (held > wanted) {
        keep_best(pool, held, wanted);
        held = wanted;
    }
    return held;
}

static int prepare_scratch(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                           size_t pool) {
    int error = EDDA_GROW(scratch->pool, scratch->pool_capacity, pool);
    if (error || self->stride <= scratch->query_capacity) {
        return error;
    }
    free(scratch->query);
    free(scratch->floats);
    scratch->query = aligned_alloc(ALIGNMENT, self->stride);
    scratch->floats = malloc(self->stride * sizeof *scratch->floats);
    scratch->query_capacity = scratch->query && scratch->floats ? self->stride : 0;
    return scratch->query_capacity ? 0 : EDDA_E_MEMORY;
}

/* The query as this model's rows are: floats and int8. False: it has no direction. */
static bool prepare_query(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                          struct edda_floats query) {
    if (query.size != (size_t)self->dimension * 4 ||
        !normalise(query, self->dimension, scratch->floats)) {
        return false;
    }
    (void)quantise(scratch->floats, self->dimension, self->stride, scratch->query);
    return true;
}

static const struct edda_vectors_kernel *best_kernel(void) {
    size_t count;
    const struct edda_vectors_kernel *kernels = edda_vectors_kernels(&count);
    return &kernels[count - 1];
}

/* The beginning of a row; what follows, the processor guesses. */
static void prefetch_half(const struct edda_vectors *self, size_t row) {
    const char *at = (const char *)(self->halves + row * self->dimension);
    size_t bytes = self->dimension * sizeof *self->halves;
    for (size_t byte = 0; byte < bytes && byte < HALF_AHEAD; byte += ALIGNMENT) {
        __builtin_prefetch(at + byte);
    }
    __builtin_prefetch(&self->slots[row]);
}

/* The cosines of the rows in the pool, which are their slots' from here; returns how many stay. */
static size_t score_pool(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                         const struct edda_vectors_kernel *kernel, float minimum, size_t held) {
    struct edda_scored *pool = scratch->pool;
    size_t kept = 0;
    for (size_t i = 0; i < held; i++) {
        uint32_t row = pool[i].slot;
        prefetch_half(self, pool[i + AHEAD < held ? i + AHEAD : i].slot);
        float score = kernel->multiply(
            scratch->floats, self->halves + (size_t)row * self->dimension, self->dimension);
        if (score > 0 && !(score < minimum)) {
            pool[kept++] = (struct edda_scored){score, self->slots[row]};
        }
    }
    return kept;
}

int edda_vectors_search(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                        struct edda_floats query, float minimum, size_t k,
                        edda_vectors_test_fn test, void *context, size_t *ret_count) {
    const struct edda_vectors_kernel *kernel = best_kernel();
    size_t wanted = k * EDDA_VECTOR_AGAIN;
    int error = prepare_scratch(self, scratch, 2 * wanted);
    *ret_count = 0;
    if (!error && prepare_query(self, scratch, query)) {
        size_t held =
            scan_rows(self, kernel->scan, scratch->query, wanted, test, context, scratch->pool);
        *ret_count = score_pool(self, scratch, kernel, minimum, held);
    }
    return error;
}

/* The row of slot at or behind `from`, row_count when it has none. Most often every chunk has a
 * vector, and the row is as far from `from` as the slots are. */
static size_t find_row(const struct edda_vectors *self, size_t from, uint32_t slot) {
    size_t last = self->row_count;
    if (from < last && slot >= self->slots[from]) {
        size_t guess = from + (slot - self->slots[from]);
        if (guess < last && self->slots[guess] == slot) {
            return guess;
        }
    }
    while (from < last) {
        size_t middle = from + (last - from) / 2;
        if (self->slots[middle] < slot) {
            from = middle + 1;
        } else {
            last = middle;
        }
    }
    return from < self->row_count && self->slots[from] == slot ? from : self->row_count;
}

/* Where find_row will look first. */
static void prefetch_guess(const struct edda_vectors *self, size_t from, uint32_t slot) {
    size_t guess = from < self->row_count ? from + (slot - self->slots[from]) : from;
    if (guess < self->row_count) {
        __builtin_prefetch(&self->slots[guess]);
    }
}

/* Rows here and there: the processor does not guess which comes next. */
static void prefetch_row(const struct edda_vectors *self, size_t row) {
    const int8_t *at = self->rows + row * self->stride;
    for (size_t byte = 0; byte < self->stride; byte += ALIGNMENT) {
        __builtin_prefetch(at + byte);
    }
    __builtin_prefetch(&self->scales[row]);
}

int edda_vectors_compare(const struct edda_vectors *self, struct edda_vectors_scratch *scratch,
                         struct edda_floats query, float minimum, size_t k, const uint32_t *slots,
                         size_t count, size_t *ret_count) {
    const struct edda_vectors_kernel *kernel = best_kernel();
    size_t wanted = k * EDDA_VECTOR_AGAIN;
    size_t held = 0;
    int error = prepare_scratch(self, scratch, count);
    *ret_count = 0;
    if (error || !prepare_query(self, scratch, query)) {
        return error;
    }
    for (size_t i = 0, from = 0; i < count; i++) {
        prefetch_guess(self, from, slots[i + GUESS_AHEAD < count ? i + GUESS_AHEAD : i]);
        size_t row = find_row(self, from, slots[i]);
        if (row < self->row_count) {
            scratch->pool[held++].slot = (uint32_t)row;
            from = row;
        }
    }
    for (size_t i = 0; i < held; i++) {
        uint32_t row = scratch->pool[i].slot;
        int32_t product;
        prefetch_row(self, scratch->pool[i + AHEAD < held ? i + AHEAD : i].slot);
        kernel->scan(self->rows + row * self->stride, self->stride, 1, scratch->query, &product);
        scratch->pool[i].score = (float)product * self->scales[row];
    }
    if (held > wanted) {
        keep_best(scratch->pool, held, wanted);
        held = wanted;
    }
    *ret_count = score_pool(self, scratch, kernel, minimum, held);
    return 0;
}
