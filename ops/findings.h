/* ops/findings.h: what `edda doctor` has looked at, a line each. */
#ifndef EDDA_OPS_FINDINGS_H
#define EDDA_OPS_FINDINGS_H

#include "ops/session.h"

struct edda_findings {
    unsigned bad;
};

void edda_finding_good(const char *format, ...) __attribute__((format(printf, 1, 2)));
void edda_finding_bad(struct edda_findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The models of a running service: asks the embedder for a word's vector and the reranker for a
 * word's rank, which a provider's account pays; whether every chunk has a vector of that model; and
 * which of those who answer chats have failed last. */
void edda_findings_of_models(struct edda_findings *findings, edda_session_t *session);

#endif
