/* gateway/memo_fields.h: the rules of a memo's fields, for creating and for changing one.
 *
 * Pure: parsed JSON in, the store's message or the contract's complaint out. Views point into the
 * JSON or the arena. `complaints` collects every broken rule; its text is the answer's error. */
#ifndef EDDA_GATEWAY_MEMO_FIELDS_H
#define EDDA_GATEWAY_MEMO_FIELDS_H

#include "gateway/read.h"
#include "proto/body_store.h"

/* Fills title, source, reference_id, expires_wall_ms, tags, metadata and scopes; the content comes
 * apart, or, for uploads (ret_content NULL), is not looked at. body NULL: there was none.
 * EDDA_E_INVALID: see complaints. EDDA_E_MEMORY. */
int edda_memo_check_create(const json_t *body, int64_t now_wall_ms, struct edda_arena *arena,
                           struct edda_store_accept *ret_accept, struct edda_text *ret_content,
                           struct edda_complaints *complaints) EDDA_MUST_CHECK;

/* Fills `set` and the fields it names; new content is given in *ret_content (absent otherwise).
 * Errors as above. */
int edda_memo_check_patch(const json_t *body, struct edda_arena *arena,
                          struct edda_store_patch *ret_patch, struct edda_text *ret_content,
                          struct edda_complaints *complaints) EDDA_MUST_CHECK;

/* What an uploaded file's name allows: its format as edda_chunk_arguments.format, NULL when its
 * ending is none of .txt .md .html .csv .json (case-insensitive). */
const char *edda_memo_format(struct edda_text file_name);

/* A title from a file's name: without folders and control characters, at most 255 code points;
 * "document" when nothing is left. In the arena; absent when memory is short. */
struct edda_text edda_memo_title(struct edda_text file_name, struct edda_arena *arena);

#endif
