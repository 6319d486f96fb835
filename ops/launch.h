/* ops/launch.h: parts of Edda as threads of this process, from start through readiness to drain.
 *
 * The launcher's thread is the only one that sees signals: they are blocked everywhere and read
 * from one signalfd. The first SIGTERM or SIGINT asks for a drain, the second for an end at once. A
 * part that does not end in its time makes the process abort with the part's name: a hung thread
 * holds locks and sockets that nobody can take from it. */
#ifndef EDDA_OPS_LAUNCH_H
#define EDDA_OPS_LAUNCH_H

#include "ops/parts.h"

#define EDDA_SIGNAL_REPEAT_MS 500

typedef struct edda_launch edda_launch_t;

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT in this thread and all later ones, ignores SIGPIPE,
 * and gives the descriptor they are read from; -1 when the kernel has none. Before any other
 * thread. */
int edda_signals_open(void);

/* The number of the signal that came to end the process, which is taken; 0: none. One that comes
 * too soon after the last that was taken is taken for the same. The launcher's thread only. */
int edda_signals_take(int signal_fd);

/* Raises the limit of open files to what the system allows, schedules the process by SCHED_BATCH
 * (sched(7)) where it has no policy of its own, and makes the allocator and the threads' stacks fit
 * for a small idle process. Before any other thread. */
void edda_process_tune(void);

/* The one ZeroMQ context of a process, made after the last fork; NULL when out of memory. The
 * second waits for the sockets' linger. */
void *edda_context_new(void);
void edda_context_destroy(void **context_p);

/* config is borrowed. signal_fd may be -1. */
edda_launch_t *edda_launch_new(const edda_config_t *config, void *zmq_context, int signal_fd);

/* Every part must have ended (edda_launch_drain). */
void edda_launch_destroy(edda_launch_t **self_p);

/* Who the parts started from now on are over tcp (borrowed); NULL, as at first: plain. */
void edda_launch_identify(edda_launch_t *self, const edda_curve_t *curve);

/* Starts one part; the URLs are copied. EDDA_E_LIMIT, EDDA_E_MEMORY. */
int edda_launch_start(edda_launch_t *self, const struct edda_part_kind *kind,
                      const char *const *connect, size_t connect_count, const char *const *listen,
                      size_t listen_count) EDDA_MUST_CHECK;

/* Waits until every started part serves. EDDA_E_CANCELLED: a signal came first. EDDA_E_FAILED: a
 * part ended; *ret_name says which. */
int edda_launch_wait_ready(edda_launch_t *self, const char **ret_name) EDDA_MUST_CHECK;

/* What the main of an ended part of this name returned; 0 while none has ended. */
int edda_launch_result(const edda_launch_t *self, const char *name);

/* Waits for a signal (0) or a part's end (EDDA_E_FAILED, *ret_name says which). */
int edda_launch_wait(edda_launch_t *self, const char **ret_name) EDDA_MUST_CHECK;

/* Ends all parts, the highest phase first, each phase within limit_ms. EDDA_E_FAILED: some part's
 * main returned an error or was cut short. Aborts when a part does not end at all. */
int edda_launch_drain(edda_launch_t *self, int64_t limit_ms) EDDA_MUST_CHECK;

/* The exit status of a process whose parts were drained: status, or 128 and the number of the
 * signal that cut the drain off, as a shell has it of a process that a signal ended; says so, too.
 */
int edda_launch_status(const edda_launch_t *self, int status);
void edda_say_cut(void);

/* What a part said of itself when it became ready ("http://127.0.0.1:7700"); "" before. */
const char *edda_launch_detail(edda_launch_t *self, const char *name);

#endif
