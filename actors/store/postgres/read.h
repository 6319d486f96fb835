/* actors/store/postgres/read.h: what the reading operations have in common. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_READ_H
#define EDDA_ACTORS_STORE_POSTGRES_READ_H

#include "actors/store/postgres/call.h"

/* One page of a project's things: a statement of project, limit and offset. EDDA_E_INVALID: the
 * page (the call's arguments) is out of range. */
int edda_pg_list_begin(struct edda_pg_call *call, unsigned statement,
                       edda_pg_step_fn then) EDDA_MUST_CHECK;

/* What such a statement gave, kept: how many there are on all pages, which is its first column, and
 * room for the items of this one. first_column: of an item, NULL when the page is empty. */
int edda_pg_list_rows(struct edda_pg_call *call, const edda_pg_result_t *result, int first_column,
                      size_t item_bytes, uint64_t *ret_count, void **ret_items,
                      size_t *ret_rows) EDDA_MUST_CHECK;

#endif
