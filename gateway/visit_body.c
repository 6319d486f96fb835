/* gateway/visit_body.c: a JSON body parsed here when small, beside the loop when it would hold up
 * everybody else's requests. */
#include <sodium.h>

#include "gateway/read.h"
#include "gateway/visit_internal.h"

#define LARGE_BODY ((size_t)192 * 1024) /* about two milliseconds of parsing */

struct reading {
    struct edda_visit *visit;
    edda_visit_fn next;
    struct edda_bytes body;
    bool fingerprint;
    json_t *json;
    const char *message;
    int error;
};

static void read_now(void *context, unsigned thread_index) {
    struct reading *reading = context;
    (void)thread_index;
    if (reading->fingerprint) {
        (void)crypto_hash_sha256(reading->visit->fingerprint, reading->body.data,
                                 reading->body.size);
    }
    reading->error = edda_read_json(reading->body, &reading->json, &reading->message);
}

static void take_reading(void *context) {
    struct reading *reading = context;
    struct edda_visit *visit = reading->visit;
    edda_gateway_t *gateway = visit->gateway;
    visit->parsing = false;
    visit->json = reading->json;
    edda_exchange_drop_body(visit->exchange);
    if (reading->error) {
        edda_visit_fail(visit, 400, reading->message);
        return;
    }
    visit->deadline_ms = edda_loop_now(gateway->loop) + time_of(visit);
    reading->next(visit);
}

void read_body(struct edda_visit *visit, edda_visit_fn next) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    struct reading reading = {
        .visit = visit,
        .next = next,
        .body = edda_exchange_body(visit->exchange),
        .fingerprint = head->idempotency_key.data != NULL,
    };
    if (reading.body.size < LARGE_BODY) {
        read_now(&reading, 0);
        visit->json = reading.json;
        if (reading.error) {
            edda_visit_fail(visit, 400, reading.message);
        } else {
            next(visit);
        }
        return;
    }
    struct reading *kept = edda_arena_take(&visit->arena, sizeof *kept);
    int error = EDDA_E_MEMORY;
    if (kept) {
        *kept = reading;
        error = edda_pool_run(visit->gateway->pool, read_now, take_reading, kept);
    }
    if (error) {
        edda_visit_error(visit, error, NULL);
    } else {
        visit->parsing = true;
    }
}
