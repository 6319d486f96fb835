/* ops/endpoint.c: see endpoint.h. */
#include "ops/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LONGEST_SOCKET_PATH 107
#define SOCKET_NAME         "broker.sock"
#define BACK_SUFFIX         ".back"

/* mkdir -p with mode 0700 for what is made. */
static int make_directories(const char *path) {
    char partial[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof partial)
        return ENAMETOOLONG;
    memcpy(partial, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (partial[i] != '/' && partial[i] != '\0')
            continue;
        char kept = partial[i];
        partial[i] = '\0';
        if (mkdir(partial, 0700) != 0 && errno != EEXIST)
            return errno;
        partial[i] = kept;
    }
    struct stat status;
    if (stat(path, &status) != 0)
        return errno;
    return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

int edda_data_prepare(const char *data, char *message, size_t message_size) {
    char run[PATH_MAX];
    int problem = make_directories(data);
    const char *what = data;
    if (problem == 0) {
        int length = snprintf(run, sizeof run, "%s/run", data);
        what = run;
        problem = length < 0 || (size_t)length >= sizeof run ? ENAMETOOLONG : make_directories(run);
    }
    if (problem == 0 && access(data, R_OK | W_OK | X_OK) != 0) {
        what = data;
        problem = errno;
    }
    if (problem == 0)
        return 0;
    snprintf(message, message_size, "the data directory %s cannot be used: %s", what,
             strerror(problem));
    return EDDA_E_IO;
}

static const char *runtime_base(void) {
    const char *base = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    if (base && base[0] == '/' && strlen(base) < 48 && stat(base, &status) == 0 &&
        S_ISDIR(status.st_mode) && status.st_uid == geteuid())
        return base;
    return "/tmp";
}

/* Ours, a real directory, closed to others: /tmp is everybody's, so a name alone proves nothing. */
static int check_private(const char *directory, char *message, size_t message_size) {
    struct stat status;
    if (lstat(directory, &status) != 0) {
        snprintf(message, message_size, "%s: %s", directory, strerror(errno));
        return EDDA_E_IO;
    }
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
        snprintf(message, message_size,
                 "%s is not a directory that only you can use; remove it and start again",
                 directory);
        return EDDA_E_DENIED;
    }
    return 0;
}

static int use_short_place(const char *real, bool make, char ret_url[EDDA_MAX_URL], char *message,
                           size_t message_size) {
    unsigned char digest[crypto_hash_sha256_BYTES];
    char name[17];
    crypto_hash_sha256(digest, (const unsigned char *)real, strlen(real));
    sodium_bin2hex(name, sizeof name, digest, 8);
    char directory[96];
    snprintf(directory, sizeof directory, "%s/edda-%u-%s", runtime_base(), (unsigned)geteuid(),
             name);
    if (make) {
        if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
            snprintf(message, message_size, "%s cannot be made: %s", directory, strerror(errno));
            return EDDA_E_IO;
        }
        int error = check_private(directory, message, message_size);
        if (error != 0)
            return error;
    }
    snprintf(ret_url, EDDA_MAX_URL, "ipc://%s/" SOCKET_NAME, directory);
    return 0;
}

int edda_data_endpoint(const char *data, bool make, char ret_url[EDDA_MAX_URL], char *message,
                       size_t message_size) {
    char real[PATH_MAX];
    if (!realpath(data, real)) {
        snprintf(message, message_size, "there is no data directory %s (%s)", data,
                 strerror(errno));
        return EDDA_E_NOT_FOUND;
    }
    if (strlen(real) + sizeof "/run/" SOCKET_NAME BACK_SUFFIX - 1 > LONGEST_SOCKET_PATH)
        return use_short_place(real, make, ret_url, message, message_size);
    snprintf(ret_url, EDDA_MAX_URL, "ipc://%s/run/" SOCKET_NAME, real);
    return 0;
}

bool edda_endpoint_answers(const char *url) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strncmp(url, "ipc://", 6) != 0 || strlen(url + 6) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, url + 6, strlen(url + 6) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool answers = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return answers;
}
