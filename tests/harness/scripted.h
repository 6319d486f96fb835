/* tests/harness/scripted.h: an HTTP server that does what it is told, byte by byte.
 *
 *   struct scripted *server = scripted_start();
 *   scripted_says(server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
 *   scripted_does(server, SCRIPT(SAY(HEAD_OF_A_STREAM), AWAIT(1), SAY("data: a\n\n"), HANG()));
 *
 * Each request that has come whole takes the next script, whatever connection it came on; without
 * one it is answered 200 "ok". A script that ends without CLOSE, RESET or HANG leaves the
 * connection for the next request. Each connection has a thread; all functions but start and stop
 * may be called while they run, from the test's thread. Failures of the test's own (a full table)
 * fail the test. */
#ifndef EDDA_TESTS_SCRIPTED_H
#define EDDA_TESTS_SCRIPTED_H

#include "proto/types.h"

#define SCRIPTED_OK         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SCRIPTED_STREAM     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define SCRIPTED_STREAM_END "0\r\n\r\n"

enum scripted_what {
    SCRIPTED_END,   /* of a script */
    SCRIPTED_SAY,   /* text */
    SCRIPTED_FLOOD, /* number letters, as fast as they are taken */
    SCRIPTED_AWAIT, /* until scripted_go was called number times, or the peer is gone */
    SCRIPTED_CLOSE,
    SCRIPTED_RESET, /* without a goodbye */
    SCRIPTED_HANG,  /* until the peer is gone */
};

struct scripted_step {
    enum scripted_what what;
    const char *text; /* static */
    size_t number;
};

#define SAY(text)                                                                                  \
    { SCRIPTED_SAY, (text), 0 }
#define FLOOD(count)                                                                               \
    { SCRIPTED_FLOOD, NULL, (count) }
#define AWAIT(times)                                                                               \
    { SCRIPTED_AWAIT, NULL, (times) }
#define CLOSE()                                                                                    \
    { SCRIPTED_CLOSE, NULL, 0 }
#define RESET()                                                                                    \
    { SCRIPTED_RESET, NULL, 0 }
#define HANG()                                                                                     \
    { SCRIPTED_HANG, NULL, 0 }
#define SCRIPT(...) ((const struct scripted_step[]){__VA_ARGS__, {SCRIPTED_END, NULL, 0}})

struct scripted;

struct scripted *scripted_start(void);
void scripted_stop(struct scripted **self_p);

/* "http://127.0.0.1:PORT/"; lives as long as the server. */
const char *scripted_url(const struct scripted *self);

/* The next script in line; the steps are copied. */
void scripted_does(struct scripted *self, const struct scripted_step *steps);
void scripted_says(struct scripted *self, const char *answer);

/* Once more: see SCRIPTED_AWAIT. */
void scripted_go(struct scripted *self);

/* From now on requests are read this many bytes at a time with ms in between; 0: at once. */
void scripted_read_slowly(struct scripted *self, size_t bytes, int ms);

/* How many came in all. A request counts when it is whole. */
size_t scripted_requests(struct scripted *self);
size_t scripted_connections(struct scripted *self);

/* Connections that are open now, as the server sees it. */
size_t scripted_open(struct scripted *self);

/* Letters of floods that the connection has taken. */
size_t scripted_flooded(struct scripted *self);

/* The n-th request, head and body; "" when it did not come. Lives until stop. */
const char *scripted_request(struct scripted *self, size_t n);

#endif
