/* tests/fault/fault_point.c: what EDDA_FAULT_POINT does in edda-faults. */
#include "proto/fault_point.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/types.h"

int edda_fault_point(const char *format, ...) {
    const char *folder = getenv("FAULT_POINTS");
    char name[101];
    char path[512];
    va_list arguments;
    if (!folder) {
        return 0;
    }
    va_start(arguments, format);
    int size = vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    EDDA_ASSERT(size > 0 && (size_t)size < sizeof(name));
    size = snprintf(path, sizeof(path), "%s/%s", folder, name);
    EDDA_ASSERT(size > 0 && (size_t)size < sizeof(path));
    /* Whoever takes the file away dies; of several processes one. */
    if (unlink(path) == 0) {
        (void)kill(getpid(), SIGKILL);
    }
    return 0;
}
