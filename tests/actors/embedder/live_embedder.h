/* tests/actors/embedder/live_embedder.h: the embed stage as a role between a broker that is a fake
 * and a provider that is a program of its own, and words to ask it with.
 *
 *   struct live_role live;
 *   live_embedder_start(&live, provider, settings);  // {"EDDA_EMBEDDING_BATCH", "96", NULL}: pairs
 *   live_embedder_query(&live, 1, "Where is the mill?");
 *   struct live_vectors vectors = live_embedder_vectors(&live, 1);
 *   live_role_stop(&live);
 *
 * Jobs are told apart by a number of the test's own. Threads: the test's, and the role's. */
#ifndef EDDA_TESTS_LIVE_EMBEDDER_H
#define EDDA_TESTS_LIVE_EMBEDDER_H

#include "proto/body_stage.h"
#include "tests/harness/live_role.h"
#include "tests/provider/provider_process.h"

#define LIVE_TTL_MS 300000
#define LIVE_BULK   9 /* priorities */
#define LIVE_URGENT 0

/* What a DONE held; in the arena. */
struct live_vectors {
    struct edda_text model;
    uint32_t dimension;
    size_t count;
    const float *rows;         /* of halves too */
    bool halves;               /* they came as that */
    struct edda_chunks chunks; /* of embed.chunks */
};

/* EMBEDDING_PROVIDER is openai at the provider, whose settings are all taken back. settings:
 * variables and values in turn, NULL-terminated; a value "@voyage/v1" is that URL at the provider.
 * The role is welcomed. */
void live_embedder_start(struct live_role *live, struct provider_process *provider,
                         const char *const *settings);

/* The same with so many texts in line at most. */
void live_embedder_start_narrow(struct live_role *live, struct provider_process *provider,
                                const char *const *settings, size_t waiting);
/* The role ends by itself with this result, without having been ready. */
void live_embedder_expect_refusal(const char *const *settings, int result);

/* WORK for embed; texts are `count` of them. */
void live_embedder_embed(struct live_role *live, uint8_t number, uint8_t priority,
                         const struct edda_embed_arguments *arguments);
void live_embedder_query(struct live_role *live, uint8_t number, const char *text);
void live_embedder_document(struct live_role *live, uint8_t number, uint8_t priority,
                            const char *text);

/* WORK for embed.chunks, bulk. */
void live_embedder_chunks(struct live_role *live, uint8_t number, const struct edda_chunks *chunks);

/* `count` chunks with texts of their own: "PREFIX number"; in the arena. */
struct edda_chunks live_embedder_make(struct live_role *live, const char *prefix, uint32_t count);

void live_embedder_cancel(struct live_role *live, uint8_t number);

/* The next message, CREDIT and PROGRESS apart, must be the DONE of this job. */
struct live_vectors live_embedder_vectors(struct live_role *live, uint8_t number);

/* The same of any job. */
struct live_vectors live_embedder_any(struct live_role *live, uint8_t *ret_number);

/* The next must be the FAIL of this job. The text; in the arena. */
const char *live_embedder_failure(struct live_role *live, uint8_t number, int code,
                                  enum edda_blame blame, uint32_t *ret_retry_after_ms);

/* How many requests the provider has had, and for how many texts it has answered. */
int64_t live_embedder_requests(struct live_role *live);
int64_t live_embedder_items(struct live_role *live);

#endif
