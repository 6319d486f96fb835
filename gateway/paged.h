/* gateway/paged.h: a response of unknown length, streamed from the store page by page.
 *
 * The next page is asked for while the last one is being read by the client, so at most two are
 * held. The owner writes each page's JSON to `out`. Threads: the loop's. */
#ifndef EDDA_GATEWAY_PAGED_H
#define EDDA_GATEWAY_PAGED_H

#include "gateway/visit.h"

/* Zero-initialised by init; lives in the visit's work. */
struct edda_paged {
    struct edda_visit *visit;
    struct edda_buffer out; /* not yet taken by the client */
    size_t taken;           /* bytes of out already taken */
    bool more;              /* pages are to come */
    bool broken;            /* one will not: the connection is cut */
    edda_visit_fn ask;      /* sends for the next page; sets broken when it cannot */
};

/* maximum: JSON of two pages, every byte escaped. */
void edda_paged_init(struct edda_paged *paged, struct edda_visit *visit, size_t maximum,
                     edda_visit_fn ask);
void edda_paged_done(struct edda_paged *paged);

/* For edda_exchange_stream, with the paged as its context. After a page, edda_exchange_wake. */
int64_t edda_paged_pull(void *context, edda_exchange_t *exchange, char *data, size_t size);

/* Decodes a page of a stream that has begun; false: it is broken now. */
bool edda_paged_take(struct edda_paged *paged, const struct edda_reply *reply, uint16_t type,
                     struct edda_arena *arena, void *ret_record);

/* Sends for a page of a stream that has begun. */
void edda_paged_send(struct edda_paged *paged, const char *op, uint16_t type, const void *record,
                     edda_visit_reply_fn on_reply);

#endif
