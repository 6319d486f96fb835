/* gateway/degraded.c: a short list, looked through from its start. */
#include "gateway/degraded.h"

#include "gateway/write.h"

void edda_degraded_add(struct edda_degraded *degraded, struct edda_text name) {
    for (size_t i = 0; i < degraded->count; i++) {
        if (edda_text_is(name, degraded->names[i])) {
            return;
        }
    }
    if (degraded->count < EDDA_DEGRADED_NAMES && name.size <= EDDA_MAX_NAME) {
        char *copy = degraded->names[degraded->count++];
        memcpy(copy, name.data, name.size);
        copy[name.size] = '\0';
    }
}

void edda_degraded_add_all(struct edda_degraded *degraded, const struct edda_text *names,
                           size_t count) {
    for (size_t i = 0; i < count; i++) {
        edda_degraded_add(degraded, names[i]);
    }
}

void edda_degraded_write(struct edda_buffer *out, const struct edda_degraded *degraded) {
    if (degraded->count == 0) {
        return;
    }
    EDDA_WRITE(out, ",\"degraded\":");
    for (size_t i = 0; i < degraded->count; i++) {
        (void)edda_buffer_append_text(out, i > 0 ? "," : "[");
        edda_write_text(out, edda_text_of(degraded->names[i]));
    }
    EDDA_WRITE(out, "]");
}
