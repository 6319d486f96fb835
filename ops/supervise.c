/* ops/supervise.c: see supervise.h. */
#include "ops/supervise.h"

#include <signal.h>
#include <string.h>

static void act(struct edda_supervise_actions *actions, enum edda_supervise_action_kind kind,
                size_t child) {
    EDDA_ASSERT(actions->count < sizeof actions->items / sizeof actions->items[0]);
    actions->items[actions->count++] = (struct edda_supervise_action){kind, child};
}

void edda_supervisor_init(struct edda_supervisor *supervisor, int64_t grace_ms, unsigned restarts) {
    EDDA_ASSERT(restarts >= 1 && restarts <= EDDA_SUPERVISE_RESTARTS_MAX);
    supervisor->count = 0; /* children are emptied when they are added: most never are */
    supervisor->grace_ms = grace_ms;
    supervisor->restarts = restarts;
    supervisor->up = false;
    supervisor->stopping = false;
    supervisor->result = 0;
}

size_t edda_supervisor_add(struct edda_supervisor *supervisor, unsigned phase) {
    EDDA_ASSERT(supervisor->count < EDDA_PARTS_MOST);
    struct edda_child *child = &supervisor->children[supervisor->count];
    memset(child, 0, sizeof *child);
    child->phase = phase;
    return supervisor->count++;
}

static bool runs(const struct edda_child *child) {
    return child->state == EDDA_CHILD_STARTING || child->state == EDDA_CHILD_SERVING ||
           child->state == EDDA_CHILD_STOPPING;
}

static bool phase_may_start(const struct edda_supervisor *supervisor, unsigned phase) {
    for (size_t i = 0; i < supervisor->count; i++) {
        if (supervisor->children[i].phase < phase && !supervisor->children[i].served)
            return false;
    }
    return true;
}

static void start_what_is_due(struct edda_supervisor *supervisor, int64_t now_ms,
                              struct edda_supervise_actions *actions) {
    for (size_t i = 0; i < supervisor->count; i++) {
        struct edda_child *child = &supervisor->children[i];
        if (child->state != EDDA_CHILD_WAITING || child->start_at_ms > now_ms ||
            !phase_may_start(supervisor, child->phase))
            continue;
        child->state = EDDA_CHILD_STARTING;
        act(actions, EDDA_SUPERVISE_START, i);
    }
}

/* Asks the highest phase that still runs to end, and kills what was asked too long ago. */
static void stop_what_is_due(struct edda_supervisor *supervisor, int64_t now_ms,
                             struct edda_supervise_actions *actions) {
    bool any = false;
    unsigned highest = 0;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct edda_child *child = &supervisor->children[i];
        if (child->state == EDDA_CHILD_WAITING)
            child->state = EDDA_CHILD_ENDED;
        if (!runs(child))
            continue;
        any = true;
        highest = child->phase > highest ? child->phase : highest;
    }
    for (size_t i = 0; i < supervisor->count; i++) {
        struct edda_child *child = &supervisor->children[i];
        if (!runs(child) || child->phase != highest)
            continue;
        if (child->state != EDDA_CHILD_STOPPING) {
            child->state = EDDA_CHILD_STOPPING;
            child->kill_at_ms = now_ms + supervisor->grace_ms;
            act(actions, EDDA_SUPERVISE_TERM, i);
        } else if (child->kill_at_ms <= now_ms) {
            child->kill_at_ms = INT64_MAX;
            supervisor->result = 1;
            act(actions, EDDA_SUPERVISE_KILL, i);
        }
    }
    if (!any)
        act(actions, EDDA_SUPERVISE_FINISH, 0);
}

static void kill_all(struct edda_supervisor *supervisor, struct edda_supervise_actions *actions) {
    for (size_t i = 0; i < supervisor->count; i++) {
        if (!runs(&supervisor->children[i]))
            continue;
        supervisor->children[i].state = EDDA_CHILD_STOPPING;
        supervisor->children[i].kill_at_ms = INT64_MAX;
        act(actions, EDDA_SUPERVISE_KILL, i);
    }
}

static bool too_many_exits(struct edda_child *child, unsigned restarts, int64_t now_ms) {
    unsigned slots = restarts + 1;
    child->exits_ms[child->exit_count % slots] = now_ms;
    child->exit_count++;
    if (child->exit_count < slots)
        return false;
    return now_ms - child->exits_ms[child->exit_count % slots] <= EDDA_SUPERVISE_WINDOW_MS;
}

static int64_t backoff_ms(unsigned failures, int64_t wait, int64_t most_ms) {
    for (unsigned i = 1; i < failures && wait < most_ms; i++)
        wait *= 2;
    return wait < most_ms ? wait : most_ms;
}

static void take_exit(struct edda_supervisor *supervisor, const struct edda_supervise_event *event,
                      int64_t now_ms, struct edda_supervise_actions *actions) {
    struct edda_child *child = &supervisor->children[event->child];
    if (!runs(child))
        return;
    if (supervisor->stopping) {
        bool asked = child->state == EDDA_CHILD_STOPPING;
        if (asked && !event->by_signal && event->status != 0)
            supervisor->result = 1;
        child->state = EDDA_CHILD_ENDED;
        return;
    }
    bool served = child->state == EDDA_CHILD_SERVING;
    bool served_long = served && now_ms - child->ready_at_ms >= EDDA_SUPERVISE_STABLE_MS;
    bool killed = event->by_signal && event->status == SIGKILL;
    child->failures = served_long || (served && killed) ? 1 : child->failures + 1;
    child->state = EDDA_CHILD_WAITING;
    child->restarts++;
    bool away = child->served && !event->by_signal && event->status == EDDA_SUPERVISE_AWAY;
    child->start_at_ms =
        now_ms + backoff_ms(child->failures,
                            killed ? EDDA_SUPERVISE_KILLED_MS : EDDA_SUPERVISE_BACKOFF_MIN_MS,
                            away ? EDDA_SUPERVISE_AWAY_MS : EDDA_SUPERVISE_BACKOFF_MAX_MS);
    if (away)
        return;
    bool never_came_up = !supervisor->up && !child->served && !event->by_signal;
    if (never_came_up || too_many_exits(child, supervisor->restarts, now_ms)) {
        supervisor->stopping = true;
        supervisor->result = 1;
        act(actions, EDDA_SUPERVISE_GIVE_UP, event->child);
    }
}

static void take_ready(struct edda_supervisor *supervisor, size_t index, int64_t now_ms,
                       struct edda_supervise_actions *actions) {
    struct edda_child *child = &supervisor->children[index];
    if (child->state != EDDA_CHILD_STARTING)
        return;
    child->state = EDDA_CHILD_SERVING;
    child->served = true;
    child->ready_at_ms = now_ms;
    if (supervisor->up)
        return;
    for (size_t i = 0; i < supervisor->count; i++) {
        if (!supervisor->children[i].served)
            return;
    }
    supervisor->up = true;
    act(actions, EDDA_SUPERVISE_UP, 0);
}

void edda_supervisor_step(struct edda_supervisor *supervisor,
                          const struct edda_supervise_event *event, int64_t now_ms,
                          struct edda_supervise_actions *ret_actions) {
    ret_actions->count = 0;
    switch (event->kind) {
    case EDDA_SUPERVISE_TICK:
        break;
    case EDDA_SUPERVISE_READY:
        take_ready(supervisor, event->child, now_ms, ret_actions);
        break;
    case EDDA_SUPERVISE_EXITED:
        take_exit(supervisor, event, now_ms, ret_actions);
        break;
    case EDDA_SUPERVISE_STOP:
        if (supervisor->stopping) {
            supervisor->result = 1;
            kill_all(supervisor, ret_actions);
        }
        supervisor->stopping = true;
        break;
    }
    if (supervisor->stopping)
        stop_what_is_due(supervisor, now_ms, ret_actions);
    else
        start_what_is_due(supervisor, now_ms, ret_actions);
}

int64_t edda_supervisor_next_ms(const struct edda_supervisor *supervisor) {
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct edda_child *child = &supervisor->children[i];
        int64_t at = INT64_MAX;
        if (child->state == EDDA_CHILD_WAITING && phase_may_start(supervisor, child->phase))
            at = child->start_at_ms;
        else if (child->state == EDDA_CHILD_STOPPING)
            at = child->kill_at_ms;
        next = at < next ? at : next;
    }
    return next;
}
