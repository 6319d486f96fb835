/* actors/runtime/curve.c: keys from files into locked memory, and from there into sockets. */
#include "actors/runtime/curve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

/* ZMQ_ZAP_ENFORCE_DOMAIN: a draft's name, but builds without drafts take the number: without a
 * handler nobody is let in. Whether it holds is proved at start, not believed. */
#define ZAP_ENFORCE_DOMAIN 93

struct edda_curve {
    struct edda_certificate own;
    char brokers[EDDA_CURVE_MAX_BROKERS][EDDA_CURVE_KEY_TEXT];
    size_t broker_count;
};

static bool can_encrypt(void) {
    return zmq_has("curve") == 1;
}

static struct edda_curve *make_room(void) {
    struct edda_curve *self = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *self);
    if (self) {
        memset(self, 0, sizeof *self);
    }
    return self;
}

int edda_curve_new(edda_curve_t **ret_curve) {
    if (!can_encrypt()) {
        return EDDA_E_UNAVAILABLE;
    }
    struct edda_curve *self = make_room();
    if (!self) {
        return EDDA_E_MEMORY;
    }
    if (zmq_curve_keypair(self->own.public_key, self->own.secret_key) != 0) {
        edda_curve_destroy(&self);
        return EDDA_E_UNAVAILABLE;
    }
    *ret_curve = self;
    return 0;
}

void edda_curve_destroy(edda_curve_t **self_p) {
    sodium_free(*self_p);
    *self_p = NULL;
}

/* Of what is read no name is repeated: it may be the key itself, put where its file belongs. */
static int explain(char *message, size_t size, int error, const char *what) {
    (void)snprintf(message, size, "%s", what);
    return error;
}

static int explain_path(char *message, size_t size, int error, const char *path, const char *what) {
    (void)snprintf(message, size, "%s: %s", path, what);
    return error;
}

/* As PostgreSQL asks of its key file. Not asked of what is no file: a pipe is its maker's. */
static bool is_closed(const struct stat *status) {
    mode_t open = status->st_uid == 0 && geteuid() != 0 ? 037 : 077;
    return !S_ISREG(status->st_mode) || (status->st_mode & open) == 0;
}

/* At most EDDA_CERTIFICATE_SIZE bytes into room for one more than that. */
static int read_file(const char *path, char *room, size_t *ret_size, bool *ret_closed,
                     char *message, size_t message_size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        int number = errno;
        if (fd >= 0) {
            close(fd);
        }
        return explain(message, message_size, EDDA_E_IO, strerror(number));
    }
    size_t size = 0;
    ssize_t got = 0;
    while (size <= EDDA_CERTIFICATE_SIZE &&
           (got = read(fd, room + size, EDDA_CERTIFICATE_SIZE + 1 - size)) > 0) {
        size += (size_t)got;
    }
    int number = errno;
    close(fd);
    *ret_size = size;
    *ret_closed = is_closed(&status);
    return got < 0 ? explain(message, message_size, EDDA_E_IO, strerror(number)) : 0;
}

static int check_pair(const struct edda_certificate *own, bool closed, char *message,
                      size_t message_size) {
    char public_key[EDDA_CURVE_KEY_TEXT];
    if (!own->secret_key[0]) {
        return explain(message, message_size, EDDA_E_INVALID,
                       "this is a public certificate; the secret one is needed here");
    }
    if (!closed) {
        return explain(message, message_size, EDDA_E_DENIED,
                       "others can read this secret key; chmod 600 closes it");
    }
    if (zmq_curve_public(public_key, own->secret_key) != 0) {
        return explain(message, message_size, EDDA_E_UNAVAILABLE,
                       "this libzmq was built without CURVE");
    }
    if (strcmp(public_key, own->public_key) != 0) {
        return explain(message, message_size, EDDA_E_INVALID,
                       "its public and secret keys do not belong together");
    }
    return 0;
}

int edda_curve_load(const char *path, edda_curve_t **ret_curve, char *message,
                    size_t message_size) {
    struct edda_curve *self = make_room();
    char *text = self ? sodium_malloc(EDDA_CERTIFICATE_SIZE + 1) : NULL;
    size_t size = 0;
    bool closed = false;
    int error = 0;
    if (!text) {
        error = explain(message, message_size, EDDA_E_MEMORY, "out of memory");
    }
    if (!error) {
        error = read_file(path, text, &size, &closed, message, message_size);
    }
    if (!error && edda_certificate_parse(text, size, &self->own) != 0) {
        error = explain(message, message_size, EDDA_E_INVALID,
                        "this is no certificate; `edda keygen` makes one");
    }
    if (!error) {
        error = check_pair(&self->own, closed, message, message_size);
    }
    sodium_free(text);
    if (error) {
        edda_curve_destroy(&self);
        return error;
    }
    *ret_curve = self;
    return 0;
}

static int write_all(int fd, struct edda_bytes bytes) {
    while (bytes.size > 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.size);
        if (wrote < 0 && errno != EINTR) {
            return EDDA_E_IO;
        }
        if (wrote > 0) {
            bytes.data += wrote;
            bytes.size -= (size_t)wrote;
        }
    }
    return fsync(fd) == 0 ? 0 : EDDA_E_IO;
}

/* Whole or not at all: a file beside it takes its name once it is complete. */
static int write_file(const char *path, mode_t mode, const struct edda_certificate *certificate,
                      char *message, size_t message_size) {
    char partial[PATH_MAX];
    uint8_t *room = sodium_malloc(1024);
    /* As large as it may get: growing would leave copies of the secret behind. */
    struct edda_buffer text = {.data = room, .capacity = 1024, .maximum = 1024};
    int length = snprintf(partial, sizeof partial, "%s.partial", path);
    int fd = -1;
    if (!room || length < 0 || (size_t)length >= sizeof partial) {
        errno = room ? ENAMETOOLONG : ENOMEM;
    } else {
        (void)unlink(partial);
        fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    }
    int error = fd >= 0 && fchmod(fd, mode) == 0 ? 0 : EDDA_E_IO; /* whatever the umask */
    if (!error) {
        edda_certificate_write(certificate, &text);
        EDDA_ASSERT(!text.error);
        error = write_all(fd, edda_buffer_bytes(&text));
    }
    if (!error && rename(partial, path) != 0) {
        error = EDDA_E_IO;
    }
    if (error) {
        (void)explain_path(message, message_size, error, path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
        if (error) {
            (void)unlink(partial);
        }
    }
    sodium_free(room);
    return error;
}

int edda_curve_save(const edda_curve_t *self, const char *path, bool overwrite, char *message,
                    size_t message_size) {
    char public_path[PATH_MAX];
    int length = snprintf(public_path, sizeof public_path, "%s.pub", path);
    if (length < 0 || (size_t)length >= sizeof public_path) {
        return explain_path(message, message_size, EDDA_E_IO, path, strerror(ENAMETOOLONG));
    }
    const char *paths[] = {path, public_path};
    for (size_t i = 0; i < 2 && !overwrite; i++) {
        struct stat status;
        if (lstat(paths[i], &status) == 0) {
            return explain_path(message, message_size, EDDA_E_CONFLICT, paths[i],
                                "is there already; --overwrite replaces it");
        }
    }
    struct edda_certificate shown = {.secret_key = ""};
    memcpy(shown.public_key, self->own.public_key, sizeof shown.public_key);
    int error = write_file(path, 0600, &self->own, message, message_size);
    return error ? error : write_file(public_path, 0644, &shown, message, message_size);
}

const char *edda_curve_public(const edda_curve_t *self) {
    return self->own.public_key;
}

/* The key itself, a certificate's text, or the path of a file with either. */
static int read_public(const char *source, char *file, struct edda_certificate *ret_broker,
                       char *message, size_t message_size) {
    const char *text = source;
    size_t size = strlen(text);
    bool closed;
    if (!edda_curve_is_key(text, size) && !strchr(text, '\n')) {
        int error = read_file(source, file, &size, &closed, message, message_size);
        if (error) {
            return explain(message, message_size, error,
                           "neither a public key of 40 characters nor a file that can be read");
        }
        text = file;
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    if (edda_curve_is_key(text, size)) {
        memcpy(ret_broker->public_key, text, size);
        ret_broker->public_key[size] = '\0';
        return 0;
    }
    if (edda_certificate_parse(text, size, ret_broker) != 0) {
        return explain(message, message_size, EDDA_E_INVALID, "the file holds no public key");
    }
    return 0;
}

int edda_curve_trust(edda_curve_t *self, const char *key_or_path, char *message,
                     size_t message_size) {
    char file[EDDA_CERTIFICATE_SIZE + 1];
    struct edda_certificate broker = {.public_key = ""};
    if (self->broker_count == EDDA_CURVE_MAX_BROKERS) {
        return explain(message, message_size, EDDA_E_LIMIT, "too many keys");
    }
    int error = read_public(key_or_path, file, &broker, message, message_size);
    if (!error) {
        memcpy(self->brokers[self->broker_count++], broker.public_key, EDDA_CURVE_KEY_TEXT);
    }
    sodium_memzero(file, sizeof file); /* it may have been the secret half */
    sodium_memzero(&broker, sizeof broker);
    return error;
}

size_t edda_curve_trusted(const edda_curve_t *self) {
    return self->broker_count;
}

static bool set_text(void *socket, int option, const char *text) {
    return zmq_setsockopt(socket, option, text, strlen(text)) == 0;
}

int edda_curve_serve(const edda_curve_t *self, void *socket) {
    int one = 1;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one) != 0 ||
        !set_text(socket, ZMQ_CURVE_SECRETKEY, self->own.secret_key) ||
        !set_text(socket, ZMQ_ZAP_DOMAIN, EDDA_CURVE_DOMAIN)) {
        return EDDA_E_UNAVAILABLE;
    }
    (void)zmq_setsockopt(socket, ZAP_ENFORCE_DOMAIN, &one, sizeof one);
    return 0;
}

int edda_curve_join(const edda_curve_t *self, size_t broker, void *socket) {
    size_t index = self->broker_count == 1 ? 0 : broker;
    if (index >= self->broker_count) {
        return EDDA_E_INVALID;
    }
    return set_text(socket, ZMQ_CURVE_SERVERKEY, self->brokers[index]) &&
                   set_text(socket, ZMQ_CURVE_PUBLICKEY, self->own.public_key) &&
                   set_text(socket, ZMQ_CURVE_SECRETKEY, self->own.secret_key)
               ? 0
               : EDDA_E_UNAVAILABLE;
}
