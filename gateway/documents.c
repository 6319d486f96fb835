/* gateway/documents.c: answers that never change: the description of the API and the front page. */
#include "gateway/openapi.h"
#include "gateway/visit.h"

#define FRONT                                                                                      \
    "{\"name\":\"edda\",\"version\":\"" EDDA_VERSION "\",\"api\":\"/openapi.json\","               \
    "\"health\":\"/api/health\",\"ready\":\"/readyz\",\"metrics\":\"/metrics\"}"

static void answer(struct edda_visit *visit, struct edda_bytes body) {
    struct edda_http_response response = {.status = 200, .cache_control = "no-cache", .tag = true};
    edda_exchange_respond_static(visit->exchange, &response, body);
}

void edda_openapi(struct edda_visit *visit) {
    answer(visit, edda_openapi_document());
}

void edda_root(struct edda_visit *visit) {
    answer(visit, (struct edda_bytes){(const uint8_t *)FRONT, sizeof FRONT - 1});
}
