/* tests/sim/check_log.c: reads a log from standard input and says what was not kept; status 1 then.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/checker.h"

int main(void) {
    struct checker *checker = checker_new();
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    size_t count = 0;
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        if (line[0] != '#') {
            checker_line(checker, line, (size_t)size);
            count++;
        }
    }
    free(line);
    size_t offences = checker_finish(checker);
    fprintf(stderr, "%s", checker_report(checker));
    printf("%zu lines, %zu offences\n", count, offences);
    checker_free(&checker);
    return offences ? 1 : 0;
}
