/* actors/store/known.h: which words of which project are already in table `term`: a memory
 * that forgets, so that most words of a commit need no statement at all.
 *
 * Direct-mapped: a newer word takes the place of an older one; a word that was forgotten is
 * inserted again, and ignored by its key. A hit is certain. Any thread. */
#ifndef EDDA_ACTORS_STORE_KNOWN_H
#define EDDA_ACTORS_STORE_KNOWN_H

#include <stdatomic.h>

#include "proto/types.h"

#define EDDA_KNOWN_WORDS 32768

struct edda_known {
    _Atomic uint64_t slots[EDDA_KNOWN_WORDS]; /* project << 32 | hash; 0: empty */
};

/* project is a row id from 1; ids above 2^32 are never known. */
static inline bool edda_known_has(struct edda_known *known, uint64_t project, uint32_t hash) {
    uint64_t word = project << 32 | hash;
    size_t at = (size_t)((word * UINT64_C(0x9E3779B97F4A7C15)) >> 49);
    return project <= UINT32_MAX &&
           atomic_load_explicit(&known->slots[at], memory_order_relaxed) == word;
}

/* Only after the commit of its row. */
static inline void edda_known_add(struct edda_known *known, uint64_t project, uint32_t hash) {
    uint64_t word = project << 32 | hash;
    size_t at = (size_t)((word * UINT64_C(0x9E3779B97F4A7C15)) >> 49);
    if (project <= UINT32_MAX) {
        atomic_store_explicit(&known->slots[at], word, memory_order_relaxed);
    }
}

/* The table is another one. */
static inline void edda_known_forget(struct edda_known *known) {
    for (size_t i = 0; i < EDDA_KNOWN_WORDS; i++) {
        atomic_store_explicit(&known->slots[i], 0, memory_order_relaxed);
    }
}

#endif
