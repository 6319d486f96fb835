/* actors/runtime/link.c: obeys the actions of proto/session.h with a socket and a clock. */
#include "actors/runtime/link.h"

#include <stdio.h>
#include <sys/epoll.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "proto/body.h"

static void step_link(struct edda_link *link, enum edda_session_event event);

void edda_link_init(struct edda_link *link, edda_loop_t *loop, void *zmq_context, const char *url,
                    const edda_curve_t *curve, size_t broker, const struct edda_hello *hello,
                    const struct edda_link_handler *handler, void *owner) {
    *link = (struct edda_link){
        .loop = loop,
        .zmq_context = zmq_context,
        .curve = curve,
        .broker = broker,
        .hello = hello,
        .handler = handler,
        .owner = owner,
    };
    EDDA_ASSERT(strlen(url) < EDDA_MAX_URL);
    memcpy(link->url, url, strlen(url) + 1);
    link->role = hello->role.data;
    link->lost_cell = edda_metric_cell(EDDA_METRIC_SESSIONS_LOST, link->role);
    link->dropped_cell = edda_metric_cell(EDDA_METRIC_DROPPED, "malformed");
    edda_session_init(&link->session, edda_clock_ms());
}

static void close_socket(struct edda_link *link, int linger_ms) {
    edda_loop_unwatch(link->loop, &link->monitor_watch);
    edda_monitor_close(&link->monitor);
    size_t dropped = edda_outbox_close(&link->outbox, linger_ms > 0);
    if (dropped > 0) {
        edda_metric_add(EDDA_METRIC_DROPPED, "unsent", dropped);
    }
    edda_loop_unwatch(link->loop, &link->watch);
    edda_socket_close(&link->socket, linger_ms);
}

void edda_link_done(struct edda_link *link) {
    if (link->loop) {
        close_socket(link, EDDA_LINK_LINGER_MS);
    }
}

void edda_link_tell(struct edda_link *link, uint8_t command, const struct edda_uuid *id,
                    uint16_t type, const void *record) {
    if (!link->socket) {
        return;
    }
    zmq_msg_t *frames = edda_outbox_room(&link->outbox);
    int made = EDDA_E_AGAIN;
    if (frames) {
        made = edda_wire_make_session(frames, NULL, 0, command, id, type, record);
    }
    if (made < 0) {
        edda_metric_add(EDDA_METRIC_DROPPED, "unsent", 1);
        return;
    }
    edda_outbox_add(&link->outbox, (size_t)made, 0);
    step_link(link, EDDA_SESSION_SENT);
}

int edda_link_send(struct edda_link *link, const struct edda_message *message,
                   zmq_msg_t *const *bodies, size_t count) {
    if (!edda_link_joined(link)) {
        return EDDA_E_UNAVAILABLE;
    }
    zmq_msg_t *frames = edda_outbox_room(&link->outbox);
    if (!frames) {
        return EDDA_E_AGAIN;
    }
    int made = edda_wire_make(frames, NULL, 0, message, bodies, count);
    if (made < 0) {
        return made;
    }
    edda_outbox_add(&link->outbox, (size_t)made, 0);
    step_link(link, EDDA_SESSION_SENT);
    return 0;
}

static void tell_ping(struct edda_link *link, uint8_t command, uint64_t stamp) {
    struct edda_ping ping = {0};
    if (link->handler->ping) {
        link->handler->ping(link->owner, link, &ping);
    }
    ping.stamp = stamp;
    edda_link_tell(link, command, NULL, EDDA_BODY_PING, &ping);
}

static void on_socket(void *context);
static void on_monitor(void *context, uint32_t events);
static void say_hello_if_writable(struct edda_link *link);

/* Without it, and for what it misses, there are the timers of proto/session.h. */
static void watch_connection(struct edda_link *link) {
    unsigned kinds = EDDA_MONITOR_LOST;
    if (edda_url_is_inproc(link->url)) {
        return;
    }
    if (link->curve && edda_url_is_tcp(link->url)) {
        kinds |= EDDA_MONITOR_REFUSED | EDDA_MONITOR_MISMATCHED | EDDA_MONITOR_BROKEN;
    }
    if (edda_monitor_open(&link->monitor, link->zmq_context, link->socket, kinds) == 0) {
        link->monitor_watch = edda_loop_watch(link->loop, edda_monitor_fd(&link->monitor), EPOLLIN,
                                              on_monitor, link, link->role);
    }
    if (!link->monitor_watch) {
        edda_log(EDDA_LOG_WARNING, "no_monitor", "role=%s broker=%s", link->role, link->url);
    }
}

static void open_socket(struct edda_link *link) {
    EDDA_ASSERT(!link->socket);
    int error =
        edda_socket_dealer(link->zmq_context, link->url, link->curve, link->broker, &link->socket);
    if (!error) {
        error = edda_outbox_open(&link->outbox, link->loop, link->socket, NULL, NULL, NULL);
    }
    if (!error) {
        link->watch = edda_loop_socket(link->loop, link->socket, on_socket, link, link->role);
    }
    if (error || !link->watch) {
        /* Without a socket no WELCOME comes: the session closes and backs off by itself. */
        edda_log(EDDA_LOG_ERROR, "socket_failed", "role=%s broker=%s error=%s", link->role,
                 link->url, edda_error_name(error ? error : EDDA_E_LIMIT));
        close_socket(link, 0);
        return;
    }
    link->number++;
    watch_connection(link);
    say_hello_if_writable(link);
}

static void obey_actions(struct edda_link *link, unsigned actions, bool was_joined) {
    if (actions & EDDA_SESSION_CLOSE) {
        close_socket(link, 0);
        if (was_joined) {
            edda_cell_add(link->lost_cell, 1);
            edda_log(EDDA_LOG_WARNING, "session_lost", "role=%s broker=%s", link->role, link->url);
            link->handler->lost(link->owner, link);
        }
    }
    if (actions & EDDA_SESSION_OPEN) {
        open_socket(link);
    }
    if (actions & EDDA_SESSION_HELLO) {
        edda_link_tell(link, EDDA_HELLO, NULL, EDDA_BODY_HELLO, link->hello);
    }
    if (actions & EDDA_SESSION_PING) {
        tell_ping(link, EDDA_PING, (uint64_t)edda_loop_now(link->loop));
    }
    if (actions & EDDA_SESSION_READY) {
        edda_log(EDDA_LOG_INFO, "session_live", "role=%s broker=%s", link->role, link->url);
        link->handler->ready(link->owner, link);
    }
}

static void step_link(struct edda_link *link, enum edda_session_event event) {
    bool was_joined = edda_link_joined(link);
    int64_t now_ms = edda_loop_now(link->loop);
    uint32_t random =
        event == EDDA_SESSION_SENT || event == EDDA_SESSION_HEARD ? 0 : edda_random32();
    unsigned actions = edda_session_step(&link->session, event, now_ms, random);
    if (actions) {
        obey_actions(link, actions, was_joined);
    }
}

static const char *explain_handshake(unsigned kind) {
    return kind == EDDA_MONITOR_REFUSED      ? "this key is not in the broker's authorized file"
           : kind == EDDA_MONITOR_MISMATCHED ? "the broker does not encrypt there"
                                             : "the connection broke: is --broker-key the key of "
                                               "this broker, and tcp encrypted there?";
}

/* A session that is refused backs off, where the socket would knock ten times a second. */
static void take_refusal(struct edda_link *link, unsigned kind) {
    int64_t now_ms = edda_loop_now(link->loop);
    if (link->refused_kind != kind || now_ms - link->refused_ms >= EDDA_LINK_LOG_MS) {
        edda_log(EDDA_LOG_WARNING, "handshake_failed", "role=%s broker=%s text=\"%s\"", link->role,
                 link->url, explain_handshake(kind));
        link->refused_kind = kind;
        link->refused_ms = now_ms;
    }
    step_link(link, EDDA_SESSION_RESET_BY_BROKER);
}

/* What the broker sent before its end counts, and saves a repeat: as much as one look at the socket
 * takes. */
static void take_disconnection(struct edda_link *link) {
    uint64_t number = link->number;
    if (edda_link_joined(link)) {
        on_socket(link);
    }
    if (link->socket && link->number == number) {
        step_link(link, EDDA_SESSION_DISCONNECTED);
    }
}

/* Events are of this link's one socket, and end with it: what an earlier one had to say is never
 * heard. */
static void look_at_connection(struct edda_link *link) {
    unsigned kind;
    while ((kind = edda_monitor_next(&link->monitor)) != 0) {
        if (kind == EDDA_MONITOR_LOST) {
            take_disconnection(link);
        } else if (link->session.state == EDDA_SESSION_CONNECTING) {
            take_refusal(link, kind);
        }
    }
}

static void on_monitor(void *context, uint32_t events) {
    (void)events;
    look_at_connection(context);
}

/* What is known to have ended by now was a connection before the one that HELLO goes out on. And a
 * monitor that was read once wakes the loop from then on. */
static void say_hello_if_writable(struct edda_link *link) {
    if (link->session.state != EDDA_SESSION_CONNECTING || link->session.hello_sent) {
        return;
    }
    look_at_connection(link);
    if (link->socket && edda_socket_writable(link->socket)) {
        step_link(link, EDDA_SESSION_WRITABLE);
    }
}

void edda_link_tick(struct edda_link *link) {
    if (link->left) {
        return;
    }
    say_hello_if_writable(link);
    edda_outbox_flush(&link->outbox);
    step_link(link, EDDA_SESSION_TICK);
}

int64_t edda_link_pace(const struct edda_link *link) {
    int64_t pace_ms = link->session.ping_ms / 4;
    if (!edda_link_live(link) || pace_ms < EDDA_LINK_TICK_MS) {
        return EDDA_LINK_TICK_MS;
    }
    return pace_ms < EDDA_LINK_REST_MS ? pace_ms : EDDA_LINK_REST_MS;
}

void edda_link_leave(struct edda_link *link) {
    if (link->left) {
        return;
    }
    if (edda_link_joined(link)) {
        edda_link_tell(link, EDDA_BYE, NULL, 0, NULL);
    }
    link->left = true;
    close_socket(link, EDDA_LINK_LINGER_MS);
    edda_session_init(&link->session, edda_loop_now(link->loop));
}

/* The bodies of a session have no lists: decoding needs no arena to speak of. */
static bool decode_record(struct edda_link *link, struct edda_wire *wire, uint16_t type,
                          void *ret_record) {
    struct edda_arena arena;
    edda_arena_init(&arena, 4096);
    int error = edda_body_decode(type, wire->message.bodies[0], &arena, ret_record);
    edda_arena_done(&arena);
    if (error) {
        edda_cell_add(link->dropped_cell, 1);
    }
    return error == 0;
}

static void take_welcome(struct edda_link *link, struct edda_wire *wire) {
    struct edda_welcome welcome;
    if (!decode_record(link, wire, EDDA_BODY_WELCOME, &welcome)) {
        return;
    }
    if (link->session.state == EDDA_SESSION_CONNECTING) {
        edda_session_tune(&link->session, welcome.ping_ms, welcome.liveness);
    }
    step_link(link, EDDA_SESSION_WELCOMED);
}

static void take_reset(struct edda_link *link, struct edda_wire *wire) {
    struct edda_reset reset;
    if (decode_record(link, wire, EDDA_BODY_RESET, &reset)) {
        edda_log(EDDA_LOG_WARNING, "session_reset", "role=%s broker=%s code=%s text=\"%.*s\"",
                 link->role, link->url, edda_error_name(edda_error_from_wire(reset.code)),
                 (int)reset.text.size, reset.text.data ? reset.text.data : "");
    }
    step_link(link, EDDA_SESSION_RESET_BY_BROKER);
}

void edda_link_going(struct edda_link *link) {
    bool was_live = edda_link_live(link);
    step_link(link, EDDA_SESSION_BROKER_DRAINS);
    if (was_live && link->session.state == EDDA_SESSION_GOING && link->handler->going) {
        link->handler->going(link->owner, link);
    }
}

static void take_message(struct edda_link *link, struct edda_wire *wire) {
    struct edda_ping ping;
    switch (wire->message.command) {
    case EDDA_WELCOME:
        take_welcome(link, wire);
        return;
    case EDDA_PING:
        if (decode_record(link, wire, EDDA_BODY_PING, &ping)) {
            tell_ping(link, EDDA_PONG, ping.stamp);
        }
        return;
    case EDDA_PONG:
        return;
    case EDDA_RESET:
        take_reset(link, wire);
        return;
    case EDDA_DRAIN:
        edda_link_going(link);
        return;
    case EDDA_BYE:
        step_link(link, EDDA_SESSION_BYE_FROM_BROKER);
        return;
    default:
        if (edda_link_joined(link)) {
            link->handler->message(link->owner, link, wire);
        } else {
            edda_metric_add(EDDA_METRIC_DROPPED, "no_session", 1);
        }
    }
}

static void on_socket(void *context) {
    struct edda_link *link = context;
    uint64_t number = link->number;
    bool heard = false;
    edda_outbox_flush(&link->outbox); /* it may have become writable */
    say_hello_if_writable(link);
    /* A message may end the session, or begin the next with another socket: then the batch is over.
     */
    for (int i = 0; i < EDDA_SOCKET_BUDGET && link->socket && link->number == number; i++) {
        struct edda_wire *wire = link->incoming;
        int error = edda_wire_receive(link->socket, false, wire);
        if (error == EDDA_E_AGAIN) {
            break;
        }
        if (error) {
            edda_cell_add(link->dropped_cell, 1);
            continue;
        }
        if (!heard) {
            heard = true;
            step_link(link, EDDA_SESSION_HEARD);
        }
        take_message(link, wire);
        if (link->incoming == wire) {
            edda_wire_done(wire);
        }
    }
    if (heard) {
        link->handler->ended(link->owner, link);
    }
}
