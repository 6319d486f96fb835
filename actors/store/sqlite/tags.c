/* actors/store/sqlite/tags.c: rows of table tag. */
#include "actors/store/sqlite/tags.h"

#include "actors/runtime/clock.h"

int edda_tags_write(struct edda_turn *turn, int64_t memo, const struct edda_texts *tags) {
    int error = edda_query_run(turn->database, EDDA_SQL_TAGS_DROP, VALUES(INTEGER(memo)), NULL);
    for (size_t i = 0; i < tags->count && !error; i++) {
        struct edda_uuid uuid = edda_uuid_new();
        struct edda_text tag = tags->items[i];
        tag.data = tag.data ? tag.data : "";
        error = edda_query_run(turn->database, EDDA_SQL_TAG_INSERT,
                               VALUES(INTEGER(memo), INTEGER(i), UUID(&uuid), TEXT(tag)), NULL);
    }
    return error;
}

int edda_tags_read(edda_database_t *database, struct edda_arena *arena, int64_t memo,
                   struct edda_store_tags *ret_tags) {
    sqlite3_stmt *query = NULL;
    struct edda_store_tag *items = NULL;
    size_t count = 0;
    int found = edda_query_begin(database, EDDA_SQL_TAGS, VALUES(INTEGER(memo)), &query);
    while (!found && (found = edda_query_next(database, query)) == 1) {
        if (!items) {
            items = edda_arena_take(arena, EDDA_MAX_TAGS * sizeof(*items));
        }
        if (!items || count == EDDA_MAX_TAGS) {
            found = items ? EDDA_E_LIMIT : EDDA_E_MEMORY;
            break;
        }
        items[count].uuid = edda_column_uuid(query, 0);
        found = edda_column_copy(query, 1, arena, &items[count++].tag);
    }
    edda_query_end(query);
    *ret_tags = (struct edda_store_tags){items, count};
    return found;
}
