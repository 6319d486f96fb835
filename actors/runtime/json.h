/* actors/runtime/json.h: body structs to JSON and back by the same tables the wire uses.
 *
 * Names are the struct's; uuids are text, bytes are base64, floats are arrays, absent is left out.
 */
#ifndef EDDA_RUNTIME_JSON_H
#define EDDA_RUNTIME_JSON_H

#include <jansson.h>

#include "proto/body.h"

/* A new reference; NULL when memory is short. Invalid UTF-8 in texts becomes U+FFFD. */
json_t *edda_json_from_body(uint16_t type, const void *record);

/* Fills *ret_record; views and lists live in the arena. EDDA_E_INVALID: *ret_message (in the arena)
 * names the field and what is wrong: an unknown name, a wrong type, over the maximum. EDDA_E_TYPE:
 * there is no such body. EDDA_E_MEMORY. */
int edda_json_to_body(uint16_t type, const json_t *json, struct edda_arena *arena, void *ret_record,
                      const char **ret_message) EDDA_MUST_CHECK;

#endif
