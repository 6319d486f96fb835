/* ops/keys.h: making API keys: sk_proj_ and 40 hexadecimal digits, of which only a hash is kept. */
#ifndef EDDA_OPS_KEYS_H
#define EDDA_OPS_KEYS_H

#include "ops/session.h"

#define EDDA_KEY_TEXT   49 /* 8 + 40 characters and NUL */
#define EDDA_KEY_PREFIX 12

/* What a new key is for. Limits of 0: those of the gateway hold. */
struct edda_new_key {
    const char *project;
    const char *name;
    uint32_t rate;        /* requests a minute */
    uint32_t concurrency; /* requests at once */
};

/* Makes a key, stores its hash, and gives the key, which nobody can see again. Errors are the
 * session's, with words. */
int edda_key_create(edda_session_t *session, const struct edda_new_key *wanted,
                    char ret_key[EDDA_KEY_TEXT],
                    char message[EDDA_SESSION_MESSAGE]) EDDA_MUST_CHECK;

/* Whether EDDA_API_KEY is set: then a first start needs no key of its own, and nobody is asked. */
bool edda_key_is_given(const edda_config_t *config);

/* What a first start does: makes and prints a key for the default project unless a key exists.
 * Errors as above. */
int edda_key_first(edda_session_t *session, char message[EDDA_SESSION_MESSAGE]) EDDA_MUST_CHECK;

#endif
