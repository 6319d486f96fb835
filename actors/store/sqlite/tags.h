/* actors/store/sqlite/tags.h: the tags of a memo, in their order. */
#ifndef EDDA_ACTORS_STORE_SQLITE_TAGS_H
#define EDDA_ACTORS_STORE_SQLITE_TAGS_H

#include "actors/store/sqlite/call.h"

/* Replaces all tags of memo. */
int edda_tags_write(struct edda_turn *turn, int64_t memo,
                    const struct edda_texts *tags) EDDA_MUST_CHECK;

/* All tags of memo; texts live in the arena. */
int edda_tags_read(edda_database_t *database, struct edda_arena *arena, int64_t memo,
                   struct edda_store_tags *ret_tags) EDDA_MUST_CHECK;

#endif
