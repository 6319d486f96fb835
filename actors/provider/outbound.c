/* actors/provider/outbound.c: curl's multi handle in the loop. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "actors/provider/outbound_state.h"
#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"

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

void edda_transfer_make_noise(struct edda_transfer *transfer) {
    struct edda_outbound *outbound = transfer->outbound;
    if (transfer->list == &outbound->quiet) {
        edda_transfer_move(transfer, &outbound->noisy);
    }
    edda_loop_defer(outbound->options.loop, &outbound->deliver);
}

/* ---- curl's sockets and timer ---- */

struct watched {
    struct edda_outbound *outbound;
    edda_watch_t *watch;
    curl_socket_t fd;
};

static void run_curl(struct edda_outbound *outbound, curl_socket_t fd, int events) {
    int running;
    outbound->in_curl = true;
    (void)curl_multi_socket_action(outbound->multi, fd, events, &running);
    outbound->in_curl = false;
    edda_loop_defer(outbound->options.loop, &outbound->deliver); /* some may be finished */
}

static void on_socket(void *context, uint32_t epoll_events) {
    const struct watched *watched = context;
    int events = 0;
    events |= epoll_events & EPOLLIN ? CURL_CSELECT_IN : 0;
    events |= epoll_events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
    events |= epoll_events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
    run_curl(watched->outbound, watched->fd, events);
}

static void forget_socket(struct edda_outbound *outbound, struct watched *watched) {
    if (watched) {
        (void)curl_multi_assign(outbound->multi, watched->fd, NULL);
        edda_loop_unwatch(outbound->options.loop, &watched->watch);
        free(watched);
    }
}

static struct watched *remember_socket(struct edda_outbound *outbound, curl_socket_t fd,
                                       uint32_t events) {
    struct watched *watched = calloc(1, sizeof *watched);
    if (watched) {
        *watched = (struct watched){.outbound = outbound, .fd = fd};
        watched->watch =
            edda_loop_watch(outbound->options.loop, fd, events, on_socket, watched, "provider");
    }
    if (!watched || !watched->watch) {
        free(watched);
        return NULL;
    }
    return watched;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket) {
    struct edda_outbound *outbound = context;
    struct watched *watched = of_socket;
    uint32_t events = 0;
    (void)easy;
    events |= what & CURL_POLL_IN && what != CURL_POLL_REMOVE ? EPOLLIN : 0;
    events |= what & CURL_POLL_OUT && what != CURL_POLL_REMOVE ? EPOLLOUT : 0;
    if (events == 0) {
        forget_socket(outbound, watched);
    } else if (watched) {
        edda_loop_watch_change(outbound->options.loop, watched->watch, events);
    } else {
        watched = remember_socket(outbound, fd, events);
        if (watched) {
            (void)curl_multi_assign(outbound->multi, fd, watched);
        } else {
            /* Its transfer ends by its clock. An error returned here would end all, for good. */
            edda_log(EDDA_LOG_ERROR, "provider_socket", "error=\"cannot be watched\"");
        }
    }
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
        edda_loop_timer_set(outbound->options.loop, &outbound->timer, edda_clock_ms() + wait_ms);
    }
    return 0;
}

/* ---- our clocks ---- */

/* When which of its clocks runs out, as things are. */
static int64_t find_end(const struct edda_transfer *transfer, int *ret_error) {
    const struct edda_outbound_options *options = &transfer->outbound->options;
    int64_t end_ms = INT64_MAX;
    if (transfer->began) {
        int64_t whole_ms = transfer->began_ms + EDDA_OUTBOUND_WHOLE * options->idle_ms;
        end_ms = transfer->paused ? INT64_MAX : transfer->heard_ms + options->idle_ms;
        end_ms = !transfer->request.on_data && whole_ms < end_ms ? whole_ms : end_ms;
    } else if (transfer->connected_ms > 0) {
        end_ms = transfer->connected_ms + options->first_byte_ms;
    }
    *ret_error = end_ms < transfer->request.deadline_ms ? EDDA_E_TIMEOUT : EDDA_E_EXPIRED;
    return end_ms < transfer->request.deadline_ms ? end_ms : transfer->request.deadline_ms;
}

void edda_transfer_arm(struct edda_transfer *transfer) {
    int error;
    edda_loop_timer_set(transfer->outbound->options.loop, &transfer->clock,
                        find_end(transfer, &error));
}

/* A large request on a slow line is not the provider's time. */
static bool is_still_sending(struct edda_transfer *transfer) {
    curl_off_t uploaded = 0;
    if (transfer->began || transfer->connected_ms == 0) {
        return false;
    }
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    bool whole = uploaded >= (curl_off_t)transfer->request.body.size;
    bool progress = uploaded > transfer->uploaded && !(whole && transfer->uploaded == 0);
    transfer->uploaded = uploaded;
    return progress;
}

/* What was heard since did not touch the timer: it is looked at here. */
static void on_clock(void *context) {
    struct edda_transfer *transfer = context;
    int64_t now_ms = edda_loop_now(transfer->outbound->options.loop);
    int error;
    if (transfer->over) {
        return;
    }
    if (now_ms < find_end(transfer, &error)) {
        edda_transfer_arm(transfer);
    } else if (error == EDDA_E_TIMEOUT && is_still_sending(transfer)) {
        transfer->connected_ms = now_ms;
        edda_transfer_arm(transfer);
    } else {
        transfer->error = error;
        transfer->code = CURLE_OPERATION_TIMEDOUT;
        transfer->over = true;
        edda_transfer_make_noise(transfer);
    }
}

/* ---- what has arrived ---- */

/* Out of everything: nothing of curl, the loop or the outbound knows it any more. */
static void detach(struct edda_transfer *transfer) {
    struct edda_outbound *outbound = transfer->outbound;
    (void)curl_multi_remove_handle(outbound->multi, transfer->easy);
    edda_loop_timer_cancel(outbound->options.loop, &transfer->clock);
    edda_transfer_move(transfer, NULL);
}

static void take_finished(struct edda_outbound *outbound) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(outbound->multi, &left)) != NULL) {
        struct edda_transfer *transfer = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        if (message->msg == CURLMSG_DONE && !transfer->over) {
            transfer->over = true;
            transfer->code = message->data.result;
            edda_transfer_move(transfer, &outbound->noisy);
        }
    }
}

/* Curl may write at once, into arrived. */
static void go_on(struct edda_transfer *transfer) {
    struct edda_outbound *outbound = transfer->outbound;
    transfer->held = false;
    outbound->in_curl = true;
    CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    outbound->in_curl = false;
    if (code != CURLE_OK && !transfer->over) {
        transfer->over = true;
        transfer->code = code;
        edda_transfer_make_noise(transfer);
    }
}

static bool has_data(const struct edda_transfer *transfer) {
    return transfer->streams && transfer->arrived.size > 0;
}

/* False: its owner has cancelled it meanwhile. */
static bool give_data(struct edda_transfer *transfer) {
    struct edda_outbound *outbound = transfer->outbound;
    struct edda_buffer data = transfer->arrived; /* outlives the transfer */
    edda_buffer_init(&transfer->arrived, data.maximum);
    outbound->current = transfer;
    transfer->request.on_data(transfer->request.context, edda_buffer_bytes(&data));
    bool lives = outbound->current == transfer;
    outbound->current = NULL;
    if (lives && !transfer->arrived.data) {
        edda_buffer_reset(&data);
        transfer->arrived = data;
    } else {
        edda_buffer_done(&data);
    }
    return lives;
}

static void give(struct edda_transfer *transfer) {
    struct edda_outbound *outbound = transfer->outbound;
    edda_transfer_move(transfer, &outbound->quiet);
    if (has_data(transfer) && !give_data(transfer)) {
        return;
    }
    if (has_data(transfer)) {
        return; /* paused and resumed: it has become noisy again */
    }
    if (transfer->over) {
        detach(transfer);
        outbound->current = transfer;
        edda_transfer_tell(transfer);
        outbound->current = NULL;
        edda_transfer_free(transfer);
    } else if (transfer->held && !transfer->paused) {
        go_on(transfer);
    }
}

/* What becomes noisy meanwhile waits for the next phase. */
static void deliver(void *context) {
    struct edda_outbound *outbound = context;
    take_finished(outbound);
    while (outbound->noisy.first) {
        edda_transfer_move(outbound->noisy.first, &outbound->giving);
    }
    while (outbound->giving.first) {
        give(outbound->giving.first);
    }
}

/* ---- the interface ---- */

int edda_outbound_send(edda_outbound_t *self, const struct edda_outbound_request *request,
                       edda_transfer_t **ret_transfer) {
    struct edda_transfer *transfer = NULL;
    EDDA_ASSERT(!self->in_curl);
    if (edda_outbound_open(self) >= EDDA_OUTBOUND_CONNECTIONS) {
        return EDDA_E_LIMIT;
    }
    int error = edda_transfer_new(self, request, &transfer);
    if (error) {
        return error;
    }
    if (curl_multi_add_handle(self->multi, transfer->easy) != CURLM_OK) {
        edda_transfer_free(transfer);
        return EDDA_E_MEMORY;
    }
    transfer->clock =
        (struct edda_timer){.fire = on_clock, .context = transfer, .name = "provider_clock"};
    edda_transfer_move(transfer, &self->quiet);
    edda_transfer_arm(transfer);
    *ret_transfer = transfer;
    return 0;
}

void edda_transfer_cancel(edda_transfer_t **transfer_p) {
    struct edda_transfer *transfer = *transfer_p;
    *transfer_p = NULL;
    if (!transfer || transfer->told) {
        return;
    }
    EDDA_ASSERT(!transfer->outbound->in_curl);
    if (transfer->outbound->current == transfer) {
        transfer->outbound->current = NULL;
    }
    detach(transfer);
    edda_transfer_free(transfer);
}

void edda_transfer_pause(edda_transfer_t *transfer, bool paused) {
    if (transfer->told || transfer->paused == paused) {
        return;
    }
    transfer->paused = paused;
    transfer->heard_ms = edda_loop_now(transfer->outbound->options.loop);
    edda_transfer_arm(transfer);
    if (transfer->over) {
        return;
    }
    if (!paused && transfer->held) {
        go_on(transfer);
    } else if (paused && !transfer->held && transfer->began) {
        /* Before that curl would forget it: the first bytes are refused then. */
        transfer->held = true;
        (void)curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
    }
}

size_t edda_outbound_open(const edda_outbound_t *self) {
    return self->quiet.count + self->noisy.count + self->giving.count;
}

static char *copy_option(const char *text) {
    return text && *text ? strdup(text) : NULL;
}

static void set_options(struct edda_outbound *self) {
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
    self->deliver = (struct edda_deferred){.fire = deliver, .context = self};
    self->multi = curl_multi_init();
    if (!self->multi || (options->ca_file && *options->ca_file && !self->ca_file) ||
        (options->proxy && *options->proxy && !self->proxy)) {
        edda_outbound_destroy(&self);
        return NULL;
    }
    set_options(self);
    return self;
}

static void cancel_all(struct edda_transfer_list *list) {
    while (list->first) {
        struct edda_transfer *transfer = list->first;
        edda_transfer_cancel(&transfer);
    }
}

void edda_outbound_destroy(edda_outbound_t **self_p) {
    struct edda_outbound *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(!self->in_curl && !self->current);
    cancel_all(&self->quiet);
    cancel_all(&self->noisy);
    if (self->multi) {
        (void)curl_multi_cleanup(self->multi); /* closes idle connections: their watches go */
    }
    edda_loop_timer_cancel(self->options.loop, &self->timer);
    edda_deferred_cancel(&self->deliver);
    if (self->proxy) {
        explicit_bzero(self->proxy, strlen(self->proxy));
    }
    free(self->ca_file);
    free(self->proxy);
    free(self);
    *self_p = NULL;
}
