/* tests/sim/network.h: connections between the sockets of zmq.c, and what can befall them.
 *
 *   DEALER --stream--> ROUTER        A connection has two streams. Messages on one stream keep
 * their
 *          <--stream--               order; those of different connections overtake each other.
 *
 * What ZeroMQ 4.3 over TCP does, as far as the code above can see it:
 * - A message that was sent may be lost only with its connection: a connection that breaks keeps
 *   what has arrived, and of what is on the way a first part arrives and the rest does not.
 * - Each end learns of a break by itself, later; a dead machine tells nobody. Until then an end can
 *   send, into nothing. After it a ROUTER refuses the routing id (EHOSTUNREACH), a DEALER is not
 *   writable (ZMQ_IMMEDIATE) and connects anew by itself: its monitor tells, and the ROUTER sees a
 * stranger.
 * - A path that is cut holds what is sent; when it is whole again the messages arrive late, or the
 *   connection has broken. */
#ifndef EDDA_TESTS_SIM_NETWORK_H
#define EDDA_TESTS_SIM_NETWORK_H

#include <zmq.h>

#include "tests/sim/world.h"

#define SIM_DEALER     0 /* ends of a connection */
#define SIM_ROUTER     1
#define SIM_ID_BYTES   5 /* as libzmq's own routing ids */
#define SIM_MAX_FRAMES 12
#define SIM_MAX_URL    64
#define SIM_MAX_URLS   4

struct sim_packet {
    struct sim_packet *next;
    int64_t arrives_us;
    size_t count;
    zmq_msg_t frames[SIM_MAX_FRAMES];
};

struct sim_queue {
    struct sim_packet *first;
    struct sim_packet *last;
};

/* One direction, named by the end that reads. */
struct sim_stream {
    struct sim_queue wire; /* in order of arrival */
    struct sim_queue arrived;
    int64_t last_us; /* nothing arrives before it */
    struct edda_timer arrival;
};

struct sim_connection {
    struct sim_connection *next;
    uint32_t number; /* unique in the world */
    uint8_t id[SIM_ID_BYTES];
    struct sim_socket *ends[2]; /* NULL: that end is closed */
    struct sim_node *nodes[2];
    bool up[2];  /* that end believes in it */
    bool broken; /* nothing that is sent now arrives */
    bool silent; /* and nobody will be told: whoever listens must find out */
    struct sim_stream streams[2];
    struct edda_timer notices[2]; /* when that end learns of the break */
    int64_t full_until_us[2];     /* that end takes nothing from its owner */
    bool session;                 /* the broker has said WELCOME and not RESET: for the taps */
};

struct sim_socket {
    struct sim_socket *next; /* of the node */
    struct sim_node *node;
    int end;       /* SIM_DEALER or SIM_ROUTER */
    int number;    /* unique in the world: the descriptor of its monitor */
    unsigned lost; /* ends of connections that its monitor has not been asked for yet */
    int linger_ms;
    char urls[SIM_MAX_URLS][SIM_MAX_URL]; /* bound, or the one to connect to */
    size_t url_count;
    struct edda_timer connect;
    /* of the message that is being given to us */
    zmq_msg_t out[SIM_MAX_FRAMES];
    size_t out_count;
    struct sim_connection *out_to; /* ROUTER: whose routing id came first */
    /* of the message that is being taken from us */
    struct sim_packet *in;
    struct sim_connection *in_from;
    size_t in_next;
    bool in_id; /* ROUTER: the routing id is still to be given */
};

/* ---- for zmq.c ---- */

/* Connects now or, again and again, later. */
void sim_network_connect(struct sim_socket *socket);

/* The socket is closed in order: what was sent arrives, unless linger is 0. */
void sim_network_close(struct sim_socket *socket);

/* Takes the frames, which are empty after. */
void sim_network_send(struct sim_connection *connection, int from, zmq_msg_t *frames, size_t count);

/* The next arrived message of any of the socket's connections; NULL: none. */
struct sim_packet *sim_network_take(struct sim_socket *socket,
                                    struct sim_connection **ret_connection);
bool sim_network_readable(const struct sim_socket *socket);
bool sim_network_writable(const struct sim_socket *socket);
struct sim_connection *sim_network_find(const struct sim_socket *socket, const uint8_t *id,
                                        size_t size);
void sim_packet_free(struct sim_packet *packet);

/* ---- for nodes and faults ---- */

/* The node is dying: its sockets are closed by its kernel, or just silent with its power. */
void sim_network_abandon(struct sim_node *node);

void sim_network_break(struct sim_connection *connection);
void sim_network_silence(struct sim_connection *connection);

/* Paths were mended: what waited goes on, or is found to be broken. */
void sim_network_mend(void);

/* Frees connections that nobody has any more. */
void sim_network_tidy(void);

/* Everything, at the end of the world. */
void sim_network_clear(void);

#endif
