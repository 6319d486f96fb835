/* proto/uuid.c: version 7 by hand, version 5 by libuuid, text both ways. */
#include "proto/uuid.h"

#include <uuid/uuid.h>

_Static_assert(sizeof(uuid_t) == sizeof(struct edda_uuid), "libuuid's uuid is sixteen bytes");

struct edda_uuid edda_uuid_v7(int64_t wall_ms, const uint8_t random[10]) {
    struct edda_uuid uuid;
    uint64_t time_ms = (uint64_t)wall_ms;
    for (int i = 0; i < 6; i++) {
        uuid.bytes[i] = (uint8_t)(time_ms >> (40 - 8 * i) & 0xff);
    }
    memcpy(uuid.bytes + 6, random, 10);
    uuid.bytes[6] = (uint8_t)(0x70 | (uuid.bytes[6] & 0x0f));
    uuid.bytes[8] = (uint8_t)(0x80 | (uuid.bytes[8] & 0x3f));
    return uuid;
}

struct edda_uuid edda_uuid_v5(const struct edda_uuid *space, const void *name, size_t size) {
    struct edda_uuid uuid;
    uuid_generate_sha1(uuid.bytes, space->bytes, name, size);
    return uuid;
}

static void put_little(uint8_t *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i) & 0xff);
    }
}

struct edda_uuid edda_uuid_chunk(const struct edda_uuid *memo, uint64_t version, uint32_t part,
                                 uint32_t number) {
    uint8_t name[16];
    put_little(name, version, 8);
    put_little(name + 8, part, 4);
    put_little(name + 12, number, 4);
    return edda_uuid_v5(memo, name, sizeof(name));
}

void edda_uuid_format(const struct edda_uuid *uuid, char ret_text[EDDA_UUID_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    char *at = ret_text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = digits[uuid->bytes[i] >> 4];
        *at++ = digits[uuid->bytes[i] & 15];
    }
    *at = '\0';
}

int edda_uuid_parse(struct edda_text text, struct edda_uuid *ret_uuid) {
    struct edda_uuid uuid;
    if (text.size != EDDA_UUID_TEXT - 1) {
        return EDDA_E_INVALID;
    }
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            if (text.data[at++] != '-') {
                return EDDA_E_INVALID;
            }
        }
        int high = edda_hex_digit(text.data[at]);
        int low = edda_hex_digit(text.data[at + 1]);
        if (high < 0 || low < 0) {
            return EDDA_E_INVALID;
        }
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *ret_uuid = uuid;
    return 0;
}

bool edda_uuid_is_nil(const struct edda_uuid *uuid) {
    uint64_t halves[2];
    memcpy(halves, uuid->bytes, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}
