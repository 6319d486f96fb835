/* tests/gateway/live_gateway.h: the real gateway on its thread, a fake broker behind it, and a
 * socket in front of it.
 *
 *   struct live_gateway *live = live_gateway_start(NULL);
 *   int fd = send_http(live, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
 *   struct edda_uuid id = expect_call(live, "store.ping", EDDA_BODY_EMPTY, &empty);
 *   answer_call(live, &id, EDDA_BODY_STORE_PONG, &pong);
 *   struct http_answer *answer = expect_http(live, fd, 200);
 *
 * Every expect_ waits for some seconds, running the broker meanwhile, and fails the test when
 * something else comes. Threads: the test's one (the gateway has its own). */
#ifndef EDDA_TESTS_GATEWAY_LIVE_GATEWAY_H
#define EDDA_TESTS_GATEWAY_LIVE_GATEWAY_H

#include <jansson.h>

#include "proto/body.h"
#include "proto/body_store.h"
#include "tests/harness/fake_broker.h"

#define LIVE_KEY           "test-key"
#define LIVE_AUTHORIZATION "Authorization: Bearer " LIVE_KEY "\r\n"

struct live_gateway;

struct http_answer {
    int status;
    char head[8192]; /* NUL-terminated */
    char *body;      /* NUL-terminated; chunks joined */
    size_t size;
    json_t *json; /* of the body, or NULL */
    bool closed;  /* the connection ended after it */
};

/* flags: "--header-ms", "200", ..., NULL; or NULL for none. */
struct live_gateway *live_gateway_start(const char *const *flags);

/* Drains it and asserts that its thread ended well. */
void live_gateway_stop(struct live_gateway **live_p);

/* The same as a group's set-up and tear-down: *state is the live_gateway. */
int start_live_gateway(void **state);
int stop_live_gateway(void **state);

/* Drains it twice, which does not wait for open requests. */
void live_gateway_cut(struct live_gateway **live_p);

/* Asks it to drain, without waiting. */
void live_gateway_drain(struct live_gateway *live);
struct fake_broker *live_gateway_broker(struct live_gateway *live);
edda_loop_t *live_gateway_loop(struct live_gateway *live);

/* A connection of its own for each; send_more uses an old one. The caller closes fd. */
int open_http(struct live_gateway *live);
int open_narrow_http(struct live_gateway *live, int receive_bytes); /* of the socket's buffer */
int send_http(struct live_gateway *live, const char *bytes);
void send_more(int fd, const char *bytes, size_t size);

/* POST or PATCH of a JSON body with the key. */
int send_json(struct live_gateway *live, const char *method, const char *path, const char *body);
int send_get(struct live_gateway *live, const char *path);

/* The next response on fd, whose status must be this. Freed with free_answer. */
struct http_answer *expect_http(struct live_gateway *live, int fd, int status);
void free_answer(struct http_answer **answer_p);

/* The response's JSON text, without white space, keys in order, must be this. */
void expect_http_json(struct live_gateway *live, int fd, int status, const char *json);

/* The connection ends before its response does. */
void expect_cut(struct live_gateway *live, int fd);

/* The connection ends without another byte. */
void expect_end(struct live_gateway *live, int fd);

/* The next call's first op must be op, CREDITs for streams before it are passed over; its arguments
 * are decoded into *ret_record, whose views live until the next expect_call. */
struct edda_uuid expect_call(struct live_gateway *live, const char *op, uint16_t type,
                             void *ret_record);

/* The next call, whatever it is. */
struct edda_uuid take_call(struct live_gateway *live, struct edda_text *ret_op);

/* The envelope of that call. */
const struct edda_envelope *last_envelope(struct live_gateway *live);

/* The arguments of step `index` of that call. */
void decode_step(struct live_gateway *live, size_t index, uint16_t type, void *ret_record);

void answer_call(struct live_gateway *live, const struct edda_uuid *id, uint16_t type,
                 const void *record);
void fail_call(struct live_gateway *live, const struct edda_uuid *id, int code);

/* No call comes for a tenth of a second. */
void expect_no_call(struct live_gateway *live);

#endif
