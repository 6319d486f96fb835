/* ops/session.c: see session.h. */
#include "ops/session.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/client.h"
#include "actors/runtime/clock.h"
#include "actors/store/postgres/migrate.h"
#include "actors/store/sqlite/sqlite.h"
#include "ops/endpoint.h"
#include "ops/identity.h"
#include "ops/launch.h"
#include "ops/options.h"
#include "ops/urls.h"

#define OWN_URL      "inproc://edda-session"
#define OWN_DRAIN_MS 5000
#define GOODBYE_MS   10
#define EXTRA_MS     3000 /* beyond the op's own budget, for queues and a session being made */

struct edda_session {
    edda_loop_t *loop;
    edda_client_t *client;
    void *own_context;     /* owned; NULL when the context is the caller's */
    edda_launch_t *launch; /* owned; NULL unless started here */
    edda_curve_t *curve;   /* owned; NULL: plain */
    char where[EDDA_MAX_URL + 64];
    bool replied;
    int error;
    struct edda_arena *arena; /* of the call under way */
    struct edda_bytes body;   /* copied into arena */
    uint16_t type;
    char message[EDDA_SESSION_MESSAGE - 80]; /* room for the op's name before it */
};

static void take_reply(void *context, const struct edda_reply *reply) {
    edda_session_t *self = context;
    self->error = reply->error;
    self->type = reply->type;
    self->body = (struct edda_bytes){NULL, 0};
    if (reply->error != 0) {
        struct edda_text text = reply->detail.text;
        if (text.size > 0)
            snprintf(self->message, sizeof self->message, "%.*s", (int)text.size, text.data);
        else
            snprintf(self->message, sizeof self->message, "%s", edda_error_text(reply->error));
    } else if (reply->body.size > 0) {
        uint8_t *copy = edda_arena_take(self->arena, reply->body.size);
        if (copy) {
            memcpy(copy, reply->body.data, reply->body.size);
            self->body = (struct edda_bytes){copy, reply->body.size};
        } else {
            self->error = EDDA_E_MEMORY;
            snprintf(self->message, sizeof self->message, "the answer is too large");
        }
    }
    self->replied = true;
    edda_loop_stop(self->loop);
}

static int connect_client(edda_session_t *self, void *zmq_context, const char *const *urls,
                          size_t count) {
    self->loop = edda_loop_new("cli");
    if (!self->loop)
        return EDDA_E_MEMORY;
    struct edda_client_options options = {
        .loop = self->loop,
        .zmq_context = zmq_context,
        .brokers = urls,
        .broker_count = count,
        .curve = self->curve,
        .role = "cli",
        .name = "cli",
    };
    self->client = edda_client_new(&options);
    return self->client ? 0 : EDDA_E_MEMORY;
}

edda_session_t *edda_session_join(void *zmq_context, const char *url) {
    edda_session_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    snprintf(self->where, sizeof self->where, "%s", url);
    if (connect_client(self, zmq_context, &url, 1) != 0)
        edda_session_close(&self);
    return self;
}

static bool is_in_database(const edda_config_t *config) {
    return edda_config_text(config, EDDA_CONFIG_DATABASE)[0] != '\0';
}

/* Whether the data directory holds a store: of one that is in a database it holds sockets. */
static bool has_store(const char *data) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/edda.db", data);
    return size > 0 && (size_t)size < sizeof path && access(path, F_OK) == 0;
}

/* A store that starts brings its tables to this program's version: not what somebody means who
 * looks at jobs or makes a key. */
static int check_tables(const edda_config_t *config, enum edda_session_without without,
                        char *message) {
    const char *data = edda_config_text(config, EDDA_CONFIG_DATA);
    edda_pg_url_t *url = NULL;
    int error = 0;
    if (!is_in_database(config)) {
        if (has_store(data))
            error = edda_sqlite_check_tables(data, message, EDDA_SESSION_MESSAGE);
        /* As a first start leaves it that was killed before it made them. */
        return error == EDDA_E_NOT_FOUND && without == EDDA_SESSION_MAKES ? 0 : error;
    }
    error = edda_pg_url_parse(edda_config_text(config, EDDA_CONFIG_DATABASE), message,
                              EDDA_SESSION_MESSAGE, &url);
    if (error == 0)
        error = edda_pg_check_tables(url, &edda_store_schema_postgres,
                                     edda_config_number(config, EDDA_CONFIG_DATABASE_CONNECT_MS),
                                     without == EDDA_SESSION_MAKES, message, EDDA_SESSION_MESSAGE);
    edda_pg_url_free(&url);
    return error;
}

/* Broker and store as threads, for this session alone. */
static int start_own(edda_session_t *self, const edda_config_t *config,
                     enum edda_session_without without, char *message) {
    const char *data = edda_config_text(config, EDDA_CONFIG_DATA);
    bool in_database = is_in_database(config);
    int error = check_tables(config, without, message);
    if (error == 0 && !in_database)
        error = edda_data_prepare(data, message, EDDA_SESSION_MESSAGE);
    if (error != 0)
        return error;
    if (in_database)
        snprintf(self->where, sizeof self->where, "the database");
    else
        snprintf(self->where, sizeof self->where, "the data directory %s", data);
    self->launch = edda_launch_new(config, self->own_context, -1);
    if (!self->launch)
        return EDDA_E_MEMORY;
    const char *url = OWN_URL;
    const char *ended = "broker";
    error = edda_launch_start(self->launch, edda_part_find("broker"), NULL, 0, &url, 1);
    if (error == 0)
        error = edda_launch_wait_ready(self->launch, &ended);
    if (error == 0)
        error = edda_launch_start(self->launch, edda_part_find("store"), &url, 1, NULL, 0);
    if (error == 0)
        error = edda_launch_wait_ready(self->launch, &ended);
    if (error != 0)
        snprintf(message, EDDA_SESSION_MESSAGE, "the %s did not start on %s; what it said is above",
                 ended ? ended : "store", self->where);
    else if (in_database)
        snprintf(self->where, sizeof self->where, "%s", edda_launch_detail(self->launch, "store"));
    return error;
}

/* The brokers that --connect names. */
static int join_named(edda_session_t *self, const edda_config_t *config, const char *connect,
                      char *message) {
    struct edda_urls urls;
    edda_urls_init(&urls);
    if (edda_urls_add_list(&urls, connect) != 0) {
        snprintf(message, EDDA_SESSION_MESSAGE, "--connect has more than %d URLs, or one too long",
                 EDDA_MAX_URLS);
        return EDDA_E_LIMIT;
    }
    const char *wrong = edda_urls_find_wrong(&urls);
    if (wrong) {
        snprintf(message, EDDA_SESSION_MESSAGE,
                 "%s is no broker's URL: tcp://HOST:PORT or ipc://PATH", wrong);
        return EDDA_E_INVALID;
    }
    int error = edda_identity_open(config, false, urls.items, urls.count, &self->curve, message);
    if (error != 0)
        return error;
    snprintf(self->where, sizeof self->where, "%s", connect);
    return connect_client(self, self->own_context, urls.items, urls.count);
}

static int open_connection(edda_session_t *self, const edda_config_t *config,
                           enum edda_session_without without, char *message) {
    char url[EDDA_MAX_URL];
    const char *pointer = url;
    const char *connect = edda_config_text(config, EDDA_CONFIG_CONNECT);
    if (connect[0])
        return join_named(self, config, connect, message);
    const char *data = edda_config_text(config, EDDA_CONFIG_DATA);
    int error = edda_data_endpoint(data, false, url, message, EDDA_SESSION_MESSAGE);
    if (error == 0 && edda_endpoint_answers(url)) {
        snprintf(self->where, sizeof self->where, "%s", url);
        return connect_client(self, self->own_context, &pointer, 1);
    }
    if (without == EDDA_SESSION_FAILS) {
        snprintf(message, EDDA_SESSION_MESSAGE,
                 "no service runs on the data directory %s; start one with `edda up`, or name a "
                 "broker with --connect",
                 data);
        return EDDA_E_UNAVAILABLE;
    }
    if (without == EDDA_SESSION_OPENS && !is_in_database(config) && !has_store(data)) {
        snprintf(message, EDDA_SESSION_MESSAGE,
                 "there is no %s %s; `edda up` makes it, --data names another, --database one in "
                 "PostgreSQL",
                 error == EDDA_E_NOT_FOUND ? "data directory" : "store in", data);
        return EDDA_E_NOT_FOUND;
    }
    pointer = OWN_URL;
    error = start_own(self, config, without, message);
    return error != 0 ? error : connect_client(self, self->own_context, &pointer, 1);
}

int edda_session_open(const edda_config_t *config, enum edda_session_without without,
                      edda_session_t **ret_session, char message[EDDA_SESSION_MESSAGE]) {
    snprintf(message, EDDA_SESSION_MESSAGE, "out of memory");
    edda_session_t *self = calloc(1, sizeof *self);
    if (!self)
        return EDDA_E_MEMORY;
    self->own_context = edda_context_new();
    int error = self->own_context ? open_connection(self, config, without, message) : EDDA_E_MEMORY;
    if (error != 0) {
        edda_session_close(&self);
        return error;
    }
    *ret_session = self;
    return 0;
}

static void stop_loop(void *context) {
    edda_session_t *self = context;
    edda_loop_stop(self->loop);
}

/* Says BYE and stays a moment: a broker that has a grant on its way to a peer that is gone already
 * takes it for lost, and warns. */
static void say_goodbye(edda_session_t *self) {
    struct edda_timer timer = {.fire = stop_loop, .context = self, .name = "goodbye"};
    edda_client_leave(self->client);
    edda_loop_timer_set(self->loop, &timer, edda_clock_ms() + GOODBYE_MS);
    (void)edda_loop_run(self->loop);
    edda_loop_timer_cancel(self->loop, &timer);
}

void edda_session_close(edda_session_t **self_p) {
    edda_session_t *self = *self_p;
    if (!self)
        return;
    if (self->client) {
        say_goodbye(self);
        edda_client_destroy(&self->client);
    }
    if (self->loop)
        edda_loop_destroy(&self->loop);
    if (self->launch) {
        if (edda_launch_drain(self->launch, OWN_DRAIN_MS) != 0)
            fprintf(stderr, "edda: broker or store did not end cleanly\n");
        edda_launch_destroy(&self->launch);
    }
    edda_context_destroy(&self->own_context);
    edda_curve_destroy(&self->curve);
    free(self);
    *self_p = NULL;
}

const char *edda_session_where(const edda_session_t *self) {
    return self->where;
}

bool edda_session_is_own(const edda_session_t *self) {
    return self->launch != NULL;
}

/* Sends one encoded step and runs the loop until its reply. */
static int exchange(edda_session_t *self, const struct edda_op *op, const char *project,
                    struct edda_bytes arguments) {
    struct edda_step step = {
        .op = op->name,
        .type = op->arguments,
        .arguments = arguments,
    };
    struct edda_request request = {
        .steps = &step,
        .step_count = 1,
        .project = edda_text_of(project),
        .ttl_ms = op->budget_ms + EXTRA_MS,
        .broker = -1,
        .on_reply = take_reply,
        .context = self,
    };
    self->replied = false;
    int error = edda_client_call(self->client, &request, NULL);
    if (error != 0) {
        snprintf(self->message, sizeof self->message, "%s", edda_error_text(error));
        return error;
    }
    int ran = 0;
    while (!self->replied && ran == 0)
        ran = edda_loop_run(self->loop);
    return self->replied ? self->error : EDDA_E_INTERNAL;
}

int edda_session_call(edda_session_t *self, const struct edda_op *op, const char *project,
                      const void *record, struct edda_arena *arena, void *ret_record,
                      char message[EDDA_SESSION_MESSAGE]) {
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    self->arena = arena;
    self->message[0] = '\0';
    int error = record ? edda_body_encode(op->arguments, record, &buffer) : 0;
    if (error == 0)
        error = exchange(self, op, project, edda_buffer_bytes(&buffer));
    edda_buffer_done(&buffer);
    if (error == 0 && self->type != op->output && op->output != EDDA_BODY_NONE)
        error = EDDA_E_TYPE;
    if (error == 0 && op->output != EDDA_BODY_NONE)
        error = edda_body_decode(op->output, self->body, arena, ret_record);
    if (error == EDDA_E_UNAVAILABLE && edda_client_brokers_live(self->client) == 0)
        snprintf(message, EDDA_SESSION_MESSAGE, "no broker answers at %s", self->where);
    else if (error != 0)
        snprintf(message, EDDA_SESSION_MESSAGE, "%s: %s", op->name,
                 self->message[0] ? self->message : edda_error_text(error));
    self->arena = NULL;
    return error;
}
