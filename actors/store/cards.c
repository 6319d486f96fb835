/* actors/store/cards.c: cards by memo and by key. */
#include "actors/store/cards.h"

#include <stdlib.h>

static size_t bytes_of(const struct edda_card *card) {
    return sizeof(*card) + card->title.size + card->reference_id.size + card->snippet.size;
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

/* Copies text to *at, which is moved behind it. */
static struct edda_text copy_text(char **at, struct edda_text text) {
    struct edda_text copy = {text.data ? *at : NULL, text.size};
    if (text.size) {
        memcpy(*at, text.data, text.size);
        *at += text.size;
    }
    return copy;
}

struct edda_card *edda_card_new(struct edda_text title, struct edda_text reference_id,
                                struct edda_text snippet) {
    struct edda_card *card =
        calloc(1, sizeof(*card) + title.size + reference_id.size + snippet.size + 1);
    if (!card) {
        return NULL;
    }
    char *at = card->text;
    card->title = (struct edda_text){at, 0};
    if (title.size) {
        card->title = copy_text(&at, title);
    }
    card->reference_id = copy_text(&at, reference_id);
    card->snippet = copy_text(&at, snippet);
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
