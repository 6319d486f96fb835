/* actors/provider/outbound_state.h: what outbound.c and transfer.c share; nobody else's business.
 *
 * A transfer is in exactly one list: `fresh` (to be given to curl), `open` (curl's) or `over`
 * (taken from curl, to be freed). curl's functions may not be called from within its callbacks, so
 * what arrives there is kept in lists and done when curl has returned (edda_outbound_settle). */
#ifndef EDDA_ACTORS_PROVIDER_OUTBOUND_STATE_H
#define EDDA_ACTORS_PROVIDER_OUTBOUND_STATE_H

#include <curl/curl.h>

#include "actors/provider/outbound.h"
#include "actors/runtime/deferred.h"
#include "proto/buffer.h"

#define EDDA_OUTBOUND_WORDS ((size_t)64 * 1024) /* kept of a body that is no success */

struct edda_transfer_list {
    struct edda_transfer *first;
    size_t count;
};

struct edda_transfer {
    struct edda_transfer *next;
    struct edda_transfer *previous;
    struct edda_transfer_list *list;
    struct edda_outbound *outbound;
    CURL *easy;
    struct curl_slist *headers; /* owned; wiped when freed */
    struct edda_outbound_request request;
    struct edda_buffer body; /* collected */
    size_t received;
    int64_t sent_ms;  /* the connection stands and the request goes out; 0: not yet */
    int64_t heard_ms; /* last byte of the response, or the end of a pause */
    bool began;       /* the head came */
    bool cancelled;   /* nobody is called any more */
    bool in_data;     /* on_data is above us on the stack */
    bool enough;      /* as much of an error's words as is kept */
    bool paused;      /* wanted */
    bool held;        /* told to curl */
    int error;        /* decided by us */
    char retry_after[64];
    char content_type[128];
    char reason[CURL_ERROR_SIZE];
};

struct edda_outbound {
    struct edda_outbound_options options;
    char *ca_file; /* owned copies of the options' */
    char *proxy;
    CURLM *multi;
    bool in_curl; /* one of its functions is above us on the stack */
    struct edda_transfer_list fresh;
    struct edda_transfer_list open;
    struct edda_transfer_list over;
    struct edda_timer timer; /* curl's */
    struct edda_timer clock; /* ours: first byte and idle */
    struct edda_deferred settle;
};

/* outbound.c */
void edda_transfer_move(struct edda_transfer *transfer, struct edda_transfer_list *list);
void edda_outbound_want_settling(struct edda_outbound *outbound);

/* transfer.c: an easy handle with everything set but the multi handle. EDDA_E_INVALID,
 * EDDA_E_MEMORY. */
int edda_transfer_new(struct edda_outbound *outbound, const struct edda_outbound_request *request,
                      struct edda_transfer **ret_transfer) EDDA_MUST_CHECK;
void edda_transfer_free(struct edda_transfer *transfer);

/* What curl's code means, by our clocks; fills result and calls on_done unless cancelled. */
void edda_transfer_finish(struct edda_transfer *transfer, CURLcode code);

#endif
