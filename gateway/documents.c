/* gateway/documents.c: answers that never change: the description of the API, the front page, what
 * this version has not. */
#include "gateway/openapi.h"
#include "gateway/visit.h"
#include "gateway/write.h"

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

void edda_chat(struct edda_visit *visit) {
    edda_visit_fail(visit, 501, "Chat is not available in this version");
}

/* The providers of chat; there is no chat. */
void edda_providers(struct edda_visit *visit) {
    EDDA_WRITE(edda_visit_out(visit), "{\"providers\":[]}");
    edda_visit_reply(visit, 200);
}
