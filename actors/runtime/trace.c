/* actors/runtime/trace.c: W3C traceparent, version 00; higher versions are read by their first 55
 * characters as the recommendation asks. */
#include "actors/runtime/trace.h"

#include <stdio.h>

#include "actors/runtime/clock.h"

#define TRACE_AT    3
#define TRACE_SIZE  32
#define SPAN_AT     36
#define SPAN_SIZE   16
#define FLAGS_AT    53
#define PARENT_SIZE 55

static bool is_lower_hex(struct edda_text text, size_t from, size_t size) {
    for (size_t i = from; i < from + size; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool is_all_zero(struct edda_text text, size_t from, size_t size) {
    for (size_t i = from; i < from + size; i++) {
        if (text.data[i] != '0') {
            return false;
        }
    }
    return true;
}

bool edda_trace_valid(struct edda_text traceparent) {
    struct edda_text text = traceparent;
    if (!text.data || text.size < PARENT_SIZE) {
        return false;
    }
    if (!is_lower_hex(text, 0, 2) || memcmp(text.data, "ff", 2) == 0) {
        return false;
    }
    bool ours = memcmp(text.data, "00", 2) == 0;
    if (text.size > PARENT_SIZE && (ours || text.data[PARENT_SIZE] != '-')) {
        return false;
    }
    if (text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-') {
        return false;
    }
    return is_lower_hex(text, TRACE_AT, TRACE_SIZE) && is_lower_hex(text, SPAN_AT, SPAN_SIZE) &&
           is_lower_hex(text, FLAGS_AT, 2) && !is_all_zero(text, TRACE_AT, TRACE_SIZE) &&
           !is_all_zero(text, SPAN_AT, SPAN_SIZE);
}

struct edda_text edda_trace_id(struct edda_text traceparent) {
    EDDA_ASSERT(edda_trace_valid(traceparent));
    return (struct edda_text){traceparent.data + TRACE_AT, TRACE_SIZE};
}

/* All-zero ids are invalid; the last bit keeps us from them. */
static void print_span(char *out, size_t size) {
    (void)snprintf(out, size, "%08x%08x", edda_random32(), edda_random32() | 1u);
}

void edda_trace_child(struct edda_text parent, char ret_traceparent[EDDA_TRACEPARENT]) {
    char trace[TRACE_SIZE + 1];
    char span[SPAN_SIZE + 1];
    char flags[3] = "00";
    print_span(span, sizeof span);
    if (edda_trace_valid(parent)) {
        memcpy(trace, parent.data + TRACE_AT, TRACE_SIZE);
        trace[TRACE_SIZE] = '\0';
        memcpy(flags, parent.data + FLAGS_AT, 2);
    } else {
        print_span(trace, SPAN_SIZE + 1);
        print_span(trace + SPAN_SIZE, SPAN_SIZE + 1);
    }
    (void)snprintf(ret_traceparent, EDDA_TRACEPARENT, "00-%s-%s-%s", trace, span, flags);
}
