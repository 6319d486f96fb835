/* actors/provider/provider.h: calls to one provider: in line, limited, tried again.
 *
 *   call -> waiting (queries before bulk) -> running -> on_done, once
 *             ^                                |
 *             +-- a failure that may pass, tries and time left: after a back-off, or Retry-After
 *
 * While the breaker is open or a probe under way, or the provider asked to be left alone, queries
 * fail at once with EDDA_E_UNAVAILABLE and how long; bulk waits until its deadline. One whose own
 * refusal says when waits until then, a query too, if that is before its deadline. A call is never
 * tried again after its first on_data. The stage is told by on_change when edda_provider_window
 * changes, by time alone as well, and narrows or widens its actor's window.
 *
 * A try that ended by its deadline, or was cancelled at it, says something of the provider only
 * when it had EDDA_PROVIDER_PATIENCE_MS and nothing came.
 *
 * What a response means (edda_provider_judge): 2xx good; 413 EDDA_E_LIMIT, blame job; 400, 415,
 * 422: EDDA_E_FAILED, blame job; 408, 409, 425, 429, 5xx: EDDA_E_UNAVAILABLE, blame outside, tried
 * again; any other (a key, a model or a path that is not accepted, a redirect), and those whose
 * code says so under another status: EDDA_E_UNAVAILABLE, blame outside: a person must look. Texts
 * are "NAME: STATUS the provider's own words", cut, in UTF-8 without control characters, and with
 * everything that looks like a key, and the key that was sent, taken out.
 *
 * Callbacks come at the end of a phase of the loop, never from within a function of this header; in
 * all of them everything but destroy is allowed. Threads: the loop's. Limits:
 * EDDA_PROVIDER_WAITING calls in line, those between two tries included. */
#ifndef EDDA_ACTORS_PROVIDER_PROVIDER_H
#define EDDA_ACTORS_PROVIDER_PROVIDER_H

#include "actors/provider/limit.h"
#include "actors/provider/outbound.h"
#include "proto/envelope.h"

#define EDDA_PROVIDER_WAITING     4096
#define EDDA_PROVIDER_TRIES       4
#define EDDA_PROVIDER_PATIENCE_MS 1000
#define EDDA_SECRET_LEAST         6

typedef struct edda_provider edda_provider_t;
typedef struct edda_provider_call edda_provider_call_t;

struct edda_provider_options {
    edda_loop_t *loop;
    edda_outbound_t *outbound; /* borrowed */
    const char *name;          /* "openai": in texts, logs and metrics; copied */
    uint32_t concurrency;
    uint32_t per_minute;
    edda_task_fn on_change; /* may be NULL */
    void *context;
};

struct edda_provider_reply {
    /* 0: 2xx and whole. Else as above, or the transfer's: EDDA_E_UNAVAILABLE, EDDA_E_TIMEOUT,
     * EDDA_E_EXPIRED (also without a turn), EDDA_E_MEMORY; EDDA_E_FAILED, blame outside, when the
     * response is too long. Or what check said. */
    int error;
    enum edda_blame blame;
    uint32_t retry_after_ms;
    char text[EDDA_MAX_ERROR_TEXT + 1]; /* of an error */
    int status;
    struct edda_bytes body; /* of a success without on_data; lives for the call */
    bool began;             /* on_data was called */
};

struct edda_provider_request {
    const char *method;
    const char *url;
    const char *const *headers; /* copied */
    struct edda_bytes body;     /* borrowed until on_done or cancel */
    size_t response_maximum;
    int64_t deadline_ms;
    bool bulk;
    unsigned tries;      /* 1..EDDA_PROVIDER_TRIES in all; 0: EDDA_PROVIDER_TRIES */
    int64_t patience_ms; /* 0, or: it ends rather than wait for its next try longer than this */
    void (*on_data)(void *context, struct edda_bytes data);
    /* NULL, or: looks at a success's body before it counts as one. Not 0: the provider spoke
     * nonsense; counted as its failure, tried again, at last given with this code. EDDA_E_AGAIN:
     * edda_provider_checked will say. */
    int (*check)(void *context, struct edda_bytes body);
    void (*on_done)(void *context, const struct edda_provider_reply *reply); /* the call is gone */
    void *context;
};

edda_provider_t *edda_provider_new(const struct edda_provider_options *options);

/* Open calls are cancelled: no callbacks. */
void edda_provider_destroy(edda_provider_t **self_p);

/* EDDA_E_UNAVAILABLE (a query while closed; *ret_wait_ms says how long, edda_provider_reason why),
 * EDDA_E_BUSY (too many wait), EDDA_E_INVALID (edda_outbound_check), EDDA_E_MEMORY: on_done will
 * not come. */
int edda_provider_send(edda_provider_t *self, const struct edda_provider_request *request,
                       edda_provider_call_t **ret_call, int64_t *ret_wait_ms) EDDA_MUST_CHECK;

/* Nulls the pointer; on_done will not come, and the body is the caller's again. */
void edda_provider_cancel(edda_provider_call_t **call_p);

/* check has said EDDA_E_AGAIN, and kept what it needs of the body: this is what it has found. Then
 * as if it had said so, but that on_done may come from within, with an empty body. */
void edda_provider_checked(edda_provider_call_t *call, int error);

/* As edda_transfer_pause; remembered when the call does not run. */
void edda_provider_pause(edda_provider_call_t *call, bool paused);

/* After on_data saw nonsense, an error event, or an end without its mark: how the stream really
 * ended. Called from within on_done for a reply without error, or right before the cancel of the
 * call that is broken off for it, so that the breaker learns of it. */
void edda_provider_blame(edda_provider_t *self);

/* How many calls at once make sense now; 0 while closed, then *ret_wait_ms (may be NULL) says how
 * long. */
uint32_t edda_provider_window(const edda_provider_t *self, int64_t *ret_wait_ms);

/* Whether the next call would be a probe: whoever counts the calls that are open must not let those
 * that hang, or rest between two tries, keep it from being made. */
bool edda_provider_wants_probe(const edda_provider_t *self);

/* Whether it is well as far as is known: NULL, or what went wrong with the last call that says
 * something of the provider; borrowed until the next. */
const char *edda_provider_failing(const edda_provider_t *self);

/* Why calls are refused now: the last failure's text; borrowed until the next. */
const char *edda_provider_reason(const edda_provider_t *self);

/* Pure: what a response that came means. body: the provider's words; secrets: as edda_redact. */
void edda_provider_judge(const char *name, int status, struct edda_bytes body,
                         const char *const *secrets, struct edda_provider_reply *ret_reply,
                         enum edda_outcome *ret_outcome, bool *ret_again);

/* Pure: copies text to out (NUL-terminated, well-formed UTF-8), cut at a character, control
 * characters as blanks, bytes that are no character as "?", and every word that looks like a key
 * (sk-, Bearer, pa-, AIza, gsk_, jina_, or 20 and more letters and digits mixed, which names of
 * models are not) as "***". So is each of the secrets (NULL-terminated; NULL: none known), wherever
 * it stands, when it has EDDA_SECRET_LEAST bytes. Returns the size. */
size_t edda_redact(struct edda_text text, const char *const *secrets, char *out, size_t room);

/* The values of headers that hold keys, borrowed from them. */
void edda_header_secrets(const char *const *headers,
                         const char *ret_secrets[EDDA_OUTBOUND_HEADERS + 1]);

#endif
