/* actors/store/sqlite/shelf.c: making an index say what the database says. */
#include "actors/store/sqlite/shelf.h"
#include "actors/store/sqlite/store.h"

#include <stdlib.h>

#include "actors/store/damage.h"
#include "actors/store/rows.h"

#define SLICE 256 /* chunks added between two breaths of the lock */

struct edda_shelf *edda_shelf_new(struct edda_sqlite *store, uint64_t project) {
    struct edda_shelf *self = calloc(1, sizeof(*self));
    if (!self) {
        return NULL;
    }
    self->index = edda_index_new(&store->index_options);
    if (!self->index) {
        free(self);
        return NULL;
    }
    self->store = store;
    self->project = project;
    /* A publisher waits for the searches that run, later searches wait for it: else a busy project
     * would never see its own commits. */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&self->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return self;
}

void edda_shelf_destroy(struct edda_shelf **self_p) {
    struct edda_shelf *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(!self->waiting && self->users == 0);
    edda_cards_done(&self->cards);
    edda_index_destroy(&self->index);
    pthread_rwlock_destroy(&self->lock);
    free(self->serving_name);
    free(self->dirty);
    free(self);
    *self_p = NULL;
}

size_t edda_shelf_bytes(const struct edda_shelf *self) {
    return edda_index_bytes(self->index) + edda_cards_bytes(&self->cards);
}

static void lock_for_writing(struct edda_shelf *self, bool locked) {
    if (locked) {
        pthread_rwlock_wrlock(&self->lock);
    }
}

static void unlock(struct edda_shelf *self, bool locked) {
    if (locked) {
        pthread_rwlock_unlock(&self->lock);
    }
}

/* Adds the version's chunks, hidden, in slices. */
static int add_chunks(struct edda_shelf *self, edda_database_t *database, uint64_t key,
                      int64_t version, bool locked) {
    sqlite3_stmt *query = NULL;
    int found =
        edda_query_begin(database, EDDA_SQL_INDEX_CHUNKS,
                         VALUES(INTEGER(edda_row_first_chunk(version)),
                                INTEGER(edda_row_last_chunk(version)), INTEGER(self->serving)),
                         &query);
    for (unsigned in_slice = 0; !found && (found = edda_query_next(database, query)) == 1;) {
        struct edda_bytes vector = edda_column_blob(query, 4);
        struct edda_index_chunk chunk = {
            .uuid = edda_row_name(sqlite3_column_int64(query, 0)),
            .terms = edda_column_blob(query, 1),
            .model = edda_column_text(query, 2),
            .dimension = (uint32_t)sqlite3_column_int64(query, 3),
            .vector = {vector.data, vector.size},
        };
        if (vector.data && vector.size != (size_t)chunk.dimension * 4) {
            edda_damage_note(&self->said_damaged, (int64_t)self->project,
                             sqlite3_column_int64(query, 0));
            chunk.vector = (struct edda_floats){NULL, 0};
        }
        if (!chunk.vector.data) {
            chunk.model = (struct edda_text){NULL, 0};
        }
        found = edda_index_add(self->index, key, &chunk);
        if (++in_slice == SLICE && locked) {
            unlock(self, true);
            lock_for_writing(self, true);
            in_slice = 0;
        }
    }
    edda_query_end(query);
    return found;
}

/* The columns of EDDA_SQL_INDEX_MEMO and EDDA_SQL_INDEX_MEMOS. */
enum { MEMO, UUID_, TITLE, SOURCE, REFERENCE, METADATA, SCOPES, EXPIRES, VERSION, NUMBER, SNIPPET };

static int read_tags(edda_database_t *database, int64_t memo, struct edda_arena *arena,
                     struct edda_texts *ret_tags) {
    sqlite3_stmt *query = NULL;
    struct edda_text *items = edda_arena_take(arena, EDDA_MAX_TAGS * sizeof(*items));
    if (!items) {
        return EDDA_E_MEMORY;
    }
    *ret_tags = (struct edda_texts){items, 0};
    int found = edda_query_begin(database, EDDA_SQL_TAGS, VALUES(INTEGER(memo)), &query);
    while (!found && (found = edda_query_next(database, query)) == 1) {
        found = ret_tags->count == EDDA_MAX_TAGS
                    ? EDDA_E_LIMIT
                    : edda_column_copy(query, 1, arena, &items[ret_tags->count++]);
    }
    edda_query_end(query);
    return found;
}

/* Brings one visible memo into the index: row is its row in the database. */
static int show(struct edda_shelf *self, edda_database_t *database, sqlite3_stmt *row,
                const struct edda_memo_attributes *attributes, bool locked) {
    int64_t memo = sqlite3_column_int64(row, MEMO);
    const struct edda_card *old = edda_cards_of_memo(&self->cards, memo);
    struct edda_card *card =
        edda_card_new(attributes->title, attributes->reference_id, edda_column_text(row, SNIPPET));
    if (!card) {
        return EDDA_E_MEMORY;
    }
    card->memo = memo;
    card->uuid = edda_column_uuid(row, UUID_);
    card->version = sqlite3_column_int64(row, VERSION);
    card->number = (uint64_t)sqlite3_column_int64(row, NUMBER);
    int error;
    if (old && old->version == card->version && edda_text_equal(old->title, card->title)) {
        card->key = old->key;
        error = edda_index_set_attributes(self->index, card->key, attributes);
    } else {
        card->key = ++self->last_key;
        error = add_chunks(self, database, card->key, card->version, locked);
        if (!error) {
            error = edda_index_publish(self->index, card->key, attributes, old ? old->key : 0);
        }
    }
    if (!error) {
        error = edda_cards_put(&self->cards, card);
    }
    if (error) {
        free(card);
    }
    return error;
}

static int show_row(struct edda_shelf *self, edda_database_t *database, sqlite3_stmt *row,
                    bool locked) {
    struct edda_memo_attributes attributes = {
        .title = edda_column_text(row, TITLE),
        .source = edda_column_text(row, SOURCE),
        .reference_id = edda_column_text(row, REFERENCE),
        .metadata = edda_column_text(row, METADATA),
        .scopes = edda_column_text(row, SCOPES),
        .expires_wall_ms = sqlite3_column_int64(row, EXPIRES),
    };
    struct edda_arena arena;
    edda_arena_init(&arena, 1024 * 1024);
    int error = read_tags(database, sqlite3_column_int64(row, MEMO), &arena, &attributes.tags);
    if (!error) {
        lock_for_writing(self, locked);
        error = show(self, database, row, &attributes, locked);
        unlock(self, locked);
    }
    edda_arena_done(&arena);
    return error;
}

int edda_shelf_refresh(struct edda_shelf *self, edda_database_t *database, int64_t memo,
                       bool locked) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(database, EDDA_SQL_INDEX_MEMO,
                               VALUES(INTEGER(memo), INTEGER(self->project)), &row);
    if (found == 1) {
        found = show_row(self, database, row, locked);
        edda_query_end(row);
    } else if (found == 0) {
        lock_for_writing(self, locked);
        struct edda_card *card = edda_cards_of_memo(&self->cards, memo);
        if (card) {
            edda_index_remove(self->index, card->key);
            edda_cards_drop(&self->cards, card);
        }
        unlock(self, locked);
    }
    return found;
}

int edda_shelf_load_words(struct edda_shelf *self, edda_database_t *database) {
    sqlite3_stmt *query = NULL;
    int found =
        edda_query_begin(database, EDDA_SQL_INDEX_TERMS, VALUES(INTEGER(self->project)), &query);
    while (!found && (found = edda_query_next(database, query)) == 1) {
        found = edda_index_put_term(self->index, (uint32_t)sqlite3_column_int64(query, 0),
                                    edda_column_text(query, 1));
    }
    edda_query_end(query);
    return found;
}

static int load_serving(struct edda_shelf *self, edda_database_t *database) {
    sqlite3_stmt *row = NULL;
    int found =
        edda_query_one(database, EDDA_SQL_INDEX_SERVING, VALUES(INTEGER(self->project)), &row);
    if (found != 1) {
        return found;
    }
    struct edda_text name = edda_column_text(row, 1);
    self->serving = sqlite3_column_int64(row, 0);
    self->serving_dimension = (uint32_t)sqlite3_column_int64(row, 2);
    self->serving_name = strndup(name.data, name.size);
    edda_query_end(row);
    return self->serving_name ? 0 : EDDA_E_MEMORY;
}

int edda_shelf_load(struct edda_shelf *self, edda_database_t *database) {
    sqlite3_stmt *row = NULL;
    int found = load_serving(self, database);
    if (!found) {
        found = edda_shelf_load_words(self, database);
    }
    if (!found) {
        found =
            edda_query_begin(database, EDDA_SQL_INDEX_MEMOS, VALUES(INTEGER(self->project)), &row);
    }
    while (!found && (found = edda_query_next(database, row)) == 1) {
        found = show_row(self, database, row, false);
    }
    edda_query_end(row);
    return found;
}

int edda_shelf_put_words(struct edda_shelf *self, const struct edda_new_word *words, size_t count,
                         bool locked) {
    int error = 0;
    lock_for_writing(self, locked);
    for (size_t i = 0; i < count && !error; i++) {
        error = edda_index_put_term(self->index, words[i].hash, words[i].text);
    }
    unlock(self, locked);
    return error;
}

bool edda_shelf_is_untidy(struct edda_shelf *self) {
    pthread_rwlock_rdlock(&self->lock);
    bool untidy = edda_index_is_sparse(self->index) || edda_index_sample_due(self->index);
    pthread_rwlock_unlock(&self->lock);
    return untidy;
}

/* Fetches the texts of the chunks the sample wants and counts their grams; chunks that are gone are
 * left out. */
static int count_grams(struct edda_reader *reader, const struct edda_uuid *wanted, size_t count,
                       struct edda_index_grams *grams, size_t *ret_count) {
    *ret_count = 0;
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *row = NULL;
        int found = edda_query_one(reader->database, EDDA_SQL_SAMPLE_CHUNK,
                                   VALUES(INTEGER(edda_row_named(&wanted[i]))), &row);
        if (found == 0) {
            continue;
        }
        if (found == 1) {
            struct edda_index_text text = {.title = edda_column_text(row, 2),
                                           .heading = edda_column_text(row, 1),
                                           .text = edda_column_text(row, 0)};
            found = edda_index_sample_make(reader->scratch, &wanted[i], &text, &grams[*ret_count]);
            edda_query_end(row);
        }
        if (found) {
            return found;
        }
        ++*ret_count;
    }
    return 0;
}

static int refresh_sample(struct edda_shelf *self, struct edda_reader *reader, bool locked) {
    size_t made = 0;
    struct edda_uuid *wanted = calloc(EDDA_INDEX_SAMPLE, sizeof(*wanted));
    struct edda_index_grams *grams = calloc(EDDA_INDEX_SAMPLE, sizeof(*grams));
    int error = wanted && grams ? edda_reader_need_scratch(reader) : EDDA_E_MEMORY;
    if (!error) {
        if (locked) {
            pthread_rwlock_rdlock(&self->lock);
        }
        size_t count = edda_index_sample_wanted(self->index, wanted);
        unlock(self, locked);
        error = count_grams(reader, wanted, count, grams, &made);
    }
    if (!error) {
        lock_for_writing(self, locked);
        error = edda_index_sample_update(self->index, grams, made);
        unlock(self, locked);
    }
    for (size_t i = 0; i < made; i++) {
        edda_index_grams_done(&grams[i]);
    }
    free(wanted);
    free(grams);
    return error;
}

int edda_shelf_tidy(struct edda_shelf *self, struct edda_reader *reader, bool locked) {
    int error = 0;
    lock_for_writing(self, locked);
    if (edda_index_is_sparse(self->index)) {
        error = edda_index_compact(self->index);
    }
    bool sample = edda_index_sample_due(self->index);
    unlock(self, locked);
    return !error && sample ? refresh_sample(self, reader, locked) : error;
}
