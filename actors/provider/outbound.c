/* actors/provider/outbound.c: curl's multi handle in the loop. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "actors/provider/outbound_state.h"

#define CLOCK_MS 50

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void) {
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void edda_transfer_move(struct edda_transfer *transfer, struct edda_transfer_list *list) {
    if (transfer->list) {
        *(transfer->previous ? &transfer->previous->next : &transfer->list->first) = transfer->next;
        if (transfer->next) {
            transfer->next->previous = transfer->previous;
        }
        transfer->list->count--;
    }
    transfer->list = list;
    transfer->previous = NULL;
    transfer->next = list ? list->first : NULL;
    if (list) {
        if (list->first) {
            list->first->previous = transfer;
        }
        list->first = transfer;
        list->count++;
    }
}

void edda_outbound_want_settling(struct edda_outbound *outbound) {
    edda_loop_defer(outbound->options.loop, &outbound->settle);
}

/* Takes the transfer from curl; its memory goes at the end of the phase. */
static void end_transfer(struct edda_transfer *transfer) {
    if (transfer->list == &transfer->outbound->open) {
        (void)curl_multi_remove_handle(transfer->outbound->multi, transfer->easy);
    }
    edda_transfer_move(transfer, &transfer->outbound->over);
    edda_outbound_want_settling(transfer->outbound);
}

/* ---- what curl has finished ---- */

static void take_finished(struct edda_outbound *outbound) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(outbound->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        struct edda_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        edda_transfer_finish(transfer, code); /* reads from the handle: before it is removed */
        end_transfer(transfer);
    }
}

static void run_curl(struct edda_outbound *outbound, curl_socket_t fd, int events) {
    int running;
    outbound->in_curl = true;
    (void)curl_multi_socket_action(outbound->multi, fd, events, &running);
    outbound->in_curl = false;
    take_finished(outbound);
}

/* ---- curl's sockets and timer ---- */

struct watched {
    struct edda_outbound *outbound;
    edda_watch_t *watch;
    curl_socket_t fd;
};

static void on_socket(void *context, uint32_t epoll_events) {
    const struct watched *watched = context;
    int events = 0;
    events |= epoll_events & EPOLLIN ? CURL_CSELECT_IN : 0;
    events |= epoll_events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    events |= epoll_events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
    run_curl(watched->outbound, watched->fd, events);
}

static int forget_socket(struct edda_outbound *outbound, struct watched *watched) {
    if (watched) {
        (void)curl_multi_assign(outbound->multi, watched->fd, NULL);
        edda_loop_unwatch(outbound->options.loop, &watched->watch);
        free(watched);
    }
    return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket) {
    struct edda_outbound *outbound = context;
    struct watched *watched = of_socket;
    uint32_t events = 0;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        return forget_socket(outbound, watched);
    }
    events |= what & CURL_POLL_IN ? EPOLLIN : 0;
    events |= what & CURL_POLL_OUT ? EPOLLOUT : 0;
    if (watched) {
        edda_loop_watch_change(outbound->options.loop, watched->watch, events);
        return 0;
    }
    watched = calloc(1, sizeof *watched);
    if (!watched) {
        return -1;
    }
    *watched = (struct watched){.outbound = outbound, .fd = fd};
    watched->watch =
        edda_loop_watch(outbound->options.loop, fd, events, on_socket, watched, "provider");
    if (!watched->watch) {
        free(watched);
        return -1;
    }
    (void)curl_multi_assign(outbound->multi, fd, watched);
    return 0;
}

static void on_timer(void *context) {
    run_curl(context, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long wait_ms, void *context) {
    struct edda_outbound *outbound = context;
    (void)multi;
    if (wait_ms < 0) {
        edda_loop_timer_cancel(outbound->options.loop, &outbound->timer);
    } else {
        edda_loop_timer_set(outbound->options.loop, &outbound->timer,
                            edda_loop_now(outbound->options.loop) + wait_ms);
    }
    return 0;
}

/* ---- our clocks ---- */

static bool is_overdue(const struct edda_transfer *transfer, int64_t now_ms) {
    const struct edda_outbound_options *options = &transfer->outbound->options;
    if (transfer->sent_ms == 0 || transfer->paused) {
        return false; /* connecting: curl's clock */
    }
    return transfer->began ? now_ms - transfer->heard_ms >= options->idle_ms
                           : now_ms - transfer->sent_ms >= options->first_byte_ms;
}

static void arm_clock(struct edda_outbound *outbound) {
    if (outbound->open.count > 0 && !outbound->clock.index) {
        edda_loop_timer_set(outbound->options.loop, &outbound->clock,
                            edda_loop_now(outbound->options.loop) + CLOCK_MS);
    }
}

static void on_clock(void *context) {
    struct edda_outbound *outbound = context;
    int64_t now_ms = edda_loop_now(outbound->options.loop);
    struct edda_transfer *next;
    for (struct edda_transfer *one = outbound->open.first; one; one = next) {
        next = one->next;
        if (is_overdue(one, now_ms)) {
            one->error = EDDA_E_TIMEOUT;
            edda_transfer_finish(one, CURLE_OPERATION_TIMEDOUT);
            end_transfer(one);
            next = outbound->open.first; /* the callback may have ended any */
        }
    }
    arm_clock(outbound);
}

/* ---- what could not be done within curl ---- */

static void begin_fresh(struct edda_outbound *outbound) {
    while (outbound->fresh.first) {
        struct edda_transfer *transfer = outbound->fresh.first;
        edda_transfer_move(transfer, &outbound->open);
        if (curl_multi_add_handle(outbound->multi, transfer->easy) != CURLM_OK) {
            transfer->error = EDDA_E_MEMORY;
            edda_transfer_finish(transfer, CURLE_OUT_OF_MEMORY);
            edda_transfer_move(transfer, &outbound->over);
        }
    }
    arm_clock(outbound);
}

/* Pauses and resumptions; a resumed one may give its data at once. */
static void settle_pauses(struct edda_outbound *outbound) {
    struct edda_transfer *next;
    for (struct edda_transfer *one = outbound->open.first; one; one = next) {
        next = one->next;
        if (one->cancelled || one->paused == one->held) {
            continue;
        }
        one->held = one->paused;
        one->heard_ms = edda_loop_now(outbound->options.loop);
        outbound->in_curl = true;
        (void)curl_easy_pause(one->easy, one->held ? CURLPAUSE_RECV : CURLPAUSE_CONT);
        outbound->in_curl = false;
    }
}

static void settle(void *context) {
    struct edda_outbound *outbound = context;
    struct edda_transfer *next;
    settle_pauses(outbound);
    for (struct edda_transfer *one = outbound->open.first; one; one = next) {
        next = one->next;
        if (one->cancelled) {
            end_transfer(one);
        }
    }
    begin_fresh(outbound);
    while (outbound->over.first) {
        struct edda_transfer *transfer = outbound->over.first;
        edda_transfer_move(transfer, NULL);
        edda_transfer_free(transfer);
    }
}

/* ---- the interface ---- */

int edda_outbound_send(edda_outbound_t *self, const struct edda_outbound_request *request,
                       edda_transfer_t **ret_transfer) {
    struct edda_transfer *transfer = NULL;
    if (self->open.count + self->fresh.count >= EDDA_OUTBOUND_CONNECTIONS) {
        return EDDA_E_LIMIT;
    }
    int error = edda_transfer_new(self, request, &transfer);
    if (error) {
        return error;
    }
    edda_transfer_move(transfer, &self->fresh);
    edda_outbound_want_settling(self);
    *ret_transfer = transfer;
    return 0;
}

void edda_transfer_cancel(edda_transfer_t **transfer_p) {
    struct edda_transfer *transfer = *transfer_p;
    *transfer_p = NULL;
    if (!transfer || transfer->cancelled) {
        return;
    }
    transfer->cancelled = true;
    if (transfer->outbound->in_curl) {
        /* Where it is now curl sees it by the refusal of its data; elsewhere we must. */
        edda_outbound_want_settling(transfer->outbound);
    } else {
        end_transfer(transfer);
    }
}

void edda_transfer_pause(edda_transfer_t *transfer, bool paused) {
    if (transfer->cancelled || transfer->paused == paused) {
        return;
    }
    transfer->paused = paused;
    if (transfer->in_data && paused) {
        /* Allowed from within its own callback, and only there in time to hold the next piece. */
        transfer->held = true;
        (void)curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
    } else {
        edda_outbound_want_settling(transfer->outbound);
    }
}

size_t edda_outbound_open(const edda_outbound_t *self) {
    return self->open.count + self->fresh.count;
}

static char *copy_option(const char *text) {
    return text && *text ? strdup(text) : NULL;
}

edda_outbound_t *edda_outbound_new(const struct edda_outbound_options *options) {
    (void)pthread_once(&curl_once, init_curl);
    struct edda_outbound *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->options = *options;
    self->ca_file = copy_option(options->ca_file);
    self->proxy = copy_option(options->proxy);
    self->timer = (struct edda_timer){.fire = on_timer, .context = self, .name = "provider"};
    self->clock = (struct edda_timer){.fire = on_clock, .context = self, .name = "provider_clock"};
    self->settle = (struct edda_deferred){.fire = settle, .context = self};
    self->multi = curl_multi_init();
    if (!self->multi) {
        edda_outbound_destroy(&self);
        return NULL;
    }
    (void)curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    (void)curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    (void)curl_multi_setopt(self->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    (void)curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)EDDA_OUTBOUND_CONNECTIONS);
    (void)curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                            (long)EDDA_OUTBOUND_CONNECTIONS);
    (void)curl_multi_setopt(self->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                            (long)EDDA_OUTBOUND_CONNECTIONS);
    return self;
}

static void free_list(struct edda_outbound *self, struct edda_transfer_list *list) {
    while (list->first) {
        struct edda_transfer *transfer = list->first;
        if (list == &self->open) {
            (void)curl_multi_remove_handle(self->multi, transfer->easy);
        }
        edda_transfer_move(transfer, NULL);
        edda_transfer_free(transfer);
    }
}

void edda_outbound_destroy(edda_outbound_t **self_p) {
    struct edda_outbound *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(!self->in_curl);
    free_list(self, &self->fresh);
    free_list(self, &self->open);
    free_list(self, &self->over);
    if (self->multi) {
        (void)curl_multi_cleanup(self->multi); /* closes idle connections: their watches go */
    }
    edda_loop_timer_cancel(self->options.loop, &self->timer);
    edda_loop_timer_cancel(self->options.loop, &self->clock);
    edda_deferred_cancel(&self->settle);
    if (self->proxy) {
        explicit_bzero(self->proxy, strlen(self->proxy));
    }
    free(self->ca_file);
    free(self->proxy);
    free(self);
    *self_p = NULL;
}
