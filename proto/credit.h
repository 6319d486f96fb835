/* proto/credit.h: flow control as two cumulative counters: no credit, no send.
 *
 * Invariant (G7): sent_messages <= granted_messages and sent_bytes <= granted_bytes. Grants are
 * absolute totals since the session began, so repeating or reordering them is harmless; credit is
 * never taken back. Source: RFC 9000 section 4.1. */
#ifndef EDDA_PROTO_CREDIT_H
#define EDDA_PROTO_CREDIT_H

#include "proto/error.h"
#include "proto/types.h"

struct edda_credit {
    uint64_t granted_messages;
    uint64_t granted_bytes;
    uint64_t sent_messages;
    uint64_t sent_bytes;
};

/* Raises the grant to the totals given; lower totals change nothing. True if it grew. */
bool edda_credit_grant(struct edda_credit *credit, uint64_t messages, uint64_t bytes);

/* Whether one message of size bytes may go now. */
bool edda_credit_allows(const struct edda_credit *credit, size_t bytes);

/* Counts one message as sent. Asserts that it was allowed. */
void edda_credit_spend(struct edda_credit *credit, size_t bytes);

/* Messages that may still go. */
uint64_t edda_credit_left(const struct edda_credit *credit);

#endif
