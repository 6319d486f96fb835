/* ops/processes.h: every part as a supervised child process over ipc: `edda up --processes`.
 *
 * The thin edge around supervise.h: forks and executes this same program once per part, reads
 * SIGCHLD and the readiness pipes, and carries out what the supervisor decides. It never makes a
 * ZeroMQ context itself (a context does not survive fork). Children are told to end when this
 * process dies, live in process groups of their own so that Ctrl-C reaches only the supervisor, and
 * share standard error. */
#ifndef EDDA_OPS_PROCESSES_H
#define EDDA_OPS_PROCESSES_H

#include "ops/options.h"

/* Environment variable with the number of the descriptor on which a child says that it serves. */
#define EDDA_READY_VARIABLE "READY_FD"

/* Runs until a signal drains it or a child is given up; gives the exit status. url: where the
 * broker listens and the others connect. */
int edda_processes_run(const struct edda_options *options, const char *url);

#endif
