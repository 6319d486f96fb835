/* actors/reranker/stage.c: hits and documents through lexical-1. */
#include "actors/reranker/stage.h"

#include "actors/reranker/assemble.h"

static size_t cut_count(size_t count, uint32_t top_k) {
    return top_k != 0 && top_k < count ? top_k : count;
}

int edda_rerank_cut(const struct edda_rerank_arguments *arguments, struct edda_arena *arena,
                    struct edda_hits *hits) {
    if (arguments->assemble) {
        return edda_assemble(hits, arguments->top_k, arena);
    }
    hits->hits.count = cut_count(hits->hits.count, arguments->top_k);
    return 0;
}

/* Room for count items of each kind; NULL ones mean the arena has none left. */
struct room {
    struct edda_rerank_passage *passages;
    struct edda_rerank_order *order;
    struct edda_hit *hits;
};

static int take_room(struct edda_arena *arena, size_t count, struct room *ret_room) {
    ret_room->passages = edda_arena_take(arena, count * sizeof *ret_room->passages);
    ret_room->order = edda_arena_take(arena, count * sizeof *ret_room->order);
    ret_room->hits = edda_arena_take(arena, count * sizeof *ret_room->hits);
    bool whole = ret_room->passages && ret_room->order && ret_room->hits;
    return whole ? 0 : EDDA_E_MEMORY;
}

int edda_rerank_hits(edda_reranker_t *reranker, const struct edda_rerank_arguments *arguments,
                     struct edda_arena *arena, struct edda_hits *hits) {
    size_t count = hits->hits.count;
    size_t read = count < EDDA_RERANK_DEPTH ? count : EDDA_RERANK_DEPTH;
    struct room room;
    if (count == 0) {
        return 0;
    }
    int error = take_room(arena, count, &room);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < read; i++) {
        const struct edda_hit *hit = &hits->hits.items[i];
        room.passages[i] =
            (struct edda_rerank_passage){hit->title, hit->heading, hit->text, hit->first_score};
    }
    error = edda_reranker_run(reranker, arguments->query, room.passages, read, &hits->terms,
                              arguments->without, room.order);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        room.hits[i] = hits->hits.items[i < read ? room.order[i].passage : i];
        if (i < read) {
            room.hits[i].score = room.order[i].score;
        } else if (room.hits[i].score > room.hits[i - 1].score) {
            room.hits[i].score = room.hits[i - 1].score;
        }
    }
    hits->hits.items = room.hits;
    return edda_rerank_cut(arguments, arena, hits);
}

int edda_rerank_texts(edda_reranker_t *reranker, const struct edda_rerank_arguments *arguments,
                      struct edda_arena *arena, struct edda_hits *ret_hits) {
    size_t count = arguments->documents.count;
    struct room room;
    *ret_hits = (struct edda_hits){0};
    if (count == 0) {
        return 0;
    }
    int error = take_room(arena, count, &room);
    if (error) {
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        room.passages[i] = (struct edda_rerank_passage){
            .text = arguments->documents.items[i],
            .prior = edda_rerank_prior(i, count),
        };
    }
    error = edda_reranker_run(reranker, arguments->query, room.passages, count, NULL,
                              arguments->without, room.order);
    if (error) {
        return error;
    }
    ret_hits->hits.count = cut_count(count, arguments->top_k);
    for (size_t i = 0; i < ret_hits->hits.count; i++) {
        uint32_t number = room.order[i].passage;
        room.hits[i].number = number;
        room.hits[i].score = room.order[i].score;
        room.hits[i].first_score = room.passages[number].prior;
    }
    ret_hits->hits.items = room.hits;
    return 0;
}
