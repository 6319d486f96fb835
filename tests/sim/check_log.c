/* tests/sim/check_log.c: reads logs (README.md) from files, or from standard input, and says what
 * was not kept: status 1 then, 2 when a file cannot be read.
 *
 * Several files are several logs, each whole. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/checker.h"

static bool check(const char *name, FILE *file) {
    struct checker *checker = checker_new();
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    size_t count = 0;
    while ((size = getline(&line, &capacity, file)) > 0) {
        if (line[0] != '#' && line[0] != '\n') {
            checker_line(checker, line, (size_t)size);
            count++;
        }
    }
    free(line);
    size_t offences = checker_finish(checker);
    fprintf(stderr, "%s", checker_report(checker));
    printf("%s: %zu lines, %zu offences\n", name, count, offences);
    checker_free(&checker);
    return offences == 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        return check("-", stdin) ? 0 : 1;
    }
    bool good = true;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (!file) {
            perror(argv[i]);
            return 2;
        }
        good &= check(argv[i], file);
        fclose(file);
    }
    return good ? 0 : 1;
}
