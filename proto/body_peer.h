/* proto/body_peer.h: the bodies of a session: HELLO, WELCOME, CREDIT, PING, RESET, and the broker's
 * own status. */
#ifndef EDDA_PROTO_BODY_PEER_H
#define EDDA_PROTO_BODY_PEER_H

#include "proto/types.h"

struct edda_empty {
    bool unused;
};

struct edda_hello_service {
    struct edda_text name;  /* service, e.g. "embed" */
    struct edda_text model; /* what it runs, e.g. "hash-256"; may be absent */
    uint32_t dimension;     /* of its vectors; 0 if it makes none */
};

struct edda_hello_services {
    struct edda_hello_service *items;
    size_t count;
};

/* From a peer. Replayed after every reconnection. */
struct edda_hello {
    struct edda_uuid node; /* made at process start */
    uint64_t incarnation;  /* wall ms when the node's actor began; a newer one evicts the older */
    struct edda_text role; /* "gateway", "pump", "cli" (clients) or "worker" */
    struct edda_text name; /* for people: "embedder@host:pid" */
    struct edda_hello_services services; /* workers: what they offer */
    uint32_t window;                     /* workers: how many steps they want at once, 1..64 */
};

struct edda_welcome {
    uint64_t session;
    struct edda_uuid broker; /* its epoch: changes when the broker restarts */
    uint32_t ping_ms;
    uint32_t liveness;
};

/* Cumulative since the session began, so that a repeated or reordered grant is harmless (RFC 9000
 * section 4.1). Worker to broker: steps it may be sent. Broker to client: requests whose first step
 * is `service`. Client to worker through the broker with envelope.id set: PARTs of that request. */
struct edda_credit_grant {
    struct edda_text service; /* client credit only */
    uint64_t messages;
    uint64_t bytes;
};

/* PING, answered by PONG with the same stamp. Repairs lost credit by repeating the totals. */
struct edda_ping {
    uint64_t stamp;    /* opaque to the receiver */
    uint64_t messages; /* worker: its cumulative grant */
    uint64_t bytes;
};

struct edda_reset {
    uint32_t code; /* wire number of the error */
    struct edda_text text;
};

struct edda_service_status {
    struct edda_text name;
    struct edda_text model;
    uint32_t workers;
    uint32_t window; /* steps the workers take at once, together */
    uint32_t queued;
    uint64_t queued_bytes;
    uint32_t oldest_ms; /* age of the oldest queued step */
    uint32_t running;
    uint64_t done; /* steps since the broker began */
    uint64_t failed;
    uint64_t requeued;
    double rate;    /* steps done per second over the last minute */
    double step_ms; /* moving average of a step's time */
};

struct edda_service_statuses {
    struct edda_service_status *items;
    size_t count;
};

struct edda_broker_status {
    struct edda_uuid broker;
    uint64_t uptime_ms;
    uint32_t peers;
    uint32_t clients;
    uint32_t workers;
    uint64_t admitted; /* conservation: admitted == ended + queued + running */
    uint64_t ended;
    uint32_t queued;
    uint32_t running;
    uint64_t pending_bytes;
    uint64_t refused;
    uint64_t late; /* results that came after their attempt was over */
    uint64_t resets;
    bool draining;
    struct edda_service_statuses services;
};

#endif
