/* ops/eval/remote.h: a running service to measure, over HTTP, in the project of a key.
 *
 * Each document is a memo whose reference_id is the document's id: what is there already is not
 * sent again. Memos of other origin are answers that are never right. Threads: the caller's. */
#ifndef EDDA_OPS_EVAL_REMOTE_H
#define EDDA_OPS_EVAL_REMOTE_H

#include "ops/eval/run.h"

typedef struct edda_remote edda_remote_t;

/* url and key are borrowed. NULL when out of memory. */
edda_remote_t *edda_remote_new(const char *url, const char *key);
void edda_remote_destroy(edda_remote_t **self_p);

/* Looks what is there, sends the rest and waits until all of it is processed. *ret_strangers: memos
 * of the project that are no documents of the collection. Errors: message says what the service
 * said. */
int edda_remote_ingest(edda_remote_t *self, const struct edda_collection *collection,
                       size_t *ret_strangers, char message[EDDA_RUN_MESSAGE]) EDDA_MUST_CHECK;

/* An edda_eval_search: POST /api/v1/search with the contract's largest limit; the last leg alone is
 * known. context is the edda_remote_t. */
int edda_remote_search(void *context, size_t query, const char *text,
                       struct edda_eval_answer *ret_answer, char *message);

#endif
