/* tests/actors/provider/calls.h: a provider named "test" before the scripted server of transfers.h,
 * and what callbacks said of one call. */
#ifndef EDDA_TESTS_CALLS_H
#define EDDA_TESTS_CALLS_H

#include "actors/provider/provider.h"
#include "actors/runtime/metric.h"
#include "tests/actors/provider/transfers.h"

#define REFUSE(status, more) "HTTP/1.1 " #status " No\r\n" more "Content-Length: 4\r\n\r\nslow"

extern edda_provider_t *provider;
extern int changes; /* calls of on_change */

struct call {
    edda_provider_call_t *handle;
    struct edda_provider_request request; /* as it will be sent */
    void (*during)(struct call *self);    /* called in on_data; may be NULL */
    void (*after)(struct call *self);     /* called in on_done */
    struct call *other;                   /* for these two */
    int nonsense;                         /* check says so this many times */
    bool later;                           /* check says EDDA_E_AGAIN */
    int checked;
    size_t bytes; /* of on_data */
    int done;
    struct edda_provider_reply reply; /* without its body */
    char body[HEARD_BYTES];
    int64_t wait_ms; /* of a send that was refused */
};

int calls_begin(void **state);
int calls_end(void **state);

/* The provider again, with other limits. */
void calls_use(uint32_t concurrency, uint32_t per_minute);

/* A query: POST of "{}", collected, far deadline, as many tries as there are. */
void call_make(struct call *call);
void call_make_stream(struct call *call);

/* Must give this. */
void call_send(struct call *call, int error);

/* Made and sent: a query, or bulk. */
void call_post(struct call *call);
void call_post_bulk(struct call *call);

void call_expect(struct call *call, int error);

/* Five calls with one try each, refused with 500: the breaker is open then. */
void open_breaker(void);

/* Waits until the window is this. */
void await_window(uint32_t window);

int64_t count_of(const char *result);

#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, calls_begin, calls_end)

#endif
