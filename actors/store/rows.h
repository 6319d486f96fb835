/* actors/store/rows.h: how row ids are composed, so that a version is one range of rows, and
 * a chat another.
 *
 *   part      = version << 12 | part          at most EDDA_MAX_PARTS parts
 *   job       = kind << 52 | part id          so that the jobs of a kind are a range too
 *   chunk     = part id << 10 | number        at most EDDA_MAX_CHUNKS_PER_PART chunks a part
 *   message   = chat << 20 | number           at most EDDA_CHAT_MESSAGES messages a chat
 *
 * The same in every database. Version ids are never used twice, and below 2^40. */
#ifndef EDDA_ACTORS_STORE_ROWS_H
#define EDDA_ACTORS_STORE_ROWS_H

#include "actors/store/chats.h"
#include "actors/store/jobs.h"
#include "actors/store/memos.h"

#define EDDA_ROW_PART_BITS    12
#define EDDA_ROW_CHUNK_BITS   10
#define EDDA_ROW_KIND_AT      52
#define EDDA_ROW_MESSAGE_BITS 20

_Static_assert(EDDA_MAX_PARTS == 1 << EDDA_ROW_PART_BITS, "parts fit their bits");
_Static_assert(EDDA_MAX_CHUNKS_PER_PART == 1 << EDDA_ROW_CHUNK_BITS, "chunks fit their bits");
_Static_assert(EDDA_CHAT_MESSAGES == 1 << EDDA_ROW_MESSAGE_BITS, "messages fit their bits");

static inline int64_t edda_row_part(int64_t version, uint32_t part) {
    return version << EDDA_ROW_PART_BITS | (int64_t)part;
}

static inline int64_t edda_row_last_part(int64_t version) {
    return edda_row_part(version, EDDA_MAX_PARTS - 1);
}

static inline int64_t edda_row_chunk(int64_t part_row, uint32_t number) {
    return part_row << EDDA_ROW_CHUNK_BITS | (int64_t)number;
}

static inline int64_t edda_row_first_chunk(int64_t version) {
    return edda_row_chunk(edda_row_part(version, 0), 0);
}

static inline int64_t edda_row_last_chunk(int64_t version) {
    return edda_row_chunk(edda_row_last_part(version), EDDA_MAX_CHUNKS_PER_PART - 1);
}

static inline enum edda_job_kind edda_row_kind_of(int64_t job) {
    return (enum edda_job_kind)(job >> EDDA_ROW_KIND_AT);
}

/* The part that a job is about. */
static inline int64_t edda_row_part_row_of_job(int64_t job) {
    return job & (((int64_t)1 << EDDA_ROW_KIND_AT) - 1);
}

/* Version of a part row; part's number; part row of a chunk; chunk's number in its part. */
static inline int64_t edda_row_version_of(int64_t part_row) {
    return part_row >> EDDA_ROW_PART_BITS;
}

static inline uint32_t edda_row_part_of(int64_t part_row) {
    return (uint32_t)part_row & (EDDA_MAX_PARTS - 1);
}

static inline int64_t edda_row_part_row_of(int64_t chunk_row) {
    return chunk_row >> EDDA_ROW_CHUNK_BITS;
}

static inline uint32_t edda_row_number_of(int64_t chunk_row) {
    return (uint32_t)chunk_row & (EDDA_MAX_CHUNKS_PER_PART - 1);
}

static inline int64_t edda_row_message(int64_t chat, uint32_t number) {
    return chat << EDDA_ROW_MESSAGE_BITS | (int64_t)number;
}

static inline uint32_t edda_row_message_number(int64_t message_row) {
    return (uint32_t)message_row & (EDDA_CHAT_MESSAGES - 1);
}

/* What a chunk is called in the search index: 16 bytes that hold its row, in row order, so that a
 * hit leads to its row without a look-up. Its uuid is made for hits that are returned. */
static inline struct edda_uuid edda_row_name(int64_t chunk_row) {
    struct edda_uuid name = {{0}};
    for (int i = 0; i < 8; i++) {
        name.bytes[i] = (uint8_t)((uint64_t)chunk_row >> (56 - 8 * i) & 0xff);
    }
    return name;
}

static inline int64_t edda_row_named(const struct edda_uuid *name) {
    uint64_t row = 0;
    for (int i = 0; i < 8; i++) {
        row = row << 8 | name->bytes[i];
    }
    return (int64_t)row;
}

#endif
