/* tests/harness/relay.c: see relay.h. */
#include "tests/harness/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/proto/cmocka.h"

#define MOST_PAIRS    4096
#define LOOK_MS       5
#define FIRST_BYTES   65536
#define MESSAGE_BYTES ((size_t)64 << 20)
#define WORDS_BYTES   64

struct pair {
    struct relay *relay;
    pthread_t thread;
    int fds[2]; /* by the way that leads to them: the server's, the client's */
    bool vanished;
};

/* What came from one side and is not yet a whole message. */
struct stream {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool begun; /* its next message has a tag; a client's first has none */
    bool swallows;
};

struct rule {
    bool set;
    enum relay_way way;
    enum relay_does does;
    char words[WORDS_BYTES]; /* "": by bytes */
    size_t bytes;            /* still to pass */
};

struct relay {
    int listener;
    uint16_t port;
    uint16_t server_port;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    bool stopping;
    size_t happened;
    struct rule rule;
    struct pair *pairs[MOST_PAIRS];
    size_t pair_count;
};

static bool is_stopping(struct relay *relay) {
    pthread_mutex_lock(&relay->lock);
    bool stopping = relay->stopping;
    pthread_mutex_unlock(&relay->lock);
    return stopping;
}

/* ---- messages ---- */

/* Length of the first whole message; 0: not there yet. */
static size_t whole_message(const struct stream *stream) {
    size_t head = stream->begun ? 5 : 4;
    uint32_t length;
    if (stream->size < head) {
        return 0;
    }
    memcpy(&length, stream->data + head - 4, sizeof length);
    size_t size = ntohl(length) + head - 4;
    return stream->size >= size ? size : 0;
}

static bool holds(const uint8_t *data, size_t size, const char *words) {
    return memmem(data, size, words, strlen(words)) != NULL;
}

/* What is to be done with a message, and how much of it passes. */
static enum relay_does judge(struct relay *relay, enum relay_way way, const uint8_t *data,
                             size_t size, size_t *ret_passes) {
    struct rule *rule = &relay->rule;
    enum relay_does does = RELAY_PASS;
    pthread_mutex_lock(&relay->lock);
    *ret_passes = size;
    if (rule->set && rule->way == way) {
        bool now = rule->words[0] ? holds(data, size, rule->words) : size > rule->bytes;
        if (now) {
            does = rule->does;
            rule->set = false;
            relay->happened++;
            *ret_passes = does == RELAY_CUT_AFTER ? size : rule->words[0] ? 0 : rule->bytes;
        } else if (!rule->words[0]) {
            rule->bytes -= size;
        }
    }
    pthread_mutex_unlock(&relay->lock);
    return does;
}

/* False: the other side is gone. */
static bool pass(int fd, const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* The kernel drops what comes for this socket before TCP sees it. What was sent must be
 * acknowledged by then: it would be sent again and again, as no host without power does. */
static void vanish(int fd) {
    int unacknowledged = 1;
    for (int i = 0; i < 2000 && unacknowledged > 0; i++) {
        assert_int_equal(ioctl(fd, SIOCOUTQ, &unacknowledged), 0);
        usleep(1000);
    }
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &drop};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
}

/* False: the pair is to be closed. */
static bool pass_messages(struct pair *pair, enum relay_way way, struct stream *stream) {
    size_t size;
    while ((size = whole_message(stream)) > 0) {
        size_t passes = size;
        enum relay_does does = RELAY_PASS;
        if (!stream->swallows && !pair->vanished) {
            does = judge(pair->relay, way, stream->data, size, &passes);
            if (!pass(pair->fds[way], stream->data, passes)) {
                return false;
            }
        }
        if (does == RELAY_CUT || does == RELAY_CUT_AFTER) {
            return false;
        }
        if (does == RELAY_VANISH) {
            vanish(pair->fds[RELAY_TO_CLIENT]);
            pair->vanished = true;
        }
        stream->swallows |= does == RELAY_SWALLOW;
        stream->begun = true;
        stream->size -= size;
        memmove(stream->data, stream->data + size, stream->size);
    }
    return true;
}

static bool read_side(struct pair *pair, enum relay_way way, struct stream *stream) {
    if (stream->capacity - stream->size < FIRST_BYTES) {
        size_t capacity = stream->capacity * 2 + FIRST_BYTES;
        uint8_t *larger = capacity < MESSAGE_BYTES * 2 ? realloc(stream->data, capacity) : NULL;
        if (!larger) {
            return false;
        }
        stream->data = larger;
        stream->capacity = capacity;
    }
    ssize_t got =
        recv(pair->fds[1 - way], stream->data + stream->size, stream->capacity - stream->size, 0);
    if (got <= 0) {
        return false;
    }
    stream->size += (size_t)got;
    return pass_messages(pair, way, stream);
}

static void *run_pair(void *context) {
    struct pair *pair = context;
    struct stream streams[2] = {[RELAY_TO_CLIENT] = {.begun = true}};
    bool open = true;
    while (open && !is_stopping(pair->relay)) {
        struct pollfd looks[2] = {{.fd = pair->fds[1], .events = POLLIN},
                                  {.fd = pair->fds[0], .events = POLLIN}};
        if (poll(looks, 2, LOOK_MS) <= 0) {
            continue;
        }
        for (int way = 0; way < 2 && open; way++) {
            if (looks[way].revents) {
                open = read_side(pair, (enum relay_way)way, &streams[way]);
            }
        }
    }
    for (int way = 0; way < 2; way++) {
        free(streams[way].data);
        (void)shutdown(pair->fds[way], SHUT_RDWR);
        close(pair->fds[way]);
    }
    return NULL;
}

/* ---- life ---- */

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void take_client(struct relay *relay, int client) {
    pthread_mutex_lock(&relay->lock);
    bool room = relay->pair_count < MOST_PAIRS;
    pthread_mutex_unlock(&relay->lock);
    int server = room ? connect_to(relay->server_port) : -1;
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair || server < 0) {
        free(pair);
        close(client);
        return;
    }
    *pair = (struct pair){.relay = relay, .fds = {server, client}};
    pthread_mutex_lock(&relay->lock);
    relay->pairs[relay->pair_count++] = pair;
    pthread_mutex_unlock(&relay->lock);
    (void)pthread_create(&pair->thread, NULL, run_pair, pair);
}

static void *run_listener(void *context) {
    struct relay *relay = context;
    while (!is_stopping(relay)) {
        struct pollfd look = {.fd = relay->listener, .events = POLLIN};
        if (poll(&look, 1, LOOK_MS) > 0) {
            int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
            if (client >= 0) {
                take_client(relay, client);
            }
        }
    }
    return NULL;
}

struct relay *relay_start(uint16_t server_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct relay *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->server_port = server_port;
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(self->listener, 128), 0);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&address, &size), 0);
    self->port = ntohs(address.sin_port);
    pthread_mutex_init(&self->lock, NULL);
    assert_int_equal(pthread_create(&self->thread, NULL, run_listener, self), 0);
    return self;
}

void relay_stop(struct relay **self_p) {
    struct relay *self = *self_p;
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < self->pair_count; i++) {
        pthread_join(self->pairs[i]->thread, NULL);
        free(self->pairs[i]);
    }
    close(self->listener);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

/* ---- what the test says ---- */

uint16_t relay_port(const struct relay *self) {
    return self->port;
}

static void set_rule(struct relay *self, struct rule rule) {
    pthread_mutex_lock(&self->lock);
    self->rule = rule;
    pthread_mutex_unlock(&self->lock);
}

void relay_when(struct relay *self, enum relay_way way, const char *words, enum relay_does does) {
    struct rule rule = {.set = true, .way = way, .does = does};
    assert_true(strlen(words) < WORDS_BYTES);
    memcpy(rule.words, words, strlen(words));
    set_rule(self, rule);
}

void relay_at_byte(struct relay *self, enum relay_way way, size_t byte, enum relay_does does) {
    set_rule(self, (struct rule){.set = true, .way = way, .does = does, .bytes = byte});
}

size_t relay_happened(struct relay *self) {
    pthread_mutex_lock(&self->lock);
    size_t happened = self->happened;
    pthread_mutex_unlock(&self->lock);
    return happened;
}
