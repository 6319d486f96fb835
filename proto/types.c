/* proto/types.c: what happens when an invariant of ours is broken. */
#include "proto/types.h"

#include <stdio.h>
#include <stdlib.h>

void edda_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}
