/* actors/runtime/log.h: one line an event on standard error: time, level, event, key=value pairs.
 *
 * The owner of a request logs its failure once. Never log keys, text of documents or headers. Any
 * thread. Lines are cut at 1,024 bytes; format json gives the same as one JSON object. */
#ifndef EDDA_RUNTIME_LOG_H
#define EDDA_RUNTIME_LOG_H

#include "proto/types.h"

enum edda_log_level { EDDA_LOG_DEBUG, EDDA_LOG_INFO, EDDA_LOG_WARNING, EDDA_LOG_ERROR };

void edda_log_setup(enum edda_log_level level, bool json);

/* edda_log(EDDA_LOG_WARNING, "worker_gone", "service=%s running=%u", service, running): format is
 * key=value pairs, values that may hold spaces in \"…\". No string can forge a pair: within quotes
 * its quotes and backslashes get a backslash, elsewhere its blanks and quotes become '?'. Of
 * printf's conversions d, i, u, x, c, f, g, s and %, with widths, precisions, l, ll, z and j. */
void edda_log(enum edda_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
