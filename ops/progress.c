/* ops/progress.c: see progress.h. */
#include "ops/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "ops/terminal.h"

#define BAR               32
#define TERMINAL_EVERY_MS 100
#define PLAIN_EVERY_MS    10000
#define REASON_EVERY_MS   5000

void edda_progress_init(struct edda_progress *progress, size_t total) {
    *progress = (struct edda_progress){
        .terminal = isatty(STDERR_FILENO) == 1,
        .total = total,
        .shown_ms = edda_clock_ms(),
    };
}

void edda_progress_show(struct edda_progress *progress, const char *what, size_t done,
                        size_t failed) {
    int64_t now_ms = edda_clock_ms();
    int64_t every_ms = progress->terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS;
    if (now_ms - progress->shown_ms < every_ms)
        return;
    progress->shown_ms = now_ms;
    char failures[48] = "";
    if (failed > 0)
        snprintf(failures, sizeof failures, ", %zu failed", failed);
    if (!progress->terminal) {
        fprintf(stderr, "%s: %zu of %zu%s%s", what, done, progress->total, failures,
                progress->reason[0] ? "; waiting: " : "");
        edda_print_word(stderr, progress->reason, strlen(progress->reason));
        putc('\n', stderr);
        return;
    }
    char bar[BAR + 1];
    size_t filled = progress->total > 0 ? done * BAR / progress->total : BAR;
    memset(bar, '.', BAR);
    memset(bar, '#', filled < BAR ? filled : BAR);
    bar[BAR] = '\0';
    fprintf(stderr, "\r\033[K%-10s [%s] %zu of %zu%s", what, bar, done, progress->total, failures);
    progress->drawn = true;
}

static bool was_said(const struct edda_progress *progress, const char *reason) {
    for (size_t i = 0; i < EDDA_PROGRESS_REASONS; i++) {
        if (strcmp(progress->said[i], reason) == 0)
            return true;
    }
    return false;
}

void edda_progress_reason(struct edda_progress *progress, const char *reason) {
    int64_t now_ms = edda_clock_ms();
    snprintf(progress->reason, sizeof progress->reason, "%s", reason);
    bool soon = progress->said_ms > 0 && now_ms - progress->said_ms < REASON_EVERY_MS;
    if (!progress->reason[0] || soon || was_said(progress, progress->reason))
        return;
    progress->said_ms = now_ms;
    memcpy(progress->said[progress->next_said], progress->reason, sizeof progress->reason);
    progress->next_said = (progress->next_said + 1) % EDDA_PROGRESS_REASONS;
    edda_progress_clear(progress);
    fprintf(stderr, "waiting: ");
    edda_print_word(stderr, progress->reason, strlen(progress->reason));
    putc('\n', stderr);
}

void edda_progress_clear(struct edda_progress *progress) {
    if (progress->drawn)
        fprintf(stderr, "\r\033[K");
    progress->drawn = false;
}
