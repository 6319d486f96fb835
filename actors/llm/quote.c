#include "actors/llm/quote.h"

#include "actors/text/sentence.h"
#include "actors/text/text.h"
#include "actors/text/tokens.h"

void edda_quotes_begin(struct edda_quotes *quotes, struct edda_text text) {
    *quotes = (struct edda_quotes){.text = text};
}

/* ---- lines ---- */

/* The line at `at`, without its end. */
static struct edda_text line_at(struct edda_text text, size_t at) {
    const char *end = memchr(text.data + at, '\n', text.size - at);
    return (struct edda_text){text.data + at,
                              end ? (size_t)(end - text.data) - at : text.size - at};
}

static size_t run_of(struct edda_text line, char byte) {
    size_t size = 0;
    while (size < line.size && line.data[size] == byte) {
        size++;
    }
    return size;
}

static bool is_fence(struct edda_text line) {
    return run_of(line, '`') >= 3 || run_of(line, '~') >= 3;
}

static bool is_heading(struct edda_text line) {
    size_t marks = run_of(line, '#');
    return marks >= 1 && marks <= 6 && (marks == line.size || line.data[marks] == ' ');
}

/* Rules, underlines of titles, the row under a table's head. */
static bool is_drawn(struct edda_text line) {
    size_t drawn = 0;
    for (size_t i = 0; i < line.size; i++) {
        if (!strchr("-=*_|:+ ", line.data[i]) || line.data[i] == '\0') {
            return false;
        }
        drawn += line.data[i] != ' ';
    }
    return drawn >= 3;
}

/* Bytes of "- ", "* ", "+ ", "> ", "1. " or "2) " at the line's beginning; 0: none. */
static size_t mark_of(struct edda_text line) {
    size_t digits = 0;
    if (line.size >= 2 && line.data[1] == ' ' && strchr("-*+>", line.data[0])) {
        return 2;
    }
    while (digits < line.size && line.data[digits] >= '0' && line.data[digits] <= '9') {
        digits++;
    }
    bool numbered = digits > 0 && digits <= 4 && digits + 1 < line.size &&
                    (line.data[digits] == '.' || line.data[digits] == ')') &&
                    line.data[digits + 1] == ' ';
    return numbered ? digits + 2 : 0;
}

static bool is_row(struct edda_text line) {
    return line.size > 0 && line.data[0] == '|';
}

/* Whether a paragraph ends in front of this line. */
static bool is_apart(struct edda_text line) {
    return line.size == 0 || is_fence(line) || is_heading(line) || is_drawn(line) || is_row(line) ||
           mark_of(line) > 0;
}

static size_t next_line(const struct edda_quotes *quotes, size_t at) {
    size_t end = at + line_at(quotes->text, at).size;
    return end < quotes->text.size ? end + 1 : end;
}

static size_t find_paragraph_end(const struct edda_quotes *quotes, size_t at) {
    size_t end = next_line(quotes, at);
    while (end < quotes->text.size && !is_apart(edda_text_trim(line_at(quotes->text, end)))) {
        end = next_line(quotes, end);
    }
    return end;
}

/* Moves to the next block that can be quoted. */
static bool find_block(struct edda_quotes *quotes) {
    while (quotes->at < quotes->text.size) {
        size_t at = quotes->at;
        struct edda_text line = edda_text_trim(line_at(quotes->text, at));
        size_t next = next_line(quotes, at);
        if (is_fence(line)) {
            quotes->fenced = !quotes->fenced;
        } else if (line.size > 0 && (quotes->fenced || is_row(line)) && !is_drawn(line)) {
            quotes->block_end = next;
            return true;
        } else if (line.size > 0 && !quotes->fenced && !is_heading(line) && !is_drawn(line)) {
            quotes->at = (size_t)(line.data - quotes->text.data) + mark_of(line);
            quotes->block_end = find_paragraph_end(quotes, at);
            return true;
        }
        quotes->at = next;
    }
    return false;
}

/* ---- sentences ---- */

static bool is_comma(uint32_t point) {
    return point == ',' || point == ';' || point == 0xFF0C || point == 0xFF1B || point == 0x3001;
}

/* The size of a sentence's first piece: all of it, or cut where it can best be. */
static size_t cut_sentence(struct edda_text sentence) {
    struct edda_text whole = edda_tokens_prefix(sentence, EDDA_QUOTE_TOKENS);
    if (whole.size == sentence.size) {
        return sentence.size;
    }
    const char *at = whole.data;
    const char *end = whole.data + whole.size;
    size_t comma = 0;
    size_t blank = 0;
    while (at < end) {
        uint32_t point = edda_text_next(&at, end);
        size_t behind = (size_t)(at - whole.data);
        comma = is_comma(point) ? behind : comma;
        blank = point == ' ' || point == '\n' ? behind : blank;
    }
    return comma > whole.size / 2 ? comma : blank > whole.size / 2 ? blank : whole.size;
}

static bool has_word(struct edda_text text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte >= 0x80 || (byte >= '0' && byte <= '9') ||
            ((byte | 32) >= 'a' && (byte | 32) <= 'z')) {
            return true;
        }
    }
    return false;
}

bool edda_quotes_next(struct edda_quotes *quotes, struct edda_quote *ret_quote) {
    for (;;) {
        if (quotes->at >= quotes->block_end && !find_block(quotes)) {
            return false;
        }
        struct edda_text rest = {quotes->text.data + quotes->at, quotes->block_end - quotes->at};
        bool line = quotes->fenced || is_row(rest);
        size_t sentence = line ? rest.size : edda_sentence_next(rest);
        size_t piece = cut_sentence((struct edda_text){rest.data, sentence});
        struct edda_quote quote = {.text = edda_text_trim((struct edda_text){rest.data, piece}),
                                   .begun = quotes->inside,
                                   .cut = piece < sentence,
                                   .code = quotes->fenced};
        quotes->at += piece;
        quotes->inside = quote.cut;
        if (has_word(quote.text)) {
            *ret_quote = quote;
            return true;
        }
    }
}

void edda_quote_write(struct edda_buffer *out, struct edda_text text, bool flat) {
    size_t begin = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool blank = flat && edda_text_is_blank(text.data[i]);
        bool twice = i > 0 && text.data[i] == '[' && text.data[i - 1] == '[';
        if (!blank && !twice) {
            continue;
        }
        (void)edda_buffer_append(out, text.data + begin, i - begin);
        (void)edda_buffer_append(out, " ", 1);
        while (blank && i + 1 < text.size && edda_text_is_blank(text.data[i + 1])) {
            i++;
        }
        begin = blank ? i + 1 : i;
    }
    if (begin < text.size) {
        (void)edda_buffer_append(out, text.data + begin, text.size - begin);
    }
}
