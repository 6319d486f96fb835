/* actors/runtime/write.c: runs of plain bytes are looked at eight at a time and copied at once;
 * only escapes are looked at one by one. */
#include "actors/runtime/write.h"

#define EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

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

/* A bit in each byte that is less than limit, up to 0x80; of those above the first, perhaps more.
 * Source: Bit Twiddling Hacks, "Determine if a word has a byte less than n". */
static uint64_t less_than(uint64_t bytes, uint8_t limit) {
    return (bytes - EACH(limit)) & ~bytes & EACH(0x80);
}

static bool are_plain(const char *eight) {
    uint64_t bytes;
    memcpy(&bytes, eight, sizeof bytes);
    return (less_than(bytes, 0x20) | less_than(bytes ^ EACH('"'), 1) |
            less_than(bytes ^ EACH('\\'), 1)) == 0;
}

void edda_write_escaped(struct edda_buffer *out, struct edda_text text) {
    size_t begin = 0;
    for (size_t i = 0; i < text.size; i++) {
        while (text.size - i >= 8 && are_plain(text.data + i)) {
            i += 8;
        }
        if (i == text.size) {
            break;
        }
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
