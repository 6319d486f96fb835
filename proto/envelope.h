/* proto/envelope.h: F1, what the broker and both ends need to know of a message without its bodies.
 *
 * One msgpack map with small unsigned keys in ascending order, at most 4 KiB; the table is
 * proto/envelope.def. Zero-valued and absent fields are the same and are not written. Views point
 * into the decoded frame. */
#ifndef EDDA_PROTO_ENVELOPE_H
#define EDDA_PROTO_ENVELOPE_H

#include "proto/buffer.h"
#include "proto/error.h"
#include "proto/limits.h"
#include "proto/types.h"

#define EDDA_FLAG_STREAMING 1u  /* the requester takes PARTs */
#define EDDA_FLAG_SOLO      2u  /* run on a worker with nothing else in flight */
#define EDDA_FLAG_ELSEWHERE 16u /* another broker can be asked: not to wait for a worker here */

enum edda_blame {
    EDDA_BLAME_JOB = 0,     /* this input will fail again */
    EDDA_BLAME_WORKER = 1,  /* another worker may do better */
    EDDA_BLAME_OUTSIDE = 2, /* something both depend on: costs no attempt */
};

enum edda_on_error {
    EDDA_ON_ERROR_FAIL = 0,
    EDDA_ON_ERROR_SKIP =
        1, /* the step's input becomes its output and the op is named in degraded */
};

#define EDDA_NO_ARGUMENTS 255

struct edda_body_descriptor {
    uint16_t type; /* enum edda_body_type; 0 for an absent body, whose frame is empty */
    uint8_t version;
    uint32_t bytes; /* equals the frame's size, checked */
};

struct edda_route_step {
    struct edda_text op;
    uint32_t budget_ms; /* 0: the op's default */
    uint8_t on_error;   /* enum edda_on_error */
    uint8_t arguments;  /* index of the step's body in REQ, or EDDA_NO_ARGUMENTS */
};

struct edda_wire_error {
    int code; /* 0 or EDDA_E_ */
    uint8_t blame;
    uint32_t retry_after_ms;
    struct edda_text text;
};

struct edda_envelope {
    struct edda_uuid id;
    uint8_t attempt;
    uint8_t step;
    struct edda_text op;
    uint32_t ttl_ms;
    struct edda_text traceparent;
    struct edda_text tracestate;
    struct edda_text project;
    uint8_t priority;
    struct edda_bytes idempotency;
    struct edda_uuid reply_to;
    uint8_t retries;
    uint16_t flags;
    struct edda_body_descriptor bodies[EDDA_MAX_BODIES];
    uint8_t body_count;
    uint32_t sequence;
    uint64_t fence;
    struct edda_wire_error error;
    struct edda_route_step route[EDDA_MAX_ROUTE];
    uint8_t route_count;
    struct edda_uuid avoid;
    struct edda_text degraded[EDDA_MAX_ROUTE];
    uint8_t degraded_count;
};

/* Appends the encoded map to out. EDDA_E_LIMIT: a field or the whole is over its maximum. */
int edda_envelope_encode(const struct edda_envelope *envelope,
                         struct edda_buffer *out) EDDA_MUST_CHECK;

/* Walks, then reads. EDDA_E_MALFORMED, EDDA_E_LIMIT. */
int edda_envelope_decode(struct edda_bytes bytes,
                         struct edda_envelope *ret_envelope) EDDA_MUST_CHECK;

/* "store" for "store.search", "embed" for "embed": the service that offers an op. */
struct edda_text edda_op_service(struct edda_text op);

#endif
