/* gateway/read.h: a request's JSON body, read as strictly as the contract's server reads it, and
 * the list of what is wrong with it.
 *
 * Pure; any thread, which lets a large body be read beside the loop. */
#ifndef EDDA_GATEWAY_READ_H
#define EDDA_GATEWAY_READ_H

#include <jansson.h>

#include "proto/arena.h"
#include "proto/buffer.h"

/* An object or an array; a new reference. Whole numbers beyond 64 bits become reals.
 * EDDA_E_INVALID: *ret_message (static) is the answer's text: malformed, invalid UTF-8, or a NUL.
 */
int edda_read_json(struct edda_bytes body, json_t **ret_json,
                   const char **ret_message) EDDA_MUST_CHECK;

/* A string's characters, borrowed from it; absent for any other value. */
struct edda_text edda_read_string(const json_t *value);

/* The value's JSON without white space, in the arena. EDDA_E_LIMIT over maximum, EDDA_E_MEMORY. */
int edda_read_compact(const json_t *value, size_t maximum, struct edda_arena *arena,
                      struct edda_text *ret_text) EDDA_MUST_CHECK;

/* Complaints about fields, joined as the contract joins them. */
struct edda_complaints {
    struct edda_buffer text; /* owned */
    const char *separator;   /* "," for create, "; " for patch */
    bool names;              /* each begins with "field: " */
    unsigned count;
};

void edda_complaints_init(struct edda_complaints *complaints, const char *separator, bool names);
void edda_complaints_done(struct edda_complaints *complaints);

/* field may be NULL: about the whole body. At most 64 are kept. */
void edda_complain(struct edda_complaints *complaints, const char *field, const char *message);

/* "Expected <expected>, received <type>". */
void edda_complain_type(struct edda_complaints *complaints, const char *field, const char *expected,
                        const json_t *value);

#endif
