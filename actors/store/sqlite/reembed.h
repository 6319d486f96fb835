/* actors/store/sqlite/reembed.h: which model serves a project, and the change over to another's.
 *
 *            reembed            last open job done, or gone                    sweep
 *   serves A ------> A, next B ----------------------------> serves B, settling -----> serves B
 *                       |  ^  a version with other vectors became current: its parts are queued
 *                       +--+
 *
 * Invariants: while a project has a next model, exactly those of its current parts that lack it
 * have an open job (EDDA_JOB_EMBED: ready, leased or dead), and there is at least one; else it has
 * none. So "no job is open" is "no current chunk lacks the model", and whoever ends, queues or
 * drops such jobs asks edda_reembed_look in the same transaction.
 *
 * The new vectors wait in table vector_next, which counts for a part as soon as its model serves
 * (part.next_model = project.model); then a sweep moves it. */
#ifndef EDDA_ACTORS_STORE_SQLITE_REEMBED_H
#define EDDA_ACTORS_STORE_SQLITE_REEMBED_H

#include "actors/store/sqlite/call.h"

/* A project whose last open job is gone changes over. *ret_changed (may be NULL) says so. */
int edda_reembed_look(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                      bool *ret_changed) EDDA_MUST_CHECK;

/* An embedding job has ended or died. When it was for the model that serves its project, and no job
 * is left but dead ones, which may be left for good, the vectors that came are in searches. */
int edda_reembed_show(struct edda_turn *turn, struct edda_sqlite_call *call,
                      int64_t job) EDDA_MUST_CHECK;

/* A version became current in the place of `old` (0: none): the first vectors of a project decide
 * which model serves it; parts that lack the next one are queued. */
int edda_reembed_version(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                         int64_t version, int64_t old) EDDA_MUST_CHECK;

/* Puts a part's rows of vector_next where they belong: to chunk_index when they count, nowhere when
 * nobody waits for them. Those that are waited for stay. models: of the part's project. */
struct edda_project_models {
    int64_t serving; /* 0: none */
    int64_t next;
    int64_t chunks;
};

int edda_reembed_models(struct edda_turn *turn, int64_t project,
                        struct edda_project_models *ret_models) EDDA_MUST_CHECK;
int edda_reembed_settle(struct edda_turn *turn, const struct edda_project_models *models,
                        int64_t part, int64_t part_next) EDDA_MUST_CHECK;

/* One slice of settling, if a project has something to be settled. */
int edda_reembed_sweep(struct edda_turn *turn, struct edda_swept *swept) EDDA_MUST_CHECK;

#endif
