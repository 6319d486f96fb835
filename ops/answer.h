/* ops/answer.h: reading what the HTTP service answered. */
#ifndef EDDA_OPS_ANSWER_H
#define EDDA_OPS_ANSWER_H

#include "actors/runtime/config.h"

/* Copies a top-level string of a JSON body. False when it is not there or does not fit. */
bool edda_answer_text(struct edda_bytes body, const char *name, char *ret_text, size_t size);

/* Words for an answer that is not what was hoped for: the service's own {"error"}, or what the HTTP
 * client says when there was no answer (status 0). */
void edda_answer_problem(int status, struct edda_bytes body, const char *error, char *ret_words,
                         size_t size);

/* The key the command line uses: --key, else the one the service is told to accept. */
const char *edda_answer_key(const edda_config_t *config);

#endif
