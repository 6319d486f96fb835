/* ops/command_doctor.c: `edda doctor`: what is wrong here, in words. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "ops/command.h"
#include "ops/findings.h"
#include "ops/session.h"
#include "proto/body_peer.h"
#include "proto/body_store.h"

#define ARENA_BYTES       (8u << 20)
#define LITTLE_DISK_BYTES (1ull << 30)
#define FILES_WANTED      8192
#define PLAUSIBLE_WALL_MS 1700000000000ll /* November 2023 */

static void look_at_machine(struct edda_findings *findings) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < FILES_WANTED)
        edda_finding_bad(findings,
                         "at most %llu open files are allowed; raise it (ulimit -Hn) to %d or more",
                         (unsigned long long)limit.rlim_max, FILES_WANTED);
    else
        edda_finding_good("open files: up to %llu", (unsigned long long)limit.rlim_max);
    if (edda_clock_wall_ms() < PLAUSIBLE_WALL_MS)
        edda_finding_bad(findings,
                         "the clock is years behind; keys, expiry and certificates need it right");
    else
        edda_finding_good("the clock is plausible");
}

static void look_at_data(struct edda_findings *findings, const char *data) {
    if (access(data, F_OK) != 0) {
        edda_finding_good("data directory %s is not there yet; the first `edda up` makes it", data);
        return;
    }
    if (access(data, R_OK | W_OK | X_OK) != 0)
        edda_finding_bad(findings, "data directory %s cannot be written: %s", data,
                         strerror(errno));
    else
        edda_finding_good("data directory %s can be written", data);
    struct statvfs disk;
    if (statvfs(data, &disk) != 0) {
        edda_finding_bad(findings, "the disk of %s does not answer: %s", data, strerror(errno));
        return;
    }
    unsigned long long left = (unsigned long long)disk.f_bavail * disk.f_frsize;
    if (left < LITTLE_DISK_BYTES)
        edda_finding_bad(findings, "only %llu MiB are free on the disk of %s", left >> 20, data);
    else
        edda_finding_good("%llu MiB are free on the disk", left >> 20);
}

static void look_at_port(struct edda_findings *findings, const char *http, bool service_runs) {
    char host[256];
    const char *colon = strrchr(http, ':');
    if (!colon || (size_t)(colon - http) >= sizeof host) {
        edda_finding_bad(findings, "--http %s is no ADDR:PORT", http);
        return;
    }
    const char *begin = http;
    size_t size = (size_t)(colon - http);
    if (size > 1 && begin[0] == '[' && begin[size - 1] == ']') {
        begin++;
        size -= 2;
    }
    snprintf(host, sizeof host, "%.*s", (int)size, begin);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found);
    if (problem != 0) {
        edda_finding_bad(findings, "--http %s: %s", http, gai_strerror(problem));
        return;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_free = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    int why = errno;
    if (is_free)
        edda_finding_good("port %s is free%s", http,
                          service_runs ? "; the running service uses another" : "");
    else if (why == EADDRINUSE && service_runs)
        edda_finding_good("port %s is in use, as it should be while a service runs", http);
    else
        edda_finding_bad(findings, "%s cannot be listened on: %s; choose another with --http", http,
                         strerror(why));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
}

/* False when no broker answers. */
static bool look_at_stages(struct edda_findings *findings, edda_session_t *session,
                           const char *where) {
    static const char *const needed[] = {"store", "chunk", "embed", "rerank", "llm"};
    struct edda_broker_status status;
    struct edda_empty nothing = {0};
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    if (edda_session_call(session, edda_op_find(EDDA_TEXT("broker.status")), "default", &nothing,
                          &arena, &status, message) != 0) {
        edda_finding_bad(findings, "%s", message);
        edda_arena_done(&arena);
        return false;
    }
    edda_finding_good("a service answers at %s", where);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        unsigned workers = 0;
        unsigned queued = 0;
        for (size_t n = 0; n < status.services.count; n++) {
            const struct edda_service_status *service = &status.services.items[n];
            if (edda_text_is(service->name, needed[i])) {
                workers = service->workers;
                queued = service->queued;
            }
        }
        if (workers == 0)
            edda_finding_bad(findings, "no worker offers %s; start one", needed[i]);
        else
            edda_finding_good("%s: %u worker%s, %u waiting", needed[i], workers,
                              workers == 1 ? "" : "s", queued);
    }
    edda_arena_done(&arena);
    return true;
}

static void look_at_store(struct edda_findings *findings, edda_session_t *session) {
    struct edda_store_statistics statistics;
    struct edda_empty nothing = {0};
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    if (edda_session_call(session, edda_op_find(EDDA_TEXT("store.statistics")), "default", &nothing,
                          &arena, &statistics, message) != 0) {
        edda_finding_bad(findings, "the store does not answer: %s", message);
    } else {
        edda_finding_good("the store opens and answers: %llu memos, %llu chunks, %llu jobs waiting",
                          (unsigned long long)statistics.memos,
                          (unsigned long long)statistics.chunks,
                          (unsigned long long)statistics.jobs_ready);
        if (statistics.jobs_dead > 0)
            edda_finding_bad(
                findings,
                "%llu jobs are dead; `edda jobs --dead` says why, `edda jobs redrive --all` tries "
                "again",
                (unsigned long long)statistics.jobs_dead);
    }
    edda_arena_done(&arena);
}

/* True when a service runs on the data directory or at --connect. Before a first start there is no
 * store, and that is well. */
static bool look_at_service(struct edda_findings *findings, const edda_config_t *config) {
    char message[EDDA_SESSION_MESSAGE];
    edda_session_t *session = NULL;
    const char *data = edda_config_text(config, EDDA_CONFIG_DATA);
    bool named = edda_config_text(config, EDDA_CONFIG_CONNECT)[0] != '\0' ||
                 edda_config_text(config, EDDA_CONFIG_DATABASE)[0] != '\0';
    if (!named && access(data, F_OK) != 0)
        return false;
    int error = edda_session_open(config, EDDA_SESSION_OPENS, &session, message);
    if (error != 0) {
        if (error == EDDA_E_NOT_FOUND)
            edda_finding_good("%s", message);
        else
            edda_finding_bad(findings, "%s", message);
        return false;
    }
    bool runs = !edda_session_is_own(session);
    const char *where = edda_session_where(session);
    if (!runs)
        edda_finding_good("no service runs; looking into %s", where);
    else
        runs = look_at_stages(findings, session, where);
    if (runs || edda_session_is_own(session))
        look_at_store(findings, session);
    if (runs)
        edda_findings_of_models(findings, session);
    edda_session_close(&session);
    return runs;
}

int edda_command_doctor(const struct edda_command *command, const struct edda_options *options) {
    struct edda_findings findings = {0};
    (void)command;
    printf("edda %s\n", EDDA_VERSION);
    edda_finding_good("built with %s", EDDA_BUILT_WITH);
    look_at_machine(&findings);
    look_at_data(&findings, edda_config_text(options->config, EDDA_CONFIG_DATA));
    bool runs = look_at_service(&findings, options->config);
    look_at_port(&findings, edda_config_text(options->config, EDDA_CONFIG_HTTP), runs);
    if (findings.bad == 0)
        printf("nothing is wrong\n");
    else
        printf("%u thing%s wrong\n", findings.bad, findings.bad == 1 ? " is" : "s are");
    return findings.bad == 0 ? EDDA_EXIT_OK : EDDA_EXIT_FAILED;
}
