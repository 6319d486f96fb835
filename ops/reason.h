/* ops/reason.h: why a part did not start, in words that say what to do. */
#ifndef EDDA_OPS_REASON_H
#define EDDA_OPS_REASON_H

#include "actors/runtime/config.h"

/* One line on standard error. part is a name of parts.h, error what its main returned; 0 when that
 * is not known, and then the line points to the log. */
void edda_reason_print(const char *part, int error, const edda_config_t *config);

#endif
