/* ops/command_copy.c: `edda copy`: a store moves from SQLite to PostgreSQL. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/store/postgres/copy_target.h"
#include "actors/store/postgres/migrate.h"
#include "actors/store/sqlite/copy_source.h"
#include "ops/command.h"
#include "ops/progress.h"
#include "proto/uuid.h"

#define SQLITE_PREFIX "sqlite:"
#define TABLES        64

struct copying {
    edda_copy_source_t *source;
    edda_pg_url_t *url;
    struct edda_pg_plain database;
    struct edda_copy_target target;
    struct edda_progress progress;
    int64_t counts[TABLES];
    int64_t before; /* rows of the tables that are done */
    char message[512];
};

/* ---- both ends ---- */

/* What a source is, for a copy that goes on: which store, when it last ran, and how many rows each
 * table has. */
static int describe_source(struct copying *self, char name[EDDA_COPY_SOURCE]) {
    const struct edda_copy_table *table;
    struct edda_uuid store;
    int64_t alive_wall_ms = 0;
    int64_t total = 0;
    int error = edda_copy_source_identity(self->source, &store, &alive_wall_ms);
    if (error)
        return error;
    edda_uuid_format(&store, name);
    size_t used = strlen(name);
    used += (size_t)snprintf(name + used, EDDA_COPY_SOURCE - used, " %" PRId64, alive_wall_ms);
    for (size_t i = 0; (table = edda_copy_table(i)) != NULL && !error; i++) {
        error = edda_copy_source_count(self->source, table, &self->counts[i]);
        total += self->counts[i];
        int size = snprintf(name + used, EDDA_COPY_SOURCE - used, ", %s %" PRId64, table->name,
                            self->counts[i]);
        used += size > 0 && (size_t)size < EDDA_COPY_SOURCE - used ? (size_t)size : 0;
    }
    edda_progress_init(&self->progress, (size_t)total);
    return error;
}

/* As a copy leaves it that was killed while it made its tables, a step after the other. */
static bool holds_nobodys(const struct copying *self, int64_t connect_ms) {
    char said[256];
    struct edda_pg_plain database = {
        .url = self->url, .message = said, .message_size = sizeof said};
    int64_t projects = 1;
    int error = edda_pg_plain_open(&database, connect_ms);
    if (!error)
        error = edda_pg_plain_number(&database, "SELECT count(*) FROM project", &projects);
    edda_pg_plain_close(&database);
    return !error && projects == 0;
}

static int open_target(struct copying *self, const char *text, int64_t connect_ms,
                       const char *name) {
    self->database =
        (struct edda_pg_plain){.message = self->message, .message_size = sizeof self->message};
    int error = edda_pg_url_parse(text, self->message, sizeof self->message, &self->url);
    if (!error)
        error = edda_pg_check_tables(self->url, &edda_store_schema_postgres, connect_ms, true,
                                     self->message, sizeof self->message);
    if (error == EDDA_E_VERSION && holds_nobodys(self, connect_ms))
        error = 0;
    if (!error)
        error = edda_pg_migrate(self->url, &edda_store_schema_postgres, connect_ms, self->message,
                                sizeof self->message);
    self->database.url = self->url;
    if (!error)
        error = edda_pg_plain_open(&self->database, connect_ms);
    return error ? error : edda_copy_target_open(&self->target, &self->database, name);
}

/* ---- rows ---- */

static int copy_table(struct copying *self, const struct edda_copy_table *table) {
    struct edda_copy_value values[EDDA_COPY_COLUMNS];
    int64_t sequence = 0;
    int64_t copied = self->target.done;
    int more = edda_copy_source_begin(self->source, table, copied);
    while (more >= 0 && (more = edda_copy_source_next(self->source, values)) == 1) {
        more = edda_copy_target_add(&self->target, table, values);
        edda_progress_show(&self->progress, table->name, (size_t)(self->before + ++copied), 0);
    }
    if (more == 0 && table->sequence)
        more = edda_copy_source_sequence(self->source, table, &sequence);
    return more ? more : edda_copy_target_next_table(&self->target, table, sequence);
}

static int digest_source(struct copying *self, const struct edda_copy_table *table,
                         struct edda_copy_digest *ret_digest) {
    struct edda_copy_value values[EDDA_COPY_COLUMNS];
    struct edda_buffer row;
    *ret_digest = (struct edda_copy_digest){0};
    edda_buffer_init(&row, EDDA_COPY_ROW_BYTES);
    int more = edda_copy_source_begin(self->source, table, 0);
    while (more >= 0 && (more = edda_copy_source_next(self->source, values)) == 1) {
        edda_buffer_reset(&row);
        more = edda_copy_row(&row, table, values);
        if (!more)
            edda_copy_digest_add(ret_digest, edda_buffer_bytes(&row));
    }
    edda_buffer_done(&row);
    return more;
}

static int copy_all(struct copying *self) {
    const struct edda_copy_table *table;
    int error = 0;
    for (size_t i = 0; (table = edda_copy_table(i)) != NULL && !error; i++) {
        if ((int64_t)i >= self->target.table)
            error = copy_table(self, table);
        self->before += self->counts[i];
    }
    edda_progress_clear(&self->progress);
    return error;
}

/* Prints a line a table. EDDA_E_CONFLICT: something differs. */
static int compare_all(struct copying *self) {
    const struct edda_copy_table *table;
    size_t different = 0;
    uint64_t spaced = 0;
    int error = 0;
    for (size_t i = 0; (table = edda_copy_table(i)) != NULL && !error; i++) {
        struct edda_copy_digest here;
        struct edda_copy_digest there;
        edda_progress_show(&self->progress, "comparing", (size_t)self->before, 0);
        error = digest_source(self, table, &here);
        if (!error)
            error = edda_copy_target_digest(&self->target, table, &there);
        if (error)
            break;
        bool same = memcmp(&here, &there, sizeof here) == 0;
        different += !same;
        spaced += edda_copy_source_spaced(self->source);
        edda_progress_clear(&self->progress);
        printf("%-14s %10" PRIu64 " rows  %016" PRIx64 "%016" PRIx64 "  %s\n", table->name,
               there.rows, there.sums[0], there.sums[1], same ? "same" : "DIFFERENT");
    }
    if (!error && spaced > 0)
        printf("U+0000 is a space in %" PRIu64 " texts: the database cannot hold it\n", spaced);
    if (!error && different > 0) {
        snprintf(self->message, sizeof self->message,
                 "%zu tables differ: this copy is not to be used", different);
        error = EDDA_E_CONFLICT;
    }
    return error;
}

static int copy(struct copying *self, const char *directory, const char *url, int64_t connect_ms) {
    char name[EDDA_COPY_SOURCE] = "";
    int error =
        edda_copy_source_open(directory, self->message, sizeof self->message, &self->source);
    if (!error)
        error = describe_source(self, name);
    if (!error)
        error = open_target(self, url, connect_ms, name);
    if (!error && self->target.finished) {
        printf("this database holds a finished copy: nothing to do\n");
        return 0;
    }
    if (!error)
        error = copy_all(self);
    if (!error)
        error = compare_all(self);
    if (!error)
        error = edda_copy_target_finish(&self->target);
    if (!error)
        printf("all of it is there: edda up --database takes it from here\n");
    return error;
}

int edda_command_copy(const struct edda_command *command, const struct edda_options *options) {
    const char *from = edda_options_own_value(options, "--from=");
    const char *to = edda_options_own_value(options, "--to=");
    if (!to)
        to = edda_config_text(options->config, EDDA_CONFIG_DATABASE);
    if (!from || strncmp(from, SQLITE_PREFIX, strlen(SQLITE_PREFIX)) != 0 ||
        from[strlen(SQLITE_PREFIX)] == '\0')
        return edda_command_misused(command, "--from has to be sqlite:DIR");
    if (to[0] == '\0')
        return edda_command_misused(command, "--to has to be postgres://...");
    struct copying self = {0};
    int error = copy(&self, from + strlen(SQLITE_PREFIX), to,
                     edda_config_number(options->config, EDDA_CONFIG_DATABASE_CONNECT_MS));
    edda_progress_clear(&self.progress);
    edda_copy_target_close(&self.target);
    edda_pg_plain_close(&self.database);
    edda_pg_url_free(&self.url);
    edda_copy_source_close(&self.source);
    if (!error)
        return EDDA_EXIT_OK;
    fprintf(stderr, "edda copy: %s\n", self.message[0] ? self.message : edda_error_text(error));
    return EDDA_EXIT_FAILED;
}
