/* actors/provider/api_state.h: what the files of the mappings share: tables, JSON in and out.
 *
 * Each provider's file fills one entry of a table below; the doors of api.h look there. */
#ifndef EDDA_ACTORS_PROVIDER_API_STATE_H
#define EDDA_ACTORS_PROVIDER_API_STATE_H

#include <jansson.h>

#include "actors/provider/api.h"
#include "actors/runtime/write.h"

/* ---- requests ---- */

/* The account's base URL and this path. Too long: the body gets EDDA_E_LIMIT. */
void edda_api_path(struct edda_api_request *request, const struct edda_account *account,
                   const char *path);

/* "name: value"; nothing when value is empty. */
void edda_api_header(struct edda_api_request *request, const char *name, const char *value);

/* Accept and Content-Type JSON, and "Authorization: Bearer KEY" when there is a key. */
void edda_api_usual_headers(struct edda_api_request *request, const struct edda_account *account);

/* ["a","b"] */
void edda_api_texts(struct edda_buffer *out, const struct edda_texts *texts);

/* ,"name":number */
void edda_api_number(struct edda_buffer *out, const char *name, uint64_t number);

/* ---- responses ---- */

/* Rows that come in any order; each place may be filled once. */
struct edda_api_rows {
    struct edda_embed_vectors *vectors;
    size_t count;       /* wanted */
    uint32_t dimension; /* wanted, or 0 until the first row says */
    size_t filled;
    bool *has;       /* owned */
    const char *why; /* what was wrong first */
};

/* One row into its place, from an array of numbers or base64 of little-endian floats. Errors are
 * EDDA_E_FAILED with rows->why, or EDDA_E_MEMORY. */
int edda_api_row(struct edda_api_rows *rows, size_t index, const json_t *value) EDDA_MUST_CHECK;

/* The same for [{index, embedding}], without index: in order. */
int edda_api_indexed_rows(struct edda_api_rows *rows, const json_t *list) EDDA_MUST_CHECK;

/* The same for [[numbers], ...] in order. */
int edda_api_plain_rows(struct edda_api_rows *rows, const json_t *list) EDDA_MUST_CHECK;

/* A number that is a whole one from 0 up; -1: it is not there, or none. */
int64_t edda_api_whole(const json_t *object, const char *name);

/* Scores of [{index, NAME}]; every document once. */
int edda_api_scores(const json_t *list, const char *name, size_t count, double *ret_scores,
                    const char **ret_why) EDDA_MUST_CHECK;

/* ---- the tables ---- */

struct edda_embed_api {
    struct edda_embed_limits limits;
    void (*build)(const struct edda_account *account, const struct edda_texts *texts, bool query,
                  struct edda_api_request *request);
    int (*parse)(const json_t *json, struct edda_api_rows *rows);
};

/* All are asked for the scores of all documents; they differ in words alone. */
struct edda_rerank_api {
    const char *path;
    bool named;            /* the request says the model */
    const char *documents; /* name of their list */
    const char *most;      /* name of the number of scores wanted, or NULL: all come */
    const char *more;      /* fields that are always the same, each behind a comma; or NULL */
    const char *list;      /* of the response: name of its list; NULL: it is the response */
    const char *score;     /* name of the number beside "index" */
};

struct edda_chat_api {
    void (*build)(const struct edda_account *account, const struct edda_chat_prompt *prompt,
                  struct edda_api_request *request);
    /* One event's data; sets stream->ended, finish, tokens, error, appends to text. */
    void (*event)(struct edda_chat_stream *stream, struct edda_text event, struct edda_text data);
};

extern const struct edda_embed_api edda_openai_embed;
extern const struct edda_embed_api edda_voyage_embed;
extern const struct edda_embed_api edda_cohere_embed;
extern const struct edda_embed_api edda_jina_embed;
extern const struct edda_embed_api edda_gemini_embed;
extern const struct edda_embed_api edda_tei_embed;
extern const struct edda_embed_api edda_ollama_embed;
extern const struct edda_embed_api edda_local_embed;

extern const struct edda_rerank_api edda_cohere_rerank;
extern const struct edda_rerank_api edda_jina_rerank; /* and vLLM, infinity, llama.cpp */
extern const struct edda_rerank_api edda_voyage_rerank;
extern const struct edda_rerank_api edda_tei_rerank;
extern const struct edda_rerank_api edda_local_rerank;

extern const struct edda_chat_api edda_openai_chat; /* and Groq, vLLM, Ollama, LM Studio */
extern const struct edda_chat_api edda_anthropic_chat;
extern const struct edda_chat_api edda_gemini_chat;

/* ---- streams ---- */

void edda_chat_text(struct edda_chat_stream *stream, const json_t *text); /* a string, or nothing */
void edda_chat_finish(struct edda_chat_stream *stream, const char *finish);
/* The first of them counts. reason: NULL or empty when the provider gave none. */
void edda_chat_break(struct edda_chat_stream *stream, int error, const char *reason);

#endif
