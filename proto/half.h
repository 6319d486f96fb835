/* proto/half.h: IEEE 754 binary16 and back: vectors at half the bytes. Pure. */
#ifndef EDDA_PROTO_HALF_H
#define EDDA_PROTO_HALF_H

#include <stdint.h>
#include <string.h>

#define EDDA_HALF_LARGEST 0x7BFFu /* 65504 */

/* Of a finite value. Rounds to the nearest, to even of two; what is beyond the largest half becomes
 * that. */
static inline uint16_t edda_half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude < 0x38800000) { /* below 2^-14: a multiple of 2^-24, which is what 0.5 steps by */
        float shifted = (value < 0 ? -value : value) + 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3F000000));
    }
    if (magnitude > 0x477FE000) {
        return (uint16_t)(sign | EDDA_HALF_LARGEST);
    }
    magnitude += 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | ((magnitude - 0x38000000) >> 13));
}

/* Of a finite half. */
static inline float edda_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t magnitude = half & 0x7FFF;
    if (magnitude < 0x400) {
        float small = (float)magnitude / 16777216.0f;
        return sign ? -small : small;
    }
    uint32_t bits = sign | ((magnitude << 13) + 0x38000000);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
