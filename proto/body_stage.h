/* proto/body_stage.h: what chunker, embedder, reranker and llm take and give. */
#ifndef EDDA_PROTO_BODY_STAGE_H
#define EDDA_PROTO_BODY_STAGE_H

#include "proto/types.h"

/* chunk: a pure function of these. */
struct edda_chunk_arguments {
    struct edda_text text;    /* at most EDDA_PART_BYTES of UTF-8, NUL-free */
    struct edda_text format;  /* "markdown" (default), "plain", "html", "csv", "json" */
    struct edda_text title;   /* passed through to the chunks' consumers, not chunked */
    uint32_t first_byte;      /* where text begins in the document: added to every range */
    uint32_t target_tokens;   /* 0: the default of 200 */
    uint32_t maximum_tokens;  /* 0: the default of 320 */
    uint32_t minimum_tokens;  /* 0: the default of 40: smaller tails join their neighbour */
    uint32_t overlap_tokens;  /* 0: the default of 30; 0xffffffff: none */
    struct edda_text heading; /* heading path in force where text begins */
};

struct edda_chunk {
    struct edda_text text;
    uint32_t number; /* from 0 within the part */
    uint32_t start;  /* byte range in the document; overlap included */
    uint32_t end;
    struct edda_text heading; /* "Guide > Install" or absent */
    uint32_t tokens;          /* estimate */
};

struct edda_chunk_list {
    struct edda_chunk *items;
    size_t count;
};

/* Output of chunk; output of embed.chunks with model, dimension and vectors filled; output of
 * store.reuse with those rows filled that are known, the others zero. */
struct edda_chunks {
    struct edda_chunk_list chunks;
    struct edda_text title;
    struct edda_text model; /* "hash-256", "openai:text-embedding-3-small" */
    uint32_t dimension;
    struct edda_floats vectors; /* chunks.count * dimension values, row after row; a row of zeros is
                                   "no vector" and is never matched */
    struct edda_bytes halves;   /* instead of vectors when those would not fit a frame: the same
                                   rows as little-endian IEEE 754 binary16 */
};

/* embed: texts in the arguments. embed.chunks: texts of the input (title, heading and text), except
 * those whose row is there already and of the embedder's own model. */
struct edda_embed_arguments {
    struct edda_text input_type; /* "query" or "document" (default) */
    struct edda_texts texts;     /* embed only, at most 256 of 64 KiB */
    struct edda_text model;      /* embed only: the model wanted, or absent for the embedder's own.
                                    An embedder that cannot speak it answers with its own */
    uint32_t dimension;          /* of model */
};

struct edda_embeddings {
    struct edda_text model;
    uint32_t dimension;
    uint32_t count;
    struct edda_floats vectors; /* count * dimension values */
};

struct edda_hit {
    struct edda_uuid chunk;
    struct edda_uuid memo;
    double score;       /* 0..1, higher is better: the last stage's */
    double first_score; /* fused score of store.search */
    double word_score;  /* the legs, 0..1 after min-max; for explanation */
    double gram_score;
    double vector_score;
    struct edda_text text;
    struct edda_text title;
    struct edda_text heading;
    struct edda_text snippet;      /* first 100 code points of the memo */
    struct edda_text reference_id; /* or absent */
    uint32_t number; /* chunk index in the memo; rerank.texts: index of the document */
    uint32_t start;  /* byte range in the document */
    uint32_t end;
};

struct edda_hit_list {
    struct edda_hit *items;
    size_t count;
};

/* What the collection knows of a query word: carried to the reranker, which has no statistics. */
struct edda_hit_term {
    uint64_t hash; /* edda_token.hash of the stem */
    double idf;
};

struct edda_hit_terms {
    struct edda_hit_term *items;
    size_t count;
};

struct edda_hits {
    struct edda_hit_list hits; /* best first */
    struct edda_hit_terms terms;
    struct edda_texts degraded; /* legs that failed: "vector", "words" */
    struct edda_text model; /* the project's vectors are of this model, and the query's was of */
    uint32_t dimension;     /* another: what to ask the embedder for. Absent when they agree */
};

struct edda_rerank_arguments {
    struct edda_text query;
    uint32_t top_k;              /* how many to return; 0: all */
    struct edda_texts documents; /* rerank.texts only */
    uint32_t without;            /* bits of the built-in reranker's features left out, to measure */
    bool assemble;               /* rerank: duplicates folded, neighbours joined, memos mixed */
};

/* ---- llm ---- */

struct edda_llm_message {
    struct edda_text role; /* "user" or "assistant" */
    struct edda_text content;
};

struct edda_llm_messages {
    struct edda_llm_message *items; /* oldest first */
    size_t count;
};

/* llm.answer: input HITS. The passages given to the model are the first of them, numbered from 1,
 * as many as `passages` and the prompt's token budget allow. */
struct edda_llm_answer {
    struct edda_text query;
    struct edda_llm_messages history; /* of the chat before this question */
    struct edda_text system_prompt;   /* the client's additional instructions, or absent */
    struct edda_text provider;        /* "openai"; absent: the worker's default. EDDA_E_INVALID when
                                         it is not configured, with the contract's text */
    uint32_t passages;                /* at most this many hits; 0: all */
};

/* What [[number]] in an answer's text refers to. */
struct edda_source {
    uint32_t number; /* from 1 */
    struct edda_uuid memo;
    struct edda_uuid chunk;
    struct edda_text title;
    struct edda_text heading;
    uint32_t start; /* byte range of the chunk in the document */
    uint32_t end;
};

struct edda_sources {
    struct edda_source *items;
    size_t count;
};

struct edda_answer {
    struct edda_text text;       /* the whole: all parts one behind the other */
    struct edda_sources sources; /* every passage the model was given, in order */
    struct edda_text provider;   /* "builtin" */
    struct edda_text model;      /* "extractive-1" */
    bool extractive;             /* quotes, not written by a language model */
    struct edda_text finish;     /* "stop", "length" (cut), "content_filter" */
    uint32_t input_tokens;       /* as the provider counted; 0: not said */
    uint32_t output_tokens;
    struct edda_texts degraded;     /* of the hits */
    struct edda_text serving_model; /* edda_hits.model and .dimension, passed on */
    uint32_t serving_dimension;
};

/* The PARTs of llm.answer. */
struct edda_answer_part {
    struct edda_text text;
};

struct edda_llm_rewrite {
    struct edda_text query;
    struct edda_llm_messages history;
    struct edda_text provider; /* as above */
};

struct edda_rewritten {
    struct edda_text query; /* the given one when there was nothing to change */
};

struct edda_llm_provider {
    struct edda_text provider; /* "local" */
    struct edda_text label;    /* "Local" */
    struct edda_text model;
    struct edda_text failing; /* how its last call went wrong; absent: it did not */
};

struct edda_llm_provider_list {
    struct edda_llm_provider *items;
    size_t count;
};

struct edda_llm_providers {
    struct edda_llm_provider_list providers; /* the default first */
};

#endif
