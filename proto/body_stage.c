/* proto/body_stage.c: the fields of what chunker, embedder, reranker and llm take and give. */
#include "proto/body_stage.h"

#include "proto/schema.h"

#define MAX_TITLE_BYTES      (4 * EDDA_MAX_TITLE + 4)
#define MAX_HEADING_BYTES    2048
#define MAX_EMBED_TEXTS      256
#define MAX_RERANK_DOCUMENTS 1000
#define MAX_HITS             1024
#define MAX_TERMS            256
#define MAX_SNIPPET_BYTES    1024
#define MAX_DEGRADED         16
#define MAX_MODEL_BYTES      256
#define MAX_PROVIDERS        32

static const struct edda_field edda_chunk_arguments_fields[] = {
    FIELD_UP_TO(1, edda_chunk_arguments, text, EDDA_PART_BYTES),
    FIELD_UP_TO(2, edda_chunk_arguments, format, EDDA_MAX_NAME),
    FIELD_UP_TO(3, edda_chunk_arguments, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(4, edda_chunk_arguments, first_byte, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_chunk_arguments, target_tokens, EDDA_PART_BYTES),
    FIELD_UP_TO(6, edda_chunk_arguments, maximum_tokens, EDDA_PART_BYTES),
    FIELD_UP_TO(7, edda_chunk_arguments, minimum_tokens, EDDA_PART_BYTES),
    FIELD_UP_TO(8, edda_chunk_arguments, overlap_tokens, EDDA_ANY_NUMBER),
    FIELD_UP_TO(9, edda_chunk_arguments, heading, MAX_HEADING_BYTES),
};
BODY_SCHEMA(edda_chunk_arguments, CHUNK_ARGUMENTS);

static const struct edda_field edda_chunk_fields[] = {
    FIELD_UP_TO(1, edda_chunk, text, EDDA_PART_BYTES),
    FIELD_UP_TO(2, edda_chunk, number, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_chunk, start, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_chunk, end, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_chunk, heading, MAX_HEADING_BYTES),
    FIELD_UP_TO(6, edda_chunk, tokens, EDDA_ANY_NUMBER),
};
RECORD_SCHEMA(edda_chunk);

static const struct edda_field edda_chunks_fields[] = {
    FIELD_LIST(1, edda_chunks, chunks, edda_chunk, EDDA_MAX_CHUNKS_PER_PART),
    FIELD_UP_TO(2, edda_chunks, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(3, edda_chunks, model, EDDA_MAX_NAME),
    FIELD_UP_TO(4, edda_chunks, dimension, EDDA_MAX_DIMENSION),
    FIELD_UP_TO(5, edda_chunks, vectors, EDDA_ANY_SIZE),
    FIELD_UP_TO(6, edda_chunks, halves, EDDA_ANY_SIZE),
};
BODY_SCHEMA(edda_chunks, CHUNKS);

static const struct edda_field edda_embed_arguments_fields[] = {
    FIELD_UP_TO(1, edda_embed_arguments, input_type, EDDA_MAX_NAME),
    FIELD_TEXTS(2, edda_embed_arguments, texts, MAX_EMBED_TEXTS, EDDA_PART_BYTES),
    FIELD_UP_TO(3, edda_embed_arguments, model, EDDA_MAX_NAME),
    FIELD_UP_TO(4, edda_embed_arguments, dimension, EDDA_MAX_DIMENSION),
};
BODY_SCHEMA(edda_embed_arguments, EMBED_ARGUMENTS);

static const struct edda_field edda_embeddings_fields[] = {
    FIELD_UP_TO(1, edda_embeddings, model, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_embeddings, dimension, EDDA_MAX_DIMENSION),
    FIELD_UP_TO(3, edda_embeddings, count, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_embeddings, vectors, EDDA_ANY_SIZE),
};
BODY_SCHEMA(edda_embeddings, EMBEDDINGS);

static const struct edda_field edda_hit_fields[] = {
    FIELD(1, edda_hit, chunk),
    FIELD(2, edda_hit, memo),
    FIELD(3, edda_hit, score),
    FIELD(4, edda_hit, first_score),
    FIELD(5, edda_hit, word_score),
    FIELD(6, edda_hit, gram_score),
    FIELD(7, edda_hit, vector_score),
    FIELD_UP_TO(8, edda_hit, text, EDDA_PART_BYTES),
    FIELD_UP_TO(9, edda_hit, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(10, edda_hit, heading, MAX_HEADING_BYTES),
    FIELD_UP_TO(11, edda_hit, snippet, MAX_SNIPPET_BYTES),
    FIELD_UP_TO(12, edda_hit, reference_id, MAX_TITLE_BYTES),
    FIELD_UP_TO(13, edda_hit, number, EDDA_ANY_NUMBER),
    FIELD_UP_TO(14, edda_hit, start, EDDA_ANY_NUMBER),
    FIELD_UP_TO(15, edda_hit, end, EDDA_ANY_NUMBER),
};
RECORD_SCHEMA(edda_hit);

static const struct edda_field edda_hit_term_fields[] = {
    FIELD_UP_TO(1, edda_hit_term, hash, EDDA_ANY_NUMBER),
    FIELD(2, edda_hit_term, idf),
};
RECORD_SCHEMA(edda_hit_term);

static const struct edda_field edda_hits_fields[] = {
    FIELD_LIST(1, edda_hits, hits, edda_hit, MAX_HITS),
    FIELD_LIST(2, edda_hits, terms, edda_hit_term, MAX_TERMS),
    FIELD_TEXTS(3, edda_hits, degraded, MAX_DEGRADED, EDDA_MAX_NAME),
    FIELD_UP_TO(4, edda_hits, model, EDDA_MAX_NAME),
    FIELD_UP_TO(5, edda_hits, dimension, EDDA_MAX_DIMENSION),
};
BODY_SCHEMA(edda_hits, HITS);

static const struct edda_field edda_rerank_arguments_fields[] = {
    FIELD_UP_TO(1, edda_rerank_arguments, query, EDDA_MAX_QUERY_BYTES),
    FIELD_UP_TO(2, edda_rerank_arguments, top_k, EDDA_ANY_NUMBER),
    FIELD_TEXTS(3, edda_rerank_arguments, documents, MAX_RERANK_DOCUMENTS, EDDA_PART_BYTES),
    FIELD_UP_TO(4, edda_rerank_arguments, without, EDDA_ANY_NUMBER),
    FIELD(5, edda_rerank_arguments, assemble),
};
BODY_SCHEMA(edda_rerank_arguments, RERANK_ARGUMENTS);

static const struct edda_field edda_llm_message_fields[] = {
    FIELD_REQUIRED(1, edda_llm_message, role, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_llm_message, content, EDDA_MAX_ANSWER_BYTES),
};
RECORD_SCHEMA(edda_llm_message);

static const struct edda_field edda_llm_answer_fields[] = {
    FIELD_REQUIRED(1, edda_llm_answer, query, EDDA_MAX_QUERY_BYTES),
    FIELD_LIST(2, edda_llm_answer, history, edda_llm_message, EDDA_MAX_HISTORY),
    FIELD_UP_TO(3, edda_llm_answer, system_prompt, EDDA_MAX_PROMPT_BYTES),
    FIELD_UP_TO(4, edda_llm_answer, provider, EDDA_MAX_NAME),
    FIELD_UP_TO(5, edda_llm_answer, passages, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_llm_answer, LLM_ANSWER);

static const struct edda_field edda_source_fields[] = {
    FIELD_UP_TO(1, edda_source, number, EDDA_ANY_NUMBER),
    FIELD(2, edda_source, memo),
    FIELD(3, edda_source, chunk),
    FIELD_UP_TO(4, edda_source, title, MAX_TITLE_BYTES),
    FIELD_UP_TO(5, edda_source, heading, MAX_HEADING_BYTES),
    FIELD_UP_TO(6, edda_source, start, EDDA_ANY_NUMBER),
    FIELD_UP_TO(7, edda_source, end, EDDA_ANY_NUMBER),
};
RECORD_SCHEMA(edda_source);

static const struct edda_field edda_answer_fields[] = {
    FIELD_UP_TO(1, edda_answer, text, EDDA_MAX_ANSWER_BYTES),
    FIELD_LIST(2, edda_answer, sources, edda_source, MAX_HITS),
    FIELD_UP_TO(3, edda_answer, provider, EDDA_MAX_NAME),
    FIELD_UP_TO(4, edda_answer, model, MAX_MODEL_BYTES),
    FIELD(5, edda_answer, extractive),
    FIELD_UP_TO(6, edda_answer, finish, EDDA_MAX_NAME),
    FIELD_UP_TO(7, edda_answer, input_tokens, EDDA_ANY_NUMBER),
    FIELD_UP_TO(8, edda_answer, output_tokens, EDDA_ANY_NUMBER),
    FIELD_TEXTS(9, edda_answer, degraded, MAX_DEGRADED, EDDA_MAX_NAME),
    FIELD_UP_TO(10, edda_answer, serving_model, EDDA_MAX_NAME),
    FIELD_UP_TO(11, edda_answer, serving_dimension, EDDA_MAX_DIMENSION),
};
BODY_SCHEMA(edda_answer, ANSWER);

static const struct edda_field edda_answer_part_fields[] = {
    FIELD_UP_TO(1, edda_answer_part, text, EDDA_MAX_ANSWER_BYTES),
};
BODY_SCHEMA(edda_answer_part, ANSWER_PART);

static const struct edda_field edda_llm_rewrite_fields[] = {
    FIELD_REQUIRED(1, edda_llm_rewrite, query, EDDA_MAX_QUERY_BYTES),
    FIELD_LIST(2, edda_llm_rewrite, history, edda_llm_message, EDDA_MAX_HISTORY),
    FIELD_UP_TO(3, edda_llm_rewrite, provider, EDDA_MAX_NAME),
};
BODY_SCHEMA(edda_llm_rewrite, LLM_REWRITE);

static const struct edda_field edda_rewritten_fields[] = {
    FIELD_UP_TO(1, edda_rewritten, query, EDDA_MAX_QUERY_BYTES),
};
BODY_SCHEMA(edda_rewritten, REWRITTEN);

static const struct edda_field edda_llm_provider_fields[] = {
    FIELD_UP_TO(1, edda_llm_provider, provider, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_llm_provider, label, EDDA_MAX_NAME),
    FIELD_UP_TO(3, edda_llm_provider, model, MAX_MODEL_BYTES),
    FIELD_UP_TO(4, edda_llm_provider, failing, EDDA_MAX_ERROR_TEXT),
};
RECORD_SCHEMA(edda_llm_provider);

static const struct edda_field edda_llm_providers_fields[] = {
    FIELD_LIST(1, edda_llm_providers, providers, edda_llm_provider, MAX_PROVIDERS),
};
BODY_SCHEMA(edda_llm_providers, LLM_PROVIDERS);
