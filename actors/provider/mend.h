/* actors/provider/mend.h: a provider's JSON is read even when half a character is in it.
 *
 * A model says tokens, and a token may end between the two halves of an emoji; services written in
 * languages whose texts are UTF-16 then send one half as \ud83d, which RFC 8259 section 8.2 warns
 * of and jansson refuses. Such a half becomes U+FFFD; the rest of the answer stands. Pure. */
#ifndef EDDA_ACTORS_PROVIDER_MEND_H
#define EDDA_ACTORS_PROVIDER_MEND_H

#include <jansson.h>

/* An object or a list, whose texts may hold NUL; a new reference. NULL: it is no JSON, or memory is
 * short. Only a text that is refused as it is, and holds such a half, is copied. */
json_t *edda_provider_json(const void *data, size_t size);

#endif
