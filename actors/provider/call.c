/* actors/provider/call.c: the memory of a call, and the lines it stands in. */
#include <stdlib.h>

#include "actors/provider/provider_state.h"

void edda_call_unlink(struct edda_provider_call *call) {
    struct edda_call_line *list = call->list;
    if (list) {
        *(call->previous ? &call->previous->next : &list->first) = call->next;
        *(call->next ? &call->next->previous : &list->last) = call->previous;
        list->count--;
    }
    call->list = NULL;
    call->next = call->previous = NULL;
}

void edda_call_append(struct edda_provider_call *call, struct edda_call_line *list) {
    edda_call_unlink(call);
    call->list = list;
    call->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = call;
    list->last = call;
    list->count++;
}

void edda_call_prepend(struct edda_provider_call *call, struct edda_call_line *list) {
    edda_call_unlink(call);
    call->list = list;
    call->next = list->first;
    *(list->first ? &list->first->previous : &list->last) = call;
    list->first = call;
    list->count++;
}

static size_t count_headers(const char *const *headers) {
    size_t count = 0;
    while (headers && headers[count]) {
        count++;
    }
    return count;
}

static char **copy_headers(const char *const *headers) {
    size_t count = count_headers(headers);
    char **copies = calloc(count + 1, sizeof *copies);
    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = strdup(headers[i]);
    }
    return copies;
}

void edda_call_dispose(struct edda_provider_call *call) {
    char **headers = (char **)(uintptr_t)call->request.headers;
    edda_call_unlink(call);
    edda_loop_timer_cancel(call->provider->options.loop, &call->timer);
    for (size_t i = 0; headers && headers[i]; i++) {
        explicit_bzero(headers[i], strlen(headers[i]));
        free(headers[i]);
    }
    free(headers);
    free((char *)(uintptr_t)call->request.method);
    free((char *)(uintptr_t)call->request.url);
    free(call);
}

struct edda_provider_call *edda_call_make(edda_provider_t *self,
                                          const struct edda_provider_request *request) {
    struct edda_provider_call *call = calloc(1, sizeof *call);
    if (!call) {
        return NULL;
    }
    call->provider = self;
    call->request = *request;
    call->tries = request->tries ? request->tries : EDDA_PROVIDER_TRIES;
    call->request.method = strdup(request->method);
    call->request.url = strdup(request->url);
    call->request.headers = (const char *const *)copy_headers(request->headers);
    if (!call->request.method || !call->request.url || !call->request.headers ||
        count_headers(call->request.headers) != count_headers(request->headers)) {
        edda_call_dispose(call);
        return NULL;
    }
    return call;
}
