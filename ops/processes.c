/* ops/processes.c: see processes.h. */
#include "ops/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "ops/command.h"
#include "ops/keys.h"
#include "ops/launch.h"
#include "ops/parts.h"
#include "ops/supervise.h"

_Static_assert(EDDA_EXIT_AWAY == EDDA_SUPERVISE_AWAY, "one number for what is away");

#define GRACE_EXTRA_MS 15000 /* beyond the drain limit: a child closes sockets and its database */

struct process {
    const struct edda_part_kind *kind;
    pid_t pid;    /* 0: does not run */
    int ready_fd; /* -1: closed */
    char detail[256];
    size_t detail_size;
};

struct processes {
    const struct edda_options *options;
    const char *url;
    int signal_fd;
    pid_t key_pid;
    int64_t signalled_ms; /* 0: not yet */
    int cut_by;           /* the second signal */
    struct edda_supervisor supervisor;
    struct process items[EDDA_PARTS_MOST];
    char http[256]; /* where the gateway listened first: a restarted one takes the same port */
    bool finished;
};

static bool uses_secret(const struct edda_part_kind *kind, enum edda_setting setting) {
    switch (setting) {
    case EDDA_CONFIG_API_KEY:
        return kind->phase == 3;
    case EDDA_CONFIG_CURVE_KEY:
        return kind->phase == 0; /* the others reach it over ipc */
    case EDDA_CONFIG_DATABASE:
        return kind->phase == 1;
    default:
        return kind->providers;
    }
}

/* A part is given the keys it uses and no others: what it does not have it cannot lose. */
static void withhold_secrets(const struct edda_part_kind *kind) {
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        const struct edda_setting_info *info = edda_setting_info((enum edda_setting)i);
        if (info->kind != EDDA_SETTING_SECRET || uses_secret(kind, (enum edda_setting)i))
            continue;
        char file[128];
        snprintf(file, sizeof file, "%s_FILE", info->variable);
        unsetenv(info->variable);
        unsetenv(file);
    }
}

/* Each shows its counters at a port of its own. One that is not a number is told by the child. */
static void pass_metrics(const struct processes *self, const struct process *process) {
    const char *address = edda_config_text(self->options->config, EDDA_CONFIG_METRICS);
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    char own[512];
    if (port < 1 || *end != '\0')
        return;
    snprintf(own, sizeof own, "%.*s:%ld", (int)(colon - address), address,
             port + (process - self->items));
    setenv("EDDA_METRICS", own, 1);
}

/* Flags become environment variables: a key on a command line could be read by every user. */
static void pass_settings(const struct processes *self, const struct process *process) {
    const struct edda_options *options = self->options;
    for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
        const struct edda_setting_info *info = edda_setting_info((enum edda_setting)i);
        if (!options->given[i])
            continue;
        if (info->kind == EDDA_SETTING_TEXT || info->kind == EDDA_SETTING_SECRET) {
            setenv(info->variable, edda_config_text(options->config, (enum edda_setting)i), 1);
        } else {
            char number[32];
            int64_t value = info->kind == EDDA_SETTING_SWITCH
                                ? edda_config_switch(options->config, (enum edda_setting)i)
                                : edda_config_number(options->config, (enum edda_setting)i);
            snprintf(number, sizeof number, "%lld", (long long)value);
            setenv(info->variable, number, 1);
        }
    }
    withhold_secrets(process->kind);
    if (process->kind->phase != 0)
        unsetenv("EDDA_AUTHORIZED");
    const char *listen = edda_config_text(options->config, EDDA_CONFIG_LISTEN);
    char urls[4096];
    snprintf(urls, sizeof urls, "%s%s%s", self->url, listen[0] ? "," : "", listen);
    setenv("EDDA_LISTEN", urls, 1);
    setenv("EDDA_CONNECT", self->url, 1);
    setenv("EDDA_PROCESSES", "0", 1);
    unsetenv("EDDA_WORKERS");
    if (process->kind->phase == 3 && self->http[0])
        setenv("EDDA_HTTP", self->http, 1);
    pass_metrics(self, process);
}

static void become_child(const struct processes *self, const struct process *process, int ready_fd,
                         pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EDDA_EXIT_FAILED);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    pass_settings(self, process);
    char number[16];
    snprintf(number, sizeof number, "%d", ready_fd);
    setenv(EDDA_READY_VARIABLE, number, 1);
    const char *arguments[] = {"edda", process->kind->name, NULL};
    execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
    fprintf(stderr, "edda: this program cannot be started again: %s\n", strerror(errno));
    _exit(127);
}

static void report_event(struct processes *self, struct edda_supervise_event event);

static void start_child(struct processes *self, size_t child) {
    struct process *process = &self->items[child];
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        report_event(self, (struct edda_supervise_event){EDDA_SUPERVISE_EXITED, child, true, 0});
        return;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        int ready_fd = dup(pipe_fds[1]); /* without FD_CLOEXEC */
        become_child(self, process, ready_fd, parent);
    }
    close(pipe_fds[1]);
    if (pid < 0) {
        edda_log(EDDA_LOG_ERROR, "fork_failed", "part=%s errno=%d", process->kind->name, errno);
        close(pipe_fds[0]);
        report_event(self, (struct edda_supervise_event){EDDA_SUPERVISE_EXITED, child, true, 0});
        return;
    }
    process->pid = pid;
    process->ready_fd = pipe_fds[0];
    process->detail_size = 0;
}

/* On a first start a key is made and printed. That needs a ZeroMQ context, so a child does it. */
static void make_first_key(struct processes *self) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    char message[EDDA_SESSION_MESSAGE] = "";
    edda_session_t *session = NULL;
    edda_config_t *config = self->options->config;
    const char *text = NULL;
    if (edda_key_is_given(config))
        _exit(EDDA_EXIT_OK);
    int error = edda_config_flag(config, "--connect", self->url, &text);
    if (error == 0)
        error = edda_session_open(config, EDDA_SESSION_FAILS, &session, message);
    if (error == 0)
        error = edda_key_first(session, message);
    if (error != 0)
        fprintf(stderr, "edda: no key could be made: %s\n", text ? text : message);
    edda_session_close(&session);
    _exit(error == 0 ? EDDA_EXIT_OK : EDDA_EXIT_FAILED);
}

/* All parts serve: the key first, so that whoever waits for the address has read it by then. */
static void come_up(struct processes *self) {
    fflush(stdout);
    self->key_pid = fork();
    if (self->key_pid == 0)
        make_first_key(self);
    if (self->key_pid < 0)
        edda_log(EDDA_LOG_ERROR, "fork_failed", "part=key errno=%d", errno);
}

static const char *detail_of(const struct processes *self, const char *name) {
    for (size_t i = 0; i < self->supervisor.count; i++) {
        if (strcmp(self->items[i].kind->name, name) == 0)
            return self->items[i].detail;
    }
    return "";
}

/* What `edda up` prints once everything serves. */
static void announce(struct processes *self) {
    for (size_t i = 0; i < self->supervisor.count; i++) {
        const struct process *process = &self->items[i];
        if (process->kind->phase != 3 || strncmp(process->detail, "http://", 7) != 0)
            continue;
        snprintf(self->http, sizeof self->http, "%s", process->detail + 7);
        printf("edda serves on %s\n", process->detail);
        printf("     data: %s, a process a part; Ctrl-C ends\n", detail_of(self, "store"));
    }
    fflush(stdout);
}

static void give_up_on(struct processes *self, size_t child) {
    const struct edda_child *state = &self->supervisor.children[child];
    const char *name = self->items[child].kind->name;
    if (state->served)
        fprintf(stderr,
                "edda: the %s ended %u times within %d s; what it said is above; ending all\n",
                name, self->supervisor.restarts + 1, EDDA_SUPERVISE_WINDOW_MS / 1000);
    else
        fprintf(stderr, "edda: the %s did not start; what it said is above\n", name);
}

static void carry_out(struct processes *self, const struct edda_supervise_action *action) {
    struct process *process = &self->items[action->child];
    switch (action->kind) {
    case EDDA_SUPERVISE_START:
        start_child(self, action->child);
        break;
    case EDDA_SUPERVISE_TERM:
        if (process->pid > 0)
            kill(process->pid, SIGTERM);
        break;
    case EDDA_SUPERVISE_KILL:
        if (process->pid > 0)
            kill(process->pid, SIGKILL);
        break;
    case EDDA_SUPERVISE_UP:
        come_up(self);
        break;
    case EDDA_SUPERVISE_GIVE_UP:
        give_up_on(self, action->child);
        break;
    case EDDA_SUPERVISE_FINISH:
        self->finished = true;
        break;
    }
}

static void report_event(struct processes *self, struct edda_supervise_event event) {
    struct edda_supervise_actions actions;
    edda_supervisor_step(&self->supervisor, &event, edda_clock_ms(), &actions);
    for (size_t i = 0; i < actions.count; i++)
        carry_out(self, &actions.items[i]);
}

static void take_ready(struct processes *self, size_t child) {
    struct process *process = &self->items[child];
    size_t room = sizeof process->detail - 1 - process->detail_size;
    ssize_t got = read(process->ready_fd, process->detail + process->detail_size, room);
    if (got > 0)
        process->detail_size += (size_t)got;
    process->detail[process->detail_size] = '\0';
    char *end = strchr(process->detail, '\n');
    if (got > 0 && !end && process->detail_size < sizeof process->detail - 1)
        return;
    close(process->ready_fd);
    process->ready_fd = -1;
    if (!end)
        return; /* it ended before it served; SIGCHLD says the rest */
    *end = '\0';
    report_event(self, (struct edda_supervise_event){EDDA_SUPERVISE_READY, child, false, 0});
}

static void take_exits(struct processes *self) {
    int status = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == self->key_pid)
            announce(self);
        for (size_t i = 0; i < self->supervisor.count; i++) {
            struct process *process = &self->items[i];
            if (process->pid != pid)
                continue;
            bool by_signal = WIFSIGNALED(status);
            int code = by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
            if (!self->supervisor.stopping)
                edda_log(EDDA_LOG_WARNING, "part_exited", "part=%s pid=%d %s=%d",
                         process->kind->name, (int)pid, by_signal ? "signal" : "status", code);
            process->pid = 0;
            if (process->ready_fd >= 0)
                close(process->ready_fd);
            process->ready_fd = -1;
            report_event(self,
                         (struct edda_supervise_event){EDDA_SUPERVISE_EXITED, i, by_signal, code});
        }
    }
}

static void take_signals(struct processes *self) {
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int64_t now_ms = edda_clock_ms();
        if (info.ssi_signo == SIGCHLD) {
            take_exits(self);
        } else if (self->signalled_ms == 0 ||
                   now_ms - self->signalled_ms >= EDDA_SIGNAL_REPEAT_MS) {
            self->cut_by = self->signalled_ms ? (int)info.ssi_signo : 0;
            self->signalled_ms = now_ms;
            report_event(self, (struct edda_supervise_event){EDDA_SUPERVISE_STOP, 0, false, 0});
        }
    }
}

static void run_turn(struct processes *self) {
    struct pollfd fds[EDDA_PARTS_MOST + 1];
    size_t children[EDDA_PARTS_MOST + 1];
    nfds_t count = 1;
    fds[0] = (struct pollfd){.fd = self->signal_fd, .events = POLLIN};
    for (size_t i = 0; i < self->supervisor.count; i++) {
        if (self->items[i].ready_fd < 0)
            continue;
        children[count] = i;
        fds[count++] = (struct pollfd){.fd = self->items[i].ready_fd, .events = POLLIN};
    }
    int64_t next_ms = edda_supervisor_next_ms(&self->supervisor);
    int64_t wait_ms = next_ms == INT64_MAX ? 60000 : next_ms - edda_clock_ms();
    wait_ms = wait_ms < 0 ? 0 : wait_ms > 60000 ? 60000 : wait_ms;
    if (poll(fds, count, (int)wait_ms) > 0) {
        for (nfds_t i = 1; i < count; i++) {
            if (fds[i].revents && self->items[children[i]].ready_fd == fds[i].fd)
                take_ready(self, children[i]);
        }
        if (fds[0].revents)
            take_signals(self);
    }
    report_event(self, (struct edda_supervise_event){EDDA_SUPERVISE_TICK, 0, false, 0});
}

static int add_children(struct processes *self) {
    size_t kinds = 0;
    const struct edda_part_kind *table = edda_part_kinds(&kinds);
    const char *workers = edda_config_text(self->options->config, EDDA_CONFIG_WORKERS);
    char message[256];
    for (size_t i = 0; i < kinds; i++) {
        unsigned count = 1;
        if (edda_workers_of(workers, table[i].name, &count, message, sizeof message) != 0) {
            fprintf(stderr, "edda up: %s\n", message);
            return EDDA_E_INVALID;
        }
        for (unsigned n = 0; n < count; n++) {
            size_t child = edda_supervisor_add(&self->supervisor, table[i].phase);
            self->items[child] = (struct process){.kind = &table[i], .ready_fd = -1};
        }
    }
    return 0;
}

int edda_processes_run(const struct edda_options *options, const char *url) {
    struct processes *self = calloc(1, sizeof *self);
    if (!self)
        return EDDA_EXIT_FAILED;
    self->options = options;
    self->url = url;
    int64_t drain_ms = edda_config_number(options->config, EDDA_CONFIG_DRAIN_MS);
    edda_supervisor_init(&self->supervisor, drain_ms + GRACE_EXTRA_MS,
                         (unsigned)edda_config_number(options->config, EDDA_CONFIG_RESTARTS));
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGQUIT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    self->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    int status = EDDA_EXIT_USAGE;
    if (self->signal_fd >= 0 && add_children(self) == 0) {
        report_event(self, (struct edda_supervise_event){EDDA_SUPERVISE_TICK, 0, false, 0});
        while (!self->finished)
            run_turn(self);
        status = self->cut_by ? 128 + self->cut_by : self->supervisor.result;
        if (self->cut_by)
            edda_say_cut();
    }
    if (self->signal_fd >= 0)
        close(self->signal_fd);
    free(self);
    return status;
}
