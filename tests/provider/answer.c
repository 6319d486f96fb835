/* tests/provider/answer.c: from a complete request to what is sent: the order in which settings
 * have their say. */
#include "tests/provider/server.h"

#include <stdio.h>
#include <stdlib.h>

#define JSON_TYPE "application/json"

static enum MHD_Result record_header(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
    struct edda_buffer *headers = context;
    (void)kind;
    value = value ? value : "";
    (void)edda_buffer_append(headers, name, strlen(name) + 1);
    (void)edda_buffer_append(headers, value, strlen(value) + 1);
    return MHD_YES;
}

/* The body changes hands: bodies are large and every request is recorded. */
static void record(struct fake_exchange *exchange, const char *method) {
    struct fake_record *kept = fake_counters_record(&exchange->server->counters);
    struct edda_buffer empty = kept->body;
    (void)snprintf(kept->method, sizeof kept->method, "%s", method);
    (void)edda_buffer_append(&kept->target, exchange->target.data, exchange->target.size);
    (void)MHD_get_connection_values(exchange->mhd, MHD_HEADER_KIND, record_header, &kept->headers);
    kept->body = exchange->body;
    exchange->body = empty;
}

void fake_exchange_accept(struct fake_exchange *exchange, const char *method) {
    struct fake_server *server = exchange->server;
    struct fake_request *request = &exchange->request;
    struct edda_bytes body = edda_buffer_bytes(&exchange->body);
    exchange->json = body.size > 0 ? json_loadb((const char *)body.data, body.size, 0, NULL) : NULL;
    request->json = exchange->json;
    exchange->content_type = JSON_TYPE;
    exchange->status = 200;
    if (exchange->control) {
        fake_control(exchange, method);
        return;
    }
    record(exchange, method);
    fake_request_route(request);
    fake_counters_request(&server->counters, request);
    if (request->kind < FAKE_SETTINGS) {
        fake_behaviour_take(&server->settings[request->kind], &exchange->behaviour);
        int64_t now_ms = edda_loop_now(server->options.loop);
        exchange->ready_ms = exchange->behaviour.hang ? -1
                             : exchange->behaviour.latency_ms > 0
                                 ? now_ms + exchange->behaviour.latency_ms
                                 : now_ms;
    }
}

static void refuse(struct fake_exchange *exchange, int status, const char *message) {
    const struct fake_behaviour *behaviour = &exchange->behaviour;
    exchange->status = status;
    edda_buffer_reset(&exchange->out);
    exchange->server->counters.kinds[exchange->request.kind].failed++;
    if (json_is_string(behaviour->body)) {
        (void)edda_buffer_append_text(&exchange->out, json_string_value(behaviour->body));
        exchange->content_type = "text/plain";
    } else if (behaviour->body) {
        char *text = json_dumps(behaviour->body, JSON_COMPACT);
        EDDA_ASSERT(text);
        (void)edda_buffer_append_text(&exchange->out, text);
        free(text);
    } else {
        fake_refusal_write(&exchange->out, exchange->request.provider, status,
                           behaviour->message ? behaviour->message : message);
    }
}

static bool has_key(const struct fake_exchange *exchange, const char *key) {
    static const struct {
        const char *header;
        const char *scheme;
    } places[] = {{"Authorization", "Bearer "}, {"x-api-key", ""}, {"x-goog-api-key", ""}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value =
            MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, places[i].header);
        size_t scheme = strlen(places[i].scheme);
        if (value && strncmp(value, places[i].scheme, scheme) == 0 &&
            strcmp(value + scheme, key) == 0) {
            return true;
        }
    }
    return false;
}

static void answer_chat(struct fake_exchange *exchange) {
    const char *message;
    int status = fake_chat_begin(&exchange->chat, &exchange->request, &message);
    if (status != 0) {
        refuse(exchange, status, message);
    } else if (exchange->chat.stream) {
        exchange->streamed = !exchange->behaviour.huge;
        exchange->content_type = exchange->request.provider == FAKE_GEMINI
                                     ? "text/event-stream"
                                     : "text/event-stream; charset=utf-8";
    } else {
        fake_chat_whole(&exchange->chat, &exchange->out);
    }
}

static void answer_list(struct fake_exchange *exchange) {
    struct fake_kind_counters *counters = &exchange->server->counters.kinds[exchange->request.kind];
    struct fake_answer answer = exchange->request.kind == FAKE_EMBED
                                    ? fake_embed_answer(&exchange->request, &exchange->out)
                                    : fake_rerank_answer(&exchange->request, &exchange->out);
    if (answer.status != 200) {
        refuse(exchange, answer.status, answer.message);
    } else {
        counters->items += (int64_t)answer.items;
    }
}

/* The status a request is refused with before anything is looked at, or 0. */
static int find_refusal(const struct fake_exchange *exchange, const char **ret_message) {
    const struct fake_behaviour *behaviour = &exchange->behaviour;
    int over;
    size_t most = fake_request_most(&exchange->request, &over);
    *ret_message = NULL;
    if (behaviour->require_key && !has_key(exchange, behaviour->require_key)) {
        return 401;
    }
    if (behaviour->status != 200 && behaviour->error_event < 0) {
        return (int)behaviour->status;
    }
    if (exchange->request.kind == FAKE_OTHER) {
        *ret_message = "there is nothing at this path";
        return 404;
    }
    if (!exchange->json) {
        *ret_message = "the body is no JSON";
        return 400;
    }
    if (most > 0 && fake_request_items(&exchange->request) > most) {
        *ret_message = "there are more items in the batch than allowed";
        return over;
    }
    return 0;
}

static void spoil(struct fake_exchange *exchange) {
    if (exchange->behaviour.malformed_json) {
        exchange->out.size /= 2;
    }
    if (exchange->behaviour.huge) {
        exchange->endless = true;
        edda_buffer_reset(&exchange->out);
        (void)edda_buffer_append_text(&exchange->out,
                                      exchange->chat.stream ? "data: " : "{\"data\":\"");
    }
}

bool fake_exchange_answer(struct fake_exchange *exchange) {
    const char *message;
    if (exchange->control) {
        return true;
    }
    if (exchange->behaviour.close) {
        return false;
    }
    int status = find_refusal(exchange, &message);
    if (status != 0) {
        refuse(exchange, status, message);
    } else if (exchange->request.kind == FAKE_CHAT) {
        answer_chat(exchange);
    } else {
        answer_list(exchange);
    }
    if (exchange->status == 200) {
        spoil(exchange);
    }
    return true;
}
