/* actors/store/sqlite/reembed.c: queueing what lacks a model, changing over, settling. */
#include "actors/store/sqlite/reembed.h"

#include "actors/store/rows.h"
#include "actors/store/sqlite/part_vectors.h"
#include "actors/store/sqlite/versions.h"

#define SLICE_CHUNKS  500  /* settled by a sweep before it stops */
#define SLICE_PARTS   64   /* looked at by a sweep */
#define SLICE_MEMOS   1000 /* passed over by a sweep */
#define MOST_PROJECTS 65536

int edda_reembed_models(struct edda_turn *turn, int64_t project,
                        struct edda_project_models *ret_models) {
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(turn->database, EDDA_SQL_PROJECT_MODELS, VALUES(INTEGER(project)), &row);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_INTERNAL;
    }
    *ret_models = (struct edda_project_models){.serving = sqlite3_column_int64(row, 0),
                                               .next = sqlite3_column_int64(row, 1),
                                               .chunks = sqlite3_column_int64(row, 2)};
    edda_query_end(row);
    return 0;
}

/* ---- changing over ---- */

static int is_open(struct edda_turn *turn, int64_t project, bool *ret_open) {
    int64_t open = 0;
    int error =
        edda_query_integer(turn->database, EDDA_SQL_EMBED_OPEN, VALUES(INTEGER(project)), 0, &open);
    *ret_open = open != 0;
    return error;
}

static int change_over(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project) {
    int error = edda_query_run(turn->database, EDDA_SQL_PROJECT_CHANGE_OVER,
                               VALUES(INTEGER(project)), NULL);
    return error ? error : edda_call_reload(call, (uint64_t)project);
}

int edda_reembed_look(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                      bool *ret_changed) {
    struct edda_project_models models;
    bool open = false;
    int error = edda_reembed_models(turn, project, &models);
    if (!error && models.next) {
        error = is_open(turn, project, &open);
    }
    bool changes = !error && models.next && !open;
    if (changes) {
        error = change_over(turn, call, project);
    }
    if (ret_changed) {
        *ret_changed = changes;
    }
    return error;
}

int edda_reembed_show(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t job) {
    int64_t project = 0;
    int error =
        edda_query_integer(turn->database, EDDA_SQL_EMBED_SHOWN, VALUES(INTEGER(job)), 0, &project);
    return error || !project ? error : edda_call_reload(call, (uint64_t)project);
}

/* ---- a version became current ---- */

static int serve_first(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                       int64_t version) {
    int64_t model = 0;
    int error = edda_query_integer(turn->database, EDDA_SQL_PROJECT_SERVE_FIRST,
                                   VALUES(INTEGER(project), INTEGER(edda_row_part(version, 0)),
                                          INTEGER(edda_row_last_part(version))),
                                   0, &model);
    return error || !model ? error : edda_call_reload(call, (uint64_t)project);
}

static int queue_version(struct edda_turn *turn, int64_t project, int64_t model, int64_t version) {
    int64_t queued = 0;
    int error =
        edda_query_run(turn->database, EDDA_SQL_EMBED_QUEUE_VERSION,
                       VALUES(INTEGER(project), INTEGER(model), INTEGER(EDDA_JOB_PRIORITY_EMBED),
                              INTEGER(turn->now_ms), INTEGER(edda_row_part(version, 0)),
                              INTEGER(edda_row_last_part(version))),
                       &queued);
    turn->jobs_ready = turn->jobs_ready || queued > 0;
    return error;
}

int edda_reembed_version(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                         int64_t version, int64_t old) {
    struct edda_project_models models;
    int error = edda_reembed_models(turn, project, &models);
    if (!error && !models.serving) {
        error = serve_first(turn, call, project, version);
    }
    if (error || !models.next) {
        return error;
    }
    if (old) {
        error = edda_query_run(
            turn->database, EDDA_SQL_JOBS_DROP,
            VALUES(INTEGER(edda_row_part(old, 0)), INTEGER(edda_row_last_part(old))), NULL);
    }
    if (!error) {
        error = queue_version(turn, project, models.next, version);
    }
    return error ? error : edda_reembed_look(turn, call, project, NULL);
}

/* ---- store.reembed ---- */

/* What write needs of prepare: how many chunks there were is counted where nobody waits. */
static int count(edda_database_t *database, struct edda_sqlite_call *call) {
    const struct edda_store_reembed *wanted = call->request.arguments;
    struct edda_store_reembedded *counts = call->record;
    int64_t model = 0;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_integer(database, EDDA_SQL_MODEL_FIND,
                           VALUES(TEXT(wanted->model), INTEGER(wanted->dimension)), 0, &model);
    if (!found) {
        found = edda_query_one(database, EDDA_SQL_EMBED_COUNT,
                               VALUES(INTEGER(model), TEXT(call->request.project)), &row);
    }
    if (found == 1) {
        counts->chunks = (uint64_t)sqlite3_column_int64(row, 0);
        counts->missing = (uint64_t)sqlite3_column_int64(row, 1);
        edda_query_end(row);
        found = 0;
    }
    return found;
}

static int count_open(edda_database_t *database, struct edda_sqlite_call *call) {
    const struct edda_store_reembed *wanted = call->request.arguments;
    struct edda_store_reembedded *counts = call->record;
    int64_t model = 0;
    int64_t projects = 0;
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(database, EDDA_SQL_EMBED_JOBS, VALUES(TEXT(call->request.project)), &row);
    if (found == 1) {
        counts->open = (uint64_t)sqlite3_column_int64(row, 0);
        counts->dead = (uint64_t)sqlite3_column_int64(row, 1);
        edda_query_end(row);
        found =
            edda_query_integer(database, EDDA_SQL_MODEL_FIND,
                               VALUES(TEXT(wanted->model), INTEGER(wanted->dimension)), 0, &model);
    }
    if (!found) {
        found =
            edda_query_integer(database, EDDA_SQL_EMBED_PROJECTS,
                               VALUES(INTEGER(model), TEXT(call->request.project)), 0, &projects);
    }
    counts->projects = (uint64_t)projects;
    return found;
}

int edda_reembed_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_reembed *wanted = call->request.arguments;
    if (wanted->model.size == 0 || wanted->model.size > EDDA_MAX_NAME || wanted->dimension == 0 ||
        wanted->dimension > EDDA_MAX_DIMENSION) {
        return edda_sqlite_call_fail(call, EDDA_E_INVALID, "which model, of which dimension?");
    }
    int error = edda_database_begin_read(reader->database);
    if (error) {
        return error;
    }
    error = count(reader->database, call);
    if (!error && wanted->look) {
        error = count_open(reader->database, call);
    }
    int ended = edda_database_end_read(reader->database);
    return error ? error : ended;
}

/* Queues what lacks the model in one project; without anything to wait for it changes over now. */
static int begin(struct edda_turn *turn, struct edda_sqlite_call *call, int64_t project,
                 int64_t model) {
    struct edda_store_reembedded *counts = call->record;
    struct edda_project_models models;
    int64_t queued = 0;
    bool open = false;
    int error = edda_query_run(turn->database, EDDA_SQL_EMBED_CANCEL,
                               VALUES(INTEGER(project), INTEGER(model)), NULL);
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_EMBED_QUEUE,
                               VALUES(INTEGER(project), INTEGER(model),
                                      INTEGER(EDDA_JOB_PRIORITY_EMBED), INTEGER(turn->now_ms)),
                               &queued);
    }
    if (!error) {
        error = is_open(turn, project, &open);
    }
    if (!error) {
        error = edda_reembed_models(turn, project, &models);
    }
    if (error) {
        return error;
    }
    counts->queued += (uint64_t)queued;
    turn->jobs_ready = turn->jobs_ready || queued > 0;
    bool wanted = open || (models.chunks > 0 && models.serving != model);
    error = edda_query_run(turn->database, EDDA_SQL_PROJECT_NEXT,
                           VALUES(INTEGER(project), INTEGER_OR_NULL(wanted ? model : 0)), NULL);
    return error || open || !wanted ? error : change_over(turn, call, project);
}

int edda_reembed_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_reembed *wanted = call->request.arguments;
    int64_t model = 0;
    size_t project_count = 0;
    sqlite3_stmt *row = NULL;
    if (wanted->look) {
        return 0;
    }
    int64_t *projects = edda_arena_take(&call->arena, MOST_PROJECTS * sizeof(*projects));
    int found =
        projects ? edda_model_need(turn, wanted->model, wanted->dimension, &model) : EDDA_E_MEMORY;
    if (!found) {
        found = edda_query_begin(turn->database, EDDA_SQL_PROJECTS,
                                 VALUES(TEXT(call->request.project)), &row);
    }
    while (!found && (found = edda_query_next(turn->database, row)) == 1) {
        found = project_count == MOST_PROJECTS ? EDDA_E_LIMIT : 0;
        projects[project_count] = sqlite3_column_int64(row, 0);
        project_count += !found;
    }
    edda_query_end(row);
    for (size_t i = 0; i < project_count && !found; i++) {
        found = begin(turn, call, projects[i], model);
    }
    return found ? found : count_open(turn->database, call);
}

/* ---- settling ---- */

int edda_reembed_settle(struct edda_turn *turn, const struct edda_project_models *models,
                        int64_t part, int64_t part_next) {
    int64_t first = edda_row_chunk(part, 0);
    int64_t last = edda_row_chunk(part, EDDA_MAX_CHUNKS_PER_PART - 1);
    int error = 0;
    if (!part_next || part_next == models->next) {
        return 0;
    }
    bool counts = part_next == models->serving;
    if (counts) {
        error = edda_query_run(turn->database, EDDA_SQL_NEXT_MOVE,
                               VALUES(INTEGER(first), INTEGER(last)), NULL);
    }
    if (!error) {
        error = edda_query_run(
            turn->database, EDDA_SQL_NEXT_DROP,
            VALUES(INTEGER(first), INTEGER(last), INTEGER(EDDA_MAX_CHUNKS_PER_PART)), NULL);
    }
    if (error) {
        return error;
    }
    return counts
               ? edda_query_run(turn->database, EDDA_SQL_PART_SETTLED, VALUES(INTEGER(part)), NULL)
               : edda_query_run(turn->database, EDDA_SQL_PART_NEXT,
                                VALUES(INTEGER_OR_NULL(0), INTEGER(part)), NULL);
}

struct settling {
    int64_t project;
    struct edda_project_models models;
    int64_t after; /* memos up to it are settled */
    int64_t reach; /* memos up to it are looked at now; INT64_MAX: all that are left */
};

/* 1 with the project to be settled, 0, or an error. */
static int find_unsettled(struct edda_turn *turn, struct settling *settling) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(turn->database, EDDA_SQL_SETTLE_PROJECT, NO_VALUES, &row);
    if (found != 1) {
        return found;
    }
    settling->project = sqlite3_column_int64(row, 0);
    settling->models.serving = sqlite3_column_int64(row, 1);
    settling->models.next = sqlite3_column_int64(row, 2);
    settling->after = sqlite3_column_int64(row, 3);
    edda_query_end(row);
    int error = edda_query_integer(
        turn->database, EDDA_SQL_SETTLE_REACH,
        VALUES(INTEGER(settling->project), INTEGER(settling->after), INTEGER(SLICE_MEMOS - 1)),
        INT64_MAX, &settling->reach);
    return error ? error : 1;
}

struct unsettled_part {
    int64_t id;
    int64_t chunks;
    int64_t next;
};

static int gather_parts(struct edda_turn *turn, const struct settling *settling,
                        struct unsettled_part parts[SLICE_PARTS], size_t *ret_count) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_begin(
        turn->database, EDDA_SQL_SETTLE_PARTS,
        VALUES(INTEGER(settling->project), INTEGER(settling->after), INTEGER(settling->reach),
               INTEGER_OR_NULL(settling->models.next), INTEGER(SLICE_PARTS)),
        &row);
    *ret_count = 0;
    while (!found && (found = edda_query_next(turn->database, row)) == 1) {
        parts[(*ret_count)++] =
            (struct unsettled_part){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                                    sqlite3_column_int64(row, 2)};
        found = 0;
    }
    edda_query_end(row);
    return found;
}

int edda_reembed_sweep(struct edda_turn *turn, struct edda_swept *swept) {
    struct settling settling;
    struct unsettled_part parts[SLICE_PARTS];
    size_t count = 0;
    size_t done = 0;
    int64_t chunks = 0;
    int found = find_unsettled(turn, &settling);
    if (found != 1) {
        return found;
    }
    int error = gather_parts(turn, &settling, parts, &count);
    for (; done < count && chunks < SLICE_CHUNKS && !error; done++) {
        error = edda_reembed_settle(turn, &settling.models, parts[done].id, parts[done].next);
        chunks += parts[done].chunks;
    }
    swept->rows += (uint64_t)chunks;
    swept->more = true; /* at least the look that finds nothing more */
    if (error || done < count || count == SLICE_PARTS) {
        return error;
    }
    int64_t after = settling.reach == INT64_MAX ? 0 : settling.reach;
    return edda_query_run(turn->database, EDDA_SQL_SETTLED,
                          VALUES(INTEGER_OR_NULL(after), INTEGER(settling.project)), NULL);
}
