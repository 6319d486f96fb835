/* actors/store/sqlite/reuse.c: which chunks of a new content the memo has already, with the vectors
 * they got then. A hint: what is not found is embedded again. */
#include "actors/store/rows.h"
#include "actors/store/sqlite/versions.h"
#include "actors/text/text.h"
#include "proto/half.h"

#define MOST_CHUNKS    4096 /* of the current version: all of them are read */
#define CHUNK_OVERHEAD 64   /* of a chunk in an encoded body, and of the body itself */

/* One chunk of the input; row is the equal chunk that was found, 0 while there is none. */
struct place {
    uint64_t hash;
    int64_t row;
    int64_t model;
};

struct reuse {
    struct edda_reader *reader;
    struct edda_sqlite_call *call;
    const struct edda_chunks *input;
    struct place *places; /* one a chunk of the input */
    uint32_t *slots;      /* open addressing by hash: place + 1, 0 is empty */
    int64_t model;        /* of the project: the one its vectors are to be of, or are */
    size_t slot_count;    /* a power of two */
};

static uint64_t hash_of(struct edda_text text, struct edda_text heading) {
    uint64_t hash = edda_text_hash(text.data ? text.data : "", text.size);
    return hash * 31 + edda_text_hash(heading.data ? heading.data : "", heading.size);
}

static int index_input(struct reuse *reuse) {
    size_t count = reuse->input->chunks.count;
    reuse->slot_count = 16;
    while (reuse->slot_count < 2 * count) {
        reuse->slot_count *= 2;
    }
    reuse->places = edda_arena_take(&reuse->call->arena, (count + 1) * sizeof(*reuse->places));
    reuse->slots = edda_arena_take(&reuse->call->arena, reuse->slot_count * sizeof(*reuse->slots));
    if (!reuse->places || !reuse->slots) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const struct edda_chunk *chunk = &reuse->input->chunks.items[i];
        uint64_t hash = hash_of(chunk->text, chunk->heading);
        size_t at = hash & (reuse->slot_count - 1);
        while (reuse->slots[at]) {
            at = (at + 1) & (reuse->slot_count - 1);
        }
        reuse->places[i].hash = hash;
        reuse->slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

/* Gives a stored chunk to every chunk of the input that equals it and has none yet. */
static void offer(struct reuse *reuse, int64_t row, struct edda_text text, struct edda_text heading,
                  int64_t model) {
    uint64_t hash = hash_of(text, heading);
    for (size_t at = hash & (reuse->slot_count - 1); reuse->slots[at];
         at = (at + 1) & (reuse->slot_count - 1)) {
        size_t i = reuse->slots[at] - 1;
        const struct edda_chunk *chunk = &reuse->input->chunks.items[i];
        struct place *place = &reuse->places[i];
        if (place->hash == hash && !place->row && edda_text_equal(chunk->text, text) &&
            edda_text_equal(chunk->heading, heading)) {
            place->row = row;
            place->model = model;
        }
    }
}

/* The memo's current version, or 0 when nothing of it can be reused. */
static int find_version(struct reuse *reuse, int64_t *ret_version) {
    const struct edda_store_put_chunks *arguments = reuse->call->request.arguments;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(reuse->reader->database, EDDA_SQL_REUSE_VERSION,
                       VALUES(TEXT(reuse->call->request.project), UUID(&arguments->memo)), &row);
    *ret_version = 0;
    if (found != 1) {
        return found;
    }
    bool usable = sqlite3_column_int64(row, 1) <= MOST_CHUNKS &&
                  edda_text_equal(edda_column_text(row, 2), reuse->input->title);
    *ret_version = usable ? sqlite3_column_int64(row, 0) : 0;
    reuse->model = sqlite3_column_int64(row, 3);
    edda_query_end(row);
    return 0;
}

static int match(struct reuse *reuse, int64_t version) {
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_begin(reuse->reader->database, EDDA_SQL_REUSE_CHUNKS,
                         VALUES(INTEGER(edda_row_first_chunk(version)),
                                INTEGER(edda_row_last_chunk(version)), INTEGER(reuse->model)),
                         &row);
    while (!found && (found = edda_query_next(reuse->reader->database, row)) == 1) {
        offer(reuse, sqlite3_column_int64(row, 0), edda_column_text(row, 1),
              edda_column_text(row, 2), sqlite3_column_int64(row, 3));
        found = 0;
    }
    edda_query_end(row);
    return found;
}

/* A message has one model: that of most chunks, of two the project's. 0: nothing was found. */
static int64_t choose_model(const struct reuse *reuse) {
    int64_t best = 0;
    size_t most = 0;
    for (size_t i = 0; i < reuse->input->chunks.count; i++) {
        size_t count = 0;
        int64_t model = reuse->places[i].model;
        for (size_t k = i; k < reuse->input->chunks.count && model && model != best; k++) {
            count += reuse->places[k].model == model;
        }
        if (count > most || (count && count == most && model == reuse->model)) {
            most = count;
            best = model;
        }
    }
    return best;
}

/* Bytes a value may take, so that all rows fit the frame beside the texts; 0: they do not. */
static size_t bytes_a_value(const struct edda_chunks *chunks) {
    size_t values = chunks->chunks.count * chunks->dimension;
    size_t used = chunks->title.size + chunks->model.size + CHUNK_OVERHEAD;
    for (size_t i = 0; i < chunks->chunks.count; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        used += chunk->text.size + chunk->heading.size + CHUNK_OVERHEAD;
    }
    size_t left = used < EDDA_MAX_FRAME_BYTES ? EDDA_MAX_FRAME_BYTES - used : 0;
    return values * sizeof(float) <= left      ? sizeof(float)
           : values * sizeof(uint16_t) <= left ? sizeof(uint16_t)
                                               : 0;
}

/* Only a vector's direction matters, so one with values that a half cannot hold is made shorter. */
static void narrow(const uint8_t *floats, uint32_t dimension, uint8_t *ret_halves) {
    float largest = 1;
    for (uint32_t i = 0; i < dimension; i++) {
        float value;
        memcpy(&value, floats + i * sizeof(value), sizeof(value));
        value = value < 0 ? -value : value;
        largest = value > largest ? value : largest;
    }
    for (uint32_t i = 0; i < dimension; i++) {
        float value;
        memcpy(&value, floats + i * sizeof(value), sizeof(value));
        uint16_t half = edda_half_from_float(value / largest);
        ret_halves[2 * i] = (uint8_t)(half & 0xff);
        ret_halves[2 * i + 1] = (uint8_t)(half >> 8);
    }
}

/* Fills the rows that were found; the others stay zero. */
static int fill(struct reuse *reuse, int64_t model, size_t value_bytes, uint8_t *rows) {
    const struct edda_chunks *output = reuse->call->record;
    size_t row_bytes = output->dimension * value_bytes;
    for (size_t i = 0; i < output->chunks.count; i++) {
        sqlite3_stmt *row = NULL;
        if (reuse->places[i].model != model) {
            continue;
        }
        int found = edda_query_one(reuse->reader->database, EDDA_SQL_REUSE_VECTOR,
                                   VALUES(INTEGER(reuse->places[i].row), INTEGER(model)), &row);
        if (found != 1) {
            return found < 0 ? found : EDDA_E_INTERNAL;
        }
        struct edda_bytes vector = edda_column_blob(row, 0);
        bool whole = vector.size == output->dimension * sizeof(float);
        if (whole && value_bytes == sizeof(float)) {
            memcpy(rows + i * row_bytes, vector.data, row_bytes);
        } else if (whole) {
            narrow(vector.data, output->dimension, rows + i * row_bytes);
        }
        edda_query_end(row);
    }
    return 0;
}

/* The vectors of one model into the output, in the form that fits. */
static int give_vectors(struct reuse *reuse, int64_t model) {
    struct edda_chunks *output = reuse->call->record;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(reuse->reader->database, EDDA_SQL_MODEL_READ, VALUES(INTEGER(model)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    int error = edda_column_copy(row, 0, &reuse->call->arena, &output->model);
    output->dimension = (uint32_t)sqlite3_column_int64(row, 1);
    edda_query_end(row);
    size_t value_bytes = bytes_a_value(output);
    size_t size = output->chunks.count * output->dimension * value_bytes;
    if (error || size == 0) {
        output->model = (struct edda_text){NULL, 0};
        output->dimension = 0;
        return error;
    }
    uint8_t *rows = edda_arena_take(&reuse->call->arena, size);
    if (!rows) {
        return EDDA_E_MEMORY;
    }
    if (value_bytes == sizeof(float)) {
        output->vectors = (struct edda_floats){rows, size};
    } else {
        output->halves = (struct edda_bytes){rows, size};
    }
    return fill(reuse, model, value_bytes, rows);
}

static int look(struct reuse *reuse) {
    int64_t version = 0;
    int error = find_version(reuse, &version);
    if (error || version == 0) {
        return error;
    }
    error = index_input(reuse);
    if (!error) {
        error = match(reuse, version);
    }
    int64_t model = error ? 0 : choose_model(reuse);
    return model ? give_vectors(reuse, model) : error;
}

int edda_reuse_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_chunks *input = call->request.input;
    struct edda_chunks *output = call->record;
    struct reuse reuse = {.reader = reader, .call = call, .input = input};
    if (!input) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "there are no chunks");
    }
    if (input->chunks.count > EDDA_MAX_CHUNKS_PER_PART) {
        return edda_sqlite_call_fail(call, EDDA_E_LIMIT, "too many chunks of one part");
    }
    *output = (struct edda_chunks){.chunks = input->chunks, .title = input->title};
    int error = edda_database_begin_read(reader->database);
    if (error) {
        return error;
    }
    error = look(&reuse);
    int ended = edda_database_end_read(reader->database);
    return error ? error : ended;
}
