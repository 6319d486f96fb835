/* broker/gate.c: ZAP's questions to the authorized file, and the file to a table. */
#include "broker/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "actors/runtime/monitor.h"
#include "actors/runtime/socket.h"
#include "actors/runtime/zap.h"

#define REFUSALS_LOGGED_MS 10000
#define ZAP_BUDGET         256

/* Which state of the file: equal means unchanged. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* A socket that is reached through the gate. */
struct door {
    struct edda_gate *gate;
    struct edda_monitor monitor;
    edda_watch_t *watch;
};

struct edda_gate {
    struct edda_gate_options options;
    uint8_t salt[EDDA_AUTHORIZED_SALT];
    edda_authorized_t *authorized; /* owned; never NULL once made */
    struct stamp taken;            /* of the file that was read last, taken or refused */
    struct stamp seen;             /* at the last look */
    bool missing;                  /* said so already */
    void *zap;                     /* owned */
    edda_watch_t *zap_watch;
    struct door doors[EDDA_GATE_SOCKETS];
    size_t door_count;
    struct edda_timer look;
    bool proving;      /* our own stranger is not counted */
    uint64_t refusals; /* not logged yet */
    int64_t refusals_ms;
};

static struct stamp stamp_of(const struct stat *status) {
    return (struct stamp){status->st_dev, status->st_ino, status->st_size, status->st_mtim};
}

static bool is_same(const struct stamp *one, const struct stamp *other) {
    return one->device == other->device && one->inode == other->inode && one->size == other->size &&
           one->changed.tv_sec == other->changed.tv_sec &&
           one->changed.tv_nsec == other->changed.tv_nsec;
}

static int refuse_file(const struct edda_gate *self, int error, const char *text) {
    edda_metric_add(EDDA_METRIC_AUTHORIZED_READS, "refused", 1);
    edda_log(EDDA_LOG_ERROR, "authorized_refused", "file=\"%s\" text=\"%s\"",
             self->options.authorized, text);
    return error;
}

/* Whoever may write here may let anybody in. */
static int check_file(struct edda_gate *self, int fd) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return refuse_file(self, EDDA_E_IO, strerror(errno));
    }
    self->taken = self->seen = stamp_of(&status);
    bool ours = status.st_uid == geteuid() || status.st_uid == 0;
    if (!S_ISREG(status.st_mode) || !ours || (status.st_mode & 022) != 0) {
        return refuse_file(self, EDDA_E_MALFORMED,
                           "it is not a file that only you or root can write to; chmod go-w "
                           "closes it");
    }
    return 0;
}

static int read_text(struct edda_gate *self, int fd, char *text, size_t *ret_size) {
    size_t size = 0;
    ssize_t got = 0;
    while (size <= EDDA_AUTHORIZED_BYTES &&
           (got = read(fd, text + size, EDDA_AUTHORIZED_BYTES + 1 - size)) > 0) {
        size += (size_t)got;
    }
    *ret_size = size;
    return got < 0 ? refuse_file(self, EDDA_E_IO, strerror(errno)) : 0;
}

static int parse_text(struct edda_gate *self, const char *text, size_t size) {
    char message[EDDA_AUTHORIZED_MESSAGE] = "";
    edda_authorized_t *authorized = NULL;
    if (edda_authorized_parse(text, size, self->salt, &authorized, message) != 0) {
        return refuse_file(self, EDDA_E_MALFORMED, message);
    }
    edda_authorized_destroy(&self->authorized);
    self->authorized = authorized;
    edda_metric_add(EDDA_METRIC_AUTHORIZED_READS, "taken", 1);
    edda_cell_set(edda_metric_cell(EDDA_METRIC_AUTHORIZED_KEYS, NULL),
                  (int64_t)edda_authorized_count(authorized));
    edda_log(EDDA_LOG_INFO, "authorized_read", "file=\"%s\" keys=%zu", self->options.authorized,
             edda_authorized_count(authorized));
    return 0;
}

static int read_file(struct edda_gate *self) {
    int fd = open(self->options.authorized, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = check_file(self, fd);
    char *text = malloc(EDDA_AUTHORIZED_BYTES + 1);
    size_t size = 0;
    EDDA_ASSERT(text);
    if (!error) {
        error = read_text(self, fd, text, &size);
    }
    if (!error) {
        error = parse_text(self, text, size);
    }
    free(text);
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

static bool has_changed(struct edda_gate *self) {
    struct stat status;
    if (stat(self->options.authorized, &status) != 0) {
        if (!self->missing) {
            (void)refuse_file(self, EDDA_E_IO, strerror(errno));
        }
        self->missing = true;
        return false;
    }
    self->missing = false;
    struct stamp now = stamp_of(&status);
    bool settled = is_same(&now, &self->seen);
    self->seen = now;
    return settled && !is_same(&now, &self->taken);
}

static void look(void *context) {
    struct edda_gate *self = context;
    if (has_changed(self) && read_file(self) == 0) {
        self->options.changed(self->options.context, self->authorized);
    }
    edda_loop_timer_set(self->options.loop, &self->look,
                        edda_loop_now(self->options.loop) + EDDA_GATE_LOOK_MS);
}

/* A peer whose key was taken out tries for ever, several times a second. */
static void log_refusal(struct edda_gate *self, const char *address) {
    int64_t now_ms = edda_loop_now(self->options.loop);
    self->refusals++;
    if (self->refusals_ms == 0 || now_ms - self->refusals_ms >= REFUSALS_LOGGED_MS) {
        edda_log(EDDA_LOG_WARNING, "key_refused",
                 "address=\"%s\" count=%llu text=\"a key that is "
                 "not in the authorized file\"",
                 address, (unsigned long long)self->refusals);
        self->refusals_ms = now_ms;
        self->refusals = 0;
    }
}

static void answer_zap(void *context) {
    struct edda_gate *self = context;
    struct edda_zap_request request;
    for (int i = 0; i < ZAP_BUDGET; i++) {
        int error = edda_zap_receive(self->zap, &request);
        if (error == EDDA_E_AGAIN) {
            return;
        }
        bool allowed = !error && edda_gate_permit(self, request.key) != &edda_permit_none;
        if (!error) {
            edda_zap_answer(self->zap, &request, allowed);
        }
        if (!allowed && !self->proving) {
            log_refusal(self, error ? "" : request.address);
        }
        if (!self->proving) {
            edda_metric_add(EDDA_METRIC_HANDSHAKES, allowed ? "allowed" : "unauthorized", 1);
        }
    }
}

static void watch_door(void *context) {
    struct door *door = context;
    bool lost = false;
    unsigned kind;
    while ((kind = edda_monitor_next(&door->monitor)) != 0) {
        if (kind == EDDA_MONITOR_LOST) {
            lost = true;
        } else {
            edda_metric_add(EDDA_METRIC_HANDSHAKES,
                            kind == EDDA_MONITOR_MISMATCHED ? "mismatched" : "broken", 1);
        }
    }
    if (lost) {
        door->gate->options.lost(door->gate->options.context);
    }
}

int edda_gate_new(const struct edda_gate_options *options, edda_gate_t **ret_gate) {
    struct edda_gate *self = calloc(1, sizeof *self);
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->options = *options;
    self->look = (struct edda_timer){.fire = look, .context = self, .name = "authorized"};
    randombytes_buf(self->salt, sizeof self->salt);
    int error = read_file(self);
    if (!error) {
        error = edda_zap_open(options->zmq_context, &self->zap);
    }
    if (!error) {
        self->zap_watch = edda_loop_socket(options->loop, self->zap, answer_zap, self, "zap");
        error = self->zap_watch ? 0 : EDDA_E_MEMORY;
    }
    if (error) {
        edda_gate_destroy(&self);
        return error;
    }
    edda_loop_timer_set(options->loop, &self->look,
                        edda_loop_now(options->loop) + EDDA_GATE_LOOK_MS);
    *ret_gate = self;
    return 0;
}

void edda_gate_destroy(edda_gate_t **self_p) {
    struct edda_gate *self = *self_p;
    if (!self) {
        return;
    }
    edda_loop_timer_cancel(self->options.loop, &self->look);
    for (size_t i = 0; i < self->door_count; i++) {
        edda_loop_unwatch(self->options.loop, &self->doors[i].watch);
        edda_monitor_close(&self->doors[i].monitor);
    }
    edda_loop_unwatch(self->options.loop, &self->zap_watch);
    edda_zap_close(&self->zap);
    edda_authorized_destroy(&self->authorized);
    free(self);
    *self_p = NULL;
}

static int prove(struct edda_gate *self, const void *socket) {
    const char *url;
    int error = 0;
    self->proving = true;
    for (size_t i = 0; !error && (url = edda_socket_bound(socket, i)) != NULL; i++) {
        error =
            edda_zap_prove(self->options.zmq_context, url, edda_curve_public(self->options.curve),
                           self->zap, answer_zap, self, EDDA_GATE_PROOF_MS);
        if (error) {
            edda_log(EDDA_LOG_ERROR, "gate_open",
                     "url=%s error=%s text=\"a stranger with a random "
                     "key was not turned away\"",
                     url, edda_error_name(error));
        }
    }
    self->proving = false;
    return error;
}

int edda_gate_listen(edda_gate_t *self, const char *const *urls, size_t count, void **ret_socket) {
    EDDA_ASSERT(self->door_count < EDDA_GATE_SOCKETS);
    struct door *door = &self->doors[self->door_count];
    void *socket = NULL;
    door->gate = self;
    int error = edda_socket_guarded(self->options.zmq_context, urls, count, self->options.curve,
                                    &door->monitor, &socket);
    if (error) {
        return error;
    }
    self->door_count++;
    error = prove(self, socket);
    if (!error) {
        door->watch = edda_loop_socket(self->options.loop, door->monitor.socket, watch_door, door,
                                       "handshakes");
        error = door->watch ? 0 : EDDA_E_MEMORY;
    }
    if (error) {
        edda_monitor_close(&door->monitor);
        edda_socket_close(&socket, 0);
        return error;
    }
    *ret_socket = socket;
    return 0;
}

const struct edda_permit *edda_gate_permit(const edda_gate_t *self, const char *key) {
    return edda_authorized_find(self->authorized, key);
}
