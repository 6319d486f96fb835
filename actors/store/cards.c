/* actors/store/cards.c: cards by memo and by key. */
#include "actors/store/cards.h"

#include <stdlib.h>

static size_t bytes_of(const struct edda_card *card) {
    return sizeof(*card) + card->title.size + card->reference_id.size;
}

void edda_cards_done(struct edda_cards *cards) {
    for (size_t i = 0; i < cards->by_memo.capacity; i++) {
        free(cards->by_memo.slots[i].value);
    }
    edda_row_map_done(&cards->by_memo);
    edda_row_map_done(&cards->by_key);
    cards->bytes = 0;
}

size_t edda_cards_bytes(const struct edda_cards *cards) {
    return cards->bytes +
           (cards->by_memo.capacity + cards->by_key.capacity) * sizeof(struct edda_row_map_slot);
}

struct edda_card *edda_card_new(struct edda_text title, struct edda_text reference_id) {
    struct edda_card *card = calloc(1, sizeof(*card) + title.size + reference_id.size + 1);
    if (!card) {
        return NULL;
    }
    if (title.size) {
        memcpy(card->text, title.data, title.size);
    }
    card->title = (struct edda_text){card->text, title.size};
    if (reference_id.data) {
        memcpy(card->text + title.size, reference_id.data, reference_id.size);
        card->reference_id = (struct edda_text){card->text + title.size, reference_id.size};
    }
    return card;
}

int edda_cards_put(struct edda_cards *cards, struct edda_card *card) {
    struct edda_card *old = edda_cards_of_memo(cards, card->memo);
    int error = edda_row_map_put(&cards->by_key, card->key, card);
    if (!error) {
        error = edda_row_map_put(&cards->by_memo, (uint64_t)card->memo, card);
    }
    if (error) {
        return error;
    }
    cards->bytes += bytes_of(card);
    if (old) {
        if (old->key != card->key) {
            edda_row_map_take(&cards->by_key, old->key);
        }
        cards->bytes -= bytes_of(old);
        free(old);
    }
    return 0;
}

void edda_cards_drop(struct edda_cards *cards, struct edda_card *card) {
    edda_row_map_take(&cards->by_memo, (uint64_t)card->memo);
    edda_row_map_take(&cards->by_key, card->key);
    cards->bytes -= bytes_of(card);
    free(card);
}
