/* actors/store/sqlite/versions.h: a memo's contents: measured, written as a version with its jobs,
 * completed, superseded, dropped. */
#ifndef EDDA_ACTORS_STORE_SQLITE_VERSIONS_H
#define EDDA_ACTORS_STORE_SQLITE_VERSIONS_H

#include "actors/store/content.h"
#include "actors/store/sqlite/call.h"

/* edda_content_measure of parts that were staged under uuid. When nothing is staged there any more,
 * staged is 0. EDDA_E_INVALID: parts are missing, or their sum is not content_bytes. */
int edda_content_staged(edda_database_t *database, struct edda_arena *arena, int64_t project,
                        const struct edda_uuid *uuid, uint32_t count, uint64_t content_bytes,
                        struct edda_text format, struct edda_content *ret_content) EDDA_MUST_CHECK;

/* Writes one part's rows. */
int edda_part_write(struct edda_turn *turn, int64_t row, uint64_t first_byte,
                    const struct edda_part_facts *facts, struct edda_text text) EDDA_MUST_CHECK;

/* Makes content version `number` of memo, one ready job a part. EDDA_E_AGAIN: what was staged has
 * changed since it was measured. */
int edda_version_make(struct edda_turn *turn, int64_t project, int64_t memo, int64_t number,
                      const struct edda_content *content, int64_t *ret_version) EDDA_MUST_CHECK;

/* Whether new content of the project may be accepted now: what was accepted before waits within its
 * limits. One document may go over them. EDDA_E_QUOTA: the project's; EDDA_E_BUSY: everybody's. */
int edda_backlog_check(struct edda_turn *turn, struct edda_sqlite_call *call,
                       int64_t project) EDDA_MUST_CHECK;

/* All its jobs are done: readers see it now, and no longer the one before. */
int edda_version_complete(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                          int64_t memo, int64_t version) EDDA_MUST_CHECK;

/* It will not be completed any more: its jobs go, its rows go with a sweep. */
int edda_version_supersede(struct edda_turn *turn, int64_t version) EDDA_MUST_CHECK;

/* 1 with the project's row, 0, or an error. */
int edda_project_find(edda_database_t *database, struct edda_text name,
                      int64_t *ret_project) EDDA_MUST_CHECK;
/* The project's row, made when there is none. EDDA_E_INVALID: no name. */
int edda_project_need(struct edda_turn *turn, struct edda_text name,
                      int64_t *ret_project) EDDA_MUST_CHECK;

/* What changes of a memo need to know. */
struct edda_memo_head {
    int64_t project;
    int64_t id;
    struct edda_uuid uuid;
    struct edda_text title;
    struct edda_text format;
    int64_t current; /* version rows */
    int64_t latest;
    int64_t number;                /* of latest */
    enum edda_version_state state; /* of latest */
    uint8_t sha[EDDA_SHA_BYTES];   /* of latest's content */
};

/* EDDA_E_NOT_FOUND, also for text that is not a uuid. Texts live in the arena. */
int edda_memo_find(edda_database_t *database, struct edda_arena *arena, struct edda_text project,
                   struct edda_text id, bool by_reference,
                   struct edda_memo_head *ret_head) EDDA_MUST_CHECK;

#endif
