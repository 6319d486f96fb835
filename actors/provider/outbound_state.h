/* actors/provider/outbound_state.h: what outbound.c and transfer.c share; nobody else's business.
 *
 * From within its callbacks curl may not be called, and nobody of ours is: they only note what
 * arrived. When curl has returned, at the end of the loop's phase, it is given to its owners
 * (deliver). So send, pause and cancel find curl idle, whoever calls them from wherever.
 *
 *   curl writes -> arrived, transfer is noisy -> deliver: on_data, then on_done if it is over
 *
 * A transfer is in exactly one list of its outbound until its end: quiet, noisy, or giving, which
 * is what deliver has before it. */
#ifndef EDDA_ACTORS_PROVIDER_OUTBOUND_STATE_H
#define EDDA_ACTORS_PROVIDER_OUTBOUND_STATE_H

#include <curl/curl.h>

#include "actors/provider/outbound.h"
#include "actors/runtime/deferred.h"
#include "proto/buffer.h"

#define EDDA_OUTBOUND_PIECE ((size_t)64 * 1024) /* waits for on_data; over it curl is paused */

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
    struct edda_timer clock;
    struct edda_buffer arrived; /* collected, or for on_data */
    size_t received;            /* bytes of the body of a success */
    size_t head_bytes;
    curl_off_t uploaded;  /* at the last look */
    int64_t connected_ms; /* the connection stands, the request goes out; 0: not yet */
    int64_t heard_ms;     /* last byte of the response, or the end of a pause */
    int64_t began_ms;     /* when the head began */
    bool began;           /* it has; an interim response's does not count */
    bool has_body;        /* what comes as a header now is a trailer */
    bool is_refusal;      /* its status is no success */
    bool streams;         /* a success whose body goes to on_data */
    bool enough;          /* as much of a refusal's words as is kept */
    bool paused;          /* wanted */
    bool held;            /* curl knows */
    bool over;            /* with code, and error unless that says it all */
    bool told;            /* on_done was called or is */
    int error;
    CURLcode code;
    char retry_after[64];
    char content_type[128];
    char reason[CURL_ERROR_SIZE];
};

struct edda_outbound {
    struct edda_outbound_options options;
    char *ca_file; /* owned copies of the options' */
    char *proxy;
    CURLM *multi;
    bool in_curl; /* it is above us on the stack */
    struct edda_transfer_list quiet;
    struct edda_transfer_list noisy;
    struct edda_transfer_list giving;
    struct edda_transfer *current; /* whose callback is above us on the stack */
    struct edda_timer timer;       /* curl's */
    struct edda_deferred deliver;
};

/* outbound.c: into that list; NULL: out of any. */
void edda_transfer_move(struct edda_transfer *transfer, struct edda_transfer_list *list);

/* outbound.c: there is something to deliver. */
void edda_transfer_make_noise(struct edda_transfer *transfer);

/* outbound.c: from now on by our clocks, which count from what is noted in the transfer. */
void edda_transfer_arm(struct edda_transfer *transfer);

/* transfer.c: an easy handle with everything set, not yet in the multi handle; in no list.
 * EDDA_E_INVALID, EDDA_E_MEMORY. */
int edda_transfer_new(struct edda_outbound *outbound, const struct edda_outbound_request *request,
                      struct edda_transfer **ret_transfer) EDDA_MUST_CHECK;
void edda_transfer_free(struct edda_transfer *transfer);

/* transfer.c: calls on_done. */
void edda_transfer_tell(struct edda_transfer *transfer);

#endif
