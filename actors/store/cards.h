/* actors/store/cards.h: what a hit says of its memo, without asking the database.
 *
 * One card a memo that is in a search index. Zero-initialised is empty. Threads: the index's. */
#ifndef EDDA_ACTORS_STORE_CARDS_H
#define EDDA_ACTORS_STORE_CARDS_H

#include "actors/store/row_map.h"

struct edda_card {
    uint64_t key; /* in the index */
    int64_t memo; /* row ids */
    int64_t version;
    uint64_t number; /* of the version; 0: its database says it with a hit */
    struct edda_uuid uuid;
    struct edda_text title;        /* into text */
    struct edda_text reference_id; /* into text, or absent */
    struct edda_text snippet;      /* of the version, into text, or absent: as number */
    char text[];
};

struct edda_cards {
    struct edda_row_map by_memo; /* cards, owned */
    struct edda_row_map by_key;  /* the same cards */
    size_t bytes;                /* of the cards */
};

/* Frees the cards too. */
void edda_cards_done(struct edda_cards *cards);

/* Of all of it. */
size_t edda_cards_bytes(const struct edda_cards *cards);

/* The caller's, until it is put; the rest is the caller's to set. NULL: no memory. */
struct edda_card *edda_card_new(struct edda_text title, struct edda_text reference_id,
                                struct edda_text snippet);

/* Puts card in the place of the memo's old one. EDDA_E_MEMORY: card is still the caller's. */
int edda_cards_put(struct edda_cards *cards, struct edda_card *card) EDDA_MUST_CHECK;

/* Takes it out and frees it. */
void edda_cards_drop(struct edda_cards *cards, struct edda_card *card);

static inline struct edda_card *edda_cards_of_memo(const struct edda_cards *cards, int64_t memo) {
    return edda_row_map_get(&cards->by_memo, (uint64_t)memo);
}

static inline struct edda_card *edda_cards_of_key(const struct edda_cards *cards, uint64_t key) {
    return edda_row_map_get(&cards->by_key, key);
}

#endif
