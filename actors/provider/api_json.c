/* actors/provider/api_json.c: what every provider's JSON has in common. */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/provider/api_state.h"
#include "proto/limits.h"

/* ---- out ---- */

void edda_api_path(struct edda_api_request *request, const struct edda_account *account,
                   const char *path) {
    int size = snprintf(request->url, sizeof request->url, "%s%s", account->url, path);
    if (size < 0 || (size_t)size >= sizeof request->url) {
        request->body.error = EDDA_E_LIMIT;
    }
}

void edda_api_header(struct edda_api_request *request, const char *name, const char *value) {
    size_t count = 0;
    while (request->header_list[count]) {
        count++;
    }
    EDDA_ASSERT(count < EDDA_OUTBOUND_HEADERS);
    if (!*value) {
        return;
    }
    int size =
        snprintf(request->headers[count], sizeof request->headers[count], "%s: %s", name, value);
    bool plain = value[strcspn(value, "\r\n")] == '\0';
    if (size < 0 || (size_t)size >= sizeof request->headers[count] || !plain) {
        request->body.error = EDDA_E_LIMIT;
    }
    request->header_list[count] = request->headers[count];
}

void edda_api_usual_headers(struct edda_api_request *request, const struct edda_account *account) {
    char bearer[EDDA_API_HEADER];
    edda_api_header(request, "Accept", "application/json");
    edda_api_header(request, "Content-Type", "application/json");
    if (*account->key) {
        (void)snprintf(bearer, sizeof bearer, "Bearer %s", account->key);
        edda_api_header(request, "Authorization", bearer);
        explicit_bzero(bearer, sizeof bearer);
    }
}

void edda_api_texts(struct edda_buffer *out, const struct edda_texts *texts) {
    EDDA_WRITE(out, "[");
    for (size_t i = 0; i < texts->count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "");
        edda_write_text(out, texts->items[i].data ? texts->items[i] : EDDA_TEXT(""));
    }
    EDDA_WRITE(out, "]");
}

void edda_api_number(struct edda_buffer *out, const char *name, uint64_t number) {
    (void)edda_buffer_printf(out, ",\"%s\":", name);
    edda_write_unsigned(out, number);
}

/* ---- rows ---- */

static int fail_rows(struct edda_api_rows *rows, const char *why) {
    rows->why = why;
    return EDDA_E_FAILED;
}

/* Where a row of this many values goes. */
static int take_place(struct edda_api_rows *rows, size_t index, size_t values, float **ret_row) {
    if (index >= rows->count) {
        return fail_rows(rows, "a vector for no text");
    }
    if (rows->has[index]) {
        return fail_rows(rows, "two vectors for one text");
    }
    if (values == 0 || values > EDDA_MAX_DIMENSION) {
        return fail_rows(rows, "a vector without values, or with too many");
    }
    if (rows->dimension != 0 && rows->dimension != values) {
        return fail_rows(rows, "a vector of another dimension");
    }
    struct edda_embed_vectors *vectors = rows->vectors;
    if (!vectors->values) {
        vectors->values = calloc(rows->count, values * sizeof *vectors->values);
        if (!vectors->values) {
            return EDDA_E_MEMORY;
        }
        rows->dimension = (uint32_t)values;
        vectors->dimension = (uint32_t)values;
    }
    rows->has[index] = true;
    rows->filled++;
    *ret_row = vectors->values + index * values;
    return 0;
}

static int read_numbers(struct edda_api_rows *rows, size_t index, const json_t *list) {
    float *row = NULL;
    int error = take_place(rows, index, json_array_size(list), &row);
    for (size_t i = 0; i < json_array_size(list) && !error; i++) {
        const json_t *value = json_array_get(list, i);
        row[i] = (float)json_number_value(value);
        if (!json_is_number(value) || !isfinite(row[i])) {
            error = fail_rows(rows, "a vector holds a value that is no number");
        }
    }
    return error;
}

/* Little-endian float32, as this house's machines have them. */
static int read_base64(struct edda_api_rows *rows, size_t index, const json_t *text) {
    size_t length = json_string_length(text);
    size_t most = length / 4 * 3 + 3;
    size_t size = 0;
    float *row = NULL;
    uint8_t *bytes = malloc(most);
    if (!bytes) {
        return EDDA_E_MEMORY;
    }
    int error = 0;
    if (sodium_base642bin(bytes, most, json_string_value(text), length, "\r\n", &size, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        size % sizeof(float) != 0) {
        error = fail_rows(rows, "a vector is no base64 of floats");
    }
    if (!error) {
        error = take_place(rows, index, size / sizeof(float), &row);
    }
    if (!error) {
        memcpy(row, bytes, size);
        for (size_t i = 0; i < size / sizeof(float) && !error; i++) {
            if (!isfinite(row[i])) {
                error = fail_rows(rows, "a vector holds a value that is no number");
            }
        }
    }
    free(bytes);
    return error;
}

int edda_api_row(struct edda_api_rows *rows, size_t index, const json_t *value) {
    if (json_is_string(value)) {
        return read_base64(rows, index, value);
    }
    return json_is_array(value) ? read_numbers(rows, index, value)
                                : fail_rows(rows, "a vector is no list of numbers");
}

int edda_api_indexed_rows(struct edda_api_rows *rows, const json_t *list) {
    int error = json_is_array(list) ? 0 : fail_rows(rows, "it has no list of vectors");
    for (size_t i = 0; i < json_array_size(list) && !error; i++) {
        const json_t *item = json_array_get(list, i);
        int64_t index = (int64_t)i;
        if (json_object_get(item, "index")) {
            index = edda_api_whole(item, "index");
        }
        error = index < 0 ? fail_rows(rows, "an index is no number")
                          : edda_api_row(rows, (size_t)index, json_object_get(item, "embedding"));
    }
    return error;
}

int edda_api_plain_rows(struct edda_api_rows *rows, const json_t *list) {
    int error = json_is_array(list) ? 0 : fail_rows(rows, "it has no list of vectors");
    for (size_t i = 0; i < json_array_size(list) && !error; i++) {
        error = edda_api_row(rows, i, json_array_get(list, i));
    }
    return error;
}

int64_t edda_api_whole(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
                                                                    : -1;
}

/* ---- scores ---- */

static int fill_scores(const json_t *list, const char *name, size_t count, double *ret_scores,
                       bool *has, const char **ret_why) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *score = json_object_get(item, name);
        int64_t index = edda_api_whole(item, "index");
        if (index < 0 || (size_t)index >= count) {
            *ret_why = "a score for no document";
            return EDDA_E_FAILED;
        }
        if (has[index]) {
            *ret_why = "two scores for one document";
            return EDDA_E_FAILED;
        }
        double value = json_number_value(score);
        if (!json_is_number(score) || !isfinite(value)) {
            *ret_why = "a score is no number";
            return EDDA_E_FAILED;
        }
        has[index] = true;
        ret_scores[index] = value < 0 ? 0 : value > 1 ? 1 : value;
    }
    *ret_why = "a document has no score";
    return json_array_size(list) == count ? 0 : EDDA_E_FAILED;
}

int edda_api_scores(const json_t *list, const char *name, size_t count, double *ret_scores,
                    const char **ret_why) {
    if (!json_is_array(list)) {
        *ret_why = "it has no list of scores";
        return EDDA_E_FAILED;
    }
    bool *has = calloc(count + 1, sizeof *has);
    if (!has) {
        return EDDA_E_MEMORY;
    }
    int error = fill_scores(list, name, count, ret_scores, has, ret_why);
    free(has);
    return error;
}
