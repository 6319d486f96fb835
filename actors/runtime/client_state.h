/* actors/runtime/client_state.h: what client.c and client_dispatch.c share; nobody else's business.
 *
 * An open call is in the table and in exactly one list: `waiting`, a broker's `sent`, or for a
 * moment `ending`. open_calls is the sum of the lists. */
#ifndef EDDA_RUNTIME_CLIENT_STATE_H
#define EDDA_RUNTIME_CLIENT_STATE_H

#include "actors/runtime/client.h"
#include "actors/runtime/link.h"
#include "proto/credit.h"

#define EDDA_CLIENT_SERVICES     64
#define EDDA_CLIENT_BUCKETS      4096
#define EDDA_CLIENT_SPARE_CALLS  1024
#define EDDA_CLIENT_INLINE_BYTES 320
#define EDDA_CLIENT_CODES        32

struct edda_call_list {
    struct edda_call *first;
    struct edda_call *last;
    size_t count;
};

struct edda_call {
    struct edda_call *next; /* in list, or among the spare */
    struct edda_call *previous;
    struct edda_call *next_in_bucket;
    struct edda_call_list *list;
    int64_t deadline_ms;
    int64_t waiting_ms; /* since when */
    int pinned;         /* the one broker to use, or -1 */
    int broker;         /* where it was sent, or -1 */
    int service;        /* index in services, or -1 when the table is full */
    int error;          /* in `ending`: what it ends with */
    uint32_t sends;
    uint32_t without; /* bit i: broker i has no workers for it */
    uint32_t next_part;
    uint64_t bytes;            /* of bodies */
    uint64_t granted_messages; /* stream credit, 0: none given */
    uint64_t granted_bytes;
    edda_reply_fn on_reply;
    edda_part_fn on_part;
    edda_progress_fn on_progress;
    void *context;
    struct edda_message message; /* REQ; texts point into texts */
    zmq_msg_t bodies[EDDA_MAX_BODIES];
    char *texts; /* inline_texts, or owned */
    char inline_texts[EDDA_CLIENT_INLINE_BYTES];
};

struct edda_service_credit {
    bool known; /* granted in this session; before, nothing is counted */
    struct edda_credit credit;
};

struct edda_client_broker {
    struct edda_client *client;
    struct edda_link link;
    struct edda_wire wire;
    bool blocked; /* its socket took no message; looked at again when it is heard or time passes */
    struct edda_call_list sent;
    struct edda_service_credit services[EDDA_CLIENT_SERVICES];
};

struct edda_client {
    edda_loop_t *loop;
    edda_task_fn on_change;
    void *context;
    char role[EDDA_MAX_NAME];
    char name[EDDA_MAX_NAME + 1];
    struct edda_hello hello;
    struct edda_timer tick;
    bool leaving;
    bool left;
    bool changed; /* on_change is due at the end of the batch */
    size_t open_calls;
    struct edda_call_list waiting;
    struct edda_call_list ending;
    struct edda_call *spare;
    size_t spare_count;
    char services[EDDA_CLIENT_SERVICES][EDDA_MAX_NAME + 1];
    size_t service_count;
    edda_cell_t *result_cells[EDDA_CLIENT_CODES]; /* by -code; made when first needed */
    edda_cell_t *resent_cell;
    size_t broker_count;
    struct edda_client_broker brokers[EDDA_CLIENT_MAX_BROKERS];
    struct edda_call *buckets[EDDA_CLIENT_BUCKETS];
};

/* client_calls.c: the life of a call. */

void edda_call_list_append(struct edda_call_list *list, struct edda_call *call);
void edda_call_list_remove(struct edda_call *call);

/* A call made from a checked request, in the table and in no list; NULL when memory is short. */
struct edda_call *edda_call_new(struct edda_client *client, const struct edda_request *request);

/* Out of its list and the table; its memory may be used again. No callback. */
void edda_call_free(struct edda_client *client, struct edda_call *call);

struct edda_call *edda_call_find(struct edda_client *client, const struct edda_uuid *id);

/* The one answer: calls on_reply, then frees. */
void edda_call_answer(struct edda_client *client, struct edda_call *call,
                      const struct edda_reply *reply);

/* The same with an error of our own. */
void edda_call_fail(struct edda_client *client, struct edda_call *call, int error);

/* Answers everything in client->ending with each call's error. */
void edda_call_end_all(struct edda_client *client);

/* client.c: sets the tick to the pace of what there is to look after; also when a first call comes.
 */
void edda_client_arm(struct edda_client *client);

/* client_dispatch.c: which broker gets a call, and what brokers say. */

extern const struct edda_link_handler edda_client_handler;

/* The index of a service's name, made on first sight; -1 when the table is full. */
int edda_client_service(struct edda_client *client, struct edda_text name);

/* Sends the call to the best broker, or puts it into `waiting`. EDDA_E_BUSY: no credit anywhere;
 * the call is in no list. */
int edda_client_dispatch(struct edda_client *client, struct edda_call *call) EDDA_MUST_CHECK;

/* Tries again for all that wait. */
void edda_client_dispatch_waiting(struct edda_client *client);

#endif
