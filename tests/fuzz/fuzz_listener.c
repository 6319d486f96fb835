/* tests/fuzz/fuzz_listener.c: what a PostgreSQL server says to the store's listener.
 *
 * The connection is libpq's own, to a server here that lets everybody in; the input is what it says
 * after that, and then it is gone. The listener neither hangs nor keeps a connection that is gone,
 * and says that there may be news when it stands. */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "actors/runtime/log.h"
#include "actors/store/postgres/listener.h"
#include "tests/fuzz/fuzz.h"

/* libpq 15 forgets a result when a COPY begins in the middle of it, which no server does. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libpq.so";
}

#define TURNS 8 /* of the loop, after which all that was said has been heard */

static char folder[] = "/tmp/edda-fuzz-XXXXXX";
static int listen_fd = -1;
static edda_loop_t *loop;
static unsigned turns_left;

/* ---- in the connector's place ---- */

static edda_pg_arrived_fn arrived;
static void *arrived_context;
static int attempt; /* its address is what the listener holds */

edda_pg_attempt_t *edda_pg_connect(edda_pg_connector_t *self, edda_pg_arrived_fn done,
                                   void *context) {
    (void)self;
    arrived = done;
    arrived_context = context;
    return (edda_pg_attempt_t *)&attempt;
}

void edda_pg_attempt_cancel(edda_pg_attempt_t **attempt_p) {
    *attempt_p = NULL;
}

/* ---- the server ---- */

static void clean_up(void) {
    char path[128];
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", folder);
    unlink(path);
    rmdir(folder);
    close(listen_fd);
    edda_loop_destroy(&loop);
}

static void listen_here(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    EDDA_ASSERT(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", folder);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EDDA_ASSERT(listen_fd >= 0 &&
                bind(listen_fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                listen(listen_fd, 8) == 0);
}

static void say(int fd, const void *data, size_t size) {
    EDDA_ASSERT(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* AuthenticationOk and ReadyForQuery. */
static int let_in(PGconn *handle) {
    static const uint8_t welcome[] = {'R', 0, 0, 0, 8, 0, 0, 0, 0, 'Z', 0, 0, 0, 5, 'I'};
    int fd = -1;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        status = PQconnectPoll(handle);
        EDDA_ASSERT(status != PGRES_POLLING_FAILED);
        if (fd < 0) {
            fd = accept(listen_fd, NULL, NULL);
            say(fd, welcome, sizeof welcome);
        }
    }
    return fd;
}

/* ---- */

static void ignore_notice(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

/* libpq makes room for what a message says it will be, which takes time. */
static bool says_much(const uint8_t *data, size_t size) {
    for (size_t at = 0; size - at >= 5;) {
        uint32_t length;
        memcpy(&length, data + at + 1, sizeof length);
        length = ntohl(length);
        if (length > 1u << 16) {
            return true;
        }
        if (length < 4 || length > size - at - 1) {
            return false;
        }
        at += 1 + length;
    }
    return false;
}

static void note_news(void *context) {
    *(size_t *)context += 1;
}

static int64_t count_turns(void *context) {
    (void)context;
    if (--turns_left == 0) {
        edda_loop_stop(loop);
    }
    return 0;
}

static void begin(void) {
    edda_log_setup(EDDA_LOG_ERROR, false);
    loop = edda_loop_new("fuzz");
    EDDA_ASSERT(loop && edda_loop_prepare(loop, count_turns, NULL) == 0);
    listen_here();
    EDDA_ASSERT(atexit(clean_up) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *keywords[] = {"host", "port", "user", "dbname", "sslmode", "gssencmode", NULL};
    const char *values[] = {folder, "5432", "u", "d", "disable", "disable", NULL};
    edda_pg_listener_t *listener;
    size_t news = 0;
    struct edda_pg_listener_options options = {.life = 7, .on_ready = note_news, .context = &news};
    if (says_much(data, size)) {
        return 0;
    }
    if (!loop) {
        begin();
    }
    options.loop = loop;
    listener = edda_pg_listener_new(&options);
    EDDA_ASSERT(listener && arrived);
    PGconn *handle = PQconnectStartParams(keywords, values, 0);
    int fd = let_in(handle);
    EDDA_ASSERT(PQsetnonblocking(handle, 1) == 0);
    PQsetNoticeReceiver(handle, ignore_notice, NULL);
    arrived(arrived_context, &(struct edda_pg_arrival){.handle = handle});
    EDDA_ASSERT(news == 0 && !edda_pg_listener_stands(listener));
    say(fd, data, size);
    turns_left = TURNS;
    EDDA_ASSERT(edda_loop_run(loop) == 0);
    EDDA_ASSERT(!edda_pg_listener_stands(listener) || news > 0);
    (void)close(fd);
    turns_left = TURNS;
    EDDA_ASSERT(edda_loop_run(loop) == 0);
    EDDA_ASSERT(!edda_pg_listener_stands(listener));
    edda_pg_listener_destroy(&listener);
    return 0;
}
