/* actors/provider/provider_state.h: a call in its provider's lists, private to provider.c, call.c
 * and judge.c. */
#ifndef EDDA_ACTORS_PROVIDER_PROVIDER_STATE_H
#define EDDA_ACTORS_PROVIDER_PROVIDER_STATE_H

#include "actors/provider/provider.h"

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
    edda_transfer_t *transfer; /* running */
    bool paused;
    bool began; /* on_data was called */
};

/* A copy of the request, in no list. NULL: no memory. */
struct edda_provider_call *edda_call_make(edda_provider_t *provider,
                                          const struct edda_provider_request *request);

/* Out of its list; keys are wiped. */
void edda_call_dispose(struct edda_provider_call *call);

void edda_call_unlink(struct edda_provider_call *call);
void edda_call_append(struct edda_provider_call *call, struct edda_call_line *line);

/* provider.c */
edda_loop_t *edda_provider_loop(const edda_provider_t *provider);

/* judge.c: takes the values of headers that hold keys out of a text, should they be in it. */
void edda_hide_secrets(char *text, const char *const *headers);

/* Who was tried before goes before those who were not. */
void edda_call_prepend(struct edda_provider_call *call, struct edda_call_line *line);

#endif
