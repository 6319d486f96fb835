/* tests/fuzz/fuzz_isolate.c: whatever an isolated child says, each of its calls ends once, with an
 * answer of the promised size or with words.
 *
 * Children are only their end of the socket pair: what libc does to start and to end one is here.
 * The first bytes choose how many calls a child serves, and how long its sayings are; the rest is
 * what it says, in that many bytes for each call, and then it is gone. */
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/runtime/isolate.h"
#include "actors/runtime/isolated.h"
#include "actors/runtime/log.h"
#include "tests/fuzz/fuzz.h"

#define MOST_ANSWER 512
#define MOST_CALLS  4

static int child_fd = -1; /* the end that the child would have */
static int end_fd = -1;   /* readable when the child is gone */

/* ---- what the system does for isolate.c ---- */

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int new_fd) {
    (void)actions;
    if (new_fd == EDDA_ISOLATED_FD) {
        EDDA_ASSERT(child_fd < 0);
        child_fd = dup(fd);
    }
    return 0;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const *arguments,
                char *const *environment) {
    (void)path, (void)actions, (void)attributes, (void)arguments, (void)environment;
    *pid = getpid(); /* whose memory can be looked at */
    return 0;
}

int pidfd_open(pid_t pid, unsigned flags) {
    (void)pid, (void)flags;
    int fd = eventfd(0, EFD_CLOEXEC);
    end_fd = dup(fd);
    return fd;
}

static void leave(void) {
    static const uint64_t one = 1;
    EDDA_ASSERT(write(end_fd, &one, sizeof one) == sizeof one);
    (void)close(child_fd);
    (void)close(end_fd);
    child_fd = end_fd = -1;
}

int kill(pid_t pid, int signal_number) {
    EDDA_ASSERT(pid == getpid() && signal_number == SIGKILL);
    if (end_fd >= 0) {
        leave();
    }
    return 0;
}

pid_t waitpid(pid_t pid, int *status, int flags) {
    (void)flags;
    if (status) {
        *status = SIGKILL;
    }
    return pid;
}

/* ---- */

static edda_loop_t *loop;

struct call {
    size_t ended;
    int error;
};

static void take(void *context, const struct edda_isolate_answer *answer) {
    struct call *call = context;
    call->ended++;
    call->error = answer->error;
    EDDA_ASSERT(answer->error <= 0 && (answer->error == 0) == (answer->reason == NULL));
    EDDA_ASSERT(answer->error || answer->bytes.size <= MOST_ANSWER);
    EDDA_ASSERT(!answer->reason || answer->reason[0]);
    for (size_t i = 0; i < answer->bytes.size; i++) {
        EDDA_ASSERT(answer->bytes.data[i] <= UINT8_MAX); /* the sanitizer reads along */
    }
    edda_loop_stop(loop);
}

static void close_loop(void) {
    edda_loop_destroy(&loop);
}

/* Whether what is said is an answer, and nothing but it. */
static bool is_answer(struct edda_bytes said, struct edda_isolated_head *ret_head) {
    if (said.size < sizeof *ret_head) {
        return false;
    }
    memcpy(ret_head, said.data, sizeof *ret_head);
    return ret_head->size <= MOST_ANSWER && said.size - sizeof *ret_head == ret_head->size;
}

/* A child that says something else says nothing more after it. */
static void run_call(edda_isolate_t *isolate, struct edda_bytes said, bool fresh) {
    static const struct edda_bytes request = {(const uint8_t *)"?", 1};
    struct edda_isolated_head head;
    struct call call = {.ended = 0};
    bool good = is_answer(said, &head);
    EDDA_ASSERT(edda_isolate_run(isolate, request, take, &call) == 0);
    if (fresh) {
        EDDA_ASSERT(send(child_fd, said.data, said.size, MSG_NOSIGNAL) == (ssize_t)said.size);
    }
    if (fresh && !good) {
        (void)shutdown(child_fd, SHUT_WR);
    }
    EDDA_ASSERT(edda_loop_run(loop) == 0 && call.ended == 1);
    EDDA_ASSERT(!good || !fresh || (call.error == 0) == (head.error == 0));
    EDDA_ASSERT(said.size >= sizeof head || call.error != 0 || !fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const arguments[] = {"none", NULL};
    struct fuzz_input input = {data, data + size};
    if (!loop) {
        edda_log_setup(EDDA_LOG_ERROR, false);
        loop = edda_loop_new("fuzz");
        EDDA_ASSERT(loop && atexit(close_loop) == 0);
    }
    struct edda_isolate_options options = {.loop = loop,
                                           .name = "child",
                                           .arguments = arguments,
                                           .children = 1,
                                           .memory_bytes = SIZE_MAX,
                                           .run_ms = 600000,
                                           .uses = 1 + (uint32_t)fuzz_take(&input, 1) % MOST_CALLS,
                                           .answer_bytes = MOST_ANSWER};
    edda_isolate_t *isolate = edda_isolate_new(&options);
    EDDA_ASSERT(isolate);
    bool fresh = true; /* nothing was said that no call has heard */
    for (size_t i = 0; i < MOST_CALLS && !fuzz_is_over(&input); i++) {
        struct edda_isolated_head head;
        size_t most = (size_t)fuzz_take(&input, 2);
        struct edda_bytes said = {input.at, (size_t)(input.end - input.at)};
        said.size = said.size < most ? said.size : most;
        input.at += said.size;
        fresh = fresh || child_fd < 0;
        run_call(isolate, said, fresh);
        fresh = fresh && is_answer(said, &head);
    }
    edda_isolate_destroy(&isolate);
    EDDA_ASSERT(child_fd < 0 && end_fd < 0);
    return 0;
}
