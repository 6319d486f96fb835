/* tests/fault/guards/only.c: a cmocka program runs the test alone that EDDA_ONLY_TEST names.
 * guards.py links it into everything; a program without cmocka has no filter to set. */
#include <stdlib.h>

void cmocka_set_test_filter(const char *pattern) __attribute__((weak));

__attribute__((constructor)) static void run_only(void) {
    if (cmocka_set_test_filter && getenv("EDDA_ONLY_TEST")) {
        cmocka_set_test_filter(getenv("EDDA_ONLY_TEST"));
    }
}
