/* ops/command_import.c: `edda import PATH...`.
 *
 * Each file: is there a memo of its reference id? None: create it, under an Idempotency-Key made of
 * reference and content, so that a repeated or interrupted import never makes a second memo. One
 * with the same content: nothing is sent. One with other content: PATCH it. Then, for all that were
 * sent, wait until the service has processed them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "ops/answer.h"
#include "ops/command.h"
#include "ops/document.h"
#include "ops/fetch.h"
#include "ops/progress.h"
#include "ops/terminal.h"

#define CONCURRENCY   16
#define PATIENCE_MS   120000
#define POLL_MIN_MS   50
#define POLL_MAX_MS   1000
#define CONFLICT_MS   500
#define MAX_CONFLICTS 240
#define MAX_CREATES   3 /* a memo that was deleted since its key was used is created anew */

struct import {
    struct edda_files files;
    edda_fetch_t *fetch;
    struct edda_progress progress;
    size_t next_file;
    size_t next_wait;
    size_t outcomes[3]; /* settled, by enum outcome */
    size_t failed;
    size_t empty;
    size_t settled;       /* sent and processed, or nothing to do */
    struct upload **sent; /* uploads whose memo is being processed */
    size_t sent_count;
    char fatal[512];
};

enum outcome { CREATED, CHANGED, UNCHANGED };

struct upload {
    struct import *import;
    const struct edda_file *file;
    struct edda_document document;
    enum outcome outcome;
    unsigned creates;   /* keys used up */
    unsigned conflicts; /* "still running" answers */
    char memo[64];      /* uuid */
    int64_t poll_ms;
};

static void end_upload(struct upload *upload) {
    edda_document_done(&upload->document);
    free(upload);
}

static void fail_upload(struct upload *upload, const char *why) {
    struct import *import = upload->import;
    import->failed++;
    edda_progress_clear(&import->progress);
    fprintf(stderr, "FAILED %s: ", upload->file->path);
    edda_print_word(stderr, why, strlen(why));
    putc('\n', stderr);
    end_upload(upload);
}

static void fail_answer(struct upload *upload, int status, struct edda_bytes body,
                        const char *error) {
    char why[512];
    edda_answer_problem(status, body, error, why, sizeof why);
    if (status == 401 || status == 0)
        snprintf(upload->import->fatal, sizeof upload->import->fatal, "%s", why);
    fail_upload(upload, why);
}

/* Every request of an import passes here. */
static void ask(struct upload *upload, struct edda_fetch_request *request) {
    request->context = upload;
    if (edda_fetch_add(upload->import->fetch, request) != 0)
        fail_upload(upload, "out of memory");
}

static char *memo_path(const char *id, const char *rest) {
    char *escaped = edda_fetch_escape(id);
    char *path = NULL;
    if (escaped && asprintf(&path, "/api/v1/memo/%s%s", escaped, rest) < 0)
        path = NULL;
    free(escaped);
    return path;
}

static void ask_memo(struct upload *upload, const char *method, const char *id, const char *rest,
                     struct edda_fetch_request request) {
    char *path = memo_path(id, rest);
    if (!path) {
        fail_upload(upload, "out of memory");
        return;
    }
    request.method = method;
    request.path = path;
    ask(upload, &request);
    free(path);
}

static void show(struct import *import) {
    bool polls = import->next_wait > 0;
    edda_progress_show(&import->progress, polls ? "processing" : "uploading",
                       import->settled + (polls ? 0 : import->sent_count), import->failed);
}

static void on_retry(void *context, int status, struct edda_bytes body, const char *error) {
    struct import *import = context;
    char why[512];
    edda_answer_problem(status, body, error, why, sizeof why);
    edda_progress_reason(&import->progress, why);
    show(import);
}

static void take_sent(struct upload *upload) {
    struct import *import = upload->import;
    edda_document_done(&upload->document);
    upload->poll_ms = POLL_MIN_MS;
    import->sent[import->sent_count++] = upload;
    edda_progress_reason(&import->progress, "");
    show(import);
}

static void create(struct upload *upload, int64_t wait_ms);

static void on_created(void *context, int status, struct edda_bytes body, const char *error) {
    struct upload *upload = context;
    if (status == 409 && ++upload->conflicts < MAX_CONFLICTS) {
        create(upload, CONFLICT_MS); /* an earlier try with this key still runs */
        return;
    }
    if (status != 201 || !edda_answer_text(body, "memo_uuid", upload->memo, sizeof upload->memo)) {
        fail_answer(upload, status, body, error);
        return;
    }
    take_sent(upload);
}

static void create(struct upload *upload, int64_t wait_ms) {
    char key[EDDA_DOCUMENT_HASH + 2];
    char *content_type = NULL;
    uint8_t *body = NULL;
    size_t size = 0;
    edda_document_key(&upload->document, upload->creates, key);
    if (edda_document_form(&upload->document, &content_type, &body, &size) != 0) {
        fail_upload(upload, "out of memory");
        return;
    }
    struct edda_fetch_request request = {
        .method = "POST",
        .path = "/api/v1/memo",
        .idempotency_key = key,
        .content_type = content_type,
        .body = {body, size},
        .not_before_ms = edda_clock_ms() + wait_ms,
        .on_done = on_created,
    };
    ask(upload, &request);
    free(content_type);
    free(body);
}

static void on_patched(void *context, int status, struct edda_bytes body, const char *error) {
    struct upload *upload = context;
    if (status != 200) {
        fail_answer(upload, status, body, error);
        return;
    }
    upload->outcome = CHANGED;
    take_sent(upload);
}

static void on_memo(void *context, int status, struct edda_bytes body, const char *error) {
    struct upload *upload = context;
    if (status != 200 || !edda_answer_text(body, "uuid", upload->memo, sizeof upload->memo)) {
        fail_answer(upload, status, body, error);
        return;
    }
    if (edda_document_same(&upload->document, body)) {
        upload->outcome = UNCHANGED;
        take_sent(upload);
        return;
    }
    char *patch = edda_document_patch(&upload->document);
    if (!patch) {
        fail_upload(upload, "out of memory");
        return;
    }
    ask_memo(upload, "PATCH", upload->memo, "",
             (struct edda_fetch_request){
                 .content_type = "application/json",
                 .body = {(const uint8_t *)patch, strlen(patch)},
                 .on_done = on_patched,
             });
    free(patch);
}

static void on_looked_up(void *context, int status, struct edda_bytes body, const char *error) {
    struct upload *upload = context;
    if (status == 404)
        create(upload, 0);
    else if (status == 200)
        ask_memo(upload, "GET", upload->file->reference, "?id_type=reference_id",
                 (struct edda_fetch_request){.on_done = on_memo});
    else
        fail_answer(upload, status, body, error);
}

/* Begins the next file; false when there is none. */
static bool begin_next(void *context) {
    struct import *import = context;
    if (import->next_file == import->files.count || import->fatal[0])
        return false;
    const struct edda_file *file = &import->files.items[import->next_file++];
    struct upload *upload = calloc(1, sizeof *upload);
    if (!upload) {
        snprintf(import->fatal, sizeof import->fatal, "out of memory");
        return false;
    }
    upload->import = import;
    upload->file = file;
    const char *why = NULL;
    int error = edda_document_read(&upload->document, file, &why);
    if (error != 0 && strcmp(why, "empty") == 0) {
        import->empty++;
        import->settled++;
        end_upload(upload);
    } else if (error != 0) {
        fail_upload(upload, why);
    } else {
        ask_memo(upload, "GET", file->reference, "/status?id_type=reference_id",
                 (struct edda_fetch_request){.on_done = on_looked_up});
    }
    return true;
}

static void poll(struct upload *upload, int64_t wait_ms);

static void settle(struct upload *upload) {
    struct import *import = upload->import;
    import->outcomes[upload->outcome]++;
    import->settled++;
    edda_progress_reason(&import->progress, "");
    show(import);
    end_upload(upload);
}

/* The key was used before and its memo deleted since: create it under another key. */
static void create_again(struct upload *upload) {
    const char *why = NULL;
    if (++upload->creates > MAX_CREATES) {
        fail_upload(upload, "deleted by somebody while it was being imported");
    } else if (edda_document_read(&upload->document, upload->file, &why) != 0) {
        fail_upload(upload, why);
    } else {
        create(upload, 0);
    }
}

static void on_polled(void *context, int status, struct edda_bytes body, const char *error) {
    struct upload *upload = context;
    char state[32] = "";
    char reason[EDDA_MAX_ERROR_TEXT + 1] = "";
    if (status == 404 && upload->outcome == CREATED) {
        create_again(upload);
        return;
    }
    if (status != 200 || !edda_answer_text(body, "status", state, sizeof state)) {
        fail_answer(upload, status, body, error);
    } else if (strcmp(state, "processed") == 0) {
        settle(upload);
    } else if (strcmp(state, "error") == 0) {
        if (!edda_answer_text(body, "error_reason", reason, sizeof reason))
            snprintf(reason, sizeof reason, "could not be processed");
        fail_upload(upload, reason);
    } else {
        if (edda_answer_text(body, "waiting_reason", reason, sizeof reason))
            edda_progress_reason(&upload->import->progress, reason);
        show(upload->import);
        poll(upload, upload->poll_ms);
        upload->poll_ms = upload->poll_ms < POLL_MAX_MS ? 2 * upload->poll_ms : POLL_MAX_MS;
    }
}

static void poll(struct upload *upload, int64_t wait_ms) {
    ask_memo(upload, "GET", upload->memo, "/status",
             (struct edda_fetch_request){.not_before_ms = edda_clock_ms() + wait_ms,
                                         .on_done = on_polled});
}

static bool poll_next(void *context) {
    struct import *import = context;
    if (import->next_wait == import->sent_count || import->fatal[0])
        return false;
    poll(import->sent[import->next_wait++], 0);
    return true;
}

static void forget_rest(struct import *import) {
    while (import->next_wait < import->sent_count)
        end_upload(import->sent[import->next_wait++]);
}

static void count_sent(struct import *import) {
    for (size_t i = 0; i < import->sent_count; i++)
        import->outcomes[import->sent[i]->outcome]++;
}

static int report(struct import *import, bool waited) {
    edda_progress_clear(&import->progress);
    if (import->fatal[0])
        fprintf(stderr, "edda import: stopped: %s\n", import->fatal);
    printf("%zu new, %zu changed, %zu unchanged, %zu failed", import->outcomes[CREATED],
           import->outcomes[CHANGED], import->outcomes[UNCHANGED], import->failed);
    if (import->empty + import->files.skipped > 0)
        printf("; left alone: %zu empty, %zu of other kinds", import->empty, import->files.skipped);
    printf("%s\n", waited ? "" : "; not waited for");
    return import->failed > 0 || import->fatal[0] ? EDDA_EXIT_FAILED : EDDA_EXIT_OK;
}

static int run_import(struct import *import, const struct edda_options *options) {
    struct edda_fetch_options fetch_options = {
        .url = edda_config_text(options->config, EDDA_CONFIG_URL),
        .key = edda_answer_key(options->config),
        .concurrency = CONCURRENCY,
        .patience_ms = PATIENCE_MS,
        .on_retry = on_retry,
        .context = import,
    };
    bool waits = !edda_options_own(options, "--no-wait");
    import->sent = calloc(import->files.count * (MAX_CREATES + 1) + 1, sizeof *import->sent);
    import->fetch = edda_fetch_new(&fetch_options);
    if (!import->sent || !import->fetch) {
        fprintf(stderr, "edda import: out of memory\n");
        return EDDA_EXIT_FAILED;
    }
    edda_progress_init(&import->progress, import->files.count);
    int error = edda_fetch_run(import->fetch, begin_next, import);
    while (error == 0 && waits && !import->fatal[0] && import->next_wait < import->sent_count)
        error = edda_fetch_run(import->fetch, poll_next, import);
    if (error != 0)
        snprintf(import->fatal, sizeof import->fatal, "%s", edda_error_text(error));
    if (!waits)
        count_sent(import);
    forget_rest(import);
    return report(import, waits);
}

int edda_command_import(const struct edda_command *command, const struct edda_options *options) {
    struct import import = {0};
    char message[512];
    (void)command;
    edda_files_init(&import.files);
    int status = EDDA_EXIT_OK;
    for (size_t i = 0; i < options->word_count && status == EDDA_EXIT_OK; i++) {
        if (edda_files_add(&import.files, options->words[i], message, sizeof message) != 0) {
            fprintf(stderr, "edda import: %s\n", message);
            status = EDDA_EXIT_FAILED;
        }
    }
    if (status == EDDA_EXIT_OK) {
        edda_files_finish(&import.files);
        status = run_import(&import, options);
    }
    if (import.fetch)
        edda_fetch_destroy(&import.fetch);
    free(import.sent);
    edda_files_done(&import.files);
    return status;
}
