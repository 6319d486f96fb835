/* actors/store/postgres/shelf.c: making an index say what the database says: the work of a round.
 */
#include "actors/store/postgres/shelf.h"

#include <stdlib.h>

#include "actors/store/damage.h"
#include "actors/store/postgres/store.h"
#include "actors/store/rows.h"

#define BREATH 256 /* chunks added between two breaths of the lock */

/* The columns of INDEX_MEMOS. */
enum {
    MEMO,
    REVISION,
    UUID_,
    TITLE,
    SOURCE,
    REFERENCE,
    METADATA,
    SCOPES,
    EXPIRES,
    SHOWN,
    CHUNKS,
    TAGS,
    WITNESS
};

struct edda_pg_shelf *edda_pg_shelf_new(struct edda_postgres *store, int64_t project) {
    struct edda_pg_shelf *self = calloc(1, sizeof *self);
    pthread_rwlockattr_t attributes;
    if (!self) {
        return NULL;
    }
    self->index = edda_index_new(&store->index_options);
    self->round.grams = calloc(EDDA_INDEX_SAMPLE, sizeof *self->round.grams);
    if (!self->index || !self->round.grams) {
        edda_index_destroy(&self->index);
        free(self->round.grams);
        free(self);
        return NULL;
    }
    self->store = store;
    self->project = project;
    self->revision = -1;
    edda_arena_init(&self->round.arena, EDDA_PG_ROUND_BYTES);
    edda_buffer_init(&self->round.values, EDDA_PG_VALUE_BYTES);
    /* A publisher waits for the searches that run, later searches wait for it: else a busy project
     * would never see its commits. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&self->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return self;
}

void edda_pg_shelf_destroy(struct edda_pg_shelf **self_p) {
    struct edda_pg_shelf *self = *self_p;
    if (!self) {
        return;
    }
    EDDA_ASSERT(!self->waiting && self->users == 0 && !self->busy);
    edda_cards_done(&self->cards);
    edda_index_destroy(&self->index);
    edda_row_map_done(&self->textless);
    edda_row_map_done(&self->round.missing);
    edda_arena_done(&self->round.arena);
    edda_buffer_done(&self->round.values);
    free(self->round.grams);
    pthread_rwlock_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

size_t edda_pg_shelf_bytes(struct edda_pg_shelf *self) {
    pthread_rwlock_rdlock(&self->lock);
    size_t bytes = edda_index_bytes(self->index) + edda_cards_bytes(&self->cards) +
                   self->textless.capacity * sizeof(struct edda_row_map_slot);
    pthread_rwlock_unlock(&self->lock);
    return bytes;
}

bool edda_pg_shelf_is_untidy(struct edda_pg_shelf *self) {
    pthread_rwlock_rdlock(&self->lock);
    bool untidy = edda_index_is_sparse(self->index) || edda_index_sample_due(self->index);
    pthread_rwlock_unlock(&self->lock);
    return untidy;
}

/* ---- which memos of a slice need their chunks ---- */

int edda_pg_shelf_plan(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    (void)worker;
    round->items = edda_arena_take(&round->arena, (round->count + 1) * sizeof *round->items);
    if (!round->items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < round->count; i++) {
        struct edda_pg_incoming *item = &round->items[i];
        struct edda_pg_row row = edda_pg_row(round->memos, i);
        item->memo = edda_pg_bigint(&row, MEMO);
        item->version = edda_pg_bigint(&row, SHOWN);
        item->chunks = (uint64_t)edda_pg_bigint(&row, CHUNKS);
        const struct edda_card *card = edda_cards_of_memo(&self->cards, item->memo);
        if (item->version && !(card && card->version == item->version &&
                               edda_text_equal(card->title, edda_pg_text(&row, TITLE)))) {
            item->key = ++self->last_key;
        }
        round->after_revision = edda_pg_bigint(&row, REVISION);
        round->after_memo = item->memo;
        round->witness = (struct edda_pg_witness){item->memo, round->after_revision,
                                                  edda_pg_bigint(&row, WITNESS)};
        if (row.error) {
            return row.error;
        }
    }
    return 0;
}

/* ---- chunks ---- */

/* The item of the group that a chunk is of; NULL: of none. Rows come version by version. */
static struct edda_pg_incoming *item_of(struct edda_pg_round *round, int64_t version,
                                        struct edda_pg_incoming *last) {
    if (last && last->version == version) {
        return last;
    }
    for (size_t i = round->first; i < round->end; i++) {
        if (round->items[i].key && round->items[i].version == version) {
            return &round->items[i];
        }
    }
    return NULL;
}

/* Words whose text the index does not know, and nobody asked for yet. */
static int note_missing(struct edda_pg_shelf *self, struct edda_bytes terms) {
    struct edda_terms_reader reader;
    int error = edda_terms_open(&reader, terms);
    while (!error && (error = edda_terms_next(&reader)) == 1) {
        error = 0;
        if (!edda_index_has_term(self->index, reader.hash) &&
            !edda_row_map_get(&self->textless, (uint64_t)reader.hash + 1)) {
            error = edda_row_map_put(&self->round.missing, (uint64_t)reader.hash + 1, self);
        }
    }
    return error;
}

/* The columns of INDEX_TERMS. */
enum { CHUNK, TERMS, MODEL, DIMENSION, VECTOR };

/* Into chunk, when the row has one; the values lie in the round's arena. */
static int read_vector(struct edda_pg_shelf *self, struct edda_pg_row *row,
                       struct edda_index_chunk *chunk) {
    struct edda_pg_halves halves = edda_pg_halfvec(row, VECTOR);
    int64_t dimension = edda_pg_bigint_or(row, DIMENSION, 0);
    if (!halves.data) {
        return 0;
    }
    if ((int64_t)halves.dimension != dimension || dimension > EDDA_MAX_DIMENSION) {
        edda_damage_note(&self->said_damaged, self->project, edda_row_named(&chunk->uuid));
        return 0;
    }
    if (!self->round.vector) {
        self->round.vector =
            edda_arena_take(&self->round.arena, EDDA_MAX_DIMENSION * sizeof *self->round.vector);
    }
    if (!self->round.vector) {
        return EDDA_E_MEMORY;
    }
    edda_pg_halves_to_floats(halves, self->round.vector);
    chunk->model = edda_pg_text(row, MODEL);
    chunk->dimension = (uint32_t)dimension;
    chunk->vector = (struct edda_floats){(const uint8_t *)self->round.vector,
                                         halves.dimension * sizeof *self->round.vector};
    return 0;
}

static int add_row(struct edda_pg_shelf *self, size_t number, struct edda_pg_incoming **item_p) {
    struct edda_pg_row row = edda_pg_row(self->round.rows, number);
    int64_t id = edda_pg_bigint(&row, CHUNK);
    struct edda_index_chunk chunk = {.uuid = edda_row_name(id),
                                     .terms = edda_pg_bytea(&row, TERMS)};
    int error = read_vector(self, &row, &chunk);
    if (error || row.error) {
        return error ? error : row.error;
    }
    self->round.after_chunk = id;
    *item_p = item_of(&self->round, edda_row_version_of(edda_row_part_row_of(id)), *item_p);
    if (!*item_p) {
        return 0;
    }
    error = edda_index_add(self->index, (*item_p)->key, &chunk);
    if (!error) {
        (*item_p)->added++;
        error = note_missing(self, chunk.terms);
    }
    return error;
}

int edda_pg_shelf_add(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    struct edda_pg_incoming *item = NULL;
    size_t rows = edda_pg_rows(self->round.rows);
    int error = 0;
    (void)worker;
    self->round.touched = true;
    for (size_t i = 0; i < rows && !error;) {
        pthread_rwlock_wrlock(&self->lock);
        for (size_t end = i + BREATH; i < rows && i < end && !error; i++) {
            error = add_row(self, i, &item);
        }
        pthread_rwlock_unlock(&self->lock);
    }
    return error;
}

/* ---- words ---- */

int edda_pg_shelf_put_words(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    size_t rows = edda_pg_rows(round->rows);
    int error = 0;
    (void)worker;
    for (size_t i = 0; i < rows && !error;) {
        pthread_rwlock_wrlock(&self->lock);
        for (size_t end = i + BREATH; i < rows && i < end && !error; i++) {
            struct edda_pg_row row = edda_pg_row(round->rows, i);
            uint32_t hash = (uint32_t)edda_pg_bigint(&row, 0);
            struct edda_text text = edda_pg_text(&row, 1);
            error = row.error ? row.error : edda_index_put_term(self->index, hash, text);
        }
        pthread_rwlock_unlock(&self->lock);
    }
    /* Whoever has no text now never will: it comes with the commit of its first chunk. */
    for (size_t i = 0; i < round->missing.capacity && !error; i++) {
        uint64_t key = round->missing.slots[i].key;
        if (round->missing.slots[i].value &&
            !edda_index_has_term(self->index, (uint32_t)(key - 1))) {
            error = edda_row_map_put(&self->textless, key, self);
        }
    }
    edda_row_map_done(&round->missing);
    return error;
}

/* ---- memos ---- */

static int read_attributes(struct edda_pg_shelf *self, struct edda_pg_row *row,
                           struct edda_memo_attributes *attributes) {
    struct edda_pg_elements tags = edda_pg_array(row, TAGS, EDDA_PG_TEXT);
    struct edda_bytes tag;
    size_t most = tags.left < EDDA_MAX_TAGS ? tags.left : EDDA_MAX_TAGS;
    *attributes = (struct edda_memo_attributes){
        .title = edda_pg_text(row, TITLE),
        .source = edda_pg_text(row, SOURCE),
        .reference_id = edda_pg_text(row, REFERENCE),
        .metadata = edda_pg_text(row, METADATA),
        .scopes = edda_pg_text(row, SCOPES),
        .expires_wall_ms = edda_pg_bigint(row, EXPIRES),
    };
    attributes->tags.items =
        edda_arena_take(&self->round.arena, (most + 1) * sizeof *attributes->tags.items);
    if (!attributes->tags.items) {
        return EDDA_E_MEMORY;
    }
    while (attributes->tags.count < most && edda_pg_array_next(row, &tags, &tag)) {
        attributes->tags.items[attributes->tags.count++] =
            (struct edda_text){(const char *)tag.data, tag.size};
    }
    return row->error;
}

/* Under the lock: the memo as its row says, from now on. */
static int show(struct edda_pg_shelf *self, const struct edda_pg_incoming *item,
                struct edda_pg_row *row, const struct edda_memo_attributes *attributes) {
    const struct edda_card *old = edda_cards_of_memo(&self->cards, item->memo);
    struct edda_card *card =
        edda_card_new(attributes->title, attributes->reference_id, (struct edda_text){NULL, 0});
    int error;
    if (!card) {
        return EDDA_E_MEMORY;
    }
    card->memo = item->memo;
    card->version = item->version;
    card->uuid = edda_pg_uuid(row, UUID_);
    if (item->key) {
        card->key = item->key;
        error = edda_index_publish(self->index, card->key, attributes, old ? old->key : 0);
    } else {
        EDDA_ASSERT(old);
        card->key = old->key;
        error = edda_index_set_attributes(self->index, card->key, attributes);
    }
    if (!error) {
        error = edda_cards_put(&self->cards, card);
    }
    if (error) {
        free(card);
    }
    return error;
}

static void hide(struct edda_pg_shelf *self, int64_t memo) {
    struct edda_card *card = edda_cards_of_memo(&self->cards, memo);
    if (card) {
        edda_index_remove(self->index, card->key);
        edda_cards_drop(&self->cards, card);
    }
}

static int publish_item(struct edda_pg_shelf *self, size_t number) {
    const struct edda_pg_incoming *item = &self->round.items[number];
    struct edda_pg_row row = edda_pg_row(self->round.memos, number);
    struct edda_memo_attributes attributes;
    int error = read_attributes(self, &row, &attributes);
    pthread_rwlock_wrlock(&self->lock);
    if (!error && item->key && item->added != item->chunks) {
        edda_index_remove(self->index, item->key);
        self->round.missed = true;
    } else if (!error && item->version) {
        error = show(self, item, &row, &attributes);
    } else if (!error) {
        hide(self, item->memo);
    }
    pthread_rwlock_unlock(&self->lock);
    return error ? error : row.error;
}

int edda_pg_shelf_publish(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    int error = 0;
    (void)worker;
    self->round.touched = true;
    for (size_t i = 0; i < self->round.count && !error; i++) {
        error = publish_item(self, i);
    }
    return error;
}

/* ---- tidying ---- */

/* Compacts when it is worth it, and says which texts the sample wants. */
int edda_pg_shelf_compact(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    int error = 0;
    (void)worker;
    round->touched = true;
    round->wanted_count = round->wanted_at = 0;
    round->wanted = edda_arena_take(&round->arena, EDDA_INDEX_SAMPLE * sizeof *round->wanted);
    if (!round->wanted) {
        return EDDA_E_MEMORY;
    }
    pthread_rwlock_wrlock(&self->lock);
    if (edda_index_is_sparse(self->index)) {
        error = edda_index_compact(self->index);
    }
    if (!error && edda_index_sample_due(self->index)) {
        round->wanted_count = edda_index_sample_wanted(self->index, round->wanted);
    }
    pthread_rwlock_unlock(&self->lock);
    return error;
}

/* Chunks that are gone are left out. */
int edda_pg_shelf_count_grams(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    struct edda_pg_round *round = &self->round;
    size_t rows = edda_pg_rows(round->rows);
    int error = edda_pg_worker_need_scratch(worker);
    for (size_t i = 0; i < rows && !error && round->gram_count < EDDA_INDEX_SAMPLE; i++) {
        struct edda_pg_row row = edda_pg_row(round->rows, i);
        struct edda_uuid chunk = edda_row_name(edda_pg_bigint(&row, 0));
        struct edda_index_text text = {.title = edda_pg_text(&row, 3),
                                       .heading = edda_pg_text(&row, 2),
                                       .text = edda_pg_text(&row, 1)};
        error = row.error ? row.error
                          : edda_index_sample_make(worker->scratch, &chunk, &text,
                                                   &round->grams[round->gram_count]);
        round->gram_count += error == 0;
    }
    return error;
}

int edda_pg_shelf_take_sample(struct edda_pg_worker *worker, struct edda_pg_shelf *self) {
    (void)worker;
    pthread_rwlock_wrlock(&self->lock);
    int error = 0;
    if (edda_index_sample_due(self->index)) {
        error = edda_index_sample_update(self->index, self->round.grams, self->round.gram_count);
    }
    pthread_rwlock_unlock(&self->lock);
    return error;
}
