/* actors/runtime/trace.h: W3C trace context: continue what came in, or begin.
 *
 * Source: https://www.w3.org/TR/trace-context/ : 00-<32 hex>-<16 hex>-<2 hex>, all-zero ids
 * invalid. */
#ifndef EDDA_RUNTIME_TRACE_H
#define EDDA_RUNTIME_TRACE_H

#include "proto/types.h"

#define EDDA_TRACEPARENT 56 /* 55 characters and NUL */

/* A child of parent when parent is valid, else a new trace. Random ids. */
void edda_trace_child(struct edda_text parent, char ret_traceparent[EDDA_TRACEPARENT]);

/* The 32 hex digits of the trace id within a valid traceparent. */
struct edda_text edda_trace_id(struct edda_text traceparent);

/* Whether the text has the shape above and no id of zeros. */
bool edda_trace_valid(struct edda_text traceparent);

#endif
