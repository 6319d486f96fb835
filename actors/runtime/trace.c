/* actors/runtime/trace.c: W3C traceparent, version 00; higher versions are read by their first 55
 * characters as the recommendation asks. */
#include "actors/runtime/trace.h"

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

static char *put_hex(char *at, uint32_t value) {
    static const char digits[] = "0123456789abcdef";
    for (int shift = 28; shift >= 0; shift -= 4) {
        *at++ = digits[value >> shift & 15];
    }
    return at;
}

/* Sixteen digits. All-zero ids are invalid; the last bit keeps us from them. */
static char *put_span(char *at) {
    return put_hex(put_hex(at, edda_random32()), edda_random32() | 1u);
}

void edda_trace_child(struct edda_text parent, char ret_traceparent[EDDA_TRACEPARENT]) {
    bool valid = edda_trace_valid(parent);
    char *at = ret_traceparent;
    memcpy(at, "00-", 3);
    at += 3;
    if (valid) {
        memcpy(at, parent.data + TRACE_AT, TRACE_SIZE);
        at += TRACE_SIZE;
    } else {
        at = put_span(put_span(at));
    }
    *at++ = '-';
    at = put_span(at);
    *at++ = '-';
    memcpy(at, valid ? parent.data + FLAGS_AT : "00", 2);
    at[2] = '\0';
}
