/* gateway/visit.h: one HTTP request on its way through the gateway, and what all visits share.
 *
 * begin -> [key first, when the body is large] -> body -> JSON -> key -> route -> resource ->
 * answer
 *
 * The order is the contract's: broken JSON is 400 even without a key, a missing key is 401 even on
 * an unknown route. Only bodies over EDDA_UNKEYED_BODY_BYTES, and uploads, are taken from nobody
 * who has no key. A resource is a function that is given a visit whose checks are done; it answers
 * once, by edda_visit_reply, edda_visit_fail, edda_visit_error or a stream, now or after a call's
 * reply.
 *
 * A visit ends when its exchange does: calls still open are cancelled then, `drop` is called, the
 * arena is freed. Threads: the loop's. */
#ifndef EDDA_GATEWAY_VISIT_H
#define EDDA_GATEWAY_VISIT_H

#include <jansson.h>

#include "actors/runtime/client.h"
#include "actors/runtime/metric.h"
#include "actors/runtime/pool.h"
#include "actors/runtime/role.h"
#include "actors/runtime/trace.h"
#include "gateway/admit.h"
#include "gateway/http.h"
#include "gateway/idempotency.h"
#include "gateway/keys.h"
#include "gateway/limiter.h"
#include "gateway/route.h"
#include "proto/body.h"
#include "proto/body_store.h"

#define EDDA_UNKEYED_BODY_BYTES ((int64_t)100 * 1024)
#define EDDA_BODY_ALLOWANCE     ((size_t)1024 * 1024 - 1) /* JSON around the largest text */
#define EDDA_CALL_TTL_MS        10000u
#define EDDA_MAX_CHATS          (EDDA_CLIENT_WINDOW * 3 / 4) /* the rest is left to searches */

struct edda_visit;
struct edda_complaints;
typedef struct edda_gateway edda_gateway_t;
typedef struct edda_status edda_status_t;
typedef struct edda_serving edda_serving_t;
struct edda_retrieval;
typedef void (*edda_visit_reply_fn)(struct edda_visit *visit, const struct edda_reply *reply);
typedef void (*edda_visit_fn)(struct edda_visit *visit);

struct edda_gateway {
    edda_loop_t *loop;
    const struct edda_role *role;
    edda_client_t *client;
    edda_http_t *http;
    edda_pool_t *pool; /* one thread: large JSON bodies */
    edda_keys_t *keys;
    edda_limiter_t *limiter;
    struct edda_key_limits limits; /* of keys without their own */
    edda_status_t *status;
    edda_serving_t *serving;
    struct edda_running_keys running;
    struct edda_buffer scratch; /* a call's encoded arguments, copied by the client */
    size_t max_body_bytes;
    uint32_t search_ms;
    uint32_t chat_ms;
    uint32_t chat_ping_ms;
    uint32_t chat_idle_ms;
    size_t chats;                 /* being answered */
    struct edda_buffer providers; /* as last told, JSON */
    int64_t providers_until_ms;
    bool draining; /* readiness fails */
    bool stopped;  /* the listening socket is closed */
    bool closing;  /* the client answers its open calls and takes no more */
    bool holding;  /* the loop, until the last exchange is done */
    struct edda_timer grace;
    edda_cell_t *status_cells[600];
    edda_cell_t *route_cells[EDDA_ROUTE_COUNT + 1]; /* the last: no route */
};

struct edda_visit {
    struct edda_gateway *gateway;
    edda_exchange_t *exchange;
    const struct edda_route *route; /* NULL: none matched */
    struct edda_text id;            /* the path's {id}, undecoded */
    struct edda_arena arena;
    char project[EDDA_MAX_NAME + 1];
    char traceparent[EDDA_TRACEPARENT];
    char request_id[65];
    bool multipart;
    bool keyed;              /* the key has been checked */
    uint32_t ticket;         /* of the limiter */
    bool parsing;            /* the pool has the body */
    bool waiting;            /* for the status */
    json_t *json;            /* owned; NULL: no JSON body */
    uint8_t fingerprint[32]; /* sha256 of the body, when an Idempotency-Key came */
    struct edda_running_key key;
    bool key_entered;
    int64_t begun_us;
    int64_t deadline_ms;
    edda_call_t *call; /* the one open call, or NULL */
    edda_visit_reply_fn on_reply;
    struct edda_visit *next_waiter; /* for the status */
    edda_visit_fn on_status;
    void *work;                       /* the resource's own, in the arena */
    struct edda_retrieval *retrieval; /* in work; NULL when none is made */
    edda_visit_fn drop;               /* releases what work holds; may be NULL */
};

/* The http options' callbacks. */
void edda_visit_begin(void *context, edda_exchange_t *exchange);
void edda_visit_field(void *context, edda_exchange_t *exchange,
                      const struct edda_http_field *field);
void edda_visit_end(void *context, edda_exchange_t *exchange);
bool edda_visit_gone(void *context, edda_exchange_t *exchange);
void edda_visit_late(void *context, edda_exchange_t *exchange);
void edda_visit_done(void *context, edda_exchange_t *exchange, int status);

/* --- answers --- */

/* Where to write the body before edda_visit_reply. */
static inline struct edda_buffer *edda_visit_out(struct edda_visit *visit) {
    return edda_exchange_out(visit->exchange);
}

/* JSON written to out; 200s of GET get an ETag. */
void edda_visit_reply(struct edda_visit *visit, int status);

/* {"error": text} */
void edda_visit_fail(struct edda_visit *visit, int status, const char *text);

/* All complaints as a 400 when they are the error, EDDA_E_INVALID; else what edda_visit_error says.
 */
void edda_visit_complain(struct edda_visit *visit, int error,
                         const struct edda_complaints *complaints);

/* The status, text and Retry-After of an EDDA_E_ code; what is not the client's fault is logged.
 * detail may be NULL. */
void edda_visit_error(struct edda_visit *visit, int code, const struct edda_wire_error *detail);

/* The same once the refusal has been made, after the request's end; and the line in the log. */
void edda_visit_refuse(struct edda_visit *visit, const struct edda_refusal *refusal);
void edda_visit_log(const struct edda_visit *visit, int status, int code,
                    const struct edda_wire_error *detail);

/* --- calls --- */

/* What every request of this visit carries: project, trace, its steps and time. */
struct edda_request edda_visit_request(struct edda_visit *visit, const struct edda_step *steps,
                                       size_t count, uint32_t ttl_ms);

/* Encodes record as the arguments of op; the bytes are valid until the next encoding.
 * EDDA_E_LIMIT. */
int edda_visit_step(struct edda_visit *visit, const char *op, uint16_t type, const void *record,
                    struct edda_step *ret_step) EDDA_MUST_CHECK;

/* Sends it; on_reply comes later. An error at once is returned and the visit not answered. */
int edda_visit_try(struct edda_visit *visit, struct edda_request *request,
                   edda_visit_reply_fn on_reply) EDDA_MUST_CHECK;

/* One step with its default budget. */
void edda_visit_call(struct edda_visit *visit, const char *op, uint16_t type, const void *record,
                     edda_visit_reply_fn on_reply);

/* Decodes the reply's body; on any error answers the visit and returns false. not_found is the text
 * of a 404, or NULL. */
bool edda_visit_take(struct edda_visit *visit, const struct edda_reply *reply, uint16_t type,
                     struct edda_arena *arena, void *ret_record, const char *not_found);

/* --- the request --- */

/* The memo the path and ?id_type name, in the arena. False: the visit has been answered. */
bool edda_visit_select(struct edda_visit *visit, struct edda_store_select *ret_select);

/* A decoded query parameter; absent when missing. False: the visit has been answered with 400. */
bool edda_visit_parameter(struct edda_visit *visit, const char *name, struct edda_text *ret_value);

/* Zeroed work of this size; NULL: the visit has been answered with 503. */
void *edda_visit_work(struct edda_visit *visit, size_t size);

#endif
