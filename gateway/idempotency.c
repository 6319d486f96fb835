/* gateway/idempotency.c: a chained table over the digest's first byte. */
#include "gateway/idempotency.h"

#include <sodium.h>

static bool is_token(unsigned char byte) {
    return byte > 0x20 && byte < 0x7f && byte != '"' && byte != ',' && byte != '\\';
}

static int parse_quoted(struct edda_text body, char *key, size_t *ret_size) {
    size_t size = 0;
    for (size_t i = 0; i < body.size; i++) {
        unsigned char byte = (unsigned char)body.data[i];
        if (byte == '\\') {
            i++;
            byte = i < body.size ? (unsigned char)body.data[i] : 0;
            if (byte != '"' && byte != '\\') {
                return EDDA_E_INVALID;
            }
        } else if (byte == '"' || byte < 0x20 || byte > 0x7e) {
            return EDDA_E_INVALID;
        }
        if (size == EDDA_MAX_KEY_HEADER) {
            return EDDA_E_INVALID;
        }
        key[size++] = (char)byte;
    }
    *ret_size = size;
    return size > 0 ? 0 : EDDA_E_INVALID;
}

int edda_idempotency_parse(struct edda_text header, char ret_key[EDDA_MAX_KEY_HEADER + 1],
                           size_t *ret_size) {
    int error = 0;
    if (header.size >= 2 && header.data[0] == '"' && header.data[header.size - 1] == '"') {
        struct edda_text body = {header.data + 1, header.size - 2};
        error = parse_quoted(body, ret_key, ret_size);
    } else {
        if (header.size == 0 || header.size > EDDA_MAX_KEY_HEADER) {
            return EDDA_E_INVALID;
        }
        for (size_t i = 0; i < header.size; i++) {
            if (!is_token((unsigned char)header.data[i])) {
                return EDDA_E_INVALID;
            }
        }
        memcpy(ret_key, header.data, header.size);
        *ret_size = header.size;
    }
    if (!error) {
        ret_key[*ret_size] = '\0';
    }
    return error;
}

void edda_idempotency_digest(struct edda_text project, struct edda_text key,
                             struct edda_running_key *entry) {
    crypto_hash_sha256_state state;
    unsigned char hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)project.data, project.size);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)"", 1);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)key.data, key.size);
    (void)crypto_hash_sha256_final(&state, hash);
    (void)sodium_bin2hex(entry->digest, sizeof entry->digest, hash, sizeof hash);
}

static struct edda_running_key **bucket_of(struct edda_running_keys *keys, const char *digest) {
    unsigned char index =
        (unsigned char)((unsigned char)digest[0] * 31u + (unsigned char)digest[1]);
    return &keys->buckets[index];
}

int edda_idempotency_enter(struct edda_running_keys *keys, struct edda_running_key *entry) {
    struct edda_running_key **bucket = bucket_of(keys, entry->digest);
    for (const struct edda_running_key *at = *bucket; at; at = at->next) {
        if (memcmp(at->digest, entry->digest, EDDA_KEY_DIGEST) == 0) {
            return EDDA_E_RUNNING;
        }
    }
    entry->next = *bucket;
    *bucket = entry;
    return 0;
}

void edda_idempotency_leave(struct edda_running_keys *keys, struct edda_running_key *entry) {
    for (struct edda_running_key **at = bucket_of(keys, entry->digest); *at; at = &(*at)->next) {
        if (*at == entry) {
            *at = entry->next;
            entry->next = NULL;
            return;
        }
    }
}
