/* proto/uuid.h: identifiers. Version 7 for what we make, version 5 for what must come out the same.
 * Source: RFC 9562. */
#ifndef EDDA_PROTO_UUID_H
#define EDDA_PROTO_UUID_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_UUID_TEXT 37 /* 36 characters and NUL */

/* Time-ordered: wall_ms is Unix time in milliseconds, random is 10 bytes of randomness. */
struct edda_uuid edda_uuid_v7(int64_t wall_ms, const uint8_t random[10]);

/* Name-based: the same namespace and name always give the same uuid. */
struct edda_uuid edda_uuid_v5(const struct edda_uuid *space, const void *name, size_t size);

/* The uuid of chunk `number` of a memo's version and part: v5 over the three, so that a retry of
 * the same work stores the same rows. */
struct edda_uuid edda_uuid_chunk(const struct edda_uuid *memo, uint64_t version, uint32_t part,
                                 uint32_t number);

/* 8-4-4-4-12 hexadecimal digits of lower case, and NUL. */
void edda_uuid_format(const struct edda_uuid *uuid, char ret_text[EDDA_UUID_TEXT]);

/* 8-4-4-4-12 hexadecimal digits of either case. EDDA_E_INVALID otherwise. */
int edda_uuid_parse(struct edda_text text, struct edda_uuid *ret_uuid) EDDA_MUST_CHECK;

/* All bytes zero: what an absent uuid looks like. */
bool edda_uuid_is_nil(const struct edda_uuid *uuid);

#endif
