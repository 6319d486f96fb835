/* tests/harness/relay.h: stands between a client and a PostgreSQL server and does to their
 * connections what networks do, at a message or a byte that the test names.
 *
 *   struct relay *relay = relay_start(server_port);
 *   relay_when(relay, RELAY_TO_CLIENT, "COMMIT", RELAY_CUT);
 *   ... the client connects to relay_port(relay), its COMMIT is done and the answer never comes
 *   assert_int_equal(relay_happened(relay), 1);
 *
 * Whole messages of the protocol are passed on, so a rule that names words sees them in one piece.
 * TLS would hide them: sslmode=disable. A thread a connection; functions may be called while they
 * run. */
#ifndef EDDA_TESTS_RELAY_H
#define EDDA_TESTS_RELAY_H

#include "proto/types.h"

enum relay_way { RELAY_TO_SERVER, RELAY_TO_CLIENT };

enum relay_does {
    RELAY_PASS,
    RELAY_CUT,       /* both connections, instead of passing the message on */
    RELAY_CUT_AFTER, /* the message passes first */
    RELAY_SWALLOW,   /* this message and all that follow it this way; the connections stay */
    RELAY_VANISH,    /* as a host that lost its power: nothing passes any more, either way, and what
                        the client sends is not even acknowledged */
};

struct relay;

struct relay *relay_start(uint16_t server_port);
void relay_stop(struct relay **self_p);

uint16_t relay_port(const struct relay *self);

/* The first message this way that holds words (a string; not across its zero bytes), on whatever
 * connection, and no other. Replaces the rule before it. */
void relay_when(struct relay *self, enum relay_way way, const char *words, enum relay_does does);

/* The byte of this number, counted from now over all connections: those before it pass. */
void relay_at_byte(struct relay *self, enum relay_way way, size_t byte, enum relay_does does);

/* How often a rule came true. */
size_t relay_happened(struct relay *self);

#endif
