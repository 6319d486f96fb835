/* ops/keys.c: see keys.h. */
#include "ops/keys.h"

#include <sodium.h>
#include <stdio.h>

#include "proto/body_store.h"

#define ARENA_BYTES (4u << 20)

int edda_key_create(edda_session_t *session, const struct edda_new_key *wanted,
                    char ret_key[EDDA_KEY_TEXT], char message[EDDA_SESSION_MESSAGE]) {
    unsigned char random[20];
    unsigned char hash[crypto_hash_sha256_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(ret_key, "sk_proj_", 8);
    sodium_bin2hex(ret_key + 8, EDDA_KEY_TEXT - 8, random, sizeof random);
    crypto_hash_sha256(hash, (const unsigned char *)ret_key, EDDA_KEY_TEXT - 1);
    struct edda_store_key key = {
        .project = edda_text_of(wanted->project),
        .name = edda_text_of(wanted->name),
        .hash = {hash, sizeof hash},
        .prefix = {ret_key, EDDA_KEY_PREFIX},
        .rate = wanted->rate,
        .concurrency = wanted->concurrency,
    };
    struct edda_store_key made;
    struct edda_arena arena;
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(session, edda_op_find(EDDA_TEXT("store.key_create")),
                                  wanted->project, &key, &arena, &made, message);
    edda_arena_done(&arena);
    if (error != 0)
        sodium_memzero(ret_key, EDDA_KEY_TEXT);
    return error;
}

/* Of all projects; those that are not revoked. */
static int count_keys(edda_session_t *session, size_t *ret_count,
                      char message[EDDA_SESSION_MESSAGE]) {
    struct edda_store_key all = {0};
    struct edda_store_keys keys;
    struct edda_arena arena;
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(session, edda_op_find(EDDA_TEXT("store.key_list")), "default",
                                  &all, &arena, &keys, message);
    if (error == 0) {
        *ret_count = 0;
        for (size_t i = 0; i < keys.keys.count; i++)
            *ret_count += keys.keys.items[i].revoked ? 0 : 1;
    }
    edda_arena_done(&arena);
    return error;
}

bool edda_key_is_given(const edda_config_t *config) {
    return edda_config_text(config, EDDA_CONFIG_API_KEY)[0] != '\0';
}

int edda_key_first(edda_session_t *session, char message[EDDA_SESSION_MESSAGE]) {
    size_t count = 0;
    int error = count_keys(session, &count, message);
    if (error != 0 || count > 0)
        return error;
    char key[EDDA_KEY_TEXT];
    const struct edda_new_key first = {.project = "default", .name = "first"};
    error = edda_key_create(session, &first, key, message);
    if (error != 0)
        return error;
    printf("key: %s\n", key);
    printf("     for project default, shown only this once; more with `edda key create`\n");
    fflush(stdout);
    sodium_memzero(key, sizeof key);
    return 0;
}
