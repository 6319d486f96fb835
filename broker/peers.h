/* broker/peers.h: connections from HELLO to GONE, and the clients behind them (state table 1). */
#ifndef EDDA_BROKER_PEERS_H
#define EDDA_BROKER_PEERS_H

#include "broker/state.h"

/* How a worker's running work is given up. */
enum edda_loss {
    EDDA_LOSS_DEATH,   /* its process died: the work is suspect, runs solo */
    EDDA_LOSS_FAULT,   /* it broke the protocol: costs a retry, the work is not suspect */
    EDDA_LOSS_ORDERLY, /* BYE, or the same process connected anew: costs nothing */
};

/* EDDA_E_MEMORY; teardown takes what is half built. */
int edda_peers_setup(struct edda_core *core) EDDA_MUST_CHECK;
void edda_peers_teardown(struct edda_core *core);

/* Frees the peers that went in the last step: its actions could still name them. */
void edda_peers_bury(struct edda_core *core);

/* NULL when the number has not joined. */
struct edda_peer *edda_peers_find(const struct edda_core *core, uint32_t number);

/* HELLO from any number, joined or not. */
void edda_peers_hello(struct edda_core *core, const struct edda_event *event);

/* Ends the session: its work is released, its number forgotten. code: the RESET to send first, or
 * 0. reason: for the note. */
void edda_peers_gone(struct edda_core *core, struct edda_peer *peer, enum edda_loss loss,
                     int reset_code, int reason);

/* PING and PONG. */
void edda_peers_ping(struct edda_core *core, struct edda_peer *peer,
                     const struct edda_message *message);

/* Whether there was time enough since then (liveness x ping) for a sign of life, and to read it:
 * who slept has its news unread, and peers that slept with it on one machine have sent none. */
bool edda_peers_waited(const struct edda_core *core, int64_t since_ms);

/* Pings the quiet, gives up the silent, cancels for clients that stayed away. budget: requests that
 * may be ended. */
void edda_peers_tick(struct edda_core *core, uint32_t *budget);

/* DRAIN, and BYE, to everybody. */
void edda_peers_tell_all(struct edda_core *core, uint8_t command);

#endif
