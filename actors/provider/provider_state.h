/* actors/provider/provider_state.h: a provider and the calls in its lists; private to provider.c,
 * call.c, answer.c and judge.c. */
#ifndef EDDA_ACTORS_PROVIDER_PROVIDER_STATE_H
#define EDDA_ACTORS_PROVIDER_PROVIDER_STATE_H

#include "actors/provider/provider.h"
#include "actors/runtime/deferred.h"
#include "actors/runtime/metric.h"

#define EDDA_PROVIDER_NAME 32
#define EDDA_NONSENSE      "the answer makes no sense"

struct edda_call_line {
    struct edda_provider_call *first;
    struct edda_provider_call *last;
    size_t count;
};

/* In exactly one list of its provider until it ends: queries or bulk (in line), resting (between
 * two tries) or running. Its timer is set in line, for its deadline, and while it rests. */
struct edda_provider_call {
    struct edda_provider_call *next;
    struct edda_provider_call *previous;
    struct edda_call_line *list;
    edda_provider_t *provider;
    struct edda_provider_request request; /* method, url and headers are copies */
    struct edda_timer timer;
    unsigned tries;            /* left, this one counted */
    unsigned tried;            /* transfers that were started */
    uint32_t turn;             /* of the limit, when it was let go */
    int64_t began_us;          /* the present try */
    edda_transfer_t *transfer; /* running, and not looking */
    bool looking;              /* running: its owner has the answer and has not said what it is */
    int status;                /* of that answer */
    bool paused;
    bool began; /* on_data was called */
};

struct edda_provider {
    struct edda_provider_options options;
    char name[EDDA_PROVIDER_NAME];
    struct edda_limit limit;
    struct edda_call_line queries; /* in line */
    struct edda_call_line bulk;
    struct edda_call_line resting; /* between two tries */
    struct edda_call_line running;
    struct edda_timer timer;              /* when time alone changes what may go */
    struct edda_deferred pump;            /* start what may go */
    struct edda_deferred change;          /* tell the owner */
    char reason[EDDA_MAX_ERROR_TEXT + 1]; /* of the last failure of the provider's */
    uint32_t told;                        /* the window on_change was last called for */
    bool down;                            /* the breaker is not closed: as logged */
    bool failing;                         /* as the last call that says something of it ended */
    bool blamed;
    bool busy; /* pump is above us on the stack */
    edda_cell_t *seconds;
    edda_cell_t *open_cell;
};

/* call.c */

/* A copy of the request, in no list. NULL: no memory. */
struct edda_provider_call *edda_call_make(edda_provider_t *provider,
                                          const struct edda_provider_request *request);

/* Out of its list; keys are wiped. */
void edda_call_dispose(struct edda_provider_call *call);

void edda_call_unlink(struct edda_provider_call *call);
void edda_call_append(struct edda_provider_call *call, struct edda_call_line *line);

/* Who was tried before goes before those who were not. */
void edda_call_prepend(struct edda_provider_call *call, struct edda_call_line *line);

/* answer.c */

struct edda_verdict {
    enum edda_outcome outcome;
    bool again; /* another try may do better */
};

/* Fills the reply but for its retry_after_ms; sets call->looking. */
struct edda_verdict edda_call_judge(struct edda_provider_call *call,
                                    const struct edda_outbound_result *result,
                                    struct edda_provider_reply *reply);

/* What the owner found in an answer. error 0: it makes sense, nothing changes. */
void edda_call_judge_look(const struct edda_provider_call *call, int error,
                          struct edda_provider_reply *reply, struct edda_verdict *verdict);

/* What it says of the provider that a call had no time left: nothing, unless it had some. */
enum edda_outcome edda_call_judge_expired(const struct edda_provider_call *call, bool began);

#endif
