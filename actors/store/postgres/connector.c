/* actors/store/postgres/connector.c: attempts, each from names to a connection that stands. */
#include "actors/store/postgres/connector.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "actors/runtime/deferred.h"
#include "actors/runtime/pool.h"

#define LOOKUPS        64 /* waiting for the thread; more attempts than there are connections */
#define SETTINGS_BYTES 256
#define IDLE_EXTRA_MS  30000 /* the server rolls a silent conversation back after we should have */

struct edda_pg_connector {
    struct edda_pg_connector_options options;
    edda_pool_t *names; /* NULL: no host is a name */
    char settings[SETTINGS_BYTES];
    size_t attempts;
    size_t first; /* the address that attempts begin with, of as many as there are */
};

/* Of all hosts. Belongs to the thread while it runs. */
struct lookup {
    const edda_pg_url_t *url;
    struct edda_pg_attempt *attempt; /* the loop's; NULL: nobody waits any more */
    struct edda_pg_address addresses[EDDA_PG_ADDRESSES];
    size_t count;
    char words[EDDA_PG_WORDS]; /* why the last that was not found was not */
};

struct edda_pg_attempt {
    struct edda_pg_connector *connector;
    edda_pg_arrived_fn done;
    void *context;
    struct lookup *lookup; /* NULL: over */
    bool looking;          /* the lookup is the thread's */
    size_t first;          /* the connector's when it began */
    struct edda_deferred begin;
    struct edda_timer timer;
    PGconn *handle;
    edda_watch_t *watch;
};

/* ---- ends ---- */

static void free_attempt(struct edda_pg_attempt *attempt) {
    struct edda_pg_connector *connector = attempt->connector;
    edda_loop_timer_cancel(connector->options.loop, &attempt->timer);
    edda_deferred_cancel(&attempt->begin);
    edda_loop_unwatch(connector->options.loop, &attempt->watch);
    if (attempt->lookup && attempt->looking) {
        attempt->lookup->attempt = NULL; /* freed when it comes back */
    } else {
        free(attempt->lookup);
    }
    PQfinish(attempt->handle);
    connector->attempts--;
    free(attempt);
}

static void finish(struct edda_pg_attempt *attempt, const struct edda_pg_arrival *arrival) {
    edda_pg_arrived_fn done = attempt->done;
    void *context = attempt->context;
    free_attempt(attempt);
    done(context, arrival);
}

static void fail(struct edda_pg_attempt *attempt, int error, const char *text) {
    finish(attempt, &(struct edda_pg_arrival){.error = error, .text = text});
}

/* libpq gives no field for it before there is a result; the verbose form of its words has it:
 * "FATAL:  28P01: password ...". The last one counts: of several hosts, the last that was tried. */
static const struct edda_sqlstate *find_state(const char *text) {
    const struct edda_sqlstate *state = NULL;
    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 3, ":  ")) {
        char code[6] = "";
        size_t size = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (size == 5 && at[8] == ':') {
            memcpy(code, at + 3, 5);
            state = edda_sqlstate_find(code);
        }
    }
    return state;
}

/* Where in the server's source it was said is of no use to anybody here. */
static void cut_location(char *text) {
    char *location = strstr(text, " LOCATION:");
    if (location) {
        *location = '\0';
    }
}

static void fail_by_libpq(struct edda_pg_attempt *attempt) {
    char words[EDDA_PG_WORDS];
    const char *text = PQerrorMessage(attempt->handle);
    const struct edda_sqlstate *state = find_state(text);
    edda_pg_words(attempt->connector->options.url, text, words);
    cut_location(words);
    finish(attempt,
           &(struct edda_pg_arrival){.error = EDDA_E_UNAVAILABLE, .text = words, .state = state});
}

/* libpq passes over who refuses, and waits for ever for who says nothing: a host that hangs. So the
 * next attempt begins behind where this one did. Of several that hang at once, one step. */
static void begin_elsewhere(struct edda_pg_attempt *attempt) {
    if (attempt->handle && attempt->first == attempt->connector->first) {
        attempt->connector->first++;
    }
}

static void on_timer(void *context) {
    struct edda_pg_attempt *attempt = context;
    char words[96];
    begin_elsewhere(attempt);
    snprintf(words, sizeof words, "no connection within %lld ms, while %s",
             (long long)attempt->connector->options.connect_ms,
             !attempt->handle                                  ? "looking up its name"
             : PQstatus(attempt->handle) == CONNECTION_STARTED ? "connecting"
                                                               : "logging in");
    fail(attempt, EDDA_E_TIMEOUT, words);
}

/* ---- libpq's turn ---- */

static void succeed(struct edda_pg_attempt *attempt) {
    PGconn *handle = attempt->handle;
    (void)PQsetnonblocking(handle, 1);
    (void)PQsetErrorVerbosity(handle, PQERRORS_DEFAULT);
    attempt->handle = NULL;
    finish(attempt, &(struct edda_pg_arrival){.handle = handle});
}

static void on_socket(void *context, uint32_t epoll_events);

/* The socket may be another one after every poll, even with the same number. */
static void watch(struct edda_pg_attempt *attempt, uint32_t epoll_events) {
    attempt->watch = edda_loop_watch(attempt->connector->options.loop, PQsocket(attempt->handle),
                                     epoll_events, on_socket, attempt, "database_connect");
    if (!attempt->watch) {
        fail(attempt, EDDA_E_MEMORY, "its socket cannot be watched");
    }
}

static void on_socket(void *context, uint32_t epoll_events) {
    struct edda_pg_attempt *attempt = context;
    (void)epoll_events;
    edda_loop_unwatch(attempt->connector->options.loop, &attempt->watch);
    switch (PQconnectPoll(attempt->handle)) {
    case PGRES_POLLING_READING:
        watch(attempt, EPOLLIN);
        break;
    case PGRES_POLLING_WRITING:
        watch(attempt, EPOLLOUT);
        break;
    case PGRES_POLLING_OK:
        succeed(attempt);
        break;
    default:
        fail_by_libpq(attempt);
        break;
    }
}

static void ignore_notice(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

static void connect_to(struct edda_pg_attempt *attempt, const struct edda_pg_address *found,
                       size_t count) {
    const struct edda_pg_connector_options *options = &attempt->connector->options;
    struct edda_pg_address addresses[EDDA_PG_ADDRESSES];
    struct edda_pg_conninfo conninfo;
    attempt->first = attempt->connector->first;
    for (size_t i = 0; i < count; i++) {
        addresses[i] = found[(attempt->first + i) % count];
    }
    int error = edda_pg_conninfo_make(&conninfo, options->url, addresses, count,
                                      options->prepare ? attempt->connector->settings : NULL);
    if (error) {
        fail(attempt, error, edda_error_text(error));
        return;
    }
    attempt->handle = PQconnectStartParams(conninfo.keywords, conninfo.values, 0);
    edda_pg_conninfo_done(&conninfo);
    if (!attempt->handle) {
        fail(attempt, EDDA_E_MEMORY, edda_error_text(EDDA_E_MEMORY));
    } else if (PQstatus(attempt->handle) == CONNECTION_BAD) {
        fail_by_libpq(attempt);
    } else {
        (void)PQsetNoticeReceiver(attempt->handle, ignore_notice, NULL);
        (void)PQsetErrorVerbosity(attempt->handle, PQERRORS_VERBOSE);
        watch(attempt, EPOLLOUT);
    }
}

/* ---- names ---- */

static void add_address(struct lookup *lookup, size_t host, const char *text) {
    if (lookup->count < EDDA_PG_ADDRESSES) {
        struct edda_pg_address *address = &lookup->addresses[lookup->count++];
        address->host = host;
        snprintf(address->text, sizeof address->text, "%s", text);
    }
}

static void look_up_host(struct lookup *lookup, size_t n) {
    const struct edda_pg_host *host = edda_pg_url_host(lookup->url, n);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host->name, NULL, &hints, &found);
    if (problem != 0) {
        snprintf(lookup->words, sizeof lookup->words, "no address of %s: %s", host->name,
                 gai_strerror(problem));
        return;
    }
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        char text[sizeof lookup->addresses[0].text];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) ==
            0) {
            add_address(lookup, n, text);
        }
    }
    freeaddrinfo(found);
}

/* Also on the loop, when no host is a name. */
static void look_up(void *context, unsigned thread_index) {
    struct lookup *lookup = context;
    (void)thread_index;
    for (size_t i = 0; i < edda_pg_url_hosts(lookup->url); i++) {
        const struct edda_pg_host *host = edda_pg_url_host(lookup->url, i);
        if (host->kind == EDDA_PG_HOST_NAME) {
            look_up_host(lookup, i);
        } else if (host->kind == EDDA_PG_HOST_SOCKET) {
            add_address(lookup, i, "");
        } else {
            add_address(lookup, i, host->address ? host->address : host->name);
        }
    }
}

static void on_looked_up(void *context) {
    struct lookup *lookup = context;
    struct edda_pg_attempt *attempt = lookup->attempt;
    if (attempt) {
        attempt->lookup = NULL;
        if (lookup->count > 0) {
            connect_to(attempt, lookup->addresses, lookup->count);
        } else {
            fail(attempt, EDDA_E_UNAVAILABLE, lookup->words);
        }
    }
    free(lookup);
}

static void begin(void *context) {
    struct edda_pg_attempt *attempt = context;
    edda_pool_t *names = attempt->connector->names;
    if (!names) {
        look_up(attempt->lookup, 0);
        on_looked_up(attempt->lookup);
    } else if (edda_pool_run(names, look_up, on_looked_up, attempt->lookup) == 0) {
        attempt->looking = true;
    } else {
        fail(attempt, EDDA_E_UNAVAILABLE, "too many names are being looked up");
    }
}

/* ---- the interface ---- */

edda_pg_connector_t *edda_pg_connector_new(const struct edda_pg_connector_options *options) {
    struct edda_pg_connector *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->options = *options;
    /* A statement is planned once a session: planning costs more than most of them. The tables may
     * be empty then, and a look at every row the best plan; it would be kept when they are full. */
    snprintf(
        self->settings, sizeof self->settings,
        "-c statement_timeout=%lld -c idle_in_transaction_session_timeout=%d -c jit=off "
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c client_min_messages=error",
        (long long)options->statement_ms, EDDA_PG_SILENCE_MS + IDLE_EXTRA_MS);
    if (edda_pg_url_has_names(options->url)) {
        self->names = edda_pool_new(options->loop, "database-names", 1, LOOKUPS);
        if (!self->names) {
            free(self);
            return NULL;
        }
    }
    return self;
}

void edda_pg_connector_destroy(edda_pg_connector_t **self_p) {
    struct edda_pg_connector *self = *self_p;
    if (self) {
        EDDA_ASSERT(self->attempts == 0);
        edda_pool_destroy(&self->names);
        free(self);
        *self_p = NULL;
    }
}

bool edda_pg_connector_prepares(const edda_pg_connector_t *self) {
    return self->options.prepare;
}

edda_pg_attempt_t *edda_pg_connect(edda_pg_connector_t *self, edda_pg_arrived_fn done,
                                   void *context) {
    struct edda_pg_attempt *attempt = calloc(1, sizeof *attempt);
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!attempt || !lookup) {
        free(attempt);
        free(lookup);
        return NULL;
    }
    edda_loop_t *loop = self->options.loop;
    *attempt = (struct edda_pg_attempt){
        .connector = self,
        .done = done,
        .context = context,
        .lookup = lookup,
        .begin = {.fire = begin, .context = attempt},
        .timer = {.fire = on_timer, .context = attempt, .name = "database_connect"},
    };
    lookup->url = self->options.url;
    lookup->attempt = attempt;
    self->attempts++;
    edda_loop_timer_set(loop, &attempt->timer, edda_loop_now(loop) + self->options.connect_ms);
    edda_loop_defer(loop, &attempt->begin);
    return attempt;
}

void edda_pg_attempt_cancel(edda_pg_attempt_t **attempt_p) {
    if (*attempt_p) {
        free_attempt(*attempt_p);
        *attempt_p = NULL;
    }
}
