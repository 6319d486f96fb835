/* actors/runtime/zap.h: the ZAP handler of a context: who asks to be let in, and the answer.
 *
 * libzmq asks once a CURVE handshake has proved that the peer holds the secret of its public key. A
 * context has one handler. Its questions wait here, one for each connection in its handshake, and
 * the handshakes wait for the answers: nobody is let in meanwhile.
 *
 * A peer that is let in has its public key, in Z85, as the User-Id of every message it sends.
 *
 * Threads: the one that opened it. Source: RFC 27/ZAP. */
#ifndef EDDA_RUNTIME_ZAP_H
#define EDDA_RUNTIME_ZAP_H

#include "actors/runtime/curve.h"

#define EDDA_ZAP_FIELD 64

struct edda_zap_request {
    uint8_t route[EDDA_ZAP_FIELD]; /* where the answer goes */
    size_t route_size;
    uint8_t id[EDDA_ZAP_FIELD];
    size_t id_size;
    char address[EDDA_ZAP_FIELD];  /* the peer's, for people; cut */
    char key[EDDA_CURVE_KEY_TEXT]; /* the peer's public key */
};

/* EDDA_E_CONFLICT: the context has a handler. EDDA_E_LIMIT: no more sockets. EDDA_E_UNAVAILABLE:
 * libzmq refuses. */
int edda_zap_open(void *zmq_context, void **ret_socket) EDDA_MUST_CHECK;

/* Closes and nulls. */
void edda_zap_close(void **socket_p);

/* The next question, without waiting. EDDA_E_AGAIN: none. EDDA_E_MALFORMED: one that is not of our
 * domain, or not about a CURVE key, was read and refused. */
int edda_zap_receive(void *socket, struct edda_zap_request *ret_request) EDDA_MUST_CHECK;

void edda_zap_answer(void *socket, const struct edda_zap_request *request, bool allowed);

/* Whether the broker at url turns away somebody with a fresh random key. serve is called whenever
 * the ZAP socket may have questions. 0: it does. EDDA_E_FAILED: it was let in, or nobody was asked
 * about it. EDDA_E_TIMEOUT: neither, within limit_ms. EDDA_E_MEMORY, EDDA_E_LIMIT,
 * EDDA_E_UNAVAILABLE. */
int edda_zap_prove(void *zmq_context, const char *url, const char *broker_key, void *zap_socket,
                   void (*serve)(void *context), void *context, int64_t limit_ms) EDDA_MUST_CHECK;

#endif
