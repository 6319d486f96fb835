/* gateway/providers.c: GET /api/v1/config/llm-providers: who can answer a chat. What the llm stage
 * says is kept for some seconds; where there is none, nobody can. */
#include "gateway/visit.h"
#include "gateway/write.h"
#include "proto/body_peer.h"
#include "proto/body_stage.h"

#define FRESH_MS 5000
#define NOBODY   "{\"providers\":[]}"

static void answer(struct edda_visit *visit, struct edda_text json) {
    edda_write_raw(edda_visit_out(visit), json);
    edda_visit_reply(visit, 200);
}

static void write_providers(struct edda_buffer *out, const struct edda_llm_providers *providers) {
    EDDA_WRITE(out, "{\"providers\":[");
    for (size_t i = 0; i < providers->providers.count; i++) {
        const struct edda_llm_provider *provider = &providers->providers.items[i];
        (void)edda_buffer_append_text(out, i > 0 ? ",{\"provider\":" : "{\"provider\":");
        edda_write_text(out, provider->provider);
        EDDA_WRITE(out, ",\"label\":");
        edda_write_text(out, provider->label);
        EDDA_WRITE(out, ",\"model\":");
        edda_write_text(out, provider->model);
        EDDA_WRITE(out, "}");
    }
    EDDA_WRITE(out, "]}");
}

static void take_providers(struct edda_visit *visit, const struct edda_reply *reply) {
    edda_gateway_t *gateway = visit->gateway;
    struct edda_llm_providers providers;
    if (reply->error == EDDA_E_NO_SERVICE) {
        answer(visit, EDDA_TEXT(NOBODY));
        return;
    }
    if (!edda_visit_take(visit, reply, EDDA_BODY_LLM_PROVIDERS, &visit->arena, &providers, NULL)) {
        return;
    }
    edda_buffer_reset(&gateway->providers);
    write_providers(&gateway->providers, &providers);
    gateway->providers_until_ms = edda_loop_now(gateway->loop) + FRESH_MS;
    answer(visit,
           (struct edda_text){(const char *)gateway->providers.data, gateway->providers.size});
}

void edda_providers(struct edda_visit *visit) {
    const edda_gateway_t *gateway = visit->gateway;
    if (edda_loop_now(gateway->loop) < gateway->providers_until_ms) {
        answer(visit,
               (struct edda_text){(const char *)gateway->providers.data, gateway->providers.size});
        return;
    }
    struct edda_empty nothing = {0};
    edda_visit_call(visit, "llm.providers", EDDA_BODY_EMPTY, &nothing, take_providers);
}
