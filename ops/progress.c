/* ops/progress.c: see progress.h. */
#include "ops/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "actors/runtime/clock.h"

#define BAR               32
#define TERMINAL_EVERY_MS 100
#define PLAIN_EVERY_MS    10000

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
        fprintf(stderr, "%s: %zu of %zu%s\n", what, done, progress->total, failures);
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

void edda_progress_clear(struct edda_progress *progress) {
    if (progress->drawn)
        fprintf(stderr, "\r\033[K");
    progress->drawn = false;
}
