/* actors/runtime/log.c: formats a line on the stack, writes it with one write(2), so that lines of
 * threads and processes never mix. */
#include "actors/runtime/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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

/* Control characters, which could forge a second line, become '?'. */
static char clean(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}

/* Whole or not at all. */
static void put_escaped(struct line *line, char c) {
    bool escaped = c == '"' || c == '\\';
    if (line->size + 2 <= LINE_BYTES - 4) {
        if (escaped) {
            put_char(line, '\\');
        }
        put_char(line, clean(c));
    }
}

/* ---- pairs from a format ---- */

static void put_value(struct line *line, const char *string, size_t size, bool quoted) {
    for (size_t i = 0; i < size && string[i]; i++) {
        char c = string[i];
        if (quoted) {
            put_escaped(line, c);
        } else {
            put_char(line, c == ' ' || c == '"' ? '?' : clean(c));
        }
    }
}

/* The values of a format in turn; a struct, so that functions may take from the same. */
struct values {
    va_list list;
};

/* A number by one conversion, which ends in `kind`, after `size` letters of size. */
static void put_number(struct line *line, const char *conversion, char kind, int longs, char size,
                       struct values *values) {
    char text[64] = "";
    if (kind == 'f' || kind == 'g') {
        (void)snprintf(text, sizeof text, conversion, va_arg(values->list, double));
    } else if (size == 'z') {
        (void)snprintf(text, sizeof text, conversion, va_arg(values->list, size_t));
    } else if (size == 'j') {
        (void)snprintf(text, sizeof text, conversion, va_arg(values->list, intmax_t));
    } else if (longs > 1) {
        (void)snprintf(text, sizeof text, conversion, va_arg(values->list, long long));
    } else if (longs == 1) {
        (void)snprintf(text, sizeof text, conversion, va_arg(values->list, long));
    } else {
        (void)snprintf(text, sizeof text, conversion, va_arg(values->list, int));
    }
    put_string(line, text);
}

/* At a '%'. Returns what is behind the conversion. */
static const char *put_conversion(struct line *line, const char *at, bool quoted,
                                  struct values *values) {
    char conversion[32];
    size_t size = 0;
    int precision = -1;
    int longs = 0;
    char other = 0;
    conversion[size++] = *at++;
    for (; *at && strchr("-+ #0123456789.*lzj", *at) && size < sizeof conversion - 2; at++) {
        longs += *at == 'l';
        other = *at == 'z' || *at == 'j' ? *at : other;
        if (*at == '*') {
            precision = va_arg(values->list, int);
        } else {
            conversion[size++] = *at;
        }
    }
    if (!*at || !strchr("diuxcfgs%", *at)) {
        return at + strlen(at); /* what cannot be known cannot be skipped */
    }
    conversion[size++] = *at;
    conversion[size] = '\0';
    if (*at == '%') {
        put_char(line, '%');
    } else if (*at == 's') {
        const char *string = va_arg(values->list, const char *);
        put_value(line, string ? string : "", precision < 0 ? SIZE_MAX : (size_t)precision, quoted);
    } else {
        put_number(line, conversion, *at, longs, other, values);
    }
    return at + 1;
}

static void put_pairs(struct line *line, const char *format, struct values *values) {
    bool quoted = false;
    while (*format) {
        if (*format == '%') {
            format = put_conversion(line, format, quoted, values);
        } else {
            quoted ^= *format == '"';
            put_char(line, clean(*format++));
        }
    }
    line->bytes[line->size] = '\0';
}

/* ---- pairs as JSON ---- */

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
            put_escaped(line, *at);
        }
        put_string(line, "\":\"");
        if (*at == '=') {
            at++;
            bool quoted = *at == '"';
            at += quoted;
            for (; *at && *at != (quoted ? '"' : ' '); at++) {
                at += quoted && *at == '\\' && at[1];
                put_escaped(line, *at);
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
    struct line pairs = {.size = 0};
    struct values values;
    va_start(values.list, format);
    put_pairs(&pairs, format, &values);
    va_end(values.list);

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
        put_json_pairs(&line, pairs.bytes);
        line.bytes[line.size++] = '}';
    } else {
        put_time(&line);
        put_char(&line, ' ');
        put_string(&line, level_names[level]);
        put_char(&line, ' ');
        put_string(&line, event);
        put_char(&line, ' ');
        put_string(&line, pairs.bytes);
    }
    line.bytes[line.size++] = '\n';
    /* A log line that cannot be written has nowhere to be reported. */
    ssize_t written = write(STDERR_FILENO, line.bytes, line.size);
    (void)written;
}
