/* gateway/idempotency.h: the Idempotency-Key header and which keys have a request running here.
 *
 * A key is hashed with its project's name beside it, so that any key of up to 255 characters fits
 * the store and nobody's key meets another's. What was answered to a key lives in the store; this
 * table only knows what runs now, so that a repeat meanwhile gets 409 instead of a second memo.
 * Source: draft-ietf-httpapi-idempotency-key-header. Threads: the loop's. */
#ifndef EDDA_GATEWAY_IDEMPOTENCY_H
#define EDDA_GATEWAY_IDEMPOTENCY_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_MAX_KEY_HEADER 255
#define EDDA_KEY_DIGEST     64 /* hexadecimal digits */

/* A structured header's quoted string ("\"" and "\\" escaped) or a bare token. *ret_key gets the
 * characters, NUL-terminated. EDDA_E_INVALID: empty, too long, or neither. */
int edda_idempotency_parse(struct edda_text header, char ret_key[EDDA_MAX_KEY_HEADER + 1],
                           size_t *ret_size) EDDA_MUST_CHECK;

struct edda_running_key {
    struct edda_running_key *next;
    char digest[EDDA_KEY_DIGEST + 1]; /* of project and key; "" when none was sent */
};

struct edda_running_keys {
    struct edda_running_key *buckets[256];
};

/* Fills entry->digest. */
void edda_idempotency_digest(struct edda_text project, struct edda_text key,
                             struct edda_running_key *entry);

/* EDDA_E_RUNNING: another entry with this digest is there. entry is borrowed until left. */
int edda_idempotency_enter(struct edda_running_keys *keys,
                           struct edda_running_key *entry) EDDA_MUST_CHECK;

/* Does nothing for an entry that is not in the table. */
void edda_idempotency_leave(struct edda_running_keys *keys, struct edda_running_key *entry);

#endif
