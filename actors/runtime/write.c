/* actors/runtime/write.c: runs of plain bytes are looked at sixteen at a time and copied at once.
 */
#include "actors/runtime/write.h"

void edda_write_raw(struct edda_buffer *out, struct edda_text text) {
    (void)edda_buffer_append(out, text.data, text.size);
}

static bool is_plain(unsigned char byte) {
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

static void write_escape(struct edda_buffer *out, unsigned char byte) {
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
    size_t size = 2;
    switch (byte) {
    case '"':
    case '\\':
        escape[1] = (char)byte;
        break;
    case '\b':
        escape[1] = 'b';
        break;
    case '\f':
        escape[1] = 'f';
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\r':
        escape[1] = 'r';
        break;
    case '\t':
        escape[1] = 't';
        break;
    default:
        size = 6;
    }
    (void)edda_buffer_append(out, escape, size);
}

typedef uint8_t block_t __attribute__((vector_size(16)));

static bool are_plain(const char *text) {
    block_t bytes;
    uint64_t halves[2];
    memcpy(&bytes, text, sizeof bytes);
    block_t special = (block_t)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));
    memcpy(halves, &special, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

static size_t plain_run(const char *text, size_t size) {
    size_t run = 0;
    while (size - run >= sizeof(block_t) && are_plain(text + run)) {
        run += sizeof(block_t);
    }
    while (run < size && is_plain((unsigned char)text[run])) {
        run++;
    }
    return run;
}

void edda_write_escaped(struct edda_buffer *out, struct edda_text text) {
    size_t at = 0;
    while (at < text.size) {
        size_t run = plain_run(text.data + at, text.size - at);
        (void)edda_buffer_append(out, text.data + at, run);
        at += run;
        if (at < text.size) {
            write_escape(out, (unsigned char)text.data[at++]);
        }
    }
}

void edda_write_text(struct edda_buffer *out, struct edda_text text) {
    if (!text.data) {
        EDDA_WRITE(out, "null");
        return;
    }
    EDDA_WRITE(out, "\"");
    edda_write_escaped(out, text);
    EDDA_WRITE(out, "\"");
}

void edda_write_unsigned(struct edda_buffer *out, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    (void)edda_buffer_append(out, digits + at, sizeof digits - at);
}
