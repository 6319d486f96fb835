/* proto/walk.h: looks over untrusted msgpack before anything reads it, then reads it in place.
 *
 * msgpack-c reserves memory for declared counts: five bytes can ask for 8 GB (msgpack-c issue
 * 1013). So: walk first, needing no memory, then read slices of the same bytes. Packing is
 * msgpack-c's. Source of the format: https://github.com/msgpack/msgpack/blob/master/spec.md */
#ifndef EDDA_PROTO_WALK_H
#define EDDA_PROTO_WALK_H

#include "proto/error.h"
#include "proto/types.h"

/* Accepts exactly one complete value without trailing bytes, at most depth nested containers and
 * objects values in all, every declared count and length fitting in the bytes left, every map key
 * an unsigned integer and strictly ascending. Ext types are refused. EDDA_E_MALFORMED otherwise. */
int edda_walk(struct edda_bytes bytes, unsigned depth, size_t objects) EDDA_MUST_CHECK;

/* A cursor over bytes that edda_walk accepted. Reading a value of another type than asked for sets
 * error to EDDA_E_MALFORMED, one over its maximum to EDDA_E_LIMIT; after that every read returns
 * zero values. Texts, bytes, maps and arrays: read.h. */
struct edda_reader {
    const uint8_t *at;
    const uint8_t *end;
    int error;
};

void edda_reader_init(struct edda_reader *reader, struct edda_bytes bytes);
uint64_t edda_reader_unsigned(struct edda_reader *reader, uint64_t maximum);
int64_t edda_reader_signed(struct edda_reader *reader);
double edda_reader_double(struct edda_reader *reader);
bool edda_reader_bool(struct edda_reader *reader);
bool edda_reader_nil(struct edda_reader *reader); /* consumes nil if it is next */
void edda_reader_skip(struct edda_reader *reader);

#endif
