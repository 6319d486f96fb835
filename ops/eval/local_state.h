/* ops/eval/local_state.h: what local.c and local_ingest.c share; nobody else's business. */
#ifndef EDDA_OPS_EVAL_LOCAL_STATE_H
#define EDDA_OPS_EVAL_LOCAL_STATE_H

#include "actors/runtime/client.h"
#include "ops/eval/local.h"
#include "ops/launch.h"
#include "ops/progress.h"

#define EDDA_LOCAL_PROJECT "eval"
#define EDDA_LOCAL_CALL_MS 60000

struct edda_local {
    char directory[256];
    bool made; /* the directory */
    int signal_fd;
    void *zmq_context;
    edda_launch_t *launch;
    edda_loop_t *loop;
    edda_client_t *client;
    struct edda_uuid *memos; /* by document: made here, ascending */
    size_t memo_count;
    char model[EDDA_MAX_NAME + 1];
    struct edda_buffer buffer; /* arguments on their way out */
    struct edda_timer timer;
    char *message; /* of the call under way */

    /* The exchange under way. */
    bool replied;
    int error;
    uint16_t type;
    struct edda_arena *arena;
    struct edda_bytes body; /* in arena */
    char degraded[64];

    /* The ingest under way. */
    const struct edda_collection *collection;
    struct edda_progress progress;
    size_t next;
    size_t open;
};

/* Runs the loop for so long. */
void edda_local_pause(edda_local_t *self, int64_t wait_ms);

/* Notes words for the call under way and gives the error back. */
int edda_local_say(edda_local_t *self, int error, const char *first, const char *second);

/* Encodes arguments behind those before; the views are made at the end, by edda_local_place. */
int edda_local_add(edda_local_t *self, struct edda_step *step, const char *op, uint16_t type,
                   const void *record);
void edda_local_place(edda_local_t *self, struct edda_step *steps, size_t count);

/* Asks for one op and waits for its record, whose views live in the arena. */
int edda_local_call(edda_local_t *self, const char *op, const void *arguments,
                    struct edda_arena *arena, void *ret_record);

#endif
