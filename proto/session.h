/* proto/session.h: the broker as a peer sees it (state table 2), without socket or clock.
 *
 *   DOWN --connect--> CONNECTING --WELCOME--> LIVE --DRAIN from broker--> GOING
 *     ^                   |  2 s                |  silence, RESET, BYE,      |
 *     |                   |                     |  the connection is gone    |
 *     +---- back-off -----+---------------------+----------------------------+
 *
 * Back-off doubles from 100 ms to 5 s with full jitter, begins anew only after a session that
 * lasted, and every attempt uses a new socket. While the session is not LIVE nothing but HELLO may
 * be sent. proto/README.md names the test of each row. */
#ifndef EDDA_PROTO_SESSION_H
#define EDDA_PROTO_SESSION_H

#include "proto/error.h"
#include "proto/types.h"

enum edda_session_state {
    EDDA_SESSION_DOWN,
    EDDA_SESSION_CONNECTING,
    EDDA_SESSION_LIVE,
    EDDA_SESSION_GOING, /* the broker drains: finish what runs, send nothing new */
};

enum edda_session_event {
    EDDA_SESSION_TICK,     /* time passed: call at least every 100 ms */
    EDDA_SESSION_WRITABLE, /* CONNECTING: the transport can take HELLO */
    EDDA_SESSION_WELCOMED,
    EDDA_SESSION_HEARD, /* any valid message */
    EDDA_SESSION_SENT,  /* any message went out: a PING is not needed */
    EDDA_SESSION_RESET_BY_BROKER,
    EDDA_SESSION_BROKER_DRAINS,
    EDDA_SESSION_BYE_FROM_BROKER,
    EDDA_SESSION_DISCONNECTED, /* the transport's word that the socket's connection is gone */
};

/* What the owner must do now; or'ed. */
#define EDDA_SESSION_OPEN 1u /* open a new socket and connect */
#define EDDA_SESSION_CLOSE                                                                         \
    2u /* close the socket: the session is over; calls on it have no answer */
#define EDDA_SESSION_HELLO 4u /* send HELLO with the whole registration */
#define EDDA_SESSION_PING  8u
#define EDDA_SESSION_READY 16u /* just became LIVE: grant credit, re-send unanswered requests */

struct edda_session {
    enum edda_session_state state;
    int64_t heard_ms;
    int64_t sent_ms;
    int64_t since_ms; /* when the state was entered */
    int64_t retry_ms; /* DOWN: when to connect again */
    int64_t ticked_ms;
    int64_t listens_ms; /* since when it ticks without a gap of a ping interval */
    uint32_t failures;  /* since a session lasted for a ping interval; for the back-off */
    bool hello_sent;
    uint32_t ping_ms; /* from WELCOME */
    uint32_t liveness;
};

void edda_session_init(struct edda_session *session, int64_t now_ms);

/* The one door between states. random is 32 bits for jitter. Returns EDDA_SESSION_ action bits. */
unsigned edda_session_step(struct edda_session *session, enum edda_session_event event,
                           int64_t now_ms, uint32_t random);

/* With WELCOMED: the broker's numbers, before the step. Out-of-range values are brought into
 * range: ping 100..60000 ms, liveness 2..10. */
void edda_session_tune(struct edda_session *session, uint32_t ping_ms, uint32_t liveness);

#endif
