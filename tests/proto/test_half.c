/* tests/proto/test_half.c: every half there is, and floats between them. */
#include "proto/half.h"

#include <math.h>

#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

static void every_half_comes_back(void **state) {
    (void)state;
    for (uint32_t half = 0; half <= EDDA_HALF_LARGEST; half++) {
        uint16_t negative = (uint16_t)(half | 0x8000);
        float value = edda_half_to_float((uint16_t)half);
        assert_true(isfinite(value) && value >= 0);
        assert_int_equal(edda_half_from_float(value), half);
        assert_true(edda_half_to_float(negative) == -value);
        assert_int_equal(edda_half_from_float(-value), half == 0 ? negative : half | 0x8000);
    }
    assert_true(edda_half_to_float(0x3C00) == 1.0f);
    assert_true(edda_half_to_float(EDDA_HALF_LARGEST) == 65504.0f);
}

static void a_float_becomes_the_nearest_half(void **state) {
    struct random random = {2};
    (void)state;
    for (size_t i = 0; i < 100000; i++) {
        float value = (float)ldexp((double)(1 + random_below(&random, 1u << 24)),
                                   -40 + (int)random_below(&random, 31));
        uint16_t half = edda_half_from_float(value);
        float distance = fabsf(edda_half_to_float(half) - value);
        if (half > 0) {
            float below = fabsf(edda_half_to_float((uint16_t)(half - 1)) - value);
            assert_true(distance < below || (distance <= below && half % 2 == 0));
        }
        if (half < EDDA_HALF_LARGEST) {
            float above = fabsf(edda_half_to_float((uint16_t)(half + 1)) - value);
            assert_true(distance < above || (distance <= above && half % 2 == 0));
        }
    }
}

static void what_is_beyond_halves_becomes_the_largest(void **state) {
    (void)state;
    assert_int_equal(edda_half_from_float(65504.0f), EDDA_HALF_LARGEST);
    assert_int_equal(edda_half_from_float(65505.0f), EDDA_HALF_LARGEST);
    assert_int_equal(edda_half_from_float(65536.0f), EDDA_HALF_LARGEST);
    assert_int_equal(edda_half_from_float(-3e38f), EDDA_HALF_LARGEST | 0x8000);
    assert_int_equal(edda_half_from_float(1e-30f), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_comes_back),
        cmocka_unit_test(a_float_becomes_the_nearest_half),
        cmocka_unit_test(what_is_beyond_halves_becomes_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
