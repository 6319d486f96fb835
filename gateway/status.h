/* gateway/status.h: what the brokers and the store say of themselves, asked at most once a second
 * however many want to know; ten times a second while there is no store, so that who waits for one
 * knows it soon. (What is asked of a store is not for nothing.)
 *
 * A look asks every broker for broker.status, and the store for store.ping and store.statistics,
 * all at once; whoever does not answer within a second counts as absent. Threads: the loop's. */
#ifndef EDDA_GATEWAY_STATUS_H
#define EDDA_GATEWAY_STATUS_H

#include "gateway/visit.h"
#include "proto/body_peer.h"

#define EDDA_STATUS_FRESH_MS  1000
#define EDDA_STATUS_ABSENT_MS 100 /* as long is a view fresh that lacks the store */
#define EDDA_STATUS_TTL_MS    1000u

struct edda_status_view {
    size_t broker_count; /* given, not live */
    struct {
        bool answered;
        struct edda_broker_status status; /* views live until the next look */
    } brokers[EDDA_CLIENT_MAX_BROKERS];
    bool store_answers; /* and its database does */
    bool counted;       /* statistics are known */
    struct edda_store_statistics statistics;
};

edda_status_t *edda_status_new(edda_gateway_t *gateway);

/* The client is gone already. */
void edda_status_destroy(edda_status_t **self_p);

/* Calls then(visit) when the view is fresh: at once, or after a look. */
void edda_status_want(edda_status_t *self, struct edda_visit *visit, edda_visit_fn then);

/* The visit ends before it was called. */
void edda_status_forget(edda_status_t *self, struct edda_visit *visit);

const struct edda_status_view *edda_status_view(const edda_status_t *self);

size_t edda_status_brokers_live(const struct edda_status_view *view);

/* The sums over all brokers of a service (rates too; oldest and step time: the largest). Workers 0:
 * nobody offers it. */
struct edda_service_status edda_status_service(const struct edda_status_view *view,
                                               struct edda_text name);

/* The n-th distinct service name over all brokers; false when there are fewer. */
bool edda_status_name(const struct edda_status_view *view, size_t n, struct edda_text *ret_name);

#endif
