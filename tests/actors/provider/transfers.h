/* tests/actors/provider/transfers.h: a loop, an outbound and a scripted server for each test; what
 * callbacks said of one transfer. */
#ifndef EDDA_TESTS_TRANSFERS_H
#define EDDA_TESTS_TRANSFERS_H

#include "actors/provider/outbound.h"
#include "proto/buffer.h"
#include "tests/harness/fake_broker.h"
#include "tests/harness/scripted.h"
#include "tests/proto/cmocka.h"

#define CONNECT_MS    300 /* of who has no patience: a machine that stalls looks like silence */
#define FIRST_BYTE_MS 400
#define IDLE_MS       400
#define FAR_MS        30000 /* a deadline that does not matter */
#define HEARD_BYTES   256

extern edda_loop_t *loop;
extern edda_outbound_t *outbound;
extern struct scripted *server;

struct transfer {
    edda_transfer_t *handle;
    char url[128];
    struct edda_outbound_request request;  /* as it will be sent */
    void (*during)(struct transfer *self); /* called in on_data; may be NULL */
    void (*after)(struct transfer *self);  /* called in on_done */
    struct transfer *other;                /* for these two */
    int pieces;
    size_t bytes; /* of on_data */
    char data[HEARD_BYTES];
    int done;
    int error;
    int status;
    bool began;
    char body[HEARD_BYTES]; /* its beginning */
    size_t body_size;
    char retry_after[64];
    char content_type[64];
    char reason[EDDA_OUTBOUND_REASON];
};

/* For cmocka_unit_test_setup_teardown; with clocks that do not matter. */
int transfers_begin(void **state);
int transfers_end(void **state);

/* The outbound again, with these options beside the loop. */
void transfers_use(struct edda_outbound_options options);
void transfers_have_no_patience(void); /* the clocks above */

/* POST of "{}" to the server, collected, at most 64 KiB, far deadline. */
void transfer_make(struct transfer *transfer);
void transfer_make_stream(struct transfer *transfer);

/* Must be taken. */
void transfer_send(struct transfer *transfer);

/* Made, sent. */
void transfer_post(struct transfer *transfer);
void transfer_stream(struct transfer *transfer);

/* Waits for its end, which must be this one. */
void transfer_expect(struct transfer *transfer, int error);

/* Waits until the server has this many whole requests, or this many open connections. */
void await_requests(size_t count);
void await_open(size_t count);

/* Waits until on_data has brought this many bytes. */
void transfer_await_bytes(struct transfer *transfer, size_t bytes);

#define TRANSFER_TEST(name) cmocka_unit_test_setup_teardown(name, transfers_begin, transfers_end)

#endif
