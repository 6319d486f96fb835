/* gateway/uri.h: what a request target means: its path's segments and its query's parameters.
 *
 * Pure. Targets come as the client sent them, undecoded, so that "%2F" and "/" stay different and a
 * decoded NUL cannot cut a path short. */
#ifndef EDDA_GATEWAY_URI_H
#define EDDA_GATEWAY_URI_H

#include "proto/arena.h"

#define EDDA_MAX_TARGET 8192

/* Whether every byte is printable ASCII or beyond, none of them a space or a control character. */
bool edda_uri_clean(struct edda_text target);

/* Splits at the first '?'. Without one the query is absent. A '#' and what follows is dropped. */
void edda_uri_split(struct edda_text target, struct edda_text *ret_path,
                    struct edda_text *ret_query);

/* Percent-decodes into the arena; plus means '+' is a space, as in queries.
 * EDDA_E_INVALID: a broken escape, NUL, or a result that is not UTF-8. EDDA_E_MEMORY. */
int edda_uri_decode(struct edda_text raw, bool plus, struct edda_arena *arena,
                    struct edda_text *ret_text) EDDA_MUST_CHECK;

/* The decoded value of the first parameter of that name; absent when there is none (not an error).
 * A name without '=' has the empty value. Errors as edda_uri_decode. */
int edda_uri_parameter(struct edda_text query, const char *name, struct edda_arena *arena,
                       struct edda_text *ret_value) EDDA_MUST_CHECK;

/* JavaScript's parseInt(text, 10): leading white space, a sign, digits, the rest ignored; clamped
 * to
 * +-10^9. False when no digit is there. */
bool edda_uri_number(struct edda_text text, int64_t *ret_number);

#endif
