/* actors/store/index/vectors_scan.c: the pass over all int8 rows, one function per instruction set.
 */
#include "actors/store/index/vectors.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static void scan_plain(const int8_t *rows, size_t stride, size_t count, const int8_t *query,
                       int32_t *ret_products) {
    for (size_t row = 0; row < count; row++, rows += stride) {
        int32_t sum = 0;
        for (size_t i = 0; i < stride; i++) {
            sum += rows[i] * query[i];
        }
        ret_products[row] = sum;
    }
}

static float add_up(const float sums[8]) {
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

static float multiply_plain(const float *query, const uint16_t *halves, uint32_t dimension) {
    float sums[8] = {0};
    for (uint32_t i = 0; i < dimension; i++) {
        sums[i % 8] += query[i] * edda_half_to_float(halves[i]);
    }
    return add_up(sums);
}

#if defined(__x86_64__)

/* No fused multiply-add: the plain kernel rounds twice. */
__attribute__((target("avx,f16c"))) static float
multiply_f16c(const float *query, const uint16_t *halves, uint32_t dimension) {
    __m256 eight = _mm256_setzero_ps();
    float sums[8];
    uint32_t i = 0;
    for (; i + 8 <= dimension; i += 8) {
        __m256 values =
            _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(halves + i)));
        eight = _mm256_add_ps(eight, _mm256_mul_ps(_mm256_loadu_ps(query + i), values));
    }
    _mm256_storeu_ps(sums, eight);
    for (; i < dimension; i++) {
        sums[i % 8] += query[i] * edda_half_to_float(halves[i]);
    }
    return add_up(sums);
}

/* maddubs wants unsigned times signed: |row| times the query with the row's signs. No pair
 * overflows int16 because nothing is -128: 2 * 127 * 127 < 32768. */
__attribute__((target("avx2"))) static void scan_avx2(const int8_t *rows, size_t stride,
                                                      size_t count, const int8_t *query,
                                                      int32_t *ret_products) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (size_t row = 0; row < count; row++, rows += stride) {
        __m256i sum = _mm256_setzero_si256();
        for (size_t i = 0; i < stride; i += 32) {
            __m256i a = _mm256_load_si256((const __m256i *)(const void *)(rows + i));
            __m256i b = _mm256_load_si256((const __m256i *)(const void *)(query + i));
            __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
        }
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
        ret_products[row] = _mm_cvtsi128_si32(half);
    }
}

/* dpbusd wants unsigned times signed: row + 128, and 128 * sum(query) taken off again. */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static inline __m256i
multiply_vnni(const int8_t *row, size_t stride, const int8_t *query) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < stride; i += 64) {
        __m512i a = _mm512_load_si512((const void *)(row + i));
        __m512i b = _mm512_load_si512((const void *)(query + i));
        sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(a, flip), b);
    }
    return _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
}

/* Four rows at a time, so that three horizontal additions serve all four. */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static void
scan_vnni(const int8_t *rows, size_t stride, size_t count, const int8_t *query,
          int32_t *ret_products) {
    int32_t offset = 0;
    for (size_t i = 0; i < stride; i++) {
        offset += 128 * query[i];
    }
    for (; count >= 4; count -= 4, rows += 4 * stride, ret_products += 4) {
        __m256i first = _mm256_hadd_epi32(multiply_vnni(rows, stride, query),
                                          multiply_vnni(rows + stride, stride, query));
        __m256i second = _mm256_hadd_epi32(multiply_vnni(rows + 2 * stride, stride, query),
                                           multiply_vnni(rows + 3 * stride, stride, query));
        __m256i both = _mm256_hadd_epi32(first, second);
        __m128i sums =
            _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
        _mm_storeu_si128((__m128i *)(void *)ret_products,
                         _mm_sub_epi32(sums, _mm_set1_epi32(offset)));
    }
    for (; count > 0; count--, rows += stride) {
        __m256i row = multiply_vnni(rows, stride, query);
        *ret_products++ = _mm512_reduce_add_epi32(_mm512_zextsi256_si512(row)) - offset;
    }
}

/* Clang's __builtin_cpu_supports does not know this one. */
static bool has_f16c(void) {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

const struct edda_vectors_kernel *edda_vectors_kernels(size_t *ret_count) {
    static const struct edda_vectors_kernel kernels[] = {{"plain", scan_plain, multiply_plain},
                                                         {"avx2", scan_avx2, multiply_f16c},
                                                         {"avx512vnni", scan_vnni, multiply_f16c}};
    __builtin_cpu_init();
    size_t count = 1;
    if (__builtin_cpu_supports("avx2") && has_f16c()) {
        count = 2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vnni")) {
            count = 3;
        }
    }
    *ret_count = count;
    return kernels;
}

#else

const struct edda_vectors_kernel *edda_vectors_kernels(size_t *ret_count) {
    static const struct edda_vectors_kernel kernels[] = {{"plain", scan_plain, multiply_plain}};
    *ret_count = 1;
    return kernels;
}

#endif
