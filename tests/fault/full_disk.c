/* tests/fault/full_disk.c: in edda-faults SQLite's disk is full while FAULT_POINTS has a file
 * "disk.full", and refuses writes while it has "disk.read_only".
 *
 * Through SQLite's own table of system calls, so that no test needs the right to mount. What grows
 * a file, or writes it, fails; reads and deletions do not, as on a real disk. */
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "proto/types.h"

/* 0, or the errno of a write now. */
static int refusal(void) {
    static const struct {
        const char *name;
        int error;
    } states[] = {{"disk.full", ENOSPC}, {"disk.read_only", EROFS}};
    const char *folder = getenv("FAULT_POINTS");
    char path[PATH_MAX];
    for (size_t i = 0; folder && i < 2; i++) {
        int size = snprintf(path, sizeof(path), "%s/%s", folder, states[i].name);
        EDDA_ASSERT(size > 0 && (size_t)size < sizeof(path));
        if (access(path, F_OK) == 0) {
            return states[i].error;
        }
    }
    return 0;
}

static ssize_t write_or_not(int fd, const void *bytes, size_t size) {
    int error = refusal();
    errno = error ? error : errno;
    return error ? -1 : write(fd, bytes, size);
}

static ssize_t pwrite_or_not(int fd, const void *bytes, size_t size, off_t at) {
    int error = refusal();
    errno = error ? error : errno;
    return error ? -1 : pwrite(fd, bytes, size, at);
}

static int truncate_or_not(int fd, off_t size) {
    int error = refusal();
    errno = error ? error : errno;
    return error ? -1 : ftruncate(fd, size);
}

__attribute__((constructor)) static void take_disk(void) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    EDDA_ASSERT(vfs);
    EDDA_ASSERT(vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)write_or_not) == SQLITE_OK);
    EDDA_ASSERT(vfs->xSetSystemCall(vfs, "ftruncate", (sqlite3_syscall_ptr)truncate_or_not) ==
                SQLITE_OK);
    EDDA_ASSERT(vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)pwrite_or_not) ==
                SQLITE_OK);
    /* off_t has 64 bits here, so that both are one. */
    EDDA_ASSERT(sizeof(off_t) == 8);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)pwrite_or_not);
}
