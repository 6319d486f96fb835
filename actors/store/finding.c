/* actors/store/finding.c: candidates become hits. */
#include "actors/store/finding.h"

#include "actors/store/rows.h"
#include "proto/uuid.h"

int edda_finding_keep(struct edda_finding *finding, const struct edda_cards *cards,
                      const struct edda_index_result *result) {
    struct edda_arena *arena = finding->arena;
    finding->count = result->count;
    finding->vector_degraded = finding->vector_degraded || result->vector_degraded;
    finding->items = edda_arena_take(arena, (result->count + 1) * sizeof(*finding->items));
    if (!finding->items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < result->count; i++) {
        struct edda_found *found = &finding->items[i];
        const struct edda_card *card = edda_cards_of_key(cards, result->items[i].memo);
        if (card) {
            found->row = edda_row_named(&result->items[i].chunk);
            found->memo = card->uuid;
            found->title = edda_arena_text(arena, card->title);
            found->reference_id = edda_arena_text(arena, card->reference_id);
            found->version = card->number;
            found->snippet = edda_arena_text(arena, card->snippet);
        }
    }
    return 0;
}

const struct edda_index_text *edda_finding_texts(const struct edda_finding *finding) {
    struct edda_index_text *texts =
        edda_arena_take(finding->arena, (finding->count + 1) * sizeof(*texts));
    for (size_t i = 0; texts && i < finding->count; i++) {
        texts[i] = finding->items[i].text;
    }
    return texts;
}

int edda_finding_name_serving(const struct edda_finding *finding,
                              const struct edda_index_query *query, struct edda_text serving,
                              uint32_t dimension, struct edda_hits *hits) {
    if (query->model.size == 0 || serving.size == 0 ||
        (edda_text_equal(query->model, serving) && query->dimension == dimension)) {
        return 0;
    }
    hits->model = edda_arena_text(finding->arena, serving);
    hits->dimension = dimension;
    return hits->model.data ? 0 : EDDA_E_MEMORY;
}

static struct edda_hit hit_of(const struct edda_found *found, const struct edda_index_hit *index) {
    int64_t part_row = edda_row_part_row_of(found->row);
    return (struct edda_hit){
        .chunk = edda_uuid_chunk(&found->memo, found->version, edda_row_part_of(part_row),
                                 edda_row_number_of(found->row)),
        .memo = found->memo,
        .score = (double)index->score,
        .first_score = (double)index->score,
        .word_score = (double)index->words,
        .gram_score = (double)index->grams,
        .vector_score = (double)index->vector,
        .text = found->text.text,
        .title = found->title,
        .heading = found->text.heading,
        .snippet = found->snippet,
        .reference_id = found->reference_id,
        .number = found->first_number + edda_row_number_of(found->row),
        .start = found->start,
        .end = found->end,
    };
}

int edda_finding_hits(const struct edda_finding *finding, const struct edda_index_result *result,
                      struct edda_hits *hits) {
    struct edda_arena *arena = finding->arena;
    hits->hits.items = edda_arena_take(arena, (result->count + 1) * sizeof(*hits->hits.items));
    hits->terms.items =
        edda_arena_take(arena, (result->term_count + 1) * sizeof(*hits->terms.items));
    if (!hits->hits.items || !hits->terms.items) {
        return EDDA_E_MEMORY;
    }
    if (result->term_count) {
        memcpy(hits->terms.items, result->terms, result->term_count * sizeof(*result->terms));
        hits->terms.count = result->term_count;
    }
    for (size_t i = 0; i < result->count; i++) {
        const struct edda_index_hit *index = &result->items[i];
        hits->hits.items[hits->hits.count++] = hit_of(&finding->items[index->candidate], index);
    }
    return 0;
}

void edda_finding_say_degraded(const struct edda_finding *finding, struct edda_hits *hits) {
    static struct edda_text vector_leg[] = {{"vector", 6}};
    if (finding->vector_degraded) {
        hits->degraded = (struct edda_texts){vector_leg, 1};
    }
}

bool edda_finding_vector(const struct edda_embeddings *embeddings, struct edda_index_query *query) {
    size_t bytes = embeddings ? (size_t)embeddings->dimension * sizeof(float) : 0;
    if (bytes == 0 || embeddings->vectors.size < bytes || embeddings->model.size == 0) {
        return false;
    }
    query->model = embeddings->model;
    query->dimension = embeddings->dimension;
    query->vector = (struct edda_floats){embeddings->vectors.data, bytes};
    return true;
}
