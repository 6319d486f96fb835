/* tests/fault/wall_clock.c: in edda-faults the wall clock is off by as many seconds as the file
 * "wall.seconds" of FAULT_POINTS says, from one call to the next.
 *
 * These are the process's own clocks, of its libraries too; the steady clock goes on as it was. */
#include <stdlib.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t read_offset(void) {
    const char *folder = getenv("FAULT_POINTS");
    char path[512];
    char text[24] = "";
    if (!folder || (size_t)snprintf(path, sizeof path, "%s/wall.seconds", folder) >= sizeof path) {
        return 0;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? (time_t)strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += read_offset();
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    (void)zone;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *ret_now) {
    struct timespec precise;
    time_t now = clock_gettime(CLOCK_REALTIME, &precise) == 0 ? precise.tv_sec : -1;
    if (ret_now) {
        *ret_now = now;
    }
    return now;
}
