#include "actors/chunker/structure.h"

#include "actors/text/headings.h"
#include "actors/text/text.h"

enum line_kind { LINE_BLANK, LINE_PROSE, LINE_ITEM, LINE_ROW, LINE_CODE };

/* A paragraph, list item or line being gathered; started at `start` when `open`. */
struct gathering {
    struct edda_pieces *pieces;
    size_t start;
    bool open;
    enum edda_rank rank;
    enum line_kind kind; /* of the last line */
};

static void flush(struct gathering *gathering, size_t end) {
    if (!gathering->open)
        return;
    gathering->open = false;
    if (gathering->kind == LINE_CODE || gathering->kind == LINE_ROW)
        edda_pieces_add(gathering->pieces, gathering->start, end, gathering->rank);
    else
        edda_pieces_add_prose(gathering->pieces, gathering->start, end, gathering->rank);
}

/* "- x", "* x", "+ x", "1. x", "2) x", at any indent. */
static bool is_item(struct edda_text line) {
    size_t at = 0;
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    if (at + 1 >= line.size)
        return false;
    char mark = line.data[at];
    if (mark == '-' || mark == '*' || mark == '+')
        return line.data[at + 1] == ' ';
    size_t digits = 0;
    while (at < line.size && line.data[at] >= '0' && line.data[at] <= '9') {
        at++;
        digits++;
    }
    return digits > 0 && digits <= 4 && at + 1 < line.size &&
           (line.data[at] == '.' || line.data[at] == ')') && line.data[at + 1] == ' ';
}

static enum line_kind classify(struct edda_text line, bool in_code, bool has_rows) {
    size_t at = 0;
    while (at < line.size && edda_text_is_blank(line.data[at]))
        at++;
    if (in_code)
        return LINE_CODE;
    if (at == line.size)
        return LINE_BLANK;
    if (has_rows && line.data[at] == '|')
        return LINE_ROW;
    return is_item(line) ? LINE_ITEM : LINE_PROSE;
}

/* Takes one line that is no heading into the gathering. */
static void gather_line(struct gathering *gathering, enum line_kind kind, size_t start) {
    enum line_kind last = gathering->kind;
    if (kind == LINE_BLANK) {
        flush(gathering, start);
        gathering->kind = LINE_BLANK;
        return;
    }
    bool continues =
        kind == LINE_PROSE && gathering->open && (last == LINE_PROSE || last == LINE_ITEM);
    if (continues)
        return;
    flush(gathering, start);
    gathering->rank = kind == last ? EDDA_RANK_SENTENCE : EDDA_RANK_BLOCK;
    gathering->kind = kind;
    gathering->start = start;
    gathering->open = true;
}

static size_t find_line_end(struct edda_text text, size_t start) {
    const char *end = memchr(text.data + start, '\n', text.size - start);
    return end != NULL ? (size_t)(end - text.data) : text.size;
}

static void set_path(struct edda_pieces *pieces, const struct edda_headings *headings) {
    char path[EDDA_HEADING_PATH_BYTES];
    size_t size = edda_headings_path(headings, path);
    edda_pieces_path(pieces, (struct edda_text){path, size});
}

void edda_structure_markdown(struct edda_pieces *pieces, struct edda_text heading) {
    struct edda_headings headings;
    edda_headings_init(&headings, heading);
    set_path(pieces, &headings);
    struct gathering gathering = {.pieces = pieces, .kind = LINE_BLANK};
    struct edda_text text = pieces->text;
    for (size_t start = 0, next; start < text.size && pieces->error == 0; start = next) {
        size_t end = find_line_end(text, start);
        next = end < text.size ? end + 1 : end;
        struct edda_text line = {text.data + start, end - start};
        bool was_code = headings.fence != 0;
        if (edda_headings_line(&headings, line) == 0) {
            bool in_code = was_code || headings.fence != 0;
            gather_line(&gathering, classify(line, in_code, true), start);
            continue;
        }
        /* An underlined heading's title was gathered as a paragraph: it becomes the heading. */
        size_t from = headings.underlined && gathering.open ? gathering.start : start;
        gathering.open = gathering.open && !headings.underlined;
        flush(&gathering, start);
        gathering.kind = LINE_BLANK;
        set_path(pieces, &headings);
        edda_pieces_add(pieces, from, next, EDDA_RANK_SECTION);
    }
    flush(&gathering, text.size);
}

void edda_structure_plain(struct edda_pieces *pieces, struct edda_text heading) {
    edda_pieces_path(pieces, heading);
    struct gathering gathering = {.pieces = pieces, .kind = LINE_BLANK};
    struct edda_text text = pieces->text;
    for (size_t start = 0, next; start < text.size && pieces->error == 0; start = next) {
        size_t end = find_line_end(text, start);
        next = end < text.size ? end + 1 : end;
        gather_line(&gathering,
                    classify((struct edda_text){text.data + start, end - start}, false, false),
                    start);
    }
    flush(&gathering, text.size);
}

void edda_structure_csv(struct edda_pieces *pieces, struct edda_text heading, bool is_first) {
    struct edda_text text = pieces->text;
    char path[EDDA_HEADING_PATH_BYTES];
    size_t size = edda_headings_after(EDDA_TEXT("csv"), text, is_first, heading, path);
    edda_pieces_path(pieces, (struct edda_text){path, size});
    bool quoted = false;
    size_t start = 0;
    for (size_t at = 0; at < text.size && pieces->error == 0; at++) {
        if (text.data[at] == '"')
            quoted = !quoted;
        if (text.data[at] != '\n' || quoted)
            continue;
        edda_pieces_add(pieces, start, at, EDDA_RANK_SENTENCE);
        start = at + 1;
    }
    edda_pieces_add(pieces, start, text.size, EDDA_RANK_SENTENCE);
}

void edda_structure_json(struct edda_pieces *pieces, struct edda_text heading) {
    edda_pieces_path(pieces, heading);
    struct edda_text text = pieces->text;
    bool in_string = false;
    int depth = 0;
    enum edda_rank rank = EDDA_RANK_BLOCK;
    size_t start = 0;
    for (size_t at = 0; at < text.size && pieces->error == 0; at++) {
        char byte = text.data[at];
        if (byte == '\n')
            in_string = false; /* a string cannot hold one: a part may begin inside a string */
        if (in_string) {
            at += byte == '\\' && at + 1 < text.size && text.data[at + 1] != '\n';
            in_string = byte != '"';
            continue;
        }
        in_string = byte == '"';
        depth += byte == '{' || byte == '[';
        depth -= byte == '}' || byte == ']';
        if (byte != '\n' && byte != ',')
            continue;
        edda_pieces_add(pieces, start, at + 1, rank);
        rank = depth <= 1 ? EDDA_RANK_BLOCK : EDDA_RANK_SENTENCE;
        start = at + 1;
    }
    edda_pieces_add(pieces, start, text.size, rank);
}
