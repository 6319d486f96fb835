/* ops/identity.h: who this process is over tcp, from its settings: key pair and brokers' keys.
 *
 * A process that speaks to nobody over tcp reads no key. Plain tcp beyond loopback needs
 * --insecure-tcp, for the broker that listens and for whoever connects. */
#ifndef EDDA_OPS_IDENTITY_H
#define EDDA_OPS_IDENTITY_H

#include "actors/runtime/config.h"
#include "actors/runtime/curve.h"

#define EDDA_IDENTITY_MESSAGE 512 /* as EDDA_SESSION_MESSAGE */

/* urls are what the process listens at (the broker) or connects to. *ret_curve is NULL when tcp is
 * plain, or not used. EDDA_E_INVALID, EDDA_E_DENIED, EDDA_E_IO, EDDA_E_UNAVAILABLE, EDDA_E_MEMORY:
 * message says what to do. */
int edda_identity_open(const edda_config_t *config, bool listens, const char *const *urls,
                       size_t count, edda_curve_t **ret_curve,
                       char message[EDDA_IDENTITY_MESSAGE]) EDDA_MUST_CHECK;

#endif
