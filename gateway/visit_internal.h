/* gateway/visit_internal.h: what the files of a visit share. */
#ifndef EDDA_GATEWAY_VISIT_INTERNAL_H
#define EDDA_GATEWAY_VISIT_INTERNAL_H

#include "gateway/visit.h"

/* visit_key.c: checks the key, asking the store when it must; then next is called, or the visit is
 * refused (before its end) or answered (after it). */
void check_key(struct edda_visit *visit, edda_visit_fn next);

/* visit_body.c: parses the JSON collected, on the pool when it is large; then next is called, or
 * the visit is answered with 400. */
void read_body(struct edda_visit *visit, edda_visit_fn next);

/* Milliseconds the request may take from its end on. */
uint32_t time_of(const struct edda_visit *visit);

/* Answers now, whether the request has been read to its end or not. */
void turn_away(struct edda_visit *visit, int status, const char *text);

/* The same with Retry-After, unless that is 0. */
void turn_away_until(struct edda_visit *visit, int status, const char *text,
                     uint32_t retry_after_s);

#endif
