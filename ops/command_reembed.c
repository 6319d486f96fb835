/* ops/command_reembed.c: `edda reembed`: new vectors for what was embedded by another model. */
#include <stdio.h>
#include <time.h>

#include "ops/command.h"
#include "ops/progress.h"
#include "ops/session.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"
#include "proto/limits.h"

#define ARENA_BYTES (1u << 20)
#define LOOK_MS     300

struct reembedding {
    edda_session_t *session;
    const char *project; /* "": all */
    char model[EDDA_MAX_NAME + 1];
    uint32_t dimension;
    struct edda_store_reembedded counts; /* as last told */
};

static int report(const char *message) {
    fprintf(stderr, "edda reembed: %s\n", message);
    return EDDA_EXIT_FAILED;
}

/* The embedder says what model it has by embedding a word: its dimension may be known to nobody
 * before. */
static int learn_model(struct reembedding *self) {
    struct edda_text word = EDDA_TEXT("edda");
    struct edda_embed_arguments arguments = {.input_type = EDDA_TEXT("document"),
                                             .texts = {&word, 1}};
    struct edda_embeddings embeddings;
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(self->session, edda_op_find(EDDA_TEXT("embed")), "default",
                                  &arguments, &arena, &embeddings, message);
    if (error == 0) {
        snprintf(self->model, sizeof self->model, "%.*s", (int)embeddings.model.size,
                 embeddings.model.data ? embeddings.model.data : "");
        self->dimension = embeddings.dimension;
    }
    edda_arena_done(&arena);
    return error == 0 ? EDDA_EXIT_OK : report(message);
}

static int ask_store(struct reembedding *self, bool look) {
    struct edda_store_reembed wanted = {
        .model = edda_text_of(self->model), .dimension = self->dimension, .look = look};
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(self->session, edda_op_find(EDDA_TEXT("store.reembed")),
                                  self->project, &wanted, &arena, &self->counts, message);
    edda_arena_done(&arena);
    return error == 0 ? EDDA_EXIT_OK : report(message);
}

/* Until nothing is open. What became current meanwhile, from an embedder that still had the old
 * model, is queued too: the project changes over only when no chunk is left out. */
static int wait_for_all(struct reembedding *self) {
    struct edda_progress progress;
    struct timespec pause = {0, LOOK_MS * 1000000L};
    int status = EDDA_EXIT_OK;
    edda_progress_init(&progress, (size_t)self->counts.chunks);
    while (status == EDDA_EXIT_OK && (self->counts.open > 0 || self->counts.projects > 0)) {
        if (self->counts.open == 0 && self->counts.dead > 0)
            break;
        progress.total = (size_t)self->counts.chunks;
        edda_progress_show(&progress, "embedding",
                           (size_t)(self->counts.chunks - self->counts.missing),
                           (size_t)self->counts.dead);
        nanosleep(&pause, NULL);
        status = ask_store(self, self->counts.open > 0);
    }
    edda_progress_clear(&progress);
    return status;
}

static int reembed(struct reembedding *self, bool look, bool wait) {
    int status = learn_model(self);
    if (status == EDDA_EXIT_OK)
        status = ask_store(self, look);
    if (status != EDDA_EXIT_OK)
        return status;
    printf("%llu of %llu chunks have no vector of %s (%u floats)\n",
           (unsigned long long)self->counts.missing, (unsigned long long)self->counts.chunks,
           self->model, self->dimension);
    if (look)
        return EDDA_EXIT_OK;
    fflush(stdout);
    if (wait)
        status = wait_for_all(self);
    if (status == EDDA_EXIT_OK && self->counts.dead > 0) {
        fprintf(stderr,
                "edda reembed: %llu parts failed; `edda jobs --dead` says why, `edda jobs redrive "
                "--all` tries again; until then the old vectors serve\n",
                (unsigned long long)self->counts.dead);
        status = EDDA_EXIT_FAILED;
    } else if (status == EDDA_EXIT_OK && wait) {
        printf("every chunk has its vector of %s, and searches use them\n", self->model);
    }
    return status;
}

int edda_command_reembed(const struct edda_command *command, const struct edda_options *options) {
    struct reembedding self = {
        .project = options->given[EDDA_CONFIG_PROJECT]
                       ? edda_config_text(options->config, EDDA_CONFIG_PROJECT)
                       : "",
    };
    char message[EDDA_SESSION_MESSAGE];
    (void)command;
    if (edda_session_open(options->config, EDDA_SESSION_FAILS, &self.session, message) != 0)
        return report(message);
    int status = reembed(&self, edda_options_own(options, "--look"),
                         !edda_options_own(options, "--no-wait"));
    edda_session_close(&self.session);
    return status;
}
