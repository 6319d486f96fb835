/* actors/llm/source.h: a hit as what [[number]] in an answer refers to. */
#ifndef EDDA_ACTORS_LLM_SOURCE_H
#define EDDA_ACTORS_LLM_SOURCE_H

#include "proto/body_stage.h"

/* How many hits an answer may use: at most `passages` of them, 0: all. */
static inline size_t edda_sources_wanted(const struct edda_hit_list *hits, uint32_t passages) {
    return passages > 0 && passages < hits->count ? passages : hits->count;
}

/* number: from 1. */
static inline struct edda_source edda_source_of(const struct edda_hit *hit, uint32_t number) {
    return (struct edda_source){
        .number = number,
        .memo = hit->memo,
        .chunk = hit->chunk,
        .title = hit->title,
        .heading = hit->heading,
        .start = hit->start,
        .end = hit->end,
    };
}

#endif
