/* actors/runtime/isolated.c: one call after another, blocking: there is nothing else to do here. */
#include "actors/runtime/isolated.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/runtime/isolate.h"

static size_t number_of(const char *variable) {
    const char *text = getenv(variable);
    return text ? (size_t)strtoull(text, NULL, 10) : 0;
}

static void limit(int resource, rlim_t value) {
    (void)setrlimit(resource, &(struct rlimit){value, value});
}

static void give_up_what_is_not_needed(size_t memory_bytes) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NPROC, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    limit(RLIMIT_NOFILE, EDDA_ISOLATED_FD + 1);
    limit(RLIMIT_AS, memory_bytes);
#else /* sanitizers read files to say what is wrong, and reserve terabytes that they do not use */
    (void)memory_bytes;
#endif
}

/* 0: the parent is gone. */
static size_t read_whole(void *data, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t now = recv(EDDA_ISOLATED_FD, (char *)data + got, size - got, 0);
        if (now == 0 || (now < 0 && errno != EINTR)) {
            return 0;
        }
        got += now > 0 ? (size_t)now : 0;
    }
    return size;
}

static bool write_whole(const void *data, size_t size) {
    size_t written = 0;
    while (written < size) {
        ssize_t now =
            send(EDDA_ISOLATED_FD, (const char *)data + written, size - written, MSG_NOSIGNAL);
        if (now < 0 && errno != EINTR) {
            return false;
        }
        written += now > 0 ? (size_t)now : 0;
    }
    return true;
}

static bool answer(edda_isolated_fn function, struct edda_bytes request, size_t answer_bytes) {
    struct edda_buffer out;
    edda_buffer_init(&out, answer_bytes);
    int error = function(request, &out);
    error = error ? error : out.error;
    struct edda_isolated_head head = {.size = error ? 0 : (uint32_t)out.size, .error = error};
    bool written = write_whole(&head, sizeof head) && write_whole(out.data, head.size);
    edda_buffer_done(&out);
    return written;
}

int edda_isolated_serve(edda_isolated_fn function) {
    size_t memory_bytes = number_of(EDDA_ISOLATED_MEMORY);
    size_t answer_bytes = number_of(EDDA_ISOLATED_ANSWER);
    pid_t parent = (pid_t)number_of(EDDA_ISOLATED_PARENT);
    if (memory_bytes == 0 || answer_bytes == 0) {
        return 1;
    }
    give_up_what_is_not_needed(memory_bytes);
    if (getppid() != parent) {
        return 1; /* it died before this process could ask to end with it */
    }
    struct edda_isolated_head head;
    while (read_whole(&head, sizeof head) > 0) {
        size_t size = head.size;
        if (size > EDDA_ISOLATE_REQUEST) {
            return 1;
        }
        uint8_t *request = malloc(size + 1);
        bool whole = request && (size == 0 || read_whole(request, size) > 0) &&
                     answer(function, (struct edda_bytes){request, size}, answer_bytes);
        free(request);
        if (!whole) {
            return 1;
        }
    }
    return 0;
}
