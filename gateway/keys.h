/* gateway/keys.h: which project a request's key opens.
 *
 * The store knows keys by their sha256; what it said is remembered for a short while, so that a
 * busy client costs no look-up and a revoked key ends within seconds. The memory holds no key:
 * entries are found by a keyed 128-bit hash whose secret dies with the process. One key may be set
 * by configuration: it opens the project "default" without the store.
 *
 * Threads: the loop's. Limits: EDDA_KEYS_REMEMBERED entries; a newer one replaces an older. */
#ifndef EDDA_GATEWAY_KEYS_H
#define EDDA_GATEWAY_KEYS_H

#include "proto/error.h"
#include "proto/limits.h"
#include "proto/types.h"

#define EDDA_KEYS_REMEMBERED   1024
#define EDDA_KEY_GOOD_MS       5000
#define EDDA_KEY_BAD_MS        1000
#define EDDA_MAX_AUTHORIZATION 200
#define EDDA_KEY_HASH_BYTES    32

typedef struct edda_keys edda_keys_t;

struct edda_key_tag {
    uint8_t bytes[16];
};

/* What a key may ask; 0: no limit. */
struct edda_key_limits {
    uint32_t rate;        /* requests a minute */
    uint32_t concurrency; /* requests open at once */
};

/* What a key is good for. */
struct edda_key_grant {
    char project[EDDA_MAX_NAME + 1];
    struct edda_key_limits limits; /* its own; 0: the gateway's */
};

/* static_key may be NULL or empty. */
edda_keys_t *edda_keys_new(const char *static_key);
void edda_keys_destroy(edda_keys_t **self_p);

/* The key of "Bearer KEY" or "Token KEY", borrowed from header. EDDA_E_INVALID: over 200
 * characters; EDDA_E_DENIED: absent or another shape. */
int edda_keys_parse(struct edda_text header, struct edda_text *ret_key) EDDA_MUST_CHECK;

/* 0: *ret_grant is filled. EDDA_E_DENIED: known to be none. EDDA_E_AGAIN: ask the
 * store, then edda_keys_learn with *ret_tag. */
int edda_keys_find(edda_keys_t *self, struct edda_text key, int64_t now_ms,
                   struct edda_key_tag *ret_tag, struct edda_key_grant *ret_grant) EDDA_MUST_CHECK;

/* The store's answer: NULL when there is no such key. */
void edda_keys_learn(edda_keys_t *self, const struct edda_key_tag *tag,
                     const struct edda_key_grant *grant, int64_t now_ms);

/* What the store knows a key by. */
void edda_keys_hash(struct edda_text key, uint8_t ret_hash[EDDA_KEY_HASH_BYTES]);

#endif
