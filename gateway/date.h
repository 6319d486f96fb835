/* gateway/date.h: dates as JavaScript reads and writes them.
 *
 * Read: the ISO forms YYYY, YYYY-MM, YYYY-MM-DD, each also with THH:MM, THH:MM:SS, THH:MM:SS.fff (a
 * space may stand for T) and Z or +-HH:MM, and the expanded years +-YYYYYY. A time without an
 * offset is taken as UTC. Written: YYYY-MM-DDTHH:MM:SS.mmmZ. Source: ECMA-262, "Date Time String
 * Format". Pure. */
#ifndef EDDA_GATEWAY_DATE_H
#define EDDA_GATEWAY_DATE_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_DATE_TEXT 32
#define EDDA_DATE_MAX_MS                                                                           \
    INT64_C(8640000000000000) /* JavaScript's last instant, either side of 1970 */

/* EDDA_E_INVALID: none of the forms, or no such day or time. */
int edda_date_parse(struct edda_text text, int64_t *ret_wall_ms) EDDA_MUST_CHECK;

/* wall_ms within +-EDDA_DATE_MAX_MS, clamped otherwise; the result is NUL-terminated. */
struct edda_text edda_date_format(int64_t wall_ms, char ret_text[EDDA_DATE_TEXT]);

#endif
