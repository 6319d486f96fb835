/* actors/runtime/log.c: formats a line on the stack, writes it with one write(2), so that lines of
 * threads and processes never mix. */
#include "actors/runtime/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 1024

static _Atomic int least_level = EDDA_LOG_INFO;
static _Atomic bool as_json = false;

static const char *const level_names[] = {"debug", "info", "warning", "error"};

struct line {
    char bytes[LINE_BYTES];
    size_t size;
};

void edda_log_setup(enum edda_log_level level, bool json) {
    atomic_store(&least_level, (int)level);
    atomic_store(&as_json, json);
}

/* Keeps room for what closes a line: quote, brace and newline. */
static void put_char(struct line *line, char c) {
    if (line->size < LINE_BYTES - 4) {
        line->bytes[line->size++] = c;
    }
}

static void put_string(struct line *line, const char *string) {
    for (; *string; string++) {
        put_char(line, *string);
    }
}

static void put_time(struct line *line) {
    struct timespec now;
    struct tm parts;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + size, sizeof text - size, ".%03ldZ", now.tv_nsec / 1000000);
    put_string(line, text);
}

/* Control characters, which could forge a second line, become '?'; quotes and backslashes are
 * escaped in JSON. An escape is put whole or not at all. */
static void put_json_char(struct line *line, char c) {
    if (c == '"' || c == '\\') {
        if (line->size + 2 <= LINE_BYTES - 4) {
            put_char(line, '\\');
            put_char(line, c);
        }
        return;
    }
    put_char(line, (unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
}

/* key=value pairs, values bare or in double quotes, to "key":"value" members. */
static void put_json_pairs(struct line *line, const char *pairs) {
    const char *at = pairs;
    while (*at) {
        while (*at == ' ') {
            at++;
        }
        /* A pair that might not fit whole would leave broken JSON: keys are ours and short. */
        if (!*at || line->size > LINE_BYTES - 128) {
            return;
        }
        put_string(line, ",\"");
        for (; *at && *at != '=' && *at != ' '; at++) {
            put_json_char(line, *at);
        }
        put_string(line, "\":\"");
        if (*at == '=') {
            at++;
            bool quoted = *at == '"';
            at += quoted;
            for (; *at && *at != (quoted ? '"' : ' '); at++) {
                put_json_char(line, *at);
            }
            at += quoted && *at == '"';
        }
        line->bytes[line->size++] = '"';
    }
}

void edda_log(enum edda_log_level level, const char *event, const char *format, ...) {
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed)) {
        return;
    }
    char pairs[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(pairs, sizeof pairs, format, arguments) < 0) {
        pairs[0] = '\0';
    }
    va_end(arguments);

    struct line line;
    line.size = 0;
    if (atomic_load_explicit(&as_json, memory_order_relaxed)) {
        put_string(&line, "{\"time\":\"");
        put_time(&line);
        put_string(&line, "\",\"level\":\"");
        put_string(&line, level_names[level]);
        put_string(&line, "\",\"event\":\"");
        put_string(&line, event);
        put_char(&line, '"');
        put_json_pairs(&line, pairs);
        line.bytes[line.size++] = '}';
    } else {
        put_time(&line);
        put_char(&line, ' ');
        put_string(&line, level_names[level]);
        put_char(&line, ' ');
        put_string(&line, event);
        put_char(&line, ' ');
        for (const char *at = pairs; *at; at++) {
            put_char(&line, (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at);
        }
    }
    line.bytes[line.size++] = '\n';
    /* A log line that cannot be written has nowhere to be reported. */
    ssize_t written = write(STDERR_FILENO, line.bytes, line.size);
    (void)written;
}
