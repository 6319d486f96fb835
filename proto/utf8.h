/* proto/utf8.h: whether bytes are well-formed UTF-8.
 *
 * Source: RFC 3629 and table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing
 * above U+10FFFF. NUL is a character like any other here. */
#ifndef EDDA_PROTO_UTF8_H
#define EDDA_PROTO_UTF8_H

#include "proto/types.h"

/* size 0 is well-formed, also with data == NULL. */
bool edda_utf8_valid(const char *data, size_t size);

#endif
