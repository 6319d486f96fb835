/* gateway/multipart.c: see multipart.h. */
#include "gateway/multipart.h"

#include <strings.h>

enum state { PREAMBLE, DELIMITED, HEADER, VALUE, EPILOGUE, BROKEN };

enum seen { SEEN_NOTHING, SEEN_DASH, SEEN_BLANK, SEEN_RETURN };

static bool is_named(struct edda_text text, const char *name) {
    return text.size == strlen(name) && strncasecmp(text.data, name, text.size) == 0;
}

static struct edda_text trim(struct edda_text text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* What comes before the first `end`, which is taken too, with or without it. */
static struct edda_text take_until(struct edda_text *rest, char end) {
    if (rest->size == 0) {
        return *rest;
    }
    const char *at = memchr(rest->data, end, rest->size);
    struct edda_text taken = {rest->data, at ? (size_t)(at - rest->data) : rest->size};
    size_t used = taken.size + (at ? 1 : 0);
    rest->data += used;
    rest->size -= used;
    return taken;
}

/* Behind the opening quote. A quote behind a backslash is the value's own; the backslashes stay,
 * for names that come from Windows have them too. */
static struct edda_text take_quoted(struct edda_text *rest) {
    struct edda_text quoted = {rest->data, 0};
    while (quoted.size < rest->size && rest->data[quoted.size] != '"') {
        bool escape = rest->data[quoted.size] == '\\' && quoted.size + 1 < rest->size &&
                      rest->data[quoted.size + 1] == '"';
        quoted.size += escape ? 2 : 1;
    }
    rest->data += quoted.size;
    rest->size -= quoted.size;
    (void)take_until(rest, ';');
    return quoted;
}

static struct edda_text take_value(struct edda_text *rest) {
    *rest = trim(*rest);
    if (rest->size > 0 && rest->data[0] == '"') {
        rest->data++;
        rest->size--;
        return take_quoted(rest);
    }
    return trim(take_until(rest, ';'));
}

/* The parameter of a header's value, absent when it has none of that name; the first of several. */
static struct edda_text find_parameter(struct edda_text rest, const char *name) {
    (void)take_until(&rest, ';');
    while (rest.size > 0) {
        size_t size = 0;
        while (size < rest.size && rest.data[size] != '=' && rest.data[size] != ';') {
            size++;
        }
        struct edda_text key = trim((struct edda_text){rest.data, size});
        bool valued = size < rest.size && rest.data[size] == '=';
        size += size < rest.size;
        rest.data += size;
        rest.size -= size;
        struct edda_text value = valued ? take_value(&rest) : (struct edda_text){0};
        if (valued && is_named(key, name)) {
            return value;
        }
    }
    return (struct edda_text){0};
}

static bool has_controls(struct edda_text text) {
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

int edda_multipart_init(struct edda_multipart *self, struct edda_text content_type) {
    struct edda_text boundary = find_parameter(content_type, "boundary");
    self->state = BROKEN;
    if (boundary.size == 0 || boundary.size > EDDA_MULTIPART_BOUNDARY || has_controls(boundary)) {
        return EDDA_E_MALFORMED;
    }
    /* The body begins as if behind a line end. */
    *self = (struct edda_multipart){.state = PREAMBLE, .matched = 2};
    memcpy(self->delimiter, "\r\n--", 4);
    memcpy(self->delimiter + 4, boundary.data, boundary.size);
    self->delimiter_size = 4 + boundary.size;
    return 0;
}

bool edda_multipart_whole(const struct edda_multipart *self) {
    return self->state == EPILOGUE;
}

struct telling {
    edda_multipart_fn tell;
    void *context;
};

static void tell_data(const struct edda_multipart *self, const struct telling *telling,
                      const char *data, size_t size) {
    if (self->state == VALUE && size > 0) {
        const struct edda_multipart_piece piece = {.data = {data, size}};
        telling->tell(telling->context, &piece);
    }
}

/* Preamble or value up to the next delimiter. No byte of it but the first is a CR, so that a match
 * that fails begins anew at the byte where it did. */
static size_t read_value(struct edda_multipart *self, const struct telling *telling,
                         const char *data, size_t size) {
    size_t at = 0;
    while (at < size) {
        if (self->matched == 0) {
            const char *found = memchr(data + at, '\r', size - at);
            size_t plain = found ? (size_t)(found - data) - at : size - at;
            tell_data(self, telling, data + at, plain);
            at += plain;
            if (!found) {
                break;
            }
        }
        if (data[at] == self->delimiter[self->matched]) {
            at++;
            if (++self->matched == self->delimiter_size) {
                self->state = DELIMITED;
                self->seen = SEEN_NOTHING;
                break;
            }
        } else {
            tell_data(self, telling, self->delimiter, self->matched);
            self->matched = 0;
        }
    }
    return at;
}

/* "--", or blanks and CRLF. */
static void read_delimited(struct edda_multipart *self, char byte) {
    bool blank = byte == ' ' || byte == '\t';
    if (self->seen == SEEN_DASH) {
        self->state = byte == '-' ? EPILOGUE : BROKEN;
    } else if (self->seen == SEEN_RETURN) {
        self->state = byte == '\n' ? HEADER : BROKEN;
        self->header_size = self->line = 0;
        self->name = self->file_name = self->content_type = (struct edda_text){0};
    } else if (byte == '-' && self->seen == SEEN_NOTHING) {
        self->seen = SEEN_DASH;
    } else if (byte == '\r') {
        self->seen = SEEN_RETURN;
    } else if (blank) {
        self->seen = SEEN_BLANK;
    } else {
        self->state = BROKEN;
    }
}

static void begin_part(struct edda_multipart *self, const struct telling *telling) {
    const struct edda_multipart_piece piece = {
        .begins = true,
        .name = self->name,
        .file_name = self->file_name,
        .content_type = self->content_type,
        .data = {"", 0},
    };
    self->state = VALUE;
    self->matched = 0;
    telling->tell(telling->context, &piece);
}

static void read_line(struct edda_multipart *self, const struct telling *telling,
                      struct edda_text line) {
    if (line.size == 0) {
        begin_part(self, telling);
        return;
    }
    if (has_controls(line)) {
        self->state = BROKEN;
        return;
    }
    struct edda_text value = line;
    struct edda_text name = take_until(&value, ':');
    if (is_named(name, "content-disposition")) {
        self->name = find_parameter(value, "name");
        self->file_name = find_parameter(value, "filename");
    } else if (is_named(name, "content-type")) {
        self->content_type = trim(value);
    }
}

static void read_header(struct edda_multipart *self, const struct telling *telling, char byte) {
    if (self->header_size == sizeof(self->header)) {
        self->state = BROKEN;
        return;
    }
    self->header[self->header_size++] = byte;
    if (byte != '\n') {
        return;
    }
    const char *line = self->header + self->line;
    size_t size = self->header_size - self->line - 1;
    self->line = self->header_size;
    if (size == 0 || line[size - 1] != '\r') {
        self->state = BROKEN;
        return;
    }
    read_line(self, telling, (struct edda_text){line, size - 1});
}

int edda_multipart_feed(struct edda_multipart *self, struct edda_bytes bytes,
                        edda_multipart_fn tell, void *context) {
    const struct telling telling = {tell, context};
    const char *data = (const char *)bytes.data;
    size_t at = 0;
    while (at < bytes.size && self->state != BROKEN && self->state != EPILOGUE) {
        if (self->state == DELIMITED) {
            read_delimited(self, data[at++]);
        } else if (self->state == HEADER) {
            read_header(self, &telling, data[at++]);
        } else {
            at += read_value(self, &telling, data + at, bytes.size - at);
        }
    }
    return self->state == BROKEN ? EDDA_E_MALFORMED : 0;
}
