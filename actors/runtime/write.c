/* actors/runtime/write.c: runs of plain bytes are copied at once; only escapes are looked at one by
 * one. */
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

void edda_write_escaped(struct edda_buffer *out, struct edda_text text) {
    size_t begin = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (is_plain(byte)) {
            continue;
        }
        if (i > begin) {
            (void)edda_buffer_append(out, text.data + begin, i - begin);
        }
        write_escape(out, byte);
        begin = i + 1;
    }
    if (text.size > begin) {
        (void)edda_buffer_append(out, text.data + begin, text.size - begin);
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
