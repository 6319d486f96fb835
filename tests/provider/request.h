/* tests/provider/request.h: what a request asks, whose words it speaks, and how it is answered.
 *
 * Answers are written by kind: embed.c, rerank.c, chat.c; refusals in every provider's own words by
 * refusal.c. All pure: JSON in, bytes out. */
#ifndef EDDA_TESTS_PROVIDER_REQUEST_H
#define EDDA_TESTS_PROVIDER_REQUEST_H

#include "proto/buffer.h"
#include "tests/provider/behaviour.h"
#include "tests/provider/words.h"

#define FAKE_PROVIDER(name, segment, texts, documents, status) FAKE_##name,
enum fake_provider {
#include "tests/provider/route.def"
    FAKE_PROVIDERS
};
#undef FAKE_PROVIDER

enum fake_kind { FAKE_EMBED, FAKE_RERANK, FAKE_CHAT, FAKE_OTHER, FAKE_KINDS };

struct fake_request {
    enum fake_kind kind;
    enum fake_provider provider;
    struct edda_text path; /* of the target, without the query */
    struct edda_text query;
    const json_t *json; /* the body; NULL when it is none */
    const struct fake_behaviour *behaviour;
    size_t dimension; /* when neither request nor behaviour says one */
    int64_t number;   /* of requests, for ids */
};

/* What an answer told besides its bytes. */
struct fake_answer {
    int status;
    const char *message; /* static, of a refusal */
    size_t items;
    size_t tokens;
};

/* "embed". Static. */
const char *fake_kind_name(enum fake_kind kind);

/* Fills kind and provider from the path and, where paths are the same, the body. */
void fake_request_route(struct fake_request *request);

/* The texts or documents: an array, one string, or NULL. */
const json_t *fake_request_list(const struct fake_request *request);
size_t fake_request_items(const struct fake_request *request);

/* Of one of them, whichever way it is wrapped; data is NULL for what is no text. */
struct edda_text fake_request_text(const json_t *item);

/* Most items, and the status of a request with more; 0: no limit. */
size_t fake_request_most(const struct fake_request *request, int *ret_status);

/* The model's name: in the body, or in Gemini's path, then in room. */
const char *fake_request_model(const struct fake_request *request, char *room, size_t size);

struct edda_text fake_text_of(const json_t *string);

struct fake_answer fake_embed_answer(const struct fake_request *request, struct edda_buffer *out);
struct fake_answer fake_rerank_answer(const struct fake_request *request, struct edda_buffer *out);

/* A refusal's body. message NULL: words that fit the status. */
void fake_refusal_write(struct edda_buffer *out, enum fake_provider provider, int status,
                        const char *message);

#endif
