/* tests/provider/fake_provider.c: the program:
 *   fake_provider [--port N] [--tls CERTIFICATE KEY] [--dimension N]
 *
 * Prints "fake_provider http://127.0.0.1:PORT" when it serves. It ends on SIGTERM, when standard
 * input reaches its end, and with its parent, so that it never outlives a test. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actors/runtime/log.h"
#include "tests/provider/server.h"

#define FILE_BYTES ((size_t)1 << 20)

/* What ends the program. */
struct ends {
    edda_loop_t *loop;
    edda_watch_t *signal;
    edda_watch_t *input;
    edda_watch_t *parent;
};

static void stop(void *context, uint32_t events) {
    struct ends *ends = context;
    (void)events;
    edda_loop_stop(ends->loop);
}

/* What a terminal or a script says is of no interest, only its end. */
static void read_input(void *context, uint32_t events) {
    char bytes[4096];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        stop(context, events);
    }
}

/* The parent's whole process: PR_SET_PDEATHSIG, the way without pidfd, also fires when the thread
 * that started us ends. */
static void watch_parent(struct ends *ends) {
    int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
    ends->parent = fd < 0 ? NULL : edda_loop_watch(ends->loop, fd, EPOLLIN, stop, ends, "parent");
    if (!ends->parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
}

static void watch_ends(struct ends *ends) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    ends->signal = edda_loop_watch(ends->loop, fd, EPOLLIN, stop, ends, "signal");
    EDDA_ASSERT(ends->signal);
    /* NULL for files and /dev/null: they cannot be watched, and their end says nothing. */
    ends->input = edda_loop_watch(ends->loop, STDIN_FILENO, EPOLLIN, read_input, ends, "input");
    watch_parent(ends);
}

static void unwatch_ends(struct ends *ends) {
    edda_watch_t **watches[] = {&ends->signal, &ends->input, &ends->parent};
    for (size_t i = 0; i < 3; i++) {
        if (*watches[i]) {
            edda_loop_unwatch(ends->loop, watches[i]);
        }
    }
}

static void block_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGPIPE);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
}

static void raise_limits(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The file as a string; the caller frees it. */
static char *read_file(const char *name) {
    FILE *file = fopen(name, "re");
    char *text = calloc(1, FILE_BYTES);
    size_t size = file && text ? fread(text, 1, FILE_BYTES - 1, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    if (size == 0) {
        (void)fprintf(stderr, "fake_provider: %s cannot be read\n", name);
        free(text);
        exit(2);
    }
    return text;
}

struct arguments {
    uint16_t port;
    size_t dimension;
    char *certificate; /* owned, as key */
    char *key;
};

static void usage(void) {
    (void)fprintf(stderr,
                  "usage: fake_provider [--port N] [--tls CERTIFICATE KEY] [--dimension N]\n");
    exit(2);
}

static size_t read_number(const char *text, size_t most) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number > most) {
        usage();
    }
    return number;
}

static struct arguments read_arguments(int count, char **words) {
    struct arguments arguments = {.dimension = 1024};
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--port") == 0 && i + 1 < count) {
            arguments.port = (uint16_t)read_number(words[++i], UINT16_MAX);
        } else if (strcmp(words[i], "--dimension") == 0 && i + 1 < count) {
            arguments.dimension = read_number(words[++i], FAKE_DIMENSION_MAX);
        } else if (strcmp(words[i], "--tls") == 0 && i + 2 < count && !arguments.key) {
            arguments.certificate = read_file(words[i + 1]);
            arguments.key = read_file(words[i + 2]);
            i += 2;
        } else {
            usage();
        }
    }
    if (arguments.dimension == 0) {
        usage();
    }
    return arguments;
}

int main(int count, char **words) {
    static struct fake_server server;
    struct arguments arguments = read_arguments(count, words);
    edda_log_setup(EDDA_LOG_ERROR, false); /* large answers are slow turns, and no news */
    block_signals();
    raise_limits();
    edda_loop_t *loop = edda_loop_new("fake_provider");
    EDDA_ASSERT(loop);
    struct fake_server_options options = {.loop = loop,
                                          .port = arguments.port,
                                          .certificate = arguments.certificate,
                                          .key = arguments.key,
                                          .dimension = arguments.dimension};
    if (fake_server_start(&server, &options) != 0) {
        (void)fprintf(stderr, "fake_provider: cannot serve at port %u%s\n", arguments.port,
                      arguments.key ? ", or certificate and key do not fit" : "");
        return 1;
    }
    struct ends ends = {.loop = loop};
    watch_ends(&ends);
    (void)printf("fake_provider %s://127.0.0.1:%u\n", arguments.key ? "https" : "http",
                 fake_server_port(&server));
    (void)fflush(stdout);
    (void)edda_loop_run(loop);
    fake_server_stop(&server);
    unwatch_ends(&ends);
    edda_loop_destroy(&loop);
    free(arguments.certificate);
    free(arguments.key);
    return 0;
}
