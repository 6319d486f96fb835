/* gateway/keys.c: a table of four-way buckets over keyed hashes. */
#include "gateway/keys.h"

#include <sodium.h>
#include <stdlib.h>
#include <strings.h>

#define WAYS    4
#define BUCKETS (EDDA_KEYS_REMEMBERED / WAYS)

struct known_key {
    struct edda_key_tag tag;
    int64_t until_ms;
    bool good;
    struct edda_key_grant grant;
};

struct edda_keys {
    unsigned char secret[crypto_shorthash_siphashx24_KEYBYTES];
    bool has_static;
    struct edda_key_tag static_tag;
    struct known_key known[BUCKETS][WAYS];
};

static struct edda_key_tag tag_of(const edda_keys_t *self, struct edda_text key) {
    struct edda_key_tag tag;
    _Static_assert(sizeof tag.bytes == crypto_shorthash_siphashx24_BYTES, "a tag is one hash");
    (void)crypto_shorthash_siphashx24(tag.bytes, (const unsigned char *)key.data, key.size,
                                      self->secret);
    return tag;
}

static bool same_tag(const struct edda_key_tag *a, const struct edda_key_tag *b) {
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

edda_keys_t *edda_keys_new(const char *static_key) {
    edda_keys_t *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    randombytes_buf(self->secret, sizeof self->secret);
    if (static_key && *static_key) {
        self->has_static = true;
        self->static_tag = tag_of(self, edda_text_of(static_key));
    }
    return self;
}

void edda_keys_destroy(edda_keys_t **self_p) {
    if (*self_p) {
        sodium_memzero(*self_p, sizeof **self_p);
        free(*self_p);
        *self_p = NULL;
    }
}

int edda_keys_parse(struct edda_text header, struct edda_text *ret_key) {
    size_t at = 0;
    if (header.size > EDDA_MAX_AUTHORIZATION) {
        return EDDA_E_INVALID;
    }
    if (header.size > 7 && strncasecmp(header.data, "Bearer", 6) == 0) {
        at = 6;
    } else if (header.size > 6 && strncasecmp(header.data, "Token", 5) == 0) {
        at = 5;
    }
    size_t scheme = at;
    while (at < header.size && (header.data[at] == ' ' || header.data[at] == '\t')) {
        at++;
    }
    if (scheme == 0 || at == scheme || at == header.size) {
        return EDDA_E_DENIED;
    }
    for (size_t i = at; i < header.size; i++) {
        if ((unsigned char)header.data[i] <= ' ') {
            return EDDA_E_DENIED;
        }
    }
    *ret_key = (struct edda_text){header.data + at, header.size - at};
    return 0;
}

static struct known_key *bucket_of(edda_keys_t *self, const struct edda_key_tag *tag) {
    uint16_t index;
    memcpy(&index, tag->bytes, sizeof index);
    return self->known[index % BUCKETS];
}

int edda_keys_find(edda_keys_t *self, struct edda_text key, int64_t now_ms,
                   struct edda_key_tag *ret_tag, struct edda_key_grant *ret_grant) {
    *ret_tag = tag_of(self, key);
    if (self->has_static && same_tag(&self->static_tag, ret_tag)) {
        *ret_grant = (struct edda_key_grant){.project = "default"};
        return 0;
    }
    const struct known_key *bucket = bucket_of(self, ret_tag);
    for (size_t i = 0; i < WAYS; i++) {
        if (bucket[i].until_ms > now_ms && same_tag(&bucket[i].tag, ret_tag)) {
            *ret_grant = bucket[i].grant;
            return bucket[i].good ? 0 : EDDA_E_DENIED;
        }
    }
    return EDDA_E_AGAIN;
}

void edda_keys_learn(edda_keys_t *self, const struct edda_key_tag *tag,
                     const struct edda_key_grant *grant, int64_t now_ms) {
    struct known_key *bucket = bucket_of(self, tag);
    struct known_key *place = &bucket[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (same_tag(&bucket[i].tag, tag)) {
            place = &bucket[i];
            break;
        }
        if (bucket[i].until_ms < place->until_ms) {
            place = &bucket[i];
        }
    }
    *place = (struct known_key){
        .tag = *tag,
        .until_ms = now_ms + (grant ? EDDA_KEY_GOOD_MS : EDDA_KEY_BAD_MS),
        .good = grant != NULL,
    };
    if (grant) {
        place->grant = *grant;
    }
}

void edda_keys_hash(struct edda_text key, uint8_t ret_hash[EDDA_KEY_HASH_BYTES]) {
    (void)crypto_hash_sha256(ret_hash, (const unsigned char *)key.data, key.size);
}
