/* broker/gate.h: the way in over tcp: CURVE, the authorized file, and the proof that it is closed.
 *
 *   edda_gate_new ── reads the file, becomes the context's ZAP handler
 *   edda_gate_listen ── binds; then a stranger with a random key knocks at each endpoint, and if it
 *                       is not turned away nothing listens and the broker does not start
 *   file changed ── read anew, whole or not at all; `changed` is told
 *
 * libzmq lets everybody in when nobody answers for the keys: that is why the proof is made and not
 * left to options. The file is looked at twice a second and read once two looks saw the same, so
 * that half of an edit is not taken for the whole. One that is wrong, or gone, leaves the keys as
 * they were, and says so.
 *
 * Threads: the loop's. Limits: EDDA_AUTHORIZED_BYTES; a proof takes at most EDDA_GATE_PROOF_MS.
 * Source: PROTOCOL.md sections 2.6 and 5.19. */
#ifndef EDDA_BROKER_GATE_H
#define EDDA_BROKER_GATE_H

#include "actors/runtime/curve.h"
#include "actors/runtime/loop.h"
#include "broker/authorized.h"

#define EDDA_GATE_LOOK_MS  500
#define EDDA_GATE_PROOF_MS 5000
#define EDDA_GATE_SOCKETS  2

typedef struct edda_gate edda_gate_t;

struct edda_gate_options {
    edda_loop_t *loop;
    void *zmq_context;
    const edda_curve_t *curve; /* borrowed */
    const char *authorized;    /* the file's path, borrowed */
    void (*changed)(void *context, const edda_authorized_t *authorized);
    void (*lost)(void *context); /* a connection ended; whose is not told */
    void *context;
};

/* EDDA_E_MALFORMED: the file is refused, for a line of it or because others may write to it;
 * EDDA_E_IO: it cannot be read; both logged with their reason. EDDA_E_CONFLICT: the context has a
 * ZAP handler. */
int edda_gate_new(const struct edda_gate_options *options, edda_gate_t **ret_gate) EDDA_MUST_CHECK;

/* After the sockets' watches, before the sockets. Takes NULL. */
void edda_gate_destroy(edda_gate_t **self_p);

/* A ROUTER bound to every URL, all of them tcp; the caller closes it. EDDA_E_FAILED,
 * EDDA_E_TIMEOUT: a stranger was not turned away. Else as edda_socket_guarded. */
int edda_gate_listen(edda_gate_t *self, const char *const *urls, size_t count,
                     void **ret_socket) EDDA_MUST_CHECK;

/* What the sender of a message may do, by its key (struct edda_wire); borrowed until the next turn.
 */
const struct edda_permit *edda_gate_permit(const edda_gate_t *self, const char *key);

#endif
