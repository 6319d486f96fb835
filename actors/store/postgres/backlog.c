/* actors/store/postgres/backlog.c: counts of what waits, and who waits for them. */
#include "actors/store/postgres/backlog.h"

#include "actors/runtime/clock.h"
#include "actors/store/postgres/store.h"

void edda_pg_backlog_init(struct edda_postgres *store, int64_t all, int64_t project) {
    struct edda_pg_backlog *backlog = &store->backlog;
    backlog->all = all;
    backlog->project = project;
    backlog->every.store = store;
    for (size_t i = 0; i < EDDA_PG_BACKLOG_PROJECTS; i++) {
        backlog->projects[i].store = store;
    }
}

static struct edda_text project_of(const struct edda_pg_counted *counted) {
    return (struct edda_text){counted->project, counted->size};
}

static bool is_projects(const struct edda_pg_counted *counted, struct edda_text project) {
    return edda_text_equal(project_of(counted), project);
}

/* ---- counting ---- */

/* One that was admitted is counted by the database once it is committed, which is before it ends.
 */
static int64_t parts_open(const struct edda_pg_counted *counted) {
    const struct edda_postgres *store = counted->store;
    bool all = counted == &store->backlog.every;
    int64_t parts = 0;
    for (const struct edda_pg_call *call = store->calls; call; call = call->next) {
        if (all || is_projects(counted, call->request.project)) {
            parts += call->backlog.admitted;
        }
    }
    return parts;
}

static int decide(struct edda_pg_call *call, edda_pg_result_t *none);

static void on_counted(void *context, struct edda_pg_answer *answer) {
    struct edda_pg_counted *counted = context;
    struct edda_pg_call *call = counted->first;
    int error = answer->error;
    if (!error) {
        struct edda_pg_row row = edda_pg_row(answer->result, 0);
        int64_t parts = edda_pg_bigint(&row, 0);
        error = row.error;
        if (!error) {
            edda_pg_waiting_counted(&counted->waiting, parts, edda_clock_us());
        }
    }
    if (error) {
        edda_pg_waiting_failed(&counted->waiting);
    }
    counted->first = NULL;
    while (call) {
        struct edda_pg_call *next = call->next_waiting;
        edda_pg_call_wake(call, error);
        call = next;
    }
}

/* No further than matters. */
static int begin_count(struct edda_pg_counted *counted) {
    struct edda_postgres *store = counted->store;
    const struct edda_pg_backlog *backlog = &store->backlog;
    int64_t most = backlog->all > backlog->project ? backlog->all : backlog->project;
    if (!store->database) {
        return EDDA_E_DRAINING;
    }
    counted->query = (struct edda_pg_query){.done = on_counted, .context = counted};
    int error = counted == &backlog->every
                    ? edda_pg_run(store->database, &counted->query, EDDA_PGSQL_BACKLOG_ALL,
                                  VALUES(BIGINT(most)))
                    : edda_pg_run(store->database, &counted->query, EDDA_PGSQL_BACKLOG_PROJECT,
                                  VALUES(TEXT(project_of(counted)), BIGINT(backlog->project)));
    if (!error) {
        edda_pg_waiting_begin(&counted->waiting, parts_open(counted), edda_clock_us());
    }
    return error;
}

static int wait_for(struct edda_pg_call *call, struct edda_pg_counted *counted) {
    int error = counted->waiting.counting ? 0 : begin_count(counted);
    if (error) {
        return error;
    }
    if (!counted->first) {
        counted->end = &counted->first;
    }
    call->next_waiting = NULL;
    *counted->end = call;
    counted->end = &call->next_waiting;
    edda_pg_call_wait(call, decide);
    return 0;
}

/* ---- deciding ---- */

static struct edda_pg_counted *place_of(struct edda_pg_backlog *backlog, struct edda_text project) {
    return &backlog
                ->projects[edda_text_hash(project.data, project.size) % EDDA_PG_BACKLOG_PROJECTS];
}

/* Its place is its own now, unless another's count goes on there. */
static struct edda_pg_counted *need_place(struct edda_pg_backlog *backlog,
                                          struct edda_text project) {
    struct edda_pg_counted *counted = place_of(backlog, project);
    if (!is_projects(counted, project) && !counted->waiting.counting) {
        counted->waiting = (struct edda_pg_waiting){0};
        counted->size = project.size;
        memcpy(counted->project, project.data, project.size);
    }
    return counted;
}

static int admit(struct edda_pg_call *call) {
    struct edda_pg_backlog *backlog = &call->store->backlog;
    struct edda_text project = call->request.project;
    struct edda_pg_counted *counted = place_of(backlog, project);
    edda_pg_waiting_admit(&backlog->every.waiting, call->backlog.wanted);
    if (is_projects(counted, project)) {
        edda_pg_waiting_admit(&counted->waiting, call->backlog.wanted);
    }
    call->backlog.admitted = call->backlog.wanted;
    return call->backlog.then(call, NULL);
}

void edda_pg_backlog_withdraw(struct edda_pg_call *call) {
    struct edda_pg_backlog *backlog = &call->store->backlog;
    struct edda_text project = call->request.project;
    if (call->backlog.admitted > 0) {
        struct edda_pg_counted *counted = place_of(backlog, project);
        edda_pg_waiting_withdraw(&backlog->every.waiting, call->backlog.admitted);
        if (is_projects(counted, project)) {
            edda_pg_waiting_withdraw(&counted->waiting, call->backlog.admitted);
        }
        call->backlog.admitted = 0;
    }
}

static int refuse(struct edda_pg_call *call, int error) {
    call->backlog.refused = error;
    return call->backlog.then(call, NULL);
}

/* A project has no more than all have. */
static bool may_be_full(const struct edda_pg_backlog *backlog) {
    return backlog->project > 0 && backlog->every.waiting.parts >= backlog->project;
}

/* Of all there is a count, and this says whether it leaves room. */
static int decide_project(struct edda_pg_call *call, enum edda_pg_room room) {
    struct edda_pg_backlog *backlog = &call->store->backlog;
    struct edda_pg_counted *counted = need_place(backlog, call->request.project);
    bool mine = is_projects(counted, call->request.project);
    enum edda_pg_room own =
        mine ? edda_pg_waiting_room(&counted->waiting, backlog->project,
                                    call->backlog.waited_project, edda_clock_us())
             : EDDA_PG_UNSURE;
    if (own == EDDA_PG_UNSURE) {
        call->backlog.waited_project = mine;
        return wait_for(call, counted);
    }
    return own == EDDA_PG_FULL    ? refuse(call, EDDA_E_QUOTA)
           : room == EDDA_PG_FULL ? refuse(call, EDDA_E_BUSY)
                                  : admit(call);
}

static int decide(struct edda_pg_call *call, edda_pg_result_t *none) {
    struct edda_pg_backlog *backlog = &call->store->backlog;
    int64_t limit = backlog->all ? backlog->all : INT64_MAX;
    enum edda_pg_room room = edda_pg_waiting_room(&backlog->every.waiting, limit,
                                                  call->backlog.waited_all, edda_clock_us());
    (void)none;
    if (room == EDDA_PG_UNSURE) {
        call->backlog.waited_all = true;
        return wait_for(call, &backlog->every);
    }
    if (may_be_full(backlog)) {
        return decide_project(call, room);
    }
    return room == EDDA_PG_FULL ? refuse(call, EDDA_E_BUSY) : admit(call);
}

int edda_pg_backlog_ask(struct edda_pg_call *call, size_t parts, edda_pg_step_fn then) {
    const struct edda_pg_backlog *backlog = &call->store->backlog;
    call->backlog = (struct edda_pg_backlog_call){.wanted = (int64_t)parts, .then = then};
    return backlog->all || backlog->project ? decide(call, NULL) : then(call, NULL);
}

int edda_pg_backlog_refused(struct edda_pg_call *call) {
    int error = call->backlog.refused;
    return error == 0 ? 0
           : error == EDDA_E_QUOTA
               ? edda_pg_call_fail(call, error, "too much of this project is still being processed")
               : edda_pg_call_fail(call, error, "too much is still being processed");
}
