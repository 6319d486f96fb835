/* actors/store/service.c: messages to requests, answers to messages, and the store's own rhythm. */
#include "actors/store/service.h"

#include <stdlib.h>

#include "actors/runtime/log.h"
#include "actors/runtime/metric.h"
#include "proto/fault_point.h"
#include "proto/op.h"

#define RETRY_AFTER_MS 1000
#define SWEEP_AGAIN_MS 50

struct edda_store_service {
    edda_loop_t *loop;
    edda_backend_t *backend;
    int64_t began_ms;
    int64_t good_ms; /* when a probe last succeeded; 0 never */
    bool was_good;
    bool probing;
    int64_t emptied_ms; /* since when the database has no tables; 0: it has */
    int error;
    size_t open; /* own operations in the backend */
    bool stopped;
    struct edda_timer probe;
    struct edda_timer sweep;
    struct edda_timer gauges;
};

/* A job at the backend; lives in the job's arena. */
struct served {
    edda_store_service_t *service;
    edda_job_t *job;
    enum edda_backend_operation operation;
    const struct edda_op *op;
};

static const struct mapping {
    const char *op;
    enum edda_backend_operation operation;
} mappings[] = {
    {"store.accept", EDDA_BACKEND_ACCEPT},
    {"store.put_part", EDDA_BACKEND_PUT_PART},
    {"store.patch", EDDA_BACKEND_PATCH},
    {"store.get", EDDA_BACKEND_GET},
    {"store.status", EDDA_BACKEND_STATUS},
    {"store.list", EDDA_BACKEND_LIST},
    {"store.delete", EDDA_BACKEND_DELETE},
    {"store.search", EDDA_BACKEND_SEARCH},
    {"store.words", EDDA_BACKEND_WORDS},
    {"store.put_chunks", EDDA_BACKEND_PUT_CHUNKS},
    {"store.reuse", EDDA_BACKEND_REUSE},
    {"store.part_chunks", EDDA_BACKEND_PART_CHUNKS},
    {"store.put_vectors", EDDA_BACKEND_PUT_VECTORS},
    {"store.reembed", EDDA_BACKEND_REEMBED},
    {"store.chat_save", EDDA_BACKEND_CHAT_SAVE},
    {"store.chat_get", EDDA_BACKEND_CHAT_GET},
    {"store.chat_list", EDDA_BACKEND_CHAT_LIST},
    {"store.key_create", EDDA_BACKEND_KEY_CREATE},
    {"store.key_list", EDDA_BACKEND_KEY_LIST},
    {"store.key_revoke", EDDA_BACKEND_KEY_REVOKE},
    {"store.key_check", EDDA_BACKEND_KEY_CHECK},
    {"store.jobs", EDDA_BACKEND_JOBS},
    {"store.redrive", EDDA_BACKEND_REDRIVE},
    {"store.statistics", EDDA_BACKEND_STATISTICS},
};

#define MAPPINGS (sizeof(mappings) / sizeof(mappings[0]))

/* ---- jobs ---- */

static enum edda_blame blame_of(int error) {
    switch (error) {
    case EDDA_E_IO:
    case EDDA_E_MEMORY:
    case EDDA_E_BUSY:
    case EDDA_E_EXPIRED:
        return EDDA_BLAME_OUTSIDE;
    default:
        return EDDA_BLAME_JOB;
    }
}

static void fail(edda_job_t *job, int error, const char *text) {
    enum edda_blame blame = blame_of(error);
    edda_job_fail(&job, error, blame, blame == EDDA_BLAME_OUTSIDE ? RETRY_AFTER_MS : 0, text);
}

/* The guard that nobody sees at work otherwise: who slept past its lease worked in vain. */
static void note_stale(const struct edda_store_stored *stored, edda_job_t *job) {
    if (stored->stale) {
        edda_metric_add(EDDA_METRIC_STORE_STALE, NULL, 1);
        edda_log(EDDA_LOG_INFO, "commit_stale", "token=%llu",
                 (unsigned long long)edda_job_envelope(job)->fence);
    }
}

static void count(enum edda_backend_operation operation, const void *record, edda_job_t *job) {
    if (operation == EDDA_BACKEND_ACCEPT) {
        const struct edda_store_accepted *accepted = record;
        if (!accepted->replayed) {
            edda_metric_add(EDDA_METRIC_STORE_MEMOS, "accepted", 1);
        }
    } else if (operation == EDDA_BACKEND_PUT_CHUNKS) {
        const struct edda_store_stored *stored = record;
        if (stored->complete) {
            edda_metric_add(EDDA_METRIC_STORE_MEMOS, "completed", 1);
        }
        note_stale(stored, job);
    } else if (operation == EDDA_BACKEND_PUT_VECTORS) {
        note_stale(record, job);
    } else if (operation == EDDA_BACKEND_DELETE) {
        edda_metric_add(EDDA_METRIC_STORE_MEMOS, "deleted", 1);
    }
}

static void on_served(void *context, const struct edda_backend_answer *answer) {
    struct served *served = context;
    edda_job_t *job = served->job;
    if (answer->error) {
        fail(job, answer->error, answer->text);
        return;
    }
    EDDA_FAULT_POINT("%s.after_commit", served->op->name);
    count(served->operation, answer->record, job);
    edda_job_finish(&job, served->op->output, answer->record);
}

/* The body of a type, decoded into the job's arena; NULL in *ret_record when the op has none. */
static int decode(edda_job_t *job, uint16_t type, bool input, void **ret_record) {
    const struct edda_schema *schema = edda_body_schema(type);
    *ret_record = NULL;
    if (type == EDDA_BODY_NONE || type == EDDA_BODY_EMPTY || !schema) {
        return 0;
    }
    void *record = edda_arena_take(edda_job_arena(job), schema->size);
    if (!record) {
        return EDDA_E_MEMORY;
    }
    *ret_record = record;
    return input ? edda_job_input(job, type, record) : edda_job_arguments(job, type, record);
}

static const struct mapping *find_mapping(struct edda_text op) {
    for (size_t i = 0; i < MAPPINGS; i++) {
        if (edda_text_is(op, mappings[i].op)) {
            return &mappings[i];
        }
    }
    return NULL;
}

static void serve(void *stage, edda_job_t *job) {
    edda_store_service_t *self = stage;
    const struct edda_envelope *envelope = edda_job_envelope(job);
    const struct mapping *mapping = find_mapping(envelope->op);
    EDDA_ASSERT(mapping);
    struct served *served = edda_arena_take(edda_job_arena(job), sizeof(*served));
    void *arguments = NULL;
    void *input = NULL;
    if (!served) {
        fail(job, EDDA_E_MEMORY, NULL);
        return;
    }
    *served = (struct served){self, job, mapping->operation, edda_op_find(envelope->op)};
    int error = decode(job, served->op->arguments, false, &arguments);
    if (!error) {
        error = decode(job, served->op->input, true, &input);
    }
    if (!error) {
        struct edda_backend_request request = {
            .operation = mapping->operation,
            .project = envelope->project.size ? envelope->project : (struct edda_text){NULL, 0},
            .fence = envelope->fence,
            .deadline_ms = edda_job_deadline_ms(job),
            .arguments = arguments,
            .input = input,
            .done = on_served,
            .context = served,
        };
        error = edda_backend_submit(self->backend, &request);
    }
    if (error) {
        fail(job, error, NULL);
    }
}

static void serve_ping(void *stage, edda_job_t *job) {
    const edda_store_service_t *self = stage;
    int64_t now_ms = edda_loop_now(self->loop);
    struct edda_store_pong pong = {
        .database = self->good_ms && now_ms - self->good_ms <= EDDA_PROBE_GOOD_MS,
        .backend = edda_text_of(self->backend->interface->name),
        .uptime_ms = (uint64_t)(now_ms - self->began_ms),
    };
    edda_job_finish(&job, EDDA_BODY_STORE_PONG, &pong);
}

const struct edda_operation *edda_store_service_operations(size_t *ret_count) {
    static struct edda_operation operations[MAPPINGS + 1];
    for (size_t i = 0; i < MAPPINGS; i++) {
        operations[i] = (struct edda_operation){mappings[i].op, serve};
    }
    operations[MAPPINGS] = (struct edda_operation){"store.ping", serve_ping};
    *ret_count = MAPPINGS + 1;
    return operations;
}

/* ---- the rhythm ---- */

static bool ask(edda_store_service_t *self, enum edda_backend_operation operation,
                edda_backend_done_fn done) {
    struct edda_backend_request request = {.operation = operation, .done = done, .context = self};
    bool taken = edda_backend_submit(self->backend, &request) == 0;
    self->open += taken;
    return taken;
}

static void again_in(edda_store_service_t *self, struct edda_timer *timer, int64_t wait_ms) {
    if (!self->stopped) {
        edda_loop_timer_set(self->loop, timer, edda_loop_now(self->loop) + wait_ms);
    }
}

static void look_at_tables(edda_store_service_t *self, bool gone) {
    int64_t now_ms = edda_loop_now(self->loop);
    if (!gone) {
        self->emptied_ms = 0;
    } else if (self->emptied_ms == 0) {
        self->emptied_ms = now_ms;
        edda_log(EDDA_LOG_ERROR, "database_emptied",
                 "text=\"its tables are gone; those of a restore within %d s are used, else the "
                 "store ends, and its next start makes new ones\"",
                 EDDA_EMPTIED_MS / 1000);
    } else if (now_ms - self->emptied_ms >= EDDA_EMPTIED_MS && !self->error) {
        self->error = EDDA_E_UNAVAILABLE;
        edda_loop_drain(self->loop, 0);
    }
}

static void on_probed(void *context, const struct edda_backend_answer *answer) {
    edda_store_service_t *self = context;
    self->open--;
    self->probing = false;
    bool good = answer->error == 0;
    if (good) {
        self->good_ms = edda_loop_now(self->loop);
    }
    if (good != self->was_good) {
        edda_log(good ? EDDA_LOG_INFO : EDDA_LOG_ERROR, "database", "answers=%s error=%s",
                 good ? "yes" : "no", edda_error_name(answer->error));
    }
    self->was_good = good;
    look_at_tables(self, answer->error == EDDA_E_NOT_FOUND);
}

static void on_probe(void *context) {
    edda_store_service_t *self = context;
    again_in(self, &self->probe, EDDA_PROBE_MS);
    if (!self->probing) {
        self->probing = ask(self, EDDA_BACKEND_PROBE, on_probed);
    }
}

static void on_swept(void *context, const struct edda_backend_answer *answer) {
    edda_store_service_t *self = context;
    const struct edda_swept *swept = answer->record;
    self->open--;
    if (answer->error) {
        edda_log(EDDA_LOG_WARNING, "sweep_failed", "error=%s", edda_error_name(answer->error));
    }
    again_in(self, &self->sweep, !answer->error && swept->more ? SWEEP_AGAIN_MS : EDDA_SWEEP_MS);
}

static void on_sweep(void *context) {
    edda_store_service_t *self = context;
    if (!ask(self, EDDA_BACKEND_SWEEP, on_swept)) {
        again_in(self, &self->sweep, EDDA_SWEEP_MS);
    }
}

static void set(enum edda_metric metric, uint64_t value) {
    edda_cell_set(edda_metric_cell(metric, NULL), (int64_t)value);
}

static void on_gauged(void *context, const struct edda_backend_answer *answer) {
    edda_store_service_t *self = context;
    const struct edda_store_statistics *statistics = answer->record;
    self->open--;
    if (!answer->error) {
        set(EDDA_METRIC_STORE_JOBS_READY, statistics->jobs_ready);
        set(EDDA_METRIC_STORE_JOBS_LEASED, statistics->jobs_leased);
        set(EDDA_METRIC_STORE_JOBS_DEAD, statistics->jobs_dead);
        set(EDDA_METRIC_STORE_OLDEST_SECONDS, statistics->oldest_ready_ms / 1000);
    }
}

static void on_gauges(void *context) {
    edda_store_service_t *self = context;
    again_in(self, &self->gauges, EDDA_GAUGES_MS);
    (void)ask(self, EDDA_BACKEND_STATISTICS, on_gauged);
}

/* ---- life ---- */

edda_store_service_t *edda_store_service_new(edda_loop_t *loop, edda_backend_t *backend) {
    edda_store_service_t *self = calloc(1, sizeof(*self));
    if (!self) {
        return NULL;
    }
    self->loop = loop;
    self->backend = backend;
    self->began_ms = edda_loop_now(loop);
    self->was_good = true;
    self->probe = (struct edda_timer){.fire = on_probe, .context = self, .name = "store probe"};
    self->sweep = (struct edda_timer){.fire = on_sweep, .context = self, .name = "store sweep"};
    self->gauges = (struct edda_timer){.fire = on_gauges, .context = self, .name = "store gauges"};
    on_probe(self);
    on_gauges(self);
    again_in(self, &self->sweep, EDDA_SWEEP_MS);
    return self;
}

int edda_store_service_error(const edda_store_service_t *self) {
    return self->error;
}

void edda_store_service_stop(edda_store_service_t *self) {
    if (!self || self->stopped) {
        return;
    }
    self->stopped = true;
    edda_loop_timer_cancel(self->loop, &self->probe);
    edda_loop_timer_cancel(self->loop, &self->sweep);
    edda_loop_timer_cancel(self->loop, &self->gauges);
}

void edda_store_service_free(edda_store_service_t **self_p) {
    edda_store_service_t *self = *self_p;
    if (self) {
        EDDA_ASSERT(self->stopped && self->open == 0);
        free(self);
        *self_p = NULL;
    }
}
