/* actors/provider/api.h: what the providers' requests and responses look like: structs to JSON,
 * JSON to structs. Pure: no socket, no clock; one file per provider holds only its mapping.
 *
 *   EMBED   texts    -> edda_embed_build  -> request      response -> edda_embed_parse  -> vectors
 *   RERANK  query, documents -> edda_rerank_build         response -> edda_rerank_parse -> scores
 *   CHAT    messages -> edda_chat_build                   stream   -> edda_chat_stream  -> text
 *
 * Requests to an OpenAI-compatible service have the fields and headers that the openai npm package
 * sends, base64 vectors included. Nothing a provider answers can do worse than an error.
 * Source: the providers' own specifications; each file names its. */
#ifndef EDDA_ACTORS_PROVIDER_API_H
#define EDDA_ACTORS_PROVIDER_API_H

#include "actors/provider/account.h"
#include "actors/provider/outbound.h"
#include "actors/provider/sse.h"
#include "proto/body_stage.h"
#include "proto/buffer.h"

#define EDDA_API_URL    1024
#define EDDA_API_HEADER 640

#define EDDA_EMBED_MARGIN 16

/* What goes out; for edda_provider_request. */
struct edda_api_request {
    char url[EDDA_API_URL];
    char headers[EDDA_OUTBOUND_HEADERS][EDDA_API_HEADER];
    const char *header_list[EDDA_OUTBOUND_HEADERS + 1]; /* into headers, NULL-terminated */
    struct edda_buffer body;
};

void edda_api_request_init(struct edda_api_request *request, size_t body_maximum);

/* Wipes keys. */
void edda_api_request_done(struct edda_api_request *request);

/* ---- embeddings ---- */

struct edda_embed_limits {
    uint32_t items;        /* texts a call */
    uint32_t tokens;       /* of all its texts, estimated; 0: no limit known */
    uint32_t bytes;        /* of all its texts */
    uint32_t item_bytes;   /* of one text: longer ones are cut, at a character */
    size_t response_bytes; /* most a response of `items` can be */
};

/* batch: EDDA_EMBEDDING_BATCH, 0 none: fewer items than the provider allows. */
struct edda_embed_limits edda_embed_limits(const struct edda_account *account, uint32_t batch);

struct edda_embed_vectors {
    float *values; /* owned: count rows of dimension */
    size_t count;
    uint32_t dimension;
    uint64_t tokens; /* as the provider counted; 0: not said */
};

void edda_embed_vectors_done(struct edda_embed_vectors *vectors);

/* query: the texts are questions, not documents. EDDA_E_LIMIT: over the body's maximum;
 * EDDA_E_INVALID: too many texts; EDDA_E_MEMORY. */
int edda_embed_build(const struct edda_account *account, const struct edda_texts *texts, bool query,
                     struct edda_api_request *ret_request) EDDA_MUST_CHECK;

/* Whatever order the rows come in, they are given in the texts' order. EDDA_E_FAILED when the body
 * is not what the provider promises: malformed, another count, an index twice or none, rows of
 * unequal length, another dimension than wanted (0: any up to EDDA_MAX_DIMENSION), a number that is
 * not finite; or more than EDDA_EMBED_MARGIN values a row beside its numbers, which is not parsed.
 * *ret_why (static) says which. EDDA_E_MEMORY. Any thread. */
int edda_embed_parse(const struct edda_account *account, struct edda_bytes body, size_t count,
                     uint32_t dimension, struct edda_embed_vectors *ret_vectors,
                     const char **ret_why) EDDA_MUST_CHECK;

/* ---- reranking ---- */

#define EDDA_RERANK_BATCH 25 /* documents a call: small enough to run several side by side */

/* Errors as of edda_embed_build. */
int edda_rerank_build(const struct edda_account *account, struct edda_text query,
                      const struct edda_texts *documents,
                      struct edda_api_request *ret_request) EDDA_MUST_CHECK;

/* ret_scores[0..count): relevance of each document in the order given, 0..1. Scores outside are
 * cut. EDDA_E_FAILED as above; every document must have one. */
int edda_rerank_parse(const struct edda_account *account, struct edda_bytes body, size_t count,
                      double *ret_scores, const char **ret_why) EDDA_MUST_CHECK;

/* ---- chat ---- */

struct edda_chat_prompt {
    struct edda_text system;           /* or absent */
    struct edda_llm_messages messages; /* user and assistant in turn, the last a user's */
    uint32_t max_tokens;
};

/* Always streamed, temperature 0. EDDA_E_LIMIT, EDDA_E_MEMORY. */
int edda_chat_build(const struct edda_account *account, const struct edda_chat_prompt *prompt,
                    struct edda_api_request *ret_request) EDDA_MUST_CHECK;

/* A stream on its way: bytes in, text and its end out. */
struct edda_chat_stream {
    enum edda_provider_kind kind;
    const char *key; /* the account's: not to be repeated */
    struct edda_event_reader reader;
    struct edda_buffer text; /* what came and was not taken; the caller resets it */
    bool ended;              /* the provider's own end mark came */
    char finish[24];         /* "stop", "length", "content_filter"; "" before the end */
    uint32_t input_tokens;
    uint32_t output_tokens;
    int error;        /* 0, or what broke it: an error event (EDDA_E_UNAVAILABLE, or EDDA_E_FAILED
                         when it is the request's fault), nonsense (EDDA_E_FAILED), EDDA_E_LIMIT */
    char reason[256]; /* words for error: the provider's own, redacted, or ours */
};

/* account is borrowed for the stream's life. */
void edda_chat_stream_init(struct edda_chat_stream *stream, const struct edda_account *account);
void edda_chat_stream_done(struct edda_chat_stream *stream);

/* Returns stream->error, which sticks. Text that came before an error is in text. */
int edda_chat_stream_feed(struct edda_chat_stream *stream, struct edda_bytes bytes) EDDA_MUST_CHECK;

/* Whether all of the answer has come: the end mark, or what stands for one. */
bool edda_chat_stream_whole(const struct edda_chat_stream *stream);

/* The response is over: EDDA_E_STREAM_BROKEN when no end mark came (gemini: no finishReason). */
int edda_chat_stream_end(struct edda_chat_stream *stream) EDDA_MUST_CHECK;

#endif
