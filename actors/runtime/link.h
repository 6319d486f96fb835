/* actors/runtime/link.h: one peer's session with one broker: a DEALER driven by proto/session.h.
 *
 * Shared by client and actor. The link says HELLO as soon as the socket takes it, answers PING,
 * pings, notices silence and the end of its connection, backs off, and opens a new socket for every
 * attempt. What is not about the session goes to the owner's message callback.
 *
 * States: edda_session_state. A link that was left does not come back.
 * Threads: the loop's. */
#ifndef EDDA_RUNTIME_LINK_H
#define EDDA_RUNTIME_LINK_H

#include "actors/runtime/loop.h"
#include "actors/runtime/metric.h"
#include "actors/runtime/outbox.h"
#include "actors/runtime/socket.h"
#include "actors/runtime/wire.h"
#include "proto/body_peer.h"
#include "proto/session.h"

#define EDDA_LINK_TICK_MS   50
#define EDDA_LINK_REST_MS   250 /* between the ticks of a peer that has nothing to do */
#define EDDA_LINK_LINGER_MS 2000
#define EDDA_LINK_LOG_MS    60000 /* between lines about a key that is refused again and again */

struct edda_link;

struct edda_link_handler {
    /* A message that is not the session's own. The wire is link->incoming; an owner that keeps it
     * sets link->incoming to another initialised, empty wire. May end the link's session. */
    void (*message)(void *owner, struct edda_link *link, struct edda_wire *wire);
    void (*ready)(void *owner, struct edda_link *link); /* just became LIVE */
    void (*lost)(void *owner, struct edda_link *link);  /* the socket is gone, was LIVE or GOING */
    void (*going)(void *owner, struct edda_link *link); /* the broker drains; may be NULL */
    void (*ended)(void *owner, struct edda_link *link); /* after each batch of messages */
    /* Totals for PING and PONG; may be NULL. */
    void (*ping)(void *owner, struct edda_link *link, struct edda_ping *ret_ping);
};

struct edda_link {
    edda_loop_t *loop;
    void *zmq_context;
    char url[EDDA_MAX_URL];
    const edda_curve_t *curve;      /* the owner's; NULL: plain */
    size_t broker;                  /* whose key of it the broker's is */
    const char *role;               /* for logs and metrics */
    const struct edda_hello *hello; /* the owner's */
    const struct edda_link_handler *handler;
    void *owner;
    struct edda_wire *incoming; /* the owner's: where the next message is read */
    struct edda_session session;
    void *socket;                /* NULL while DOWN */
    struct edda_monitor monitor; /* of it, unless it is inproc: there no connection can break */
    edda_watch_t *monitor_watch;
    unsigned refused_kind; /* of the failed handshake that was logged last; 0: none was */
    int64_t refused_ms;    /* when */
    edda_watch_t *watch;
    struct edda_outbox outbox; /* of the socket; what is sent leaves at the end of the turn */
    uint64_t number;           /* of the socket, from 1: tells sessions apart */
    bool left;
    edda_cell_t *lost_cell;
    edda_cell_t *dropped_cell; /* malformed, by the broker's fault */
};

/* Everything given is borrowed for the link's life; the url is copied. Over tcp it is encrypted, to
 * the curve's broker of this index, unless curve is NULL. Does not connect yet. */
void edda_link_init(struct edda_link *link, edda_loop_t *loop, void *zmq_context, const char *url,
                    const edda_curve_t *curve, size_t broker, const struct edda_hello *hello,
                    const struct edda_link_handler *handler, void *owner);

/* Closes the socket; no callback is called. */
void edda_link_done(struct edda_link *link);

/* Time passed: call again within edda_link_pace. Connects when it is time to. */
void edda_link_tick(struct edda_link *link);

/* EDDA_LINK_TICK_MS; more, up to EDDA_LINK_REST_MS, while pings are all that can come due. */
int64_t edda_link_pace(const struct edda_link *link);

/* Sends with shared bodies, through the outbox: messages of one turn leave together, before the
 * loop sleeps, and those of a session that is lost are dropped and counted. EDDA_E_AGAIN: no room,
 * or no connection just now. EDDA_E_UNAVAILABLE: no session. */
int edda_link_send(struct edda_link *link, const struct edda_message *message,
                   zmq_msg_t *const *bodies, size_t count) EDDA_MUST_CHECK;

/* A command with its body from record, or none (type 0). id may be NULL. Failures are only counted:
 * the other side's timers repair what is lost. */
void edda_link_tell(struct edda_link *link, uint8_t command, const struct edda_uuid *id,
                    uint16_t type, const void *record);

/* As if the broker had said DRAIN: nothing new for it. */
void edda_link_going(struct edda_link *link);

/* BYE, and no session any more. */
void edda_link_leave(struct edda_link *link);

static inline bool edda_link_live(const struct edda_link *link) {
    return link->session.state == EDDA_SESSION_LIVE;
}

/* LIVE or GOING: what was begun may be finished. */
static inline bool edda_link_joined(const struct edda_link *link) {
    return link->session.state == EDDA_SESSION_LIVE || link->session.state == EDDA_SESSION_GOING;
}

#endif
