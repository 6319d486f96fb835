/* actors/runtime/curve.h: who this process is to others, and whom it trusts: its CURVE key pair and
 * the public keys of its brokers.
 *
 * The secret lies in memory that is locked, kept out of cores and wiped when it is destroyed. What
 * libzmq keeps of it in a socket's options is beyond our reach: a process that holds one leaves no
 * core at all (ops/main.c).
 *
 * A secret file must be closed to others: mode 0600 or less when it is ours, 0640 or less when it
 * is root's (as a service's group reads it). Source: RFC 26/CURVEZMQ, zmq_curve(7). */
#ifndef EDDA_RUNTIME_CURVE_H
#define EDDA_RUNTIME_CURVE_H

#include "actors/runtime/certificate.h"

#define EDDA_CURVE_MAX_BROKERS 8
#define EDDA_CURVE_DOMAIN      "edda" /* of ZAP requests */

typedef struct edda_curve edda_curve_t;

/* A fresh pair. EDDA_E_MEMORY; EDDA_E_UNAVAILABLE: libzmq was built without CURVE. */
int edda_curve_new(edda_curve_t **ret_curve) EDDA_MUST_CHECK;

/* The pair of a secret certificate's file. EDDA_E_IO, EDDA_E_INVALID, EDDA_E_DENIED (others can
 * read it), EDDA_E_UNAVAILABLE, EDDA_E_MEMORY: message says which and what to do. */
int edda_curve_load(const char *path, edda_curve_t **ret_curve, char *message,
                    size_t message_size) EDDA_MUST_CHECK;

/* Writes the pair to path (mode 0600) and its public half to path.pub. EDDA_E_CONFLICT: one of them
 * is there and overwrite was not given. EDDA_E_IO. message says which. */
int edda_curve_save(const edda_curve_t *self, const char *path, bool overwrite, char *message,
                    size_t message_size) EDDA_MUST_CHECK;

/* Wipes. Takes NULL. */
void edda_curve_destroy(edda_curve_t **self_p);

/* In Z85; lives as long as self. */
const char *edda_curve_public(const edda_curve_t *self);

/* The public key of the next broker, in the order of the URLs: the key itself, a certificate's
 * text, or the path of one. One key for all when it stays the only one. EDDA_E_INVALID, EDDA_E_IO,
 * EDDA_E_LIMIT: message says what is wrong. */
int edda_curve_trust(edda_curve_t *self, const char *key_or_path, char *message,
                     size_t message_size) EDDA_MUST_CHECK;
size_t edda_curve_trusted(const edda_curve_t *self);

/* Before a bind, or a connection to the broker with this index: what follows is encrypted, and with
 * nobody else. EDDA_E_UNAVAILABLE: libzmq refuses. EDDA_E_INVALID: no key is known for the broker.
 */
int edda_curve_serve(const edda_curve_t *self, void *socket) EDDA_MUST_CHECK;
int edda_curve_join(const edda_curve_t *self, size_t broker, void *socket) EDDA_MUST_CHECK;

#endif
