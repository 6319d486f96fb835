/* broker/authorized.h: the authorized file: whose public keys may come, and as what.
 *
 *   # name       public key                                 roles
 *   embedder-1   Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID   worker:embed
 *   front        rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7   gateway, cli
 *
 * One line a key: a name for people, the key in Z85, and one or more roles (permit.h), with blanks,
 * tabs or commas between. Empty lines, and lines that begin with #, are passed over. A file is
 * taken whole or not at all: a line that is wrong refuses it, and the message names it.
 *
 * Limits: below. Pure: text in, table out. */
#ifndef EDDA_BROKER_AUTHORIZED_H
#define EDDA_BROKER_AUTHORIZED_H

#include "actors/runtime/certificate.h"
#include "broker/permit.h"

#define EDDA_AUTHORIZED_BYTES   (256u * 1024u)
#define EDDA_AUTHORIZED_KEYS    1024
#define EDDA_AUTHORIZED_ROLES   16 /* of one key */
#define EDDA_AUTHORIZED_NAME    64
#define EDDA_AUTHORIZED_SALT    16
#define EDDA_AUTHORIZED_MESSAGE 256

typedef struct edda_authorized edda_authorized_t;

/* salt: random and the same for a broker's life; it makes the identities of keys. EDDA_E_INVALID,
 * EDDA_E_LIMIT, EDDA_E_MEMORY: message says what is wrong and in which line. */
int edda_authorized_parse(const char *text, size_t size, const uint8_t salt[EDDA_AUTHORIZED_SALT],
                          edda_authorized_t **ret_authorized,
                          char message[EDDA_AUTHORIZED_MESSAGE]) EDDA_MUST_CHECK;

/* Takes NULL. */
void edda_authorized_destroy(edda_authorized_t **self_p);

/* What a key, of 40 characters or none, may do; edda_permit_none when it is not in the file. Lives
 * as long as the table. */
const struct edda_permit *edda_authorized_find(const edda_authorized_t *self, const char *key);

/* The same by identity. Linear. */
const struct edda_permit *edda_authorized_find_identity(const edda_authorized_t *self,
                                                        uint64_t identity);

size_t edda_authorized_count(const edda_authorized_t *self);

#endif
