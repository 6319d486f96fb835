/* ops/command_jobs.c: `edda jobs` and `edda jobs redrive`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "ops/command.h"
#include "ops/session.h"
#include "proto/body_store.h"
#include "proto/uuid.h"

#define ARENA_BYTES (16u << 20)
#define PAGE        500

static int report(const char *message) {
    fprintf(stderr, "edda jobs: %s\n", message);
    return EDDA_EXIT_FAILED;
}

static void print_job(const struct edda_store_job *job, int64_t now_ms) {
    char memo[EDDA_UUID_TEXT];
    char due[32] = "";
    edda_uuid_format(&job->memo, memo);
    int64_t wait_s = (job->run_at_wall_ms - now_ms) / 1000;
    if (wait_s > 0 && edda_text_is(job->state, "ready"))
        snprintf(due, sizeof due, " in %llds", (long long)wait_s);
    printf("%8llu  %-6.*s%s  memo %s part %u  attempts %u deaths %u  \"%.*s\"",
           (unsigned long long)job->id, (int)job->state.size, job->state.data, due, memo, job->part,
           job->attempts, job->deaths, (int)(job->title.size < 60 ? job->title.size : 60),
           job->title.data ? job->title.data : "");
    if (job->error.size > 0)
        printf("  %.*s", (int)job->error.size, job->error.data);
    printf("\n");
}

/* Page after page until the service has no more. */
static int list(edda_session_t *session, bool dead) {
    uint64_t after = 0;
    uint64_t shown = 0;
    bool more = true;
    while (more) {
        struct edda_store_jobs_query query = {.dead = dead, .after = after, .limit = PAGE};
        struct edda_store_jobs jobs;
        struct edda_arena arena;
        char message[EDDA_SESSION_MESSAGE];
        edda_arena_init(&arena, ARENA_BYTES);
        int error = edda_session_call(session, edda_op_find(EDDA_TEXT("store.jobs")), "default",
                                      &query, &arena, &jobs, message);
        if (error != 0) {
            edda_arena_done(&arena);
            return report(message);
        }
        int64_t now_ms = edda_clock_wall_ms();
        for (size_t i = 0; i < jobs.jobs.count; i++) {
            print_job(&jobs.jobs.items[i], now_ms);
            after = jobs.jobs.items[i].id;
        }
        shown += jobs.jobs.count;
        more = jobs.jobs.count == PAGE;
        edda_arena_done(&arena);
    }
    fprintf(stderr, "%llu %sjob%s\n", (unsigned long long)shown, dead ? "dead " : "",
            shown == 1 ? "" : "s");
    return EDDA_EXIT_OK;
}

static int redrive(edda_session_t *session, uint64_t id, bool all) {
    struct edda_store_redrive wanted = {.id = id, .all = all};
    struct edda_store_count count = {0};
    struct edda_arena arena;
    char message[EDDA_SESSION_MESSAGE];
    edda_arena_init(&arena, ARENA_BYTES);
    int error = edda_session_call(session, edda_op_find(EDDA_TEXT("store.redrive")), "default",
                                  &wanted, &arena, &count, message);
    edda_arena_done(&arena);
    if (error != 0)
        return report(message);
    if (count.count == 0 && !all)
        return report("there is no dead job of that id; `edda jobs --dead` lists them");
    fprintf(stderr, "%llu put back\n", (unsigned long long)count.count);
    return EDDA_EXIT_OK;
}

static bool read_id(const char *text, uint64_t *ret_id) {
    char *end = NULL;
    errno = 0;
    unsigned long long id = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || id == 0 || text[0] == '-')
        return false;
    *ret_id = id;
    return true;
}

int edda_command_jobs(const struct edda_command *command, const struct edda_options *options) {
    bool redrives = options->word_count > 0;
    bool all = edda_options_own(options, "--all");
    bool dead = edda_options_own(options, "--dead");
    uint64_t id = 0;
    if (redrives && strcmp(options->words[0], "redrive") != 0)
        return edda_command_misused(command, "%s is not redrive", options->words[0]);
    if (redrives && (options->word_count == 2) == all)
        return edda_command_misused(command, "redrive takes one job's id, or --all");
    if (redrives && !all && !read_id(options->words[1], &id))
        return edda_command_misused(command, "%s is no job id", options->words[1]);
    if (all && !redrives)
        return edda_command_misused(command, "--all goes with redrive");
    edda_session_t *session = NULL;
    char message[EDDA_SESSION_MESSAGE];
    if (edda_session_open(options->config, EDDA_SESSION_OPENS, &session, message) != 0)
        return report(message);
    int status = redrives ? redrive(session, id, all) : list(session, dead);
    edda_session_close(&session);
    return status;
}
