/* ops/command_key.c: `edda key create|list|revoke`. */
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "ops/command.h"
#include "ops/keys.h"
#include "proto/body_store.h"
#include "proto/uuid.h"

#define ARENA_BYTES (8u << 20)

static int report(const char *message) {
    fprintf(stderr, "edda key: %s\n", message);
    return EDDA_EXIT_FAILED;
}

static int create(edda_session_t *session, const struct edda_options *options) {
    char key[EDDA_KEY_TEXT];
    char message[EDDA_SESSION_MESSAGE];
    const edda_config_t *config = options->config;
    /* Without the flag, a variable speaks of this machine's gateway and not of this key. */
    bool has_rate = options->given[EDDA_CONFIG_RATE];
    bool has_concurrency = options->given[EDDA_CONFIG_CONCURRENCY];
    const struct edda_new_key wanted = {
        .project = edda_config_text(config, EDDA_CONFIG_PROJECT),
        .name = options->word_count > 1 ? options->words[1] : "",
        .rate = has_rate ? (uint32_t)edda_config_number(config, EDDA_CONFIG_RATE) : 0,
        .concurrency =
            has_concurrency ? (uint32_t)edda_config_number(config, EDDA_CONFIG_CONCURRENCY) : 0,
    };
    if (edda_key_create(session, &wanted, key, message) != 0)
        return report(message);
    printf("%s\n", key);
    fprintf(stderr, "for project %s; shown only this once\n", wanted.project);
    sodium_memzero(key, sizeof key);
    return EDDA_EXIT_OK;
}

static void print_key(const struct edda_store_key *key) {
    char uuid[EDDA_UUID_TEXT];
    char when[32] = "";
    time_t seconds = (time_t)(key->created_wall_ms / 1000);
    struct tm broken;
    if (gmtime_r(&seconds, &broken))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &broken);
    edda_uuid_format(&key->uuid, uuid);
    printf("%-14.*s %s  %s  %-8s %-16.*s %.*s", (int)key->prefix.size,
           key->prefix.data ? key->prefix.data : "", uuid, when, key->revoked ? "revoked" : "valid",
           (int)key->project.size, key->project.data ? key->project.data : "", (int)key->name.size,
           key->name.data ? key->name.data : "");
    if (key->rate > 0)
        printf("  %u a minute", key->rate);
    if (key->concurrency > 0)
        printf("  %u at once", key->concurrency);
    printf("\n");
}

static int list(edda_session_t *session, const struct edda_options *options) {
    bool one_project = options->given[EDDA_CONFIG_PROJECT];
    const char *project = edda_config_text(options->config, EDDA_CONFIG_PROJECT);
    struct edda_store_key wanted = {0};
    if (one_project)
        wanted.project = edda_text_of(project);
    struct edda_store_keys keys;
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(session, edda_op_find(EDDA_TEXT("store.key_list")), project,
                                  &wanted, &arena, &keys, message);
    if (error == 0) {
        for (size_t i = 0; i < keys.keys.count; i++)
            print_key(&keys.keys.items[i]);
        if (keys.keys.count == 0)
            fprintf(stderr, "no keys; make one with `edda key create`\n");
    }
    edda_arena_done(&arena);
    return error == 0 ? EDDA_EXIT_OK : report(message);
}

/* A whole key is never sent: only its hash leaves this process. */
static void describe(const char *word, unsigned char *hash, struct edda_store_key *ret_key) {
    *ret_key = (struct edda_store_key){0};
    struct edda_uuid uuid;
    if (edda_uuid_parse(edda_text_of(word), &uuid) == 0) {
        ret_key->uuid = uuid;
    } else if (strlen(word) > EDDA_KEY_PREFIX) {
        crypto_hash_sha256(hash, (const unsigned char *)word, strlen(word));
        ret_key->hash = (struct edda_bytes){hash, crypto_hash_sha256_BYTES};
    } else {
        ret_key->prefix = edda_text_of(word);
    }
}

static int revoke(edda_session_t *session, const struct edda_options *options, const char *word) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    struct edda_store_key key;
    describe(word, hash, &key);
    const char *project = edda_config_text(options->config, EDDA_CONFIG_PROJECT);
    struct edda_store_count count = {0};
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(session, edda_op_find(EDDA_TEXT("store.key_revoke")), project,
                                  &key, &arena, &count, message);
    edda_arena_done(&arena);
    if (error != 0)
        return report(message);
    if (count.count == 0)
        return report("no valid key is that; `edda key list` shows them");
    fprintf(stderr, "revoked %llu\n", (unsigned long long)count.count);
    return EDDA_EXIT_OK;
}

int edda_command_key(const struct edda_command *command, const struct edda_options *options) {
    const char *verb = options->words[0];
    bool creates = strcmp(verb, "create") == 0;
    bool lists = strcmp(verb, "list") == 0;
    bool revokes = strcmp(verb, "revoke") == 0;
    if (!creates && !lists && !revokes)
        return edda_command_misused(command, "%s is not create, list or revoke", verb);
    if (revokes && options->word_count < 2)
        return edda_command_misused(command, "revoke which? give a key, its uuid or its prefix");
    if (lists && options->word_count > 1)
        return edda_command_misused(command, "%s is too much", options->words[1]);
    edda_session_t *session = NULL;
    char message[EDDA_SESSION_MESSAGE];
    enum edda_session_without without = creates ? EDDA_SESSION_MAKES : EDDA_SESSION_OPENS;
    if (edda_session_open(options->config, without, &session, message) != 0)
        return report(message);
    int status = creates ? create(session, options)
                 : lists ? list(session, options)
                         : revoke(session, options, options->words[1]);
    edda_session_close(&session);
    return status;
}
