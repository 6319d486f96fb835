/* ops/command_role.c: one part as a process: `edda broker`, `edda gateway`, `edda chunker`, ... */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "ops/command.h"
#include "ops/endpoint.h"
#include "ops/identity.h"
#include "ops/launch.h"
#include "ops/processes.h"
#include "ops/reason.h"
#include "ops/urls.h"

/* The broker of the data directory, unless the setting names others. */
static int choose_urls(const struct edda_options *options, enum edda_setting setting, bool make,
                       struct edda_urls *urls) {
    edda_urls_init(urls);
    const char *list = edda_config_text(options->config, setting);
    if (edda_urls_add_list(urls, list) != 0) {
        fprintf(stderr, "edda: too many URLs, or one too long: %s\n", list);
        return EDDA_E_LIMIT;
    }
    const char *wrong = setting == EDDA_CONFIG_CONNECT ? edda_urls_find_wrong(urls) : NULL;
    if (wrong) {
        fprintf(stderr, "edda: %s is no broker's URL: tcp://HOST:PORT or ipc://PATH\n", wrong);
        return EDDA_E_INVALID;
    }
    if (urls->count > 0)
        return 0;
    char url[EDDA_MAX_URL];
    char message[512];
    const char *data = edda_config_text(options->config, EDDA_CONFIG_DATA);
    int error = edda_data_prepare(data, message, sizeof message);
    if (error == 0)
        error = edda_data_endpoint(data, make, url, message, sizeof message);
    if (error != 0) {
        fprintf(stderr, "edda: %s\n", message);
        return error;
    }
    return edda_urls_add(urls, url);
}

/* Tells a supervisor, when there is one, that the part serves. */
static void report_ready(const char *detail) {
    const char *number = getenv(EDDA_READY_VARIABLE);
    if (!number)
        return;
    char *end = NULL;
    long fd = strtol(number, &end, 10);
    if (end == number || *end != '\0' || fd < 3 || fd > 1 << 20)
        return;
    if (dprintf((int)fd, "%s\n", detail) < 0)
        fprintf(stderr, "edda: the supervisor does not listen: %s\n", strerror(errno));
    close((int)fd);
}

/* A store whose database does not answer: no fault of its own, and the next start may do. */
static int status_of(const char *part, int error) {
    bool away = strcmp(part, "store") == 0 && error == EDDA_E_UNAVAILABLE;
    return away ? EDDA_EXIT_AWAY : EDDA_EXIT_FAILED;
}

static int serve(edda_launch_t *launch, int64_t drain_ms) {
    const char *ended = NULL;
    int error = edda_launch_wait(launch, &ended);
    int drained = edda_launch_drain(launch, drain_ms);
    if (error != 0) {
        fprintf(stderr, "edda: the %s ended by itself\n", ended);
        return status_of(ended, edda_launch_result(launch, ended));
    }
    return drained == 0 ? EDDA_EXIT_OK : EDDA_EXIT_FAILED;
}

/* A gateway has them at its own address. */
static bool shows_metrics(const struct edda_part_kind *kind, const edda_config_t *config) {
    return kind->main != edda_gateway_main &&
           edda_config_text(config, EDDA_CONFIG_METRICS)[0] != '\0';
}

static int run_part(const struct edda_options *options, const struct edda_part_kind *kind,
                    const struct edda_urls *urls, const edda_curve_t *curve) {
    bool is_broker = kind->phase == 0;
    edda_process_tune();
    int signal_fd = edda_signals_open();
    void *context = edda_context_new();
    edda_launch_t *launch = edda_launch_new(options->config, context, signal_fd);
    if (!context || !launch || signal_fd < 0) {
        fprintf(stderr, "edda: out of memory or file descriptors\n");
        return EDDA_EXIT_FAILED;
    }
    edda_launch_identify(launch, curve);
    const char *ended = NULL;
    int error = is_broker ? edda_launch_start(launch, kind, NULL, 0, urls->items, urls->count)
                          : edda_launch_start(launch, kind, urls->items, urls->count, NULL, 0);
    if (error == 0 && shows_metrics(kind, options->config))
        error = edda_launch_start(launch, &edda_part_metrics, NULL, 0, NULL, 0);
    if (error == 0)
        error = edda_launch_wait_ready(launch, &ended);
    int64_t drain_ms = edda_config_number(options->config, EDDA_CONFIG_DRAIN_MS);
    int status = EDDA_EXIT_FAILED;
    if (error == 0) {
        report_ready(edda_launch_detail(launch, kind->name));
        status = serve(launch, drain_ms);
    } else {
        int drained = edda_launch_drain(launch, drain_ms);
        const char *name = ended ? ended : kind->name;
        int result = edda_launch_result(launch, name);
        if (error != EDDA_E_CANCELLED) {
            edda_reason_print(name, result, options->config);
            status = status_of(name, result);
        } else if (drained == 0) {
            status = EDDA_EXIT_OK;
        }
    }
    status = edda_launch_status(launch, status);
    edda_launch_destroy(&launch);
    edda_context_destroy(&context);
    if (signal_fd >= 0)
        close(signal_fd);
    return status;
}

int edda_command_role(const struct edda_command *command, const struct edda_options *options) {
    const struct edda_part_kind *kind = edda_part_find(command->name);
    EDDA_ASSERT(kind);
    bool is_broker = kind->phase == 0;
    struct edda_urls urls;
    if (choose_urls(options, is_broker ? EDDA_CONFIG_LISTEN : EDDA_CONFIG_CONNECT, is_broker,
                    &urls) != 0)
        return EDDA_EXIT_FAILED;
    char message[EDDA_IDENTITY_MESSAGE];
    edda_curve_t *curve = NULL;
    if (edda_identity_open(options->config, is_broker, urls.items, urls.count, &curve, message) !=
        0) {
        fprintf(stderr, "edda %s: %s\n", command->name, message);
        return EDDA_EXIT_FAILED;
    }
    int status = run_part(options, kind, &urls, curve);
    edda_curve_destroy(&curve);
    return status;
}
