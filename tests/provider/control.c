/* tests/provider/control.c: /control: settings, reset, counters and recorded requests. */
#include <stdlib.h>

#include "actors/runtime/write.h"
#include "tests/provider/server.h"

static void refuse(struct fake_exchange *exchange, int status, const char *message) {
    exchange->status = status;
    EDDA_WRITE(&exchange->out, "{\"error\":");
    edda_write_text(&exchange->out, edda_text_of(message));
    EDDA_WRITE(&exchange->out, "}");
}

/* The settings a name stands for: first..last. */
static bool find_settings(const char *name, size_t *ret_first, size_t *ret_last) {
    *ret_first = 0;
    *ret_last = FAKE_SETTINGS - 1;
    if (strcmp(name, "all") == 0) {
        return true;
    }
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        if (strcmp(name, fake_kind_name((enum fake_kind)i)) == 0) {
            *ret_first = *ret_last = i;
            return true;
        }
    }
    return false;
}

static void set(struct fake_exchange *exchange) {
    struct fake_server *server = exchange->server;
    char message[FAKE_MESSAGE];
    const char *name;
    json_t *changes;
    size_t first;
    size_t last;
    if (!json_is_object(exchange->json)) {
        refuse(exchange, 400, "settings are an object of embed, rerank, chat or all");
        return;
    }
    json_object_foreach(exchange->json, name, changes) {
        if (!find_settings(name, &first, &last) || !json_is_object(changes)) {
            refuse(exchange, 400, "settings are objects by embed, rerank, chat or all");
            return;
        }
        for (size_t i = first; i <= last; i++) {
            if (!fake_settings_merge(&server->settings[i], changes, message)) {
                refuse(exchange, 400, message);
                return;
            }
        }
    }
    EDDA_WRITE(&exchange->out, "{}");
}

static void reset(struct fake_exchange *exchange) {
    struct fake_server *server = exchange->server;
    for (size_t i = 0; i < FAKE_SETTINGS; i++) {
        fake_settings_done(&server->settings[i]);
        fake_settings_init(&server->settings[i]);
    }
    fake_server_cut(server, exchange);
    fake_counters_reset(&server->counters);
    EDDA_WRITE(&exchange->out, "{}");
}

static void write_requests(struct fake_exchange *exchange) {
    const char *last = MHD_lookup_connection_value(exchange->mhd, MHD_GET_ARGUMENT_KIND, "last");
    int64_t count = last ? strtoll(last, NULL, 10) : FAKE_RECORDED;
    fake_counters_write_records(&exchange->server->counters, count > 0 ? count : 0, &exchange->out);
}

void fake_control(struct fake_exchange *exchange, const char *method) {
    struct edda_text path = exchange->request.path;
    bool post = strcmp(method, "POST") == 0;
    if (edda_text_is(path, "/control/set") && post) {
        set(exchange);
    } else if (edda_text_is(path, "/control/reset") && post) {
        reset(exchange);
    } else if (edda_text_is(path, "/control/counters") && !post) {
        fake_counters_write(&exchange->server->counters, &exchange->out);
    } else if (edda_text_is(path, "/control/requests") && !post) {
        write_requests(exchange);
    } else {
        refuse(exchange, 404, "POST /control/set, /control/reset; GET /control/counters, requests");
    }
}
