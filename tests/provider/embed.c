/* tests/provider/embed.c: embeddings in every provider's shape.
 *
 * A benchmark's largest answer is 96 rows of 1,024 numbers, so rows are written straight into the
 * response: base64 by twelve bits at a time, decimals without printf. */
#include <stdlib.h>

#include "actors/runtime/write.h"
#include "tests/provider/request.h"

struct batch {
    const struct fake_request *request;
    const json_t *list;
    size_t count; /* of texts */
    size_t rows;  /* of the answer */
    size_t dimension;
    const char *model;
    uint64_t seed;
    float *floats;       /* owned; one more than dimension */
    int32_t *millionths; /* owned */
    size_t tokens;
};

/* ---- rows ---- */

static char base64_pairs[4096][2];

static void fill_pairs(void) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < 4096; i++) {
        base64_pairs[i][0] = digits[i >> 6];
        base64_pairs[i][1] = digits[i & 63];
    }
}

/* Of size bytes, which three more zero bytes follow. Returns the end. */
static char *write_base64(char *at, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        memcpy(at, base64_pairs[bits >> 12], 2);
        memcpy(at + 2, base64_pairs[bits & 4095], 2);
        at += 4;
    }
    if (size % 3 != 0) {
        memset(at - (3 - size % 3), '=', 3 - size % 3);
    }
    return at;
}

/* The numbers as little-endian float32. */
static void write_base64_row(struct edda_buffer *out, struct batch *batch, size_t dimension,
                             bool nan) {
    float *floats = batch->floats;
    char *place = (char *)edda_buffer_reserve(out, dimension * 6 + 16);
    EDDA_ASSERT(place);
    for (size_t i = 0; i < dimension; i++) {
        int32_t number = batch->millionths[i];
        floats[i] = number == 0 ? 0.0F : (float)(number / (double)FAKE_MILLION);
    }
    if (nan && dimension > 0) {
        floats[0] = __builtin_nanf("");
    }
    floats[dimension] = 0;
    char *at = place;
    *at++ = '"';
    at = write_base64(at, (const uint8_t *)floats, dimension * sizeof *floats);
    *at++ = '"';
    out->size += (size_t)(at - place);
}

static char *write_decimal(char *at, int32_t number) {
    uint32_t rest = (uint32_t)(number < 0 ? -number : number);
    if (number == 0) {
        *at++ = '0';
        return at;
    }
    if (number < 0) {
        *at++ = '-';
    }
    *at++ = (char)('0' + rest / FAKE_MILLION);
    *at++ = '.';
    rest %= FAKE_MILLION;
    for (int i = 5; i >= 0; i--, rest /= 10) {
        at[i] = (char)('0' + rest % 10);
    }
    return at + 6;
}

static void write_decimal_row(struct edda_buffer *out, const struct batch *batch, size_t dimension,
                              bool nan) {
    char *place = (char *)edda_buffer_reserve(out, dimension * 10 + 16);
    EDDA_ASSERT(place);
    char *at = place;
    *at++ = '[';
    for (size_t i = 0; i < dimension; i++) {
        if (i > 0) {
            *at++ = ',';
        }
        if (nan && i == 0) {
            memcpy(at, "NaN", 3);
            at += 3;
        } else {
            at = write_decimal(at, batch->millionths[i]);
        }
    }
    *at++ = ']';
    out->size += (size_t)(at - place);
}

static struct edda_text text_at(const struct batch *batch, size_t row) {
    const json_t *list = batch->list;
    size_t last = batch->count - 1;
    return fake_request_text(json_is_array(list) ? json_array_get(list, row < last ? row : last)
                                                 : list);
}

static void write_row(struct edda_buffer *out, struct batch *batch, size_t row, bool base64) {
    const struct fake_behaviour *behaviour = batch->request->behaviour;
    bool last = row + 1 == batch->rows;
    size_t dimension = batch->dimension - (behaviour->uneven && last && batch->dimension > 1);
    struct edda_text text = text_at(batch, row);
    batch->tokens += fake_words_vector(batch->seed, text, batch->dimension, batch->millionths);
    if (base64) {
        write_base64_row(out, batch, dimension, behaviour->nan && row == 0);
    } else {
        write_decimal_row(out, batch, dimension, behaviour->nan && row == 0);
    }
}

static void write_rows(struct edda_buffer *out, struct batch *batch, bool base64, const char *head,
                       const char *tail) {
    for (size_t row = 0; row < batch->rows; row++) {
        (void)edda_buffer_append_text(out, row > 0 ? "," : "");
        (void)edda_buffer_append_text(out, head);
        write_row(out, batch, row, base64);
        (void)edda_buffer_append_text(out, tail);
    }
}

/* ---- answers ---- */

static bool field_is(const struct batch *batch, const char *name, const char *value) {
    return edda_text_is(fake_text_of(json_object_get(batch->request->json, name)), value);
}

static void write_indexed(struct edda_buffer *out, struct batch *batch) {
    const struct fake_behaviour *behaviour = batch->request->behaviour;
    bool base64 =
        field_is(batch, "encoding_format", "base64") || field_is(batch, "embedding_type", "base64");
    EDDA_WRITE(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < batch->rows; i++) {
        size_t row = behaviour->shuffle ? batch->rows - 1 - i : i;
        size_t index = behaviour->duplicate_index && row + 1 == batch->rows ? 0 : row;
        (void)edda_buffer_printf(
            out, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", i ? "," : "", index);
        write_row(out, batch, row, base64);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "],\"model\":");
    edda_write_text(out, edda_text_of(batch->model));
    EDDA_WRITE(out, ",\"usage\":{");
    if (batch->request->provider != FAKE_VOYAGE) {
        (void)edda_buffer_printf(out, "\"prompt_tokens\":%zu,", batch->tokens);
    }
    (void)edda_buffer_printf(out, "\"total_tokens\":%zu}}", batch->tokens);
}

static void write_cohere(struct edda_buffer *out, struct batch *batch) {
    const json_t *types = json_object_get(batch->request->json, "embedding_types");
    size_t count = json_array_size(types);
    (void)edda_buffer_printf(out, "{\"id\":\"fake-%lld\",\"embeddings\":{",
                             (long long)batch->request->number);
    for (size_t i = 0; i < (count ? count : 1); i++) {
        bool base64 = edda_text_is(fake_text_of(json_array_get(types, i)), "base64");
        batch->tokens = 0;
        (void)edda_buffer_printf(out, "%s\"%s\":[", i ? "," : "", base64 ? "base64" : "float");
        write_rows(out, batch, base64, "", "");
        EDDA_WRITE(out, "]");
    }
    EDDA_WRITE(out, "},\"texts\":[");
    for (size_t i = 0; i < batch->count; i++) {
        (void)edda_buffer_append_text(out, i ? "," : "");
        edda_write_text(out, text_at(batch, i));
    }
    (void)edda_buffer_printf(out,
                             "],\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{"
                             "\"input_tokens\":%zu}},\"response_type\":\"embeddings_by_type\"}",
                             batch->tokens);
}

static void write_ollama(struct edda_buffer *out, struct batch *batch) {
    EDDA_WRITE(out, "{\"model\":");
    edda_write_text(out, edda_text_of(batch->model));
    EDDA_WRITE(out, ",\"embeddings\":[");
    write_rows(out, batch, false, "", "");
    (void)edda_buffer_printf(out,
                             "],\"total_duration\":1000000,\"load_duration\":1000,"
                             "\"prompt_eval_count\":%zu}",
                             batch->tokens);
}

static void write_body(struct edda_buffer *out, struct batch *batch) {
    switch (batch->request->provider) {
    case FAKE_COHERE:
        write_cohere(out, batch);
        break;
    case FAKE_GEMINI:
        EDDA_WRITE(out, "{\"embeddings\":[");
        write_rows(out, batch, false, "{\"values\":", "}");
        EDDA_WRITE(out, "]}");
        break;
    case FAKE_OLLAMA:
        write_ollama(out, batch);
        break;
    case FAKE_TEI:
        EDDA_WRITE(out, "[");
        write_rows(out, batch, false, "", "");
        EDDA_WRITE(out, "]");
        break;
    case FAKE_LOCAL:
        EDDA_WRITE(out, "{\"embedding\":");
        write_row(out, batch, 0, false);
        (void)edda_buffer_printf(out, ",\"dimension\":%zu}", batch->dimension);
        break;
    default:
        write_indexed(out, batch);
    }
}

/* ---- the request ---- */

static size_t wanted_dimension(const struct fake_request *request) {
    static const char *const names[] = {"dimensions", "output_dimension", "outputDimensionality"};
    const json_t *json = request->json;
    int64_t wanted = request->behaviour->wrong_dimension;
    if (request->provider == FAKE_GEMINI) {
        json = json_array_get(json_object_get(json, "requests"), 0);
    }
    for (size_t i = 0; i < 3 && wanted <= 0; i++) {
        wanted = json_integer_value(json_object_get(json, names[i]));
    }
    wanted = wanted > 0 ? wanted : request->behaviour->dimension;
    wanted = wanted > 0 ? wanted : (int64_t)request->dimension;
    return wanted < FAKE_DIMENSION_MAX ? (size_t)wanted : FAKE_DIMENSION_MAX;
}

static const char *find_fault(const struct batch *batch) {
    if (batch->count == 0) {
        return "the input is missing or empty";
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!text_at(batch, i).data) {
            return "an input is no text";
        }
    }
    return NULL;
}

struct fake_answer fake_embed_answer(const struct fake_request *request, struct edda_buffer *out) {
    char model[128];
    struct batch batch = {.request = request,
                          .list = fake_request_list(request),
                          .count = fake_request_items(request),
                          .dimension = wanted_dimension(request)};
    const char *fault = find_fault(&batch);
    if (fault) {
        return (struct fake_answer){.status = 400, .message = fault};
    }
    if (base64_pairs[0][0] == '\0') {
        fill_pairs();
    }
    int64_t rows = (int64_t)batch.count + request->behaviour->wrong_count;
    batch.rows = rows > 0 ? (size_t)rows : 0;
    batch.model = fake_request_model(request, model, sizeof model);
    batch.seed = fake_words_seed(batch.model);
    batch.floats = malloc((batch.dimension + 1) * sizeof *batch.floats);
    batch.millionths = malloc(batch.dimension * sizeof *batch.millionths);
    EDDA_ASSERT(batch.floats && batch.millionths);
    (void)edda_buffer_reserve(out, batch.rows * (batch.dimension * 6 + 64) + 256);
    write_body(out, &batch);
    free(batch.floats);
    free(batch.millionths);
    return (struct fake_answer){.status = 200, .items = batch.count, .tokens = batch.tokens};
}
