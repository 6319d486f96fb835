#include "actors/text/headings.h"

static const char joint[] = " > ";
#define JOINT_BYTES (sizeof joint - 1)

static struct edda_text trim(struct edda_text text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t' ||
                             text.data[text.size - 1] == '\r'))
        text.size--;
    return text;
}

/* Ends those below it. An empty title ends the level too. */
static void set_heading(struct edda_headings *headings, unsigned level, struct edda_text title) {
    EDDA_ASSERT(level >= 1 && level <= EDDA_HEADING_LEVELS);
    title = trim(title);
    if (title.size > EDDA_HEADING_BYTES) {
        title.size = EDDA_HEADING_BYTES;
        while (title.size > 0 && ((unsigned char)title.data[title.size] & 0xC0) == 0x80)
            title.size--;
    }
    if (title.size > 0)
        memcpy(headings->titles[level - 1], title.data, title.size);
    headings->sizes[level - 1] = (uint8_t)title.size;
    memset(headings->sizes + level, 0, EDDA_HEADING_LEVELS - level);
}

void edda_headings_init(struct edda_headings *headings, struct edda_text path) {
    memset(headings, 0, sizeof *headings);
    for (unsigned level = 1; path.size > 0 && level <= EDDA_HEADING_LEVELS; level++) {
        const char *end = memmem(path.data, path.size, joint, JOINT_BYTES);
        size_t size =
            end != NULL && level < EDDA_HEADING_LEVELS ? (size_t)(end - path.data) : path.size;
        set_heading(headings, level, (struct edda_text){path.data, size});
        size_t taken = size + JOINT_BYTES < path.size ? size + JOINT_BYTES : path.size;
        path.data += taken;
        path.size -= taken;
    }
}

/* Three or more of the same fence mark open fenced code; at least as many alone close it. */
static bool read_fence(struct edda_headings *headings, struct edda_text line) {
    if (line.size < 3 || (line.data[0] != '`' && line.data[0] != '~'))
        return headings->fence != 0;
    size_t run = 1;
    while (run < line.size && line.data[run] == line.data[0])
        run++;
    if (headings->fence == 0) {
        bool inline_code = line.data[0] == '`' && memchr(line.data + run, '`', line.size - run);
        if (run < 3 || inline_code)
            return false;
        headings->fence = line.data[0];
        headings->fence_run = (uint8_t)(run < 255 ? run : 255);
        return true;
    }
    if (headings->fence == line.data[0] && run >= headings->fence_run && run == line.size)
        headings->fence = 0;
    return true;
}

/* "## Title ##" without its marks; level 0 when line is no such heading. */
static unsigned read_marked(struct edda_text line, struct edda_text *ret_title) {
    unsigned level = 0;
    while (level < line.size && line.data[level] == '#')
        level++;
    if (level == 0 || level > EDDA_HEADING_LEVELS)
        return 0;
    if (level < line.size && line.data[level] != ' ' && line.data[level] != '\t')
        return 0;
    struct edda_text title = trim((struct edda_text){line.data + level, line.size - level});
    size_t size = title.size;
    while (size > 0 && title.data[size - 1] == '#')
        size--;
    if (size == 0 || title.data[size - 1] == ' ')
        title.size = size;
    *ret_title = title;
    return level;
}

/* The level line gives the paragraph's only line above it, 0 for none. */
static unsigned read_underline(const struct edda_headings *headings, struct edda_text line) {
    if (headings->paragraph_lines != 1 || headings->previous_size == 0 || line.size < 2)
        return 0;
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] != line.data[0])
            return 0;
    if (line.data[0] == '=')
        return 1;
    bool key_value = memmem(headings->previous, headings->previous_size, ": ", 2) != NULL;
    return line.data[0] == '-' && line.size >= 3 && !key_value ? 2 : 0;
}

static void remember_line(struct edda_headings *headings, struct edda_text line) {
    if (line.size == 0) {
        headings->paragraph_lines = 0;
        return;
    }
    bool plain = memchr("-*+>|#=", line.data[0], 7) == NULL && line.size <= EDDA_HEADING_BYTES;
    headings->paragraph_lines++;
    headings->previous_size = plain ? (uint8_t)line.size : 0;
    memcpy(headings->previous, line.data, headings->previous_size);
}

unsigned edda_headings_line(struct edda_headings *headings, struct edda_text line) {
    size_t indent = 0;
    while (indent < line.size && line.data[indent] == ' ')
        indent++;
    line = trim(line);
    headings->underlined = false;
    if (read_fence(headings, line)) {
        headings->paragraph_lines = 0;
        return 0;
    }
    struct edda_text title = {NULL, 0};
    unsigned level = indent <= 3 ? read_marked(line, &title) : 0;
    if (level == 0 && indent <= 3 && (level = read_underline(headings, line)) > 0) {
        title = (struct edda_text){headings->previous, headings->previous_size};
        headings->underlined = true;
    }
    if (level == 0) {
        remember_line(headings, line);
        return 0;
    }
    headings->paragraph_lines = 0;
    set_heading(headings, level, title);
    return level;
}

static void read_lines(struct edda_headings *headings, struct edda_text text) {
    while (text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        edda_headings_line(headings, (struct edda_text){text.data, size});
        size_t taken = size < text.size ? size + 1 : size;
        text.data += taken;
        text.size -= taken;
    }
}

size_t edda_headings_path(const struct edda_headings *headings,
                          char buffer[EDDA_HEADING_PATH_BYTES]) {
    size_t size = 0;
    for (size_t i = 0; i < EDDA_HEADING_LEVELS; i++) {
        if (headings->sizes[i] == 0)
            continue;
        if (size > 0) {
            memcpy(buffer + size, joint, JOINT_BYTES);
            size += JOINT_BYTES;
        }
        memcpy(buffer + size, headings->titles[i], headings->sizes[i]);
        size += headings->sizes[i];
    }
    return size;
}

/* Quotes may hold line ends. Without its own. */
static struct edda_text first_record(struct edda_text text) {
    bool quoted = false;
    size_t size = 0;
    for (; size < text.size; size++) {
        if (text.data[size] == '"')
            quoted = !quoted;
        else if (text.data[size] == '\n' && !quoted)
            break;
    }
    return trim((struct edda_text){text.data, size});
}

size_t edda_headings_after(struct edda_text format, struct edda_text part, bool is_first,
                           struct edda_text before, char buffer[EDDA_HEADING_PATH_BYTES]) {
    if (edda_text_is(format, "csv")) {
        struct edda_text row = is_first ? first_record(part) : before;
        if (row.size > EDDA_HEADING_PATH_BYTES) {
            row.size = EDDA_HEADING_PATH_BYTES;
            while (row.size > 0 && ((unsigned char)row.data[row.size] & 0xC0) == 0x80)
                row.size--;
        }
        if (row.size > 0)
            memmove(buffer, row.data, row.size);
        return row.size;
    }
    if (format.size > 0 && !edda_text_is(format, "markdown"))
        return 0;
    struct edda_headings headings;
    edda_headings_init(&headings, before);
    read_lines(&headings, part);
    return edda_headings_path(&headings, buffer);
}

static char *write_line(char *at, struct edda_text line) {
    if (line.size > 0) {
        memcpy(at, line.data, line.size);
        at[line.size] = '\n';
        at += line.size + 1;
    }
    return at;
}

int edda_headed_text(struct edda_text title, struct edda_text heading, struct edda_text text,
                     struct edda_arena *arena, struct edda_text *ret_text) {
    *ret_text = text;
    if (title.size == 0 && heading.size == 0)
        return 0;
    char *lines = edda_arena_take(arena, title.size + heading.size + text.size + 3);
    if (!lines)
        return EDDA_E_MEMORY;
    char *end = write_line(write_line(write_line(lines, title), heading), text);
    *ret_text = (struct edda_text){lines, (size_t)(end - lines) - 1}; /* without the last end */
    return 0;
}
