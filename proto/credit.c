/* proto/credit.c: the arithmetic of cumulative grants. */
#include "proto/credit.h"

bool edda_credit_grant(struct edda_credit *credit, uint64_t messages, uint64_t bytes) {
    bool grew = false;
    if (messages > credit->granted_messages) {
        credit->granted_messages = messages;
        grew = true;
    }
    if (bytes > credit->granted_bytes) {
        credit->granted_bytes = bytes;
        grew = true;
    }
    return grew;
}

bool edda_credit_allows(const struct edda_credit *credit, size_t bytes) {
    return credit->sent_messages < credit->granted_messages &&
           bytes <= credit->granted_bytes - credit->sent_bytes;
}

void edda_credit_spend(struct edda_credit *credit, size_t bytes) {
    EDDA_ASSERT(edda_credit_allows(credit, bytes));
    credit->sent_messages += 1;
    credit->sent_bytes += bytes;
}

uint64_t edda_credit_left(const struct edda_credit *credit) {
    return credit->granted_messages - credit->sent_messages;
}
