/* ops/eval/collection.h: a judged collection read from a folder.
 *
 * The folder has BEIR's shape, one JSON object a line and one judgement a line:
 *   docs.jsonl (or corpus.jsonl)       {"id" (or "_id"), "title", "text"}
 *   queries.jsonl                      {"id" (or "_id"), "text"}
 *   qrels.tsv (or qrels/test.tsv)      query <tab> document <tab> grade; a head line may come first
 * A judgement of a document that is not there counts as a right one nobody can find, as trec_eval
 * counts it; one of a query that is not there counts nothing. Both are counted.
 * Limits: a line of 64 MiB, ids of 255 bytes, grades up to 1,000,000. */
#ifndef EDDA_OPS_EVAL_COLLECTION_H
#define EDDA_OPS_EVAL_COLLECTION_H

#include "ops/eval/metric.h"
#include "proto/error.h"

#define EDDA_COLLECTION_MESSAGE 512
#define EDDA_NO_DOCUMENT        SIZE_MAX

struct edda_judged_document {
    char *id;
    char *title; /* "" when it has none */
    char *text;
};

struct edda_judged_query {
    char *id;
    char *text;
    struct edda_grade *grades; /* document is EDDA_NO_DOCUMENT for one that is not there */
    size_t grade_count;
};

struct edda_collection {
    char name[64]; /* the folder's last part */
    struct edda_judged_document *documents;
    size_t document_count;
    struct edda_judged_query *queries; /* those of which something is right, in the file's order */
    size_t query_count;
    size_t unknown_documents; /* judgements of them */
    size_t unknown_queries;
};

/* EDDA_E_INVALID: message says which line of which file is wrong and how; EDDA_E_IO: which file
 * cannot be read; EDDA_E_MEMORY. */
int edda_collection_read(const char *folder, struct edda_collection *ret_collection,
                         char message[EDDA_COLLECTION_MESSAGE]) EDDA_MUST_CHECK;

/* Keeps `count` queries spread evenly over all, in their order: files are often sorted by subject,
 * and their first queries are no sample of the whole. */
void edda_collection_keep(struct edda_collection *collection, size_t count);

void edda_collection_done(struct edda_collection *collection);

#endif
