/* actors/store/postgres/heads.h: what changes of a memo need to know of it. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_HEADS_H
#define EDDA_ACTORS_STORE_POSTGRES_HEADS_H

#include "actors/store/content.h"
#include "actors/store/postgres/call.h"

struct edda_pg_memo_head {
    int64_t project;
    int64_t id;
    struct edda_uuid uuid;
    struct edda_text title; /* in the call's arena, as format */
    struct edda_text format;
    int64_t current; /* version rows */
    int64_t latest;
    int64_t number;              /* of latest */
    uint8_t sha[EDDA_SHA_BYTES]; /* of latest's content */
    int64_t chunks;              /* of both versions */
};

/* Asks for the memo of the call's project; the step reads it. EDDA_E_NOT_FOUND: id is no uuid. */
int edda_pg_find_head(struct edda_pg_call *call, struct edda_text id, bool by_reference,
                      edda_pg_step_fn then) EDDA_MUST_CHECK;

/* EDDA_E_NOT_FOUND: there is no such memo. */
int edda_pg_read_head(struct edda_pg_call *call, const edda_pg_result_t *result,
                      struct edda_pg_memo_head *ret_head) EDDA_MUST_CHECK;

#endif
