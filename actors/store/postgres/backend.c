/* actors/store/postgres/backend.c: the store's door: calls in, and the store's life. */
#include "actors/store/postgres/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/store/postgres/catalogue.h"
#include "actors/store/postgres/migrate.h"
#include "actors/store/postgres/store.h"

#define FINISH_MS 5000 /* what is open at the end may take this long */

#define OPERATION(name, begin) [EDDA_BACKEND_##name] = (begin)
const edda_pg_operation_fn edda_pg_operations[EDDA_BACKEND_COUNT] = {
    OPERATION(ACCEPT, edda_postgres_accept),
    OPERATION(PUT_PART, edda_postgres_put_part),
    OPERATION(PATCH, edda_postgres_patch),
    OPERATION(REUSE, edda_postgres_reuse),
    OPERATION(PART_CHUNKS, edda_postgres_part_chunks),
    OPERATION(PUT_VECTORS, edda_postgres_put_vectors),
    OPERATION(REEMBED, edda_postgres_reembed),
    OPERATION(DELETE, edda_postgres_delete),
    OPERATION(SWEEP, edda_postgres_sweep),
    OPERATION(CHAT_SAVE, edda_postgres_chat_save),
    OPERATION(PUT_CHUNKS, edda_postgres_put_chunks),
    OPERATION(CLAIM, edda_postgres_claim),
    OPERATION(RENEW, edda_postgres_renew),
    OPERATION(FAIL, edda_postgres_fail),
    OPERATION(RELEASE, edda_postgres_release),
    OPERATION(REDRIVE, edda_postgres_redrive),
    OPERATION(PROBE, edda_postgres_probe),
    OPERATION(GET, edda_postgres_get),
    OPERATION(STATUS, edda_postgres_status),
    OPERATION(LIST, edda_postgres_list),
    OPERATION(SEARCH, edda_postgres_search),
    OPERATION(WORDS, edda_postgres_search),
    OPERATION(CHAT_GET, edda_postgres_chat_get),
    OPERATION(CHAT_LIST, edda_postgres_chat_list),
    OPERATION(KEY_CREATE, edda_postgres_key_create),
    OPERATION(KEY_LIST, edda_postgres_key_list),
    OPERATION(KEY_REVOKE, edda_postgres_key_revoke),
    OPERATION(KEY_CHECK, edda_postgres_key_check),
    OPERATION(JOBS, edda_postgres_jobs),
    OPERATION(STATISTICS, edda_postgres_statistics),
};
#undef OPERATION

/* ---- calls ---- */

static int submit(edda_backend_t *backend, const struct edda_backend_request *request) {
    struct edda_postgres *self = (struct edda_postgres *)backend;
    if (self->closing) {
        return EDDA_E_DRAINING;
    }
    if (self->open >= EDDA_BACKEND_MAX_OPEN) {
        return EDDA_E_BUSY;
    }
    return edda_pg_call_start(self, request);
}

/* ---- life ---- */

/* The loop has ended by itself, so what is open is finished here. */
static void finish_open(struct edda_postgres *self) {
    int64_t until_ms = edda_clock_ms() + FINISH_MS;
    bool loop_runs = edda_loop_stamp_us(self->loop) != 0;
    while (!loop_runs && self->open > 0 && edda_clock_ms() < until_ms) {
        (void)edda_loop_run(self->loop); /* a loop that was drained ends after every turn */
        if (self->open > 0) {
            usleep(1000);
        }
    }
}

static void free_all(struct edda_postgres *self) {
    edda_pg_waker_done(&self->waker);
    edda_pg_destroy(&self->database);
    edda_pool_destroy(&self->pool);
    edda_pg_catalogue_stop(self->catalogue);
    edda_pg_call_end_all(self);
    edda_pg_catalogue_destroy(&self->catalogue);
    edda_pg_connector_destroy(&self->connector);
    edda_pg_url_free(&self->url);
    for (unsigned i = 0; self->workers && i < self->threads; i++) {
        edda_pg_worker_done(&self->workers[i]);
    }
    free(self->workers);
    free(self);
}

static void destroy(edda_backend_t *backend) {
    struct edda_postgres *self = (struct edda_postgres *)backend;
    self->closing = true;
    self->waker.stopped = true;
    finish_open(self);
    free_all(self);
}

static const struct edda_backend_interface interface = {
    .name = "postgres",
    .submit = submit,
    .destroy = destroy,
};

/* Behind a pooler it may have been another for a while when it says so: what was read meanwhile is
 * among the rest. */
static void on_replaced(void *context, bool restarted) {
    struct edda_postgres *self = context;
    edda_pg_projects_forget(&self->projects);
    edda_known_forget(&self->known);
    edda_pg_catalogue_doubt(self->catalogue,
                            restarted && edda_pg_connector_prepares(self->connector));
}

static int open_parts(struct edda_postgres *self, const struct edda_postgres_options *options) {
    self->workers = calloc(options->threads, sizeof *self->workers);
    for (unsigned i = 0; self->workers && i < options->threads; i++) {
        self->workers[i].store = self;
    }
    self->pool = edda_pool_new(options->loop, "store", options->threads, EDDA_BACKEND_MAX_OPEN);
    self->connector = edda_pg_connector_new(&(struct edda_pg_connector_options){
        .loop = options->loop,
        .url = self->url,
        .connect_ms = options->connect_ms,
        .statement_ms = options->statement_ms,
        .prepare = options->prepare,
    });
    self->index_options = options->index;
    self->catalogue = edda_pg_catalogue_new(self, options->index_bytes);
    if (!self->workers || !self->pool || !self->connector || !self->catalogue) {
        return EDDA_E_MEMORY;
    }
    self->database = edda_pg_new(&(struct edda_pg_options){
        .loop = options->loop,
        .connector = self->connector,
        .statements = edda_pg_statements,
        .statement_count = EDDA_PGSQL_COUNT,
        .connections = options->connections,
        .statement_ms = options->statement_ms,
        .on_replaced = on_replaced,
        .context = self,
    });
    if (!self->database) {
        return EDDA_E_MEMORY;
    }
    return edda_pg_waker_init(&self->waker, options->loop, self->database, self->connector,
                              options->prepare, self->life, &options->events);
}

static bool is_to_end(void *context) {
    return edda_loop_is_to_drain(context);
}

int edda_postgres_open(const struct edda_postgres_options *options, char *message,
                       size_t message_size, edda_backend_t **ret_backend) {
    struct edda_postgres *self = calloc(1, sizeof *self);
    EDDA_ASSERT(options->threads > 0);
    snprintf(message, message_size, "%s", edda_error_text(EDDA_E_MEMORY));
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->backend.interface = &interface;
    self->loop = options->loop;
    self->events = options->events;
    self->threads = options->threads;
    self->exact_chunks = options->exact_chunks ? options->exact_chunks : EDDA_EXACT_CHUNKS;
    self->exact_cell = edda_metric_cell(EDDA_METRIC_STORE_EXACT_AFTER_ALL, NULL);
    self->lease_ms = options->lease_ms > 0 ? options->lease_ms : EDDA_LEASE_MS;
    edda_pg_backlog_init(self, options->backlog, options->project_backlog);
    self->life = ((uint64_t)edda_random32() << 30 ^ edda_random32()) | 1;
    int error = edda_pg_url_parse(options->url, message, message_size, &self->url);
    if (!error) {
        error =
            edda_pg_migrate_to_serve(self->url, &edda_store_schema_postgres, options->connect_ms,
                                     message, message_size, is_to_end, options->loop);
    }
    if (!error) {
        error = open_parts(self, options);
    }
    if (error) {
        free_all(self);
        return error;
    }
    *ret_backend = &self->backend;
    return 0;
}

const char *edda_postgres_place(const edda_backend_t *backend) {
    return edda_pg_url_shown(((const struct edda_postgres *)backend)->url);
}
