/* proto/error.c: the table of proto/error.def behind four look-ups. */
#include "proto/error.h"

#include <ctype.h>
#include <stddef.h>

#define NAME_BYTES 24

struct entry {
    char name[NAME_BYTES]; /* as in the table, made lower case before main() */
    const char *text;
    int http;
};

#define EDDA_ERROR(name, number, http, text) [number] = {#name, text, http},
static struct entry entries[] = {
    [0] = {"ok", "no error", 200},
#include "proto/error.def"
};
#undef EDDA_ERROR

#define EDDA_ERROR(name, number, http, text)                                                       \
    _Static_assert(sizeof(#name) <= NAME_BYTES, "the name has room");
#include "proto/error.def"
#undef EDDA_ERROR

/* The preprocessor cannot lower a name's case; doing it before main() needs no lock. */
__attribute__((constructor)) static void lower_names(void) {
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        for (char *at = entries[i].name; *at; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
    }
}

static const struct entry *find_entry(unsigned number) {
    if (number >= sizeof(entries) / sizeof(entries[0]) || !entries[number].text) {
        return NULL;
    }
    return &entries[number];
}

/* Codes are negative numbers; a positive one is nobody's. */
static const struct entry *find_code(int code) {
    return code > 0 ? NULL : find_entry(0u - (unsigned)code);
}

const char *edda_error_name(int code) {
    const struct entry *entry = find_code(code);
    return entry ? entry->name : "unknown";
}

const char *edda_error_text(int code) {
    const struct entry *entry = find_code(code);
    return entry ? entry->text : "unknown error";
}

int edda_error_http(int code) {
    const struct entry *entry = find_code(code);
    return entry ? entry->http : 500;
}

int edda_error_from_wire(unsigned number) {
    return find_entry(number) ? -(int)number : EDDA_E_INTERNAL;
}
