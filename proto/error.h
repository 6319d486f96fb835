/* proto/error.h: the one table of error codes, as C values, wire numbers, HTTP statuses and texts.
 *
 * Functions return 0 or one negative EDDA_E_ code. Found errors are returned, not logged; the owner
 * of the request logs once. The table is proto/error.def. */
#ifndef EDDA_PROTO_ERROR_H
#define EDDA_PROTO_ERROR_H

#include <stdbool.h>

#define EDDA_ERROR(name, number, http, text) EDDA_E_##name = -(number),
enum edda_error {
#include "proto/error.def"
};
#undef EDDA_ERROR

/* The result of a function that can fail must be looked at. */
#define EDDA_MUST_CHECK __attribute__((warn_unused_result))

/* The name of a code in lower case ("not_found"), "ok" for 0, "unknown" for anything else. Static.
 */
const char *edda_error_name(int code);

/* The human text of a code. Static. */
const char *edda_error_text(int code);

/* The HTTP status of a code: 200 for 0, 500 for unknown codes. */
int edda_error_http(int code);

/* The code for a number read from the wire; EDDA_E_INTERNAL for numbers this build does not know.
 */
int edda_error_from_wire(unsigned number);

#endif
