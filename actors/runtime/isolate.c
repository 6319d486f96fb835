/* actors/runtime/isolate.c: children, each free, at one call, or on its way out: killed, and its
 * pidfd not heard yet. A call whose child goes ends when it is gone, because only then it is known
 * how. */
#include "actors/runtime/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/runtime/isolated.h"
#include "actors/runtime/log.h"

#define PLACES        (2 * EDDA_ISOLATE_CHILDREN) /* as many on their way out as at work */
#define MAX_ARGUMENTS 8
#define MAX_VARIABLES 16
#define VARIABLE      512
#define REASON        160

extern char **environ;

struct child {
    struct edda_isolate *isolate;
    pid_t pid; /* 0: there is none */
    int fd;    /* -1: closed, and it is on its way out */
    int pid_fd;
    edda_watch_t *watch;
    edda_watch_t *end_watch;
    uint32_t uses;

    edda_isolate_done_fn done; /* of the call; NULL: free */
    void *context;
    uint8_t *request; /* owned: head and bytes */
    size_t request_size;
    size_t written;
    struct edda_isolated_head head; /* of the answer */
    uint8_t *answer;                /* owned, there when the head is whole */
    size_t got;                     /* of head and answer together */
    int64_t end_ms;
    struct edda_timer look; /* at its memory and its time */
    int error;              /* why it was killed; 0: it went by itself */
    char reason[REASON];
};

struct edda_isolate {
    struct edda_isolate_options options;
    struct child children[PLACES];
    unsigned calls;
};

/* ---- the end of a call and of a child ---- */

static void finish(struct child *child, const struct edda_isolate_answer *answer) {
    edda_isolate_done_fn done = child->done;
    void *context = child->context;
    uint8_t *bytes = child->answer;
    edda_loop_timer_cancel(child->isolate->options.loop, &child->look);
    free(child->request);
    child->request = NULL;
    child->answer = NULL;
    child->done = NULL;
    child->isolate->calls--;
    done(context, answer);
    free(bytes);
}

/* Whatever it did by itself keeps its status: a signal to what is dead already changes nothing. */
static void send_away(struct child *child, int error, const char *reason) {
    edda_loop_t *loop = child->isolate->options.loop;
    child->error = error;
    (void)snprintf(child->reason, sizeof child->reason, "%s", reason);
    edda_loop_timer_cancel(loop, &child->look);
    edda_loop_unwatch(loop, &child->watch);
    close(child->fd);
    child->fd = -1;
    (void)kill(child->pid, SIGKILL);
}

static void say_how(struct child *child, int status) {
    const char *name = child->isolate->options.name;
    if (child->error) {
        return;
    }
    child->error = EDDA_E_FAILED;
    if (WIFSIGNALED(status)) {
        (void)snprintf(child->reason, sizeof child->reason, "%s died of signal %d (%s)", name,
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        (void)snprintf(child->reason, sizeof child->reason, "%s ended with status %d", name,
                       WEXITSTATUS(status));
    }
}

static void on_gone(void *context, uint32_t epoll_events) {
    struct child *child = context;
    int status = 0;
    (void)epoll_events;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid) {
        return;
    }
    if (child->fd >= 0) {
        send_away(child, 0, "");
    }
    edda_loop_unwatch(child->isolate->options.loop, &child->end_watch);
    close(child->pid_fd);
    child->pid = 0;
    if (child->done) {
        say_how(child, status);
        edda_log(EDDA_LOG_WARNING, "isolated_call_failed", "name=%s error=%s reason=\"%s\"",
                 child->isolate->options.name, edda_error_name(child->error), child->reason);
        finish(child,
               &(struct edda_isolate_answer){.error = child->error, .reason = child->reason});
    }
}

/* ---- a call's bytes ---- */

static void write_request(struct child *child) {
    while (child->written < child->request_size) {
        ssize_t now = send(child->fd, child->request + child->written,
                           child->request_size - child->written, MSG_NOSIGNAL);
        if (now < 0) {
            break; /* full; or it is gone, which its end says */
        }
        child->written += (size_t)now;
    }
    bool more = child->written < child->request_size;
    edda_loop_watch_change(child->isolate->options.loop, child->watch,
                           EPOLLIN | (more ? EPOLLOUT : 0));
}

static void take_answer(struct child *child) {
    const struct edda_isolate_options *options = &child->isolate->options;
    int error = child->head.error > 0 ? EDDA_E_FAILED : child->head.error; /* its word alone */
    struct edda_isolate_answer answer = {
        .error = error,
        .reason = error ? edda_error_text(error) : NULL,
        .bytes = {child->answer, child->head.size},
    };
    if (++child->uses >= options->uses) {
        send_away(child, 0, "");
    }
    finish(child, &answer);
}

/* Room for an answer whose head says what it will be. */
static bool take_head(struct child *child) {
    const struct edda_isolate_options *options = &child->isolate->options;
    if (child->head.size > options->answer_bytes) {
        char reason[REASON];
        (void)snprintf(reason, sizeof reason, "%s answered more than %zu bytes", options->name,
                       options->answer_bytes);
        send_away(child, EDDA_E_LIMIT, reason);
        return false;
    }
    child->answer = malloc(child->head.size + 1);
    if (!child->answer) {
        send_away(child, EDDA_E_MEMORY, edda_error_text(EDDA_E_MEMORY));
    }
    return child->answer;
}

/* 1: there was something; 0: nothing now; -1: it has closed. */
static int read_some(struct child *child) {
    size_t head_size = sizeof child->head;
    bool heading = child->got < head_size;
    char *place = heading ? (char *)&child->head + child->got
                          : (char *)child->answer + (child->got - head_size);
    size_t wanted = heading ? head_size - child->got : head_size + child->head.size - child->got;
    ssize_t now = recv(child->fd, place, wanted, 0);
    if (now > 0) {
        child->got += (size_t)now;
        return 1;
    }
    return now < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void on_bytes(void *context, uint32_t epoll_events) {
    struct child *child = context;
    if (!child->done) {
        send_away(child, 0, ""); /* nobody asked it anything */
        return;
    }
    if (epoll_events & EPOLLOUT) {
        write_request(child);
    }
    for (;;) {
        int some = read_some(child);
        if (some < 0) {
            send_away(child, 0, "");
            return;
        }
        if (some == 0) {
            return;
        }
        if (child->got >= sizeof child->head && !child->answer && !take_head(child)) {
            return;
        }
        if (child->answer && child->got == sizeof child->head + child->head.size) {
            take_answer(child);
            return;
        }
    }
}

/* ---- its memory and its time ---- */

static size_t resident_bytes(pid_t pid) {
    char path[64];
    char text[128] = "";
    unsigned long whole = 0;
    unsigned long resident = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got = read(fd, text, sizeof text - 1);
        close(fd);
        if (got > 0 && sscanf(text, "%lu %lu", &whole, &resident) != 2) {
            resident = 0;
        }
    }
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void on_look(void *context) {
    struct child *child = context;
    const struct edda_isolate_options *options = &child->isolate->options;
    int64_t now_ms = edda_loop_now(options->loop);
    char reason[REASON];
    if (now_ms >= child->end_ms) {
        (void)snprintf(reason, sizeof reason, "%s took more than %u ms", options->name,
                       options->run_ms);
        send_away(child, EDDA_E_TIMEOUT, reason);
    } else if (resident_bytes(child->pid) > options->memory_bytes) {
        (void)snprintf(reason, sizeof reason, "%s took more than %zu MiB of memory", options->name,
                       options->memory_bytes >> 20);
        send_away(child, EDDA_E_LIMIT, reason);
    } else {
        edda_loop_timer_set(options->loop, &child->look, now_ms + EDDA_ISOLATE_LOOK_MS);
    }
}

/* ---- a new child ---- */

struct start {
    char program[64];
    char *arguments[MAX_ARGUMENTS + 2];
    char texts[3][VARIABLE];
    char *variables[MAX_VARIABLES + 1];
};

/* Its limits, its parent, and what the sanitizers were told. */
static void set_variables(const struct edda_isolate_options *options, struct start *start) {
    size_t count = 3;
    (void)snprintf(start->texts[0], VARIABLE, "%s=%zu", EDDA_ISOLATED_MEMORY,
                   options->memory_bytes);
    (void)snprintf(start->texts[1], VARIABLE, "%s=%zu", EDDA_ISOLATED_ANSWER,
                   options->answer_bytes);
    (void)snprintf(start->texts[2], VARIABLE, "%s=%d", EDDA_ISOLATED_PARENT, (int)getpid());
    for (size_t i = 0; i < count; i++) {
        start->variables[i] = start->texts[i];
    }
    for (char **variable = environ; *variable && count < MAX_VARIABLES; variable++) {
        const char *end = strchr(*variable, '=');
        if (end && end - *variable > 11 && strncmp(end - 11, "SAN_OPTIONS", 11) == 0) {
            start->variables[count++] = *variable;
        }
    }
    start->variables[count] = NULL;
}

static int spawn_with(struct start *start, int fd, pid_t *ret_pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&files) != 0) {
        return -1;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return -1;
    }
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    error = error ? error : posix_spawn_file_actions_adddup2(&files, 0, 1);
    error = error ? error : posix_spawn_file_actions_adddup2(&files, fd, EDDA_ISOLATED_FD);
    error = error ? error : posix_spawn_file_actions_addclosefrom_np(&files, EDDA_ISOLATED_FD + 1);
    error = error ? error
                  : posix_spawn(ret_pid, start->program, &files, &attributes, start->arguments,
                                start->variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static int spawn_child(const struct edda_isolate_options *options, int fd, pid_t *ret_pid) {
    struct start start = {.program = "/proc/self/exe"};
    size_t count = 0;
    start.arguments[count++] = start.program;
    for (size_t i = 0; options->arguments[i] && count <= MAX_ARGUMENTS; i++) {
        start.arguments[count++] = (char *)(uintptr_t)options->arguments[i];
    }
    set_variables(options, &start);
    return spawn_with(&start, fd, ret_pid);
}

static int watch_child(struct child *child) {
    edda_loop_t *loop = child->isolate->options.loop;
    child->watch = edda_loop_watch(loop, child->fd, EPOLLIN, on_bytes, child, "isolate_bytes");
    child->end_watch = edda_loop_watch(loop, child->pid_fd, EPOLLIN, on_gone, child, "isolate_end");
    return child->watch && child->end_watch ? 0 : EDDA_E_MEMORY;
}

/* Without a trace of a child that could not be had. */
static void undo(struct child *child) {
    edda_loop_t *loop = child->isolate->options.loop;
    edda_loop_unwatch(loop, &child->watch);
    edda_loop_unwatch(loop, &child->end_watch);
    if (child->fd >= 0) {
        close(child->fd);
        child->fd = -1;
    }
    if (child->pid > 0) {
        (void)kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        close(child->pid_fd);
        child->pid = 0;
    }
}

static int make_child(struct child *child) {
    const struct edda_isolate_options *options = &child->isolate->options;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return EDDA_E_MEMORY;
    }
    child->fd = ends[0];
    child->uses = 0;
    int error = fcntl(ends[0], F_SETFL, O_NONBLOCK);
    error = error ? error : spawn_child(options, ends[1], &child->pid);
    close(ends[1]);
    if (error) {
        child->pid = 0;
    } else {
        child->pid_fd = pidfd_open(child->pid, 0);
        error = child->pid_fd < 0 ? EDDA_E_MEMORY : watch_child(child);
    }
    if (error) {
        edda_log(EDDA_LOG_ERROR, "isolated_not_started", "name=%s errno=%d", options->name, errno);
        undo(child);
        return EDDA_E_MEMORY;
    }
    return 0;
}

/* ---- the door ---- */

edda_isolate_t *edda_isolate_new(const struct edda_isolate_options *options) {
    EDDA_ASSERT(options->children >= 1 && options->children <= EDDA_ISOLATE_CHILDREN);
    edda_isolate_t *self = calloc(1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->options = *options;
    for (size_t i = 0; i < PLACES; i++) {
        struct child *child = &self->children[i];
        child->isolate = self;
        child->fd = -1;
        child->look = (struct edda_timer){.fire = on_look, .context = child, .name = "isolate"};
    }
    return self;
}

void edda_isolate_destroy(edda_isolate_t **self_p) {
    edda_isolate_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        struct child *child = &self->children[i];
        if (child->pid == 0) {
            continue;
        }
        if (child->fd >= 0) {
            send_away(child, 0, "");
        }
        undo(child);
        if (child->done) {
            finish(child,
                   &(struct edda_isolate_answer){.error = EDDA_E_CANCELLED,
                                                 .reason = edda_error_text(EDDA_E_CANCELLED)});
        }
    }
    free(self);
}

/* One that is free, or an empty place. */
static struct child *find_child(edda_isolate_t *self) {
    struct child *empty = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        struct child *child = &self->children[i];
        if (child->pid > 0 && child->fd >= 0 && !child->done) {
            return child;
        }
        if (child->pid == 0 && !empty) {
            empty = child;
        }
    }
    return empty;
}

static int take_request(struct child *child, struct edda_bytes request) {
    struct edda_isolated_head head = {.size = (uint32_t)request.size};
    child->request = malloc(sizeof head + request.size);
    if (!child->request) {
        return EDDA_E_MEMORY;
    }
    memcpy(child->request, &head, sizeof head);
    if (request.size > 0) {
        memcpy(child->request + sizeof head, request.data, request.size);
    }
    child->request_size = sizeof head + request.size;
    child->written = 0;
    child->got = 0;
    child->error = 0;
    return 0;
}

int edda_isolate_run(edda_isolate_t *self, struct edda_bytes request, edda_isolate_done_fn done,
                     void *context) {
    const struct edda_isolate_options *options = &self->options;
    if (request.size > EDDA_ISOLATE_REQUEST) {
        return EDDA_E_LIMIT;
    }
    struct child *child = self->calls < options->children ? find_child(self) : NULL;
    if (!child) {
        return EDDA_E_BUSY;
    }
    int error = take_request(child, request);
    if (!error && child->pid == 0) {
        error = make_child(child);
    }
    if (error) {
        free(child->request);
        child->request = NULL;
        return error;
    }
    child->done = done;
    child->context = context;
    child->end_ms = edda_loop_now(options->loop) + options->run_ms;
    self->calls++;
    edda_loop_timer_set(options->loop, &child->look,
                        edda_loop_now(options->loop) + EDDA_ISOLATE_LOOK_MS);
    write_request(child);
    return 0;
}
