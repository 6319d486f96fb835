/* tests/provider/server.h: HTTP for thousands of requests at once, on one thread.
 *
 *   head -> body -> wait (suspended, a timer) -> answer -> sending (suspended between events) ->
 * end
 *
 * libmicrohttpd's epoll is nested in the loop. It does not look at suspended sockets, so every
 * connection is also watched for a hang-up: a client that leaves is counted at once. Closed and
 * half-closed cannot be told apart: a client that half-closes is taken for gone. */
#ifndef EDDA_TESTS_PROVIDER_SERVER_H
#define EDDA_TESTS_PROVIDER_SERVER_H

#include <microhttpd.h>

#include "actors/runtime/loop.h"
#include "tests/provider/chat.h"
#include "tests/provider/counters.h"

#define FAKE_SETTINGS 3 /* embed, rerank, chat */

struct fake_server_options {
    edda_loop_t *loop;
    uint16_t port;           /* 0: any */
    const char *certificate; /* PEM; NULL: no TLS */
    const char *key;
    size_t dimension;
};

struct fake_server {
    struct fake_server_options options;
    struct MHD_Daemon *daemon;
    edda_watch_t *watch;
    bool run_wanted;
    struct fake_exchange *exchanges; /* all that are open */
    struct fake_settings settings[FAKE_SETTINGS];
    struct fake_counters counters;
    int64_t numbers;
};

struct fake_connection {
    struct fake_server *server;
    struct fake_exchange *exchange; /* or NULL */
    int fd;
    edda_watch_t *hangup;
    bool hung_up;
};

/* One request and its answer. */
struct fake_exchange {
    struct fake_exchange *next;
    struct fake_exchange *previous;
    struct fake_server *server;
    struct fake_connection *connection;
    struct MHD_Connection *mhd;
    struct edda_buffer target;
    struct edda_buffer body; /* given to the record when it is complete */
    struct fake_request request;
    struct fake_behaviour behaviour;
    json_t *json;
    bool control; /* of /control: not counted */
    bool begun;
    bool complete; /* the request is all here */
    bool suspended;
    bool left;   /* by the client */
    bool cut;    /* by us */
    bool queued; /* the response is with libmicrohttpd */
    struct edda_timer timer;
    int64_t ready_ms; /* when to answer; -1: never */
    int64_t head_ms;  /* when the head was sent */
    int64_t pace_ms;  /* when more bytes may go */
    int status;
    const char *content_type;
    struct edda_buffer out;
    size_t taken; /* bytes of out that are sent */
    struct fake_chat chat;
    bool streamed; /* out is filled by chat */
    bool endless;
};

/* 0, or -1 when the port or the certificate is not usable. */
int fake_server_start(struct fake_server *server, const struct fake_server_options *options);
uint16_t fake_server_port(const struct fake_server *server);

/* After the loop has ended. */
void fake_server_stop(struct fake_server *server);

/* Cuts every open request but this one. */
void fake_server_cut(struct fake_server *server, const struct fake_exchange *but);

/* ---- of an exchange, between the files of this folder ---- */

/* Lets libmicrohttpd call again. */
void fake_exchange_wake(struct fake_exchange *exchange);
void fake_exchange_suspend(struct fake_exchange *exchange, int64_t until_ms);

/* answer.c: the request is complete: counts it and decides when it is answered. */
void fake_exchange_accept(struct fake_exchange *exchange, const char *method);

/* answer.c: fills status, content_type and out or chat; false: the connection is closed instead. */
bool fake_exchange_answer(struct fake_exchange *exchange);

/* control.c */
void fake_control(struct fake_exchange *exchange, const char *method);

/* sending.c: hands the response to libmicrohttpd. */
enum MHD_Result fake_exchange_send(struct fake_exchange *exchange);

#endif
