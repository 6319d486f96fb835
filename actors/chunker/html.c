#include "actors/chunker/html.h"

#include "actors/text/text.h"

#include <stdlib.h>
#include <strings.h>

#define TAG_LOOKBACK 1024 /* a part may begin inside a tag, but not further inside than this */

struct reader {
    struct edda_text source;
    size_t at;
    char *out;
    size_t size;
    size_t capacity; /* never reached: see the bound in edda_html_read */
    struct edda_html *html;
    bool in_pre;
};

static void put(struct reader *reader, const char *bytes, size_t count, size_t start, size_t end) {
    EDDA_ASSERT(reader->size + count <= reader->capacity);
    for (size_t i = 0; i < count; i++) {
        reader->out[reader->size] = bytes[i];
        reader->html->start[reader->size] = (uint32_t)start;
        reader->html->end[reader->size++] = (uint32_t)end;
    }
}

/* Text of our own, standing for the tag at [start, end). */
static void put_mark(struct reader *reader, const char *mark, size_t start, size_t end) {
    put(reader, mark, strlen(mark), start, end);
}

/* At least `wanted` line ends behind what is there; none at the beginning. */
static void put_break(struct reader *reader, size_t wanted, size_t start, size_t end) {
    size_t at = reader->size;
    size_t lines = 0;
    while (at > 0 && edda_text_is_blank(reader->out[at - 1]))
        lines += reader->out[--at] == '\n';
    for (; at > 0 && lines < wanted; lines++)
        put(reader, "\n", 1, start, end);
}

static void put_character(struct reader *reader, char byte, size_t start) {
    bool blank = edda_text_is_blank(byte);
    if (blank && !reader->in_pre) {
        bool after_blank = reader->size == 0 || edda_text_is_blank(reader->out[reader->size - 1]);
        if (!after_blank)
            put(reader, " ", 1, start, start + 1);
        return;
    }
    put(reader, &byte, 1, start, start + 1);
}

static size_t encode(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const unsigned char leads[4] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(leads[more] | point >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (point >> (6 * (more - i)) & 0x3F));
    return more + 1;
}

static uint32_t read_number(const char *at, size_t size) {
    uint32_t base = size > 0 && (*at == 'x' || *at == 'X') ? 16 : 10;
    uint32_t point = 0;
    size_t i = base == 16;
    if (i == size)
        return 0;
    for (; i < size && point <= 0x10FFFF; i++) {
        int digit = edda_hex_digit(at[i]);
        if (digit < 0 || (uint32_t)digit >= base)
            return 0;
        point = point * base + (uint32_t)digit;
    }
    bool invalid = point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF) || point < 0x20;
    return invalid ? 0 : point;
}

/* Decodes the entity at reader->at ('&'); anything unknown is kept as it stands. */
static void read_entity(struct reader *reader) {
    static const struct {
        const char *name;
        uint32_t point;
    } known[] = {{"amp", '&'},       {"lt", '<'},       {"gt", '>'},       {"quot", '"'},
                 {"apos", '\''},     {"nbsp", ' '},     {"ndash", 0x2013}, {"mdash", 0x2014},
                 {"hellip", 0x2026}, {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201C},
                 {"rdquo", 0x201D},  {"copy", 0xA9},    {"auml", 0xE4},    {"ouml", 0xF6},
                 {"uuml", 0xFC},     {"Auml", 0xC4},    {"Ouml", 0xD6},    {"Uuml", 0xDC},
                 {"szlig", 0xDF},    {"eacute", 0xE9},  {"egrave", 0xE8},  {"agrave", 0xE0},
                 {"ccedil", 0xE7},   {"ntilde", 0xF1},  {"euro", 0x20AC},  {"middot", 0xB7}};
    const char *name = reader->source.data + reader->at + 1;
    size_t left = reader->source.size - reader->at - 1;
    const char *semicolon = memchr(name, ';', left < 12 ? left : 12);
    uint32_t point = 0;
    size_t size = semicolon != NULL ? (size_t)(semicolon - name) : 0;
    if (size > 1 && name[0] == '#')
        point = read_number(name + 1, size - 1);
    for (size_t i = 0; point == 0 && size > 0 && i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, name, size) == 0)
            point = known[i].point;
    if (point == 0) {
        put_character(reader, '&', reader->at++);
        return;
    }
    char bytes[4];
    size_t count = encode(point, bytes);
    put(reader, bytes, count, reader->at, reader->at + size + 2);
    reader->at += size + 2;
}

static bool is_letter(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Position behind the '>' that ends the tag at `at`; quoted attributes may hold one. */
static size_t find_tag_end(struct edda_text source, size_t at) {
    char quote = 0;
    for (size_t i = at + 1; i < source.size; i++) {
        char byte = source.data[i];
        if (quote != 0)
            quote = byte == quote ? 0 : quote;
        else if (byte == '>')
            return i + 1;
        else if ((byte == '"' || byte == '\'') && source.data[i - 1] == '=')
            quote = byte;
    }
    const char *any = memchr(source.data + at, '>', source.size - at); /* a quote never closed */
    return any != NULL ? (size_t)(any - source.data) + 1 : source.size;
}

static bool is_named(struct edda_text name, const char *const *list) {
    for (; *list != NULL; list++)
        if (strlen(*list) == name.size && strncasecmp(*list, name.data, name.size) == 0)
            return true;
    return false;
}

/* Position behind "</name ...>" from `at` on; the end of the source when it never closes. */
static size_t skip_element(struct edda_text source, size_t at, struct edda_text name) {
    for (; at + name.size + 2 <= source.size; at++) {
        if (source.data[at] != '<') {
            const char *next = memchr(source.data + at, '<', source.size - at);
            if (next == NULL)
                break;
            at = (size_t)(next - source.data);
            if (at + name.size + 2 > source.size)
                break;
        }
        if (source.data[at + 1] == '/' &&
            strncasecmp(source.data + at + 2, name.data, name.size) == 0)
            return find_tag_end(source, at);
    }
    return source.size;
}

/* The tag at reader->at, a '<' followed by a letter or a slash and a letter. */
static void read_tag(struct reader *reader) {
    static const char *const hidden[] = {"script", "style", "template", "noscript", NULL};
    static const char *const blocks[] = {"p",      "div",  "section", "article",    "header",
                                         "footer", "main", "nav",     "aside",      "table",
                                         "ul",     "ol",   "dl",      "figure",     "form",
                                         "body",   "head", "title",   "blockquote", NULL};
    static const char *const lines[] = {"br", "tr", "dt", "dd", "hr", NULL};
    struct edda_text source = reader->source;
    size_t start = reader->at;
    size_t name_at = start + 1 + (source.data[start + 1] == '/');
    bool closing = name_at == start + 2;
    size_t name_end = name_at;
    while (name_end < source.size &&
           (is_letter(source.data[name_end]) ||
            (source.data[name_end] >= '0' && source.data[name_end] <= '9')))
        name_end++;
    struct edda_text name = {source.data + name_at, name_end - name_at};
    size_t end = find_tag_end(source, start);
    reader->at = end;
    if (is_named(name, hidden)) {
        reader->at = closing ? end : skip_element(source, end, name);
    } else if (name.size == 2 && (name.data[0] == 'h' || name.data[0] == 'H') &&
               name.data[1] >= '1' && name.data[1] <= '6') {
        /* "<hN>" has four bytes, "###### " is cut to what the bound on the output allows. */
        put_break(reader, 2, start, end);
        if (!closing)
            put_mark(reader, &"###### "['6' - name.data[1]], start, end);
    } else if (is_named(name, (const char *const[]){"pre", NULL})) {
        reader->in_pre = !closing;
        put_break(reader, 2, start, end);
    } else if (is_named(name, blocks)) {
        put_break(reader, 2, start, end);
    } else if (is_named(name, lines)) {
        put_break(reader, 1, start, end);
    } else if (!closing && is_named(name, (const char *const[]){"li", NULL})) {
        put_break(reader, 1, start, end);
        put_mark(reader, "- ", start, end);
    } else if (closing && is_named(name, (const char *const[]){"td", "th", NULL})) {
        put_mark(reader, " | ", start, end);
    }
}

static void read_all(struct reader *reader, bool is_first) {
    struct edda_text source = reader->source;
    const char *closer =
        memchr(source.data, '>', source.size < TAG_LOOKBACK ? source.size : TAG_LOOKBACK);
    if (!is_first && closer != NULL &&
        memchr(source.data, '<', (size_t)(closer - source.data)) == NULL)
        reader->at = (size_t)(closer - source.data) + 1;
    while (reader->at < source.size) {
        size_t at = reader->at;
        char byte = source.data[at];
        char next = at + 1 < source.size ? source.data[at + 1] : '\0';
        if (byte == '&') {
            read_entity(reader);
        } else if (byte != '<') {
            put_character(reader, byte, at);
            reader->at++;
        } else if (is_letter(next) ||
                   (next == '/' && at + 2 < source.size && is_letter(source.data[at + 2]))) {
            read_tag(reader);
        } else if (next == '!' || next == '?') {
            bool comment = source.size - at >= 4 && memcmp(source.data + at, "<!--", 4) == 0;
            const char *close =
                comment ? memmem(source.data + at, source.size - at, "-->", 3) : NULL;
            reader->at =
                close != NULL ? (size_t)(close - source.data) + 3 : find_tag_end(source, at);
        } else {
            put_character(reader, byte, at);
            reader->at++;
        }
    }
}

int edda_html_read(struct edda_text source, bool is_first, struct edda_arena *arena,
                   struct edda_html *ret_html) {
    /* A mark replaces a tag of at least three bytes with at most nine, all else does not grow. */
    size_t capacity = source.size * 3 + 16;
    *ret_html = (struct edda_html){.start = malloc(capacity * sizeof(uint32_t)),
                                   .end = malloc(capacity * sizeof(uint32_t))};
    struct reader reader = {.source = source,
                            .out = edda_arena_take(arena, capacity),
                            .capacity = capacity,
                            .html = ret_html};
    if (ret_html->start == NULL || ret_html->end == NULL || reader.out == NULL) {
        edda_html_done(ret_html);
        return EDDA_E_MEMORY;
    }
    read_all(&reader, is_first);
    ret_html->text = (struct edda_text){reader.out, reader.size};
    return 0;
}

void edda_html_done(struct edda_html *html) {
    free(html->start);
    free(html->end);
    html->start = NULL;
    html->end = NULL;
}
