/* ops/terminal.c: see terminal.h. */
#include "ops/terminal.h"

#include <stdlib.h>

/* How many bytes the control character here has; 0: it is none. U+0080 to U+009F have two. */
static size_t measure_control(const char *text, size_t size) {
    unsigned char first = (unsigned char)text[0];
    unsigned char second = size > 1 ? (unsigned char)text[1] : 0;
    if (first < 0x20 || first == 0x7f)
        return 1;
    return first == 0xc2 && second >= 0x80 && second <= 0x9f ? 2 : 0;
}

static void print_text(FILE *out, const char *text, size_t size, const char *allowed) {
    size_t at = 0;
    while (at < size) {
        size_t control = measure_control(text + at, size - at);
        if (control > 0 && (text[at] == '\0' || !strchr(allowed, text[at])))
            putc('?', out);
        else
            putc(text[at], out);
        at += control > 0 ? control : 1;
    }
}

void edda_print_word(FILE *out, const char *text, size_t size) {
    print_text(out, text, size, "");
}

void edda_print_lines(FILE *out, const char *text, size_t size) {
    print_text(out, text, size, "\n\t");
}

char *edda_words_joined(const struct edda_options *options) {
    size_t room = 1;
    for (size_t i = 0; i < options->word_count; i++)
        room += strlen(options->words[i]) + 1;
    char *joined = calloc(1, room);
    size_t size = 0;
    for (size_t i = 0; joined && i < options->word_count; i++) {
        size_t length = strlen(options->words[i]);
        if (i > 0)
            joined[size++] = ' ';
        memcpy(joined + size, options->words[i], length);
        size += length;
    }
    return joined;
}
