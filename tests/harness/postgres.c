/* tests/harness/postgres.c: its URL is a file; what is told to it is a program's. */
#include "tests/harness/postgres.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/proto/cmocka.h"

extern char **environ;

static const char *server_directory(void) {
    const char *directory = getenv("EDDA_TEST_POSTGRES");
    if (!directory) {
        fail_msg("no server: these tests are run by ctest, or with EDDA_TEST_POSTGRES=DIR of "
                 "ops/postgres start DIR");
    }
    return directory;
}

const char *server_url(void) {
    static char url[256];
    char path[512];
    snprintf(path, sizeof path, "%s/url", server_directory());
    FILE *file = fopen(path, "re");
    if (!file || !fgets(url, sizeof url, file)) {
        fail_msg("%s cannot be read: ops/postgres start %s has not run", path, server_directory());
    }
    (void)fclose(file);
    url[strcspn(url, "\n")] = '\0';
    return url;
}

void server_do(const char *verb) {
    const char *arguments[] = {EDDA_OPS "/postgres", verb, server_directory(), NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0);
    assert_int_equal(posix_spawn(&pid, arguments[0], &actions, NULL,
                                 (char *const *)(uintptr_t)arguments, environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}
