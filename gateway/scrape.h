/* gateway/scrape.h: the counters of one process at an address of their own, for Prometheus.
 *
 * GET /metrics is the process's registry (actors/runtime/metric.h), as text; all else is 404. A
 * gateway serves the same at its own address, with what brokers and store say beside it.
 *
 * Threads: the loop's. Limits: SCRAPE_CONNECTIONS, and those of gateway/http.h. */
#ifndef EDDA_GATEWAY_SCRAPE_H
#define EDDA_GATEWAY_SCRAPE_H

#include "actors/runtime/role.h"

/* The role "metrics": listens at setting METRICS, serves until the loop ends; no broker is needed.
 * As edda_http_new. */
int edda_scrape_main(edda_loop_t *loop, const struct edda_role *role);

#endif
