/* ops/session.h: one request at a time from the command line to the parts of Edda.
 *
 * A session joins the service whose broker it is told of (--connect), else the one that runs on the
 * data directory, found through its ipc endpoint. Where none runs, a session may start broker and
 * store as threads of this process, on the database of --database or the data directory, for as
 * long as it lasts: keys and jobs can then be looked after while nothing serves.
 *
 * Threads: the caller's; calls block until the reply. */
#ifndef EDDA_OPS_SESSION_H
#define EDDA_OPS_SESSION_H

#include "actors/runtime/config.h"
#include "proto/arena.h"
#include "proto/op.h"

#define EDDA_SESSION_MESSAGE 512

typedef struct edda_session edda_session_t;

/* What a command may do where no service runs. */
enum edda_session_without {
    EDDA_SESSION_FAILS, /* nothing */
    EDDA_SESSION_OPENS, /* start broker and store on a store that is there */
    EDDA_SESSION_MAKES, /* the same, and make the store: in the data directory, or its tables */
};

/* EDDA_E_NOT_FOUND: there is no store to open. EDDA_E_VERSION: its tables are another version's,
 * and are left as they are. EDDA_E_UNAVAILABLE, EDDA_E_INVALID, EDDA_E_IO,
 * EDDA_E_FAILED. message says what to do. */
int edda_session_open(const edda_config_t *config, enum edda_session_without without,
                      edda_session_t **ret_session,
                      char message[EDDA_SESSION_MESSAGE]) EDDA_MUST_CHECK;

/* Joins a broker of this process at an inproc URL. NULL when out of memory. */
edda_session_t *edda_session_join(void *zmq_context, const char *url);

void edda_session_close(edda_session_t **self_p);

/* Where the answers come from, for people: an URL, the data directory, or the database. */
const char *edda_session_where(const edda_session_t *self);

/* Whether broker and store were started here. */
bool edda_session_is_own(const edda_session_t *self);

/* One step: record (of the op's argument type, NULL for none) in, *ret_record (of the op's output
 * type) out, its views and lists living in the arena. The error is the service's own, with its text
 * in message. */
int edda_session_call(edda_session_t *self, const struct edda_op *op, const char *project,
                      const void *record, struct edda_arena *arena, void *ret_record,
                      char message[EDDA_SESSION_MESSAGE]) EDDA_MUST_CHECK;

#endif
