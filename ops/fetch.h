/* ops/fetch.h: the command line's HTTP client: many requests at once over libcurl's multi
 * interface.
 *
 * A request is retried on connection errors and on 408, 429, 502, 503 and 504, honouring
 * Retry-After, with doubling waits, until its patience is over; so it must be idempotent, or carry
 * an Idempotency-Key, or be marked `once`. Everything happens inside edda_fetch_run, on its thread.
 */
#ifndef EDDA_OPS_FETCH_H
#define EDDA_OPS_FETCH_H

#include "proto/error.h"
#include "proto/types.h"

typedef struct edda_fetch edda_fetch_t;

struct edda_fetch_request {
    const char *method;
    const char *path;            /* appended to the base URL, already escaped; copied */
    const char *idempotency_key; /* or NULL; copied */
    const char *content_type;    /* of body; NULL without one; copied */
    struct edda_bytes body;      /* copied; the same bytes are sent on every try */
    int64_t not_before_ms;       /* monotonic; 0: now */
    bool once; /* not to be done twice: retried only while no connection comes about */
    /* The body of a 200 as it comes, instead of to on_done; false ends it. May be NULL. Such a
     * request may take as long as it likes while it is not silent for a minute. */
    bool (*on_bytes)(void *context, struct edda_bytes bytes);
    void (*on_done)(void *context, int status, struct edda_bytes body, const char *error);
    void *context;
};

struct edda_fetch_options {
    const char *url; /* base; a trailing slash is ignored; copied */
    const char *key; /* or "" */
    unsigned concurrency;
    int64_t patience_ms; /* of one request, retries included */
    /* A request was not answered, or with that, and will be sent again: as on_done. May be NULL. */
    void (*on_retry)(void *context, int status, struct edda_bytes body, const char *error);
    void *context; /* of on_retry */
};

/* NULL when out of memory. */
edda_fetch_t *edda_fetch_new(const struct edda_fetch_options *options);
void edda_fetch_destroy(edda_fetch_t **self_p);

/* Queues a request. on_done comes exactly once, from edda_fetch_run: status is the last answer's,
 * or 0 with error saying why there is none; body is borrowed for the call. on_done may add
 * requests. EDDA_E_MEMORY. */
int edda_fetch_add(edda_fetch_t *self, const struct edda_fetch_request *request) EDDA_MUST_CHECK;

/* Works until no request is left. refill, when given, is called whenever fewer than `concurrency`
 * requests are queued or running, and returns false when it has no more to add. EDDA_E_MEMORY. */
int edda_fetch_run(edda_fetch_t *self, bool (*refill)(void *context),
                   void *context) EDDA_MUST_CHECK;

/* Percent-encodes a path segment into a new string (free it); NULL when out of memory. */
char *edda_fetch_escape(const char *segment);

#endif
