/* actors/store/postgres/reembed.c: queueing what lacks a model, and changing over.
 *
 * Invariants are those of sqlite/reembed.h: while a project has a next model, exactly those of its
 * current parts that lack it have an open job, and there is at least one. New vectors are rows of
 * chunk_vector beside the old ones; changing over is one update of project.model, and a sweep drops
 * the vectors that serve nobody. Whoever ends, queues or drops such jobs locks the project by a
 * statement of its own, and looks by a later one, which sees what others committed meanwhile. */
#include "actors/store/content.h"
#include "actors/store/postgres/store.h"

static const struct edda_store_reembed *wanted_of(const struct edda_pg_call *call) {
    return call->request.arguments;
}

static int on_counted(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_reembedded *counts = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    counts->chunks = (uint64_t)edda_pg_bigint(&row, 0);
    counts->missing = (uint64_t)edda_pg_bigint(&row, 1);
    return row.error;
}

static int on_counted_open(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_reembedded *counts = call->record;
    struct edda_pg_row row = edda_pg_row(result, 0);
    counts->open = (uint64_t)edda_pg_bigint(&row, 0);
    counts->dead = (uint64_t)edda_pg_bigint(&row, 1);
    counts->projects = (uint64_t)edda_pg_bigint(&row, 2);
    return row.error;
}

static int on_queued(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_reembedded *counts = call->record;
    counts->queued = edda_pg_changed(result);
    call->jobs_ready = counts->queued > 0;
    return 0;
}

/* A statement about the model and the project. */
static void say(struct edda_pg_call *call, unsigned statement, edda_pg_step_fn on_rows) {
    const struct edda_store_reembed *wanted = wanted_of(call);
    edda_pg_call_say(
        call, statement,
        VALUES(TEXT(wanted->model), BIGINT(wanted->dimension), TEXT(call->request.project)),
        on_rows);
}

static int on_look(struct edda_pg_call *call, edda_pg_result_t *none) {
    (void)none;
    say(call, EDDA_PGSQL_EMBED_COUNT, on_counted);
    say(call, EDDA_PGSQL_EMBED_COUNT_OPEN, on_counted_open);
    edda_pg_call_commit(call);
    return 0;
}

/* Jobs are locked before their project, as everywhere; those of another model that came between are
 * cancelled behind the lock. */
static int on_begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_reembed *wanted = wanted_of(call);
    struct edda_text project = call->request.project;
    (void)none;
    say(call, EDDA_PGSQL_EMBED_COUNT, on_counted);
    edda_pg_call_say(call, EDDA_PGSQL_MODEL_NEED,
                     VALUES(TEXT(wanted->model), BIGINT(wanted->dimension)), NULL);
    say(call, EDDA_PGSQL_EMBED_CANCEL, NULL);
    edda_pg_call_say(call, EDDA_PGSQL_PROJECTS_LOCK, VALUES(TEXT(project)), NULL);
    say(call, EDDA_PGSQL_EMBED_CANCEL, NULL);
    edda_pg_call_say(call, EDDA_PGSQL_EMBED_QUEUE,
                     VALUES(TEXT(wanted->model), BIGINT(wanted->dimension), TEXT(project),
                            BIGINT(EDDA_JOB_PRIORITY_EMBED)),
                     on_queued);
    say(call, EDDA_PGSQL_PROJECTS_NEXT, NULL);
    edda_pg_call_say(call, EDDA_PGSQL_PROJECTS_LOOK, VALUES(TEXT(project)), NULL);
    say(call, EDDA_PGSQL_EMBED_COUNT_OPEN, on_counted_open);
    edda_pg_call_commit(call);
    return 0;
}

int edda_postgres_reembed(struct edda_pg_call *call) {
    const struct edda_store_reembed *wanted = wanted_of(call);
    if (wanted->model.size == 0 || wanted->model.size > EDDA_MAX_NAME || wanted->dimension == 0 ||
        wanted->dimension > EDDA_MAX_DIMENSION) {
        return edda_pg_call_fail(call, EDDA_E_INVALID, "which model, of which dimension?");
    }
    return wanted->look ? edda_pg_call_read(call, on_look, NULL)
                        : edda_pg_call_begin(call, on_begin, NULL);
}
