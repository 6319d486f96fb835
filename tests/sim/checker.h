/* tests/sim/checker.h: reads what happened, line by line, and says which promise was not kept.
 *
 * The same checker reads the simulation's log and that of real processes (tests/fault), where a
 * ledger outside the system writes the lines. The lines are event.def's; the promises are
 * PROTOCOL's:
 *
 * G1  what was accepted is ready, superseded, deleted on request, or dead with a reason
 * G2  a ready memo has each chunk once, with a vector of the one dimension
 * G3  one answer a request, and none that was not asked for
 * G4  memory stays below its cap
 * G5  answers come by their deadline and a second
 * G6  a broker's books balance
 * G7  no worker is sent more than it granted
 * G8  only the last token of a lease changes a row
 * G9  counts of the same agree
 * G10 where nothing is wrong, nothing waits
 * and one more, here called G0: who was blamed had done something, who was dead had a cause, and
 * at the end nothing is open.
 *
 * Lines come in order of time. Memory grows with the log. */
#ifndef EDDA_TESTS_SIM_CHECKER_H
#define EDDA_TESTS_SIM_CHECKER_H

#include <stdbool.h>
#include <stddef.h>

struct checker;

/* Aborts when memory is short, as all of it does. */
struct checker *checker_new(void);
void checker_free(struct checker **self_p);

/* One line, with or without its newline. A line that is no event is itself an offence. */
void checker_line(struct checker *self, const char *line, size_t size);

/* After the last line: what can only be said then. Returns how many promises were broken. */
size_t checker_finish(struct checker *self);

/* What they are, a line each ("G3: request 17 was answered twice"). The first 50. */
const char *checker_report(const struct checker *self);

#endif
