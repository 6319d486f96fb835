/* broker/main.c: the role "broker", from settings to a loop that has ended. */
#include "actors/runtime/log.h"
#include "broker/broker.h"

int edda_broker_main(edda_loop_t *loop, const struct edda_role *role) {
    edda_broker_t *broker = NULL;
    const struct edda_broker_options options = {
        .loop = loop,
        .zmq_context = role->zmq_context,
        .urls = role->listen,
        .url_count = role->listen_count,
        .allow_plain_tcp = edda_config_switch(role->config, EDDA_CONFIG_INSECURE_TCP),
        .curve = role->curve,
        .authorized = edda_config_text(role->config, EDDA_CONFIG_AUTHORIZED),
    };
    int error = edda_broker_new(&options, &broker);
    if (error) {
        edda_log(EDDA_LOG_ERROR, "broker_failed", "url=%s error=%s text=\"%s\"",
                 role->listen_count ? role->listen[0] : "-", edda_error_name(error),
                 edda_error_text(error));
        return error;
    }
    if (role->ready) {
        role->ready(role->context, role->name, role->listen[0]);
    }
    error = edda_loop_run(loop);
    edda_broker_destroy(&broker);
    return error;
}
