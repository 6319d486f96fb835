/* tests/harness/scripted.c: a thread that accepts, and one for each connection. */
#include "tests/harness/scripted.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/buffer.h"
#include "tests/proto/cmocka.h"

#define MOST_CONNECTIONS 512
#define MOST_REQUESTS    4096
#define MOST_SCRIPTS     1024
#define MOST_STEPS       8
#define LOOK_MS          5
#define REQUEST_BYTES    ((size_t)64 << 20)
#define SEND_BUFFER      65536

struct script {
    struct scripted_step steps[MOST_STEPS];
};

struct connection {
    struct scripted *server;
    int fd;
    pthread_t thread;
};

struct scripted {
    int listener;
    pthread_t thread;
    char url[64];
    pthread_mutex_t lock; /* all below */
    bool stopping;
    struct connection connections[MOST_CONNECTIONS];
    size_t connection_count;
    size_t open;
    char *requests[MOST_REQUESTS]; /* owned */
    size_t request_count;
    struct script scripts[MOST_SCRIPTS];
    size_t script_count;
    size_t scripts_taken;
    size_t gone; /* calls of scripted_go */
    size_t flooded;
    size_t read_bytes;
    int read_ms;
};

static void sleep_ms(int ms) {
    struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&time, NULL);
}

#define LOCKED_GET(type, name, expression)                                                         \
    type name(struct scripted *self) {                                                             \
        pthread_mutex_lock(&self->lock);                                                           \
        type value = (expression);                                                                 \
        pthread_mutex_unlock(&self->lock);                                                         \
        return value;                                                                              \
    }

LOCKED_GET(size_t, scripted_requests, self->request_count)
LOCKED_GET(size_t, scripted_connections, self->connection_count)
LOCKED_GET(size_t, scripted_open, self->open)
LOCKED_GET(size_t, scripted_flooded, self->flooded)
static LOCKED_GET(bool, is_stopping, self->stopping) static LOCKED_GET(size_t, count_gone,
                                                                       self->gone)

    /* ---- a connection ---- */

    /* Nothing but the end of the connection comes from a peer that waits for its answer. */
    static bool is_peer_gone(int fd) {
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0;
}

static bool send_all(struct scripted *self, int fd, const char *data, size_t size, bool flood) {
    while (size > 0 && !is_stopping(self)) {
        struct pollfd look = {.fd = fd, .events = POLLOUT};
        if (poll(&look, 1, LOOK_MS) == 0) {
            continue;
        }
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) {
            return false;
        }
        sent = sent < 0 ? 0 : sent;
        data += sent;
        size -= (size_t)sent;
        pthread_mutex_lock(&self->lock);
        self->flooded += flood ? (size_t)sent : 0;
        pthread_mutex_unlock(&self->lock);
    }
    return size == 0;
}

static bool flood(struct scripted *self, int fd, size_t count) {
    char letters[16384];
    memset(letters, 'x', sizeof letters);
    while (count > 0) {
        size_t size = count < sizeof letters ? count : sizeof letters;
        if (!send_all(self, fd, letters, size, true)) {
            return false;
        }
        count -= size;
    }
    return true;
}

static void wait_until_gone(struct scripted *self, int fd, size_t goes) {
    while (!is_stopping(self) && !is_peer_gone(fd) && count_gone(self) < goes) {
        sleep_ms(LOOK_MS);
    }
}

static void reset(int fd) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* False: the connection is to be closed. */
static bool play(struct scripted *self, int fd, const struct script *script) {
    for (size_t i = 0; i < MOST_STEPS; i++) {
        const struct scripted_step *step = &script->steps[i];
        switch (step->what) {
        case SCRIPTED_END:
            return true;
        case SCRIPTED_SAY:
            if (!send_all(self, fd, step->text, strlen(step->text), false)) {
                return false;
            }
            break;
        case SCRIPTED_FLOOD:
            if (!flood(self, fd, step->number)) {
                return false;
            }
            break;
        case SCRIPTED_AWAIT:
            wait_until_gone(self, fd, step->number);
            break;
        case SCRIPTED_CLOSE:
            return false;
        case SCRIPTED_RESET:
            reset(fd);
            return false;
        case SCRIPTED_HANG:
            wait_until_gone(self, fd, SIZE_MAX);
            return false;
        }
    }
    return true;
}

static size_t find_body(const struct edda_buffer *buffer) {
    const char *end = buffer->size ? memmem(buffer->data, buffer->size, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - (const char *)buffer->data) + 4 : 0;
}

/* Bytes of the whole request; 0: not known yet. */
static size_t measure_request(struct edda_buffer *buffer) {
    size_t head = find_body(buffer);
    if (head == 0) {
        return 0;
    }
    (void)edda_buffer_append(buffer, "", 1);
    buffer->size--;
    const char *length = strcasestr((const char *)buffer->data, "\r\nContent-Length:");
    return head + (length ? strtoull(length + 17, NULL, 10) : 0);
}

static bool read_request(struct scripted *self, int fd, struct edda_buffer *buffer) {
    for (;;) {
        size_t size = measure_request(buffer);
        if (size > 0 && buffer->size >= size) {
            return true;
        }
        struct pollfd look = {.fd = fd, .events = POLLIN};
        if (is_stopping(self)) {
            return false;
        }
        if (poll(&look, 1, LOOK_MS) == 0) {
            continue;
        }
        pthread_mutex_lock(&self->lock);
        size_t most = self->read_bytes ? self->read_bytes : 65536;
        int wait_ms = self->read_ms;
        pthread_mutex_unlock(&self->lock);
        uint8_t *room = edda_buffer_reserve(buffer, most);
        ssize_t got = room ? recv(fd, room, most, 0) : -1;
        if (got <= 0) {
            return false;
        }
        buffer->size += (size_t)got;
        for (int waited_ms = 0; waited_ms < wait_ms && !is_stopping(self); waited_ms += LOOK_MS) {
            sleep_ms(LOOK_MS);
        }
    }
}

/* Keeps the request and chooses its script. */
static struct script take_request(struct scripted *self, struct edda_buffer *buffer) {
    struct script script = {{SAY(SCRIPTED_OK)}};
    pthread_mutex_lock(&self->lock);
    if (self->request_count < MOST_REQUESTS) {
        char *text = calloc(1, buffer->size + 1);
        if (text) {
            memcpy(text, buffer->data, buffer->size);
        }
        self->requests[self->request_count++] = text;
    }
    if (self->scripts_taken < self->script_count) {
        script = self->scripts[self->scripts_taken++];
    }
    pthread_mutex_unlock(&self->lock);
    return script;
}

static void *serve(void *context) {
    struct connection *connection = context;
    struct scripted *self = connection->server;
    struct edda_buffer buffer;
    bool goes_on = true;
    edda_buffer_init(&buffer, REQUEST_BYTES);
    while (goes_on && read_request(self, connection->fd, &buffer)) {
        struct script script = take_request(self, &buffer);
        edda_buffer_reset(&buffer);
        goes_on = play(self, connection->fd, &script);
    }
    edda_buffer_done(&buffer);
    close(connection->fd);
    pthread_mutex_lock(&self->lock);
    self->open--;
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void add_connection(struct scripted *self, int fd) {
    int size = SEND_BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    pthread_mutex_lock(&self->lock);
    EDDA_ASSERT(self->connection_count < MOST_CONNECTIONS);
    struct connection *connection = &self->connections[self->connection_count++];
    *connection = (struct connection){.server = self, .fd = fd};
    self->open++;
    EDDA_ASSERT(pthread_create(&connection->thread, NULL, serve, connection) == 0);
    pthread_mutex_unlock(&self->lock);
}

static void *accept_all(void *context) {
    struct scripted *self = context;
    while (!is_stopping(self)) {
        struct pollfd look = {.fd = self->listener, .events = POLLIN};
        if (poll(&look, 1, LOOK_MS) > 0) {
            int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0) {
                add_connection(self, fd);
            }
        }
    }
    return NULL;
}

/* ---- the interface ---- */

struct scripted *scripted_start(void) {
    struct scripted *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_non_null(self);
    pthread_mutex_init(&self->lock, NULL);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(self->listener, 256), 0);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(self->url, sizeof self->url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&self->thread, NULL, accept_all, self), 0);
    return self;
}

void scripted_stop(struct scripted **self_p) {
    struct scripted *self = *self_p;
    if (!self) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < self->connection_count; i++) {
        pthread_join(self->connections[i].thread, NULL);
    }
    for (size_t i = 0; i < self->request_count; i++) {
        free(self->requests[i]);
    }
    close(self->listener);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

const char *scripted_url(const struct scripted *self) {
    return self->url;
}

void scripted_does(struct scripted *self, const struct scripted_step *steps) {
    pthread_mutex_lock(&self->lock);
    EDDA_ASSERT(self->script_count < MOST_SCRIPTS);
    struct script *script = &self->scripts[self->script_count++];
    for (size_t i = 0; steps[i].what != SCRIPTED_END; i++) {
        EDDA_ASSERT(i < MOST_STEPS);
        script->steps[i] = steps[i];
    }
    pthread_mutex_unlock(&self->lock);
}

void scripted_says(struct scripted *self, const char *answer) {
    scripted_does(self, SCRIPT(SAY(answer)));
}

void scripted_go(struct scripted *self) {
    pthread_mutex_lock(&self->lock);
    self->gone++;
    pthread_mutex_unlock(&self->lock);
}

void scripted_read_slowly(struct scripted *self, size_t bytes, int ms) {
    pthread_mutex_lock(&self->lock);
    self->read_bytes = bytes;
    self->read_ms = ms;
    pthread_mutex_unlock(&self->lock);
}

const char *scripted_request(struct scripted *self, size_t n) {
    pthread_mutex_lock(&self->lock);
    const char *request = n < self->request_count ? self->requests[n] : "";
    pthread_mutex_unlock(&self->lock);
    return request;
}
