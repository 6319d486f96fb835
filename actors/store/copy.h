/* actors/store/copy.h: what a whole store is, table by table, for `edda copy`.
 *
 * Both backends keep the same rows under the same ids (schema/README.md); where they differ, a
 * table's `source` says how SQLite's rows become PostgreSQL's. A source gives the rows of a table
 * always in the same order, so that a copy that was broken off goes on behind those it has. */
#ifndef EDDA_ACTORS_STORE_COPY_H
#define EDDA_ACTORS_STORE_COPY_H

#include "proto/types.h"

#define EDDA_COPY_COLUMNS 20

struct edda_copy_table {
    const char *name;     /* of the target */
    const char *columns;  /* of the target */
    const char *types;    /* one letter a column: i bigint, t text, b bytea, u uuid, v halfvec */
    const char *source;   /* SELECT in SQLite of those columns; v: float32, little-endian */
    const char *sequence; /* SELECT in SQLite of the last id ever given; NULL: no identity column */
};

/* In the order in which rows refer to rows; NULL behind the last. */
const struct edda_copy_table *edda_copy_table(size_t number);

struct edda_copy_value {
    bool absent;
    int64_t integer;         /* i */
    struct edda_bytes bytes; /* t, b, u, v: a view until the source's next row */
};

/* Of rows in any order: how many, and a sum of their sha256, modulo 2^64 each of two halves. */
struct edda_copy_digest {
    uint64_t rows;
    uint64_t sums[2];
};

/* row: in the target's binary form. */
void edda_copy_digest_add(struct edda_copy_digest *digest, struct edda_bytes row);

#endif
