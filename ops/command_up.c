/* ops/command_up.c: `edda up`: every part as a thread of this process, or as supervised processes.
 */
#include <stdio.h>
#include <unistd.h>

#include "ops/command.h"
#include "ops/endpoint.h"
#include "ops/identity.h"
#include "ops/keys.h"
#include "ops/launch.h"
#include "ops/processes.h"
#include "ops/reason.h"
#include "ops/urls.h"

#define INPROC_URL "inproc://edda"

/* Starts the parts of one phase and waits until they serve. */
static int start_phase(edda_launch_t *launch, const edda_config_t *config, unsigned phase,
                       const struct edda_urls *listen, const char **ret_name) {
    size_t count = 0;
    const struct edda_part_kind *kinds = edda_part_kinds(&count);
    const char *workers = edda_config_text(config, EDDA_CONFIG_WORKERS);
    const char *connect = INPROC_URL;
    char message[256];
    for (size_t i = 0; i < count; i++) {
        unsigned wanted = 1;
        if (kinds[i].phase != phase)
            continue;
        *ret_name = kinds[i].name;
        int error = edda_workers_of(workers, kinds[i].name, &wanted, message, sizeof message);
        for (unsigned n = 0; n < wanted && error == 0; n++)
            error = phase == 0 ? edda_launch_start(launch, &kinds[i], NULL, 0, listen->items,
                                                   listen->count)
                               : edda_launch_start(launch, &kinds[i], &connect, 1, NULL, 0);
        if (error != 0)
            return error;
    }
    return edda_launch_wait_ready(launch, ret_name);
}

/* The key is the broker's: the others reach it within the process. */
static int start_all(edda_launch_t *launch, const edda_config_t *config,
                     const struct edda_urls *listen, const edda_curve_t *curve,
                     const char **ret_name) {
    int error = 0;
    for (unsigned phase = 0; phase < 4 && error == 0; phase++) {
        edda_launch_identify(launch, phase == 0 ? curve : NULL);
        error = start_phase(launch, config, phase, listen, ret_name);
    }
    return error;
}

static int make_first_key(void *context) {
    char message[EDDA_SESSION_MESSAGE] = "out of memory";
    edda_session_t *session = edda_session_join(context, INPROC_URL);
    int error = session ? edda_key_first(session, message) : EDDA_E_MEMORY;
    edda_session_close(&session);
    if (error != 0)
        fprintf(stderr, "edda: no key could be made: %s\n", message);
    return error;
}

static int serve(edda_launch_t *launch, void *context, const edda_config_t *config,
                 const struct edda_urls *listen, const edda_curve_t *curve) {
    const char *unstarted = NULL;
    const char *ended = NULL;
    int error = start_all(launch, config, listen, curve, &unstarted);
    bool started = error == 0;
    int reason = unstarted ? edda_launch_result(launch, unstarted) : 0;
    if (error == 0 && !edda_key_is_given(config))
        error = make_first_key(context);
    if (error == 0) {
        printf("edda serves on %s\n", edda_launch_detail(launch, "gateway"));
        printf("     data: %s; Ctrl-C ends\n", edda_launch_detail(launch, "store"));
        fflush(stdout);
        error = edda_launch_wait(launch, &ended);
        if (error != 0)
            fprintf(stderr, "edda: the %s ended by itself; ending all\n", ended);
    }
    int drained = edda_launch_drain(launch, edda_config_number(config, EDDA_CONFIG_DRAIN_MS));
    /* The last line is the one that is read. */
    if (!started && error != EDDA_E_CANCELLED)
        edda_reason_print(unstarted, reason, config);
    bool good = (error == 0 || error == EDDA_E_CANCELLED) && drained == 0;
    return edda_launch_status(launch, good ? EDDA_EXIT_OK : EDDA_EXIT_FAILED);
}

static int run_threads(const struct edda_options *options, const char *url) {
    struct edda_urls listen;
    edda_urls_init(&listen);
    if (edda_urls_add(&listen, INPROC_URL) != 0 || edda_urls_add(&listen, url) != 0 ||
        edda_urls_add_list(&listen, edda_config_text(options->config, EDDA_CONFIG_LISTEN)) != 0) {
        fprintf(stderr, "edda up: too many --listen URLs, or one too long\n");
        return EDDA_EXIT_USAGE;
    }
    char message[EDDA_IDENTITY_MESSAGE];
    edda_curve_t *curve = NULL;
    if (edda_identity_open(options->config, true, listen.items, listen.count, &curve, message) !=
        0) {
        fprintf(stderr, "edda up: %s\n", message);
        return EDDA_EXIT_FAILED;
    }
    int signal_fd = edda_signals_open();
    void *context = edda_context_new();
    edda_launch_t *launch = edda_launch_new(options->config, context, signal_fd);
    if (signal_fd < 0 || !context || !launch) {
        fprintf(stderr, "edda: out of memory or file descriptors\n");
        return EDDA_EXIT_FAILED;
    }
    int status = serve(launch, context, options->config, &listen, curve);
    edda_launch_destroy(&launch);
    edda_context_destroy(&context);
    edda_curve_destroy(&curve);
    close(signal_fd);
    return status;
}

int edda_command_up(const struct edda_command *command, const struct edda_options *options) {
    char message[512];
    char url[EDDA_MAX_URL];
    unsigned ignored = 0;
    const char *data = edda_config_text(options->config, EDDA_CONFIG_DATA);
    const char *workers = edda_config_text(options->config, EDDA_CONFIG_WORKERS);
    if (edda_workers_of(workers, "", &ignored, message, sizeof message) != 0)
        return edda_command_misused(command, "%s", message);
    int error = edda_data_prepare(data, message, sizeof message);
    if (error == 0)
        error = edda_data_endpoint(data, true, url, message, sizeof message);
    if (error != 0) {
        fprintf(stderr, "edda: %s\n", message);
        return EDDA_EXIT_FAILED;
    }
    edda_process_tune();
    if (edda_config_switch(options->config, EDDA_CONFIG_PROCESSES))
        return edda_processes_run(options, url);
    if (options->given[EDDA_CONFIG_METRICS])
        return edda_command_misused(
            command, "--metrics is for --processes and parts alone: here /metrics has all");
    return run_threads(options, url);
}
