/* actors/store/postgres/row.c: columns out of libpq's results, each checked before it is read. */
#include "actors/store/postgres/row.h"

#include <endian.h>
#include <libpq-fe.h>

#include "proto/half.h"

#define ARRAY_HEAD 12 /* dimensions, NULLs, element type */
#define ARRAY_SIZE 8  /* count, lower bound */

void edda_pg_result_free(edda_pg_result_t *result) {
    PQclear(result);
}

size_t edda_pg_rows(const edda_pg_result_t *result) {
    return (size_t)PQntuples(result);
}

uint64_t edda_pg_changed(const edda_pg_result_t *result) {
    uint64_t count = 0;
    /* Not const in libpq, which changes nothing. */
    for (const char *at = PQcmdTuples((PGresult *)(uintptr_t)result); *at >= '0' && *at <= '9';
         at++) {
        count = count * 10 + (uint64_t)(*at - '0');
    }
    return count;
}

struct edda_pg_row edda_pg_row(const edda_pg_result_t *result, size_t number) {
    bool there = number < edda_pg_rows(result);
    return (struct edda_pg_row){
        .result = result, .number = there ? (int)number : -1, .error = there ? 0 : EDDA_E_IO};
}

static void refuse(struct edda_pg_row *row) {
    row->error = EDDA_E_IO;
}

/* Whether the column is there at all. Binary, or nothing can be said of it. */
static bool has_column(struct edda_pg_row *row, int column) {
    if (row->number < 0 || column < 0 || column >= PQnfields(row->result) ||
        PQfformat(row->result, column) != 1) {
        refuse(row);
        return false;
    }
    return true;
}

/* Absent: NULL, or not there. */
static struct edda_bytes find(struct edda_pg_row *row, int column) {
    if (!has_column(row, column) || PQgetisnull(row->result, row->number, column)) {
        return (struct edda_bytes){NULL, 0};
    }
    const char *value = PQgetvalue(row->result, row->number, column);
    int size = PQgetlength(row->result, row->number, column);
    return (struct edda_bytes){(const uint8_t *)value, size > 0 ? (size_t)size : 0};
}

/* The same for one whose type and length must be these. */
static bool find_fixed(struct edda_pg_row *row, int column, uint32_t type, size_t size,
                       struct edda_bytes *ret_bytes) {
    *ret_bytes = find(row, column);
    if (!ret_bytes->data) {
        return false;
    }
    if (PQftype(row->result, column) != type || ret_bytes->size != size) {
        refuse(row);
        return false;
    }
    return true;
}

bool edda_pg_is_absent(struct edda_pg_row *row, int column) {
    return !find(row, column).data;
}

/* ---- numbers ---- */

static uint16_t read16(const uint8_t *data) {
    uint16_t bits;
    memcpy(&bits, data, sizeof bits);
    return be16toh(bits);
}

static uint32_t read32(const uint8_t *data) {
    uint32_t bits;
    memcpy(&bits, data, sizeof bits);
    return be32toh(bits);
}

static uint64_t read64(const uint8_t *data) {
    uint64_t bits;
    memcpy(&bits, data, sizeof bits);
    return be64toh(bits);
}

/* False: NULL, or no integer, which row->error says. */
static bool read_integer(struct edda_pg_row *row, int column, int64_t *ret_value) {
    struct edda_bytes bytes = find(row, column);
    if (!bytes.data) {
        return false;
    }
    uint32_t type = PQftype(row->result, column);
    if (type == EDDA_PG_BIGINT && bytes.size == 8) {
        *ret_value = (int64_t)read64(bytes.data);
    } else if (type == EDDA_PG_INTEGER && bytes.size == 4) {
        *ret_value = (int32_t)read32(bytes.data);
    } else if (type == EDDA_PG_OID && bytes.size == 4) {
        *ret_value = read32(bytes.data);
    } else if (type == EDDA_PG_SMALLINT && bytes.size == 2) {
        *ret_value = (int16_t)read16(bytes.data);
    } else {
        refuse(row);
        return false;
    }
    return true;
}

int64_t edda_pg_bigint(struct edda_pg_row *row, int column) {
    int64_t value = 0;
    if (!read_integer(row, column, &value)) {
        refuse(row);
    }
    return value;
}

int64_t edda_pg_bigint_or(struct edda_pg_row *row, int column, int64_t fallback) {
    int64_t value = fallback;
    (void)read_integer(row, column, &value);
    return value;
}

bool edda_pg_boolean(struct edda_pg_row *row, int column) {
    struct edda_bytes bytes;
    if (!find_fixed(row, column, EDDA_PG_BOOLEAN, 1, &bytes) || bytes.data[0] > 1) {
        refuse(row);
        return false;
    }
    return bytes.data[0] == 1;
}

double edda_pg_double(struct edda_pg_row *row, int column) {
    struct edda_bytes bytes = find(row, column);
    uint32_t type = bytes.data ? PQftype(row->result, column) : EDDA_PG_ANY;
    if (type == EDDA_PG_DOUBLE && bytes.size == 8) {
        uint64_t bits = read64(bytes.data);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (type == EDDA_PG_REAL && bytes.size == 4) {
        uint32_t bits = read32(bytes.data);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    refuse(row);
    return 0;
}

/* ---- bytes ---- */

struct edda_text edda_pg_text(struct edda_pg_row *row, int column) {
    struct edda_bytes bytes = find(row, column);
    uint32_t type = bytes.data ? PQftype(row->result, column) : EDDA_PG_TEXT;
    if (type != EDDA_PG_TEXT && type != EDDA_PG_VARCHAR && type != EDDA_PG_NAME) {
        refuse(row);
        return (struct edda_text){NULL, 0};
    }
    return (struct edda_text){(const char *)bytes.data, bytes.size};
}

struct edda_bytes edda_pg_bytea(struct edda_pg_row *row, int column) {
    struct edda_bytes bytes = find(row, column);
    if (bytes.data && PQftype(row->result, column) != EDDA_PG_BYTEA) {
        refuse(row);
        return (struct edda_bytes){NULL, 0};
    }
    return bytes;
}

struct edda_uuid edda_pg_uuid(struct edda_pg_row *row, int column) {
    struct edda_uuid uuid = {{0}};
    struct edda_bytes bytes;
    if (find_fixed(row, column, EDDA_PG_UUID, sizeof uuid.bytes, &bytes)) {
        memcpy(uuid.bytes, bytes.data, sizeof uuid.bytes);
    }
    return uuid;
}

struct edda_pg_halves edda_pg_halfvec(struct edda_pg_row *row, int column) {
    struct edda_bytes bytes = find(row, column);
    if (!bytes.data) {
        return (struct edda_pg_halves){NULL, 0};
    }
    size_t dimension = bytes.size >= 4 ? read16(bytes.data) : 0;
    if (dimension == 0 || bytes.size != 4 + dimension * 2) {
        refuse(row);
        return (struct edda_pg_halves){NULL, 0};
    }
    return (struct edda_pg_halves){bytes.data + 4, dimension};
}

void edda_pg_halves_to_floats(struct edda_pg_halves halves, float *ret_floats) {
    for (size_t i = 0; i < halves.dimension; i++) {
        ret_floats[i] = edda_half_to_float(read16(halves.data + i * 2));
    }
}

/* ---- arrays ---- */

struct edda_pg_elements edda_pg_array(struct edda_pg_row *row, int column, uint32_t element) {
    struct edda_pg_elements none = {NULL, NULL, 0};
    struct edda_bytes bytes = find(row, column);
    if (!bytes.data) {
        return none;
    }
    uint32_t dimensions = bytes.size >= ARRAY_HEAD ? read32(bytes.data) : UINT32_MAX;
    if (dimensions > 1 || read32(bytes.data + 8) != element ||
        (dimensions == 1 && bytes.size < ARRAY_HEAD + ARRAY_SIZE)) {
        refuse(row);
        return none;
    }
    if (dimensions == 0) {
        return none;
    }
    return (struct edda_pg_elements){
        .at = bytes.data + ARRAY_HEAD + ARRAY_SIZE,
        .end = bytes.data + bytes.size,
        .left = read32(bytes.data + ARRAY_HEAD),
    };
}

bool edda_pg_array_next(struct edda_pg_row *row, struct edda_pg_elements *elements,
                        struct edda_bytes *ret_bytes) {
    *ret_bytes = (struct edda_bytes){NULL, 0};
    if (elements->left == 0) {
        return false;
    }
    elements->left--;
    size_t room = (size_t)(elements->end - elements->at);
    uint32_t size = room >= 4 ? read32(elements->at) : 0;
    bool absent = size == UINT32_MAX;
    if (room < 4 || (!absent && size > room - 4)) {
        refuse(row);
        elements->left = 0;
        return false;
    }
    elements->at += 4;
    if (!absent) {
        *ret_bytes = (struct edda_bytes){elements->at, size};
        elements->at += size;
    }
    return true;
}
