/* ops/supervise.h: which child process is started, ended or given up, as step(state, event, now).
 *
 *   WAITING --(its phase may start, back-off over)--> STARTING --READY--> SERVING
 *   STARTING, SERVING --EXITED--> WAITING   restart after min(100 ms * 2^(n-1), 5 s), n in a row;
 *                                           from 10 ms on after a SIGKILL, which is not its own
 *                                           fault, and n is 1 again when it served until then
 *   any --STOP--> STOPPING (asked in reverse order of phases) --EXITED--> ENDED
 *
 * Phases come up in order: a child starts when all children of lower phases have served once; after
 * that every child restarts on its own. They go down in reverse, the next phase when the one above
 * has ended. A child that exits by itself with an error before the whole has served once, or that
 * exits more than `restarts` times within EDDA_SUPERVISE_WINDOW_MS, ends everything: a supervisor
 * that hides a fault for ever is worse than none (Erlang/OTP's intensity). A SIGKILL is counted,
 * too: the kernel out of memory kills as a person does. Not counted is a child that has served and
 * ends with EDDA_SUPERVISE_AWAY: when its database, say, is away, ending all brings nothing back.
 *
 * Pure: no process, clock or signal in here. Times are monotonic ms given by the caller. */
#ifndef EDDA_OPS_SUPERVISE_H
#define EDDA_OPS_SUPERVISE_H

#include "ops/parts.h"
#include "proto/error.h"

#define EDDA_SUPERVISE_RESTARTS_MAX   1000
#define EDDA_SUPERVISE_WINDOW_MS      60000
#define EDDA_SUPERVISE_BACKOFF_MIN_MS 100
#define EDDA_SUPERVISE_BACKOFF_MAX_MS 5000
#define EDDA_SUPERVISE_KILLED_MS      10   /* the first pause after a SIGKILL */
#define EDDA_SUPERVISE_AWAY_MS        1000 /* the longest pause while what it stands on is away */
#define EDDA_SUPERVISE_STABLE_MS      10000 /* served this long: the next failure is the first again */
#define EDDA_SUPERVISE_AWAY           75    /* exit status: what the child stands on is away */

enum edda_child_state {
    EDDA_CHILD_WAITING,
    EDDA_CHILD_STARTING,
    EDDA_CHILD_SERVING,
    EDDA_CHILD_STOPPING,
    EDDA_CHILD_ENDED,
};

struct edda_child {
    unsigned phase;
    enum edda_child_state state;
    bool served;         /* has been ready at least once */
    int64_t start_at_ms; /* WAITING: not before */
    int64_t ready_at_ms;
    int64_t kill_at_ms;                                /* STOPPING: its patience ends */
    unsigned failures;                                 /* in a row */
    unsigned restarts;                                 /* all of them, for people */
    int64_t exits_ms[EDDA_SUPERVISE_RESTARTS_MAX + 1]; /* ring of the last exits */
    unsigned exit_count;
};

struct edda_supervisor {
    struct edda_child children[EDDA_PARTS_MOST];
    size_t count;
    int64_t grace_ms;  /* from TERM to KILL */
    unsigned restarts; /* of one child within the window, before everything ends */
    bool up;           /* every child has served once */
    bool stopping;
    int result; /* exit status of the whole: 0, or 1 */
};

enum edda_supervise_event_kind {
    EDDA_SUPERVISE_TICK,
    EDDA_SUPERVISE_READY,  /* child */
    EDDA_SUPERVISE_EXITED, /* child, by_signal, status */
    EDDA_SUPERVISE_STOP,   /* drain everything; when it ends already: kill */
};

struct edda_supervise_event {
    enum edda_supervise_event_kind kind;
    size_t child;
    bool by_signal;
    int status; /* exit status, or the signal's number */
};

enum edda_supervise_action_kind {
    EDDA_SUPERVISE_START,   /* child */
    EDDA_SUPERVISE_TERM,    /* child */
    EDDA_SUPERVISE_KILL,    /* child */
    EDDA_SUPERVISE_UP,      /* all serve for the first time */
    EDDA_SUPERVISE_GIVE_UP, /* child: why everything ends now */
    EDDA_SUPERVISE_FINISH,  /* all have ended: exit with supervisor->result */
};

struct edda_supervise_action {
    enum edda_supervise_action_kind kind;
    size_t child;
};

struct edda_supervise_actions {
    struct edda_supervise_action items[2 * EDDA_PARTS_MOST + 4];
    size_t count;
};

/* restarts: 1..EDDA_SUPERVISE_RESTARTS_MAX. */
void edda_supervisor_init(struct edda_supervisor *supervisor, int64_t grace_ms, unsigned restarts);

/* Adds a child to a phase; phases begin at 0. Returns its index. Only before the first step. */
size_t edda_supervisor_add(struct edda_supervisor *supervisor, unsigned phase);

/* Takes one event and says what to do, in order. */
void edda_supervisor_step(struct edda_supervisor *supervisor,
                          const struct edda_supervise_event *event, int64_t now_ms,
                          struct edda_supervise_actions *ret_actions);

/* When the next TICK is due; INT64_MAX when only an event can change anything. */
int64_t edda_supervisor_next_ms(const struct edda_supervisor *supervisor);

#endif
