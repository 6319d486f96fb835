#include "actors/text/stopword.h"

#include "actors/text/fold.h"

#include <pthread.h>

#define SLOTS 8192 /* about 2,500 distinct words */

struct slot {
    uint64_t hash; /* 0: empty */
    uint32_t languages;
};

static struct slot table[SLOTS]; /* written once, under pthread_once */
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

struct list {
    enum edda_language language;
    const char *words;
};

#define EDDA_STOPWORDS(name, list_words) {EDDA_LANGUAGE_##name, list_words},
static const struct list lists[] = {
#include "actors/text/stopword_germanic.def"
#include "actors/text/stopword_others.def"
#include "actors/text/stopword_romance.def"
};
#undef EDDA_STOPWORDS

static struct slot *find_slot(uint64_t hash) {
    size_t at = hash % SLOTS;
    while (table[at].hash != 0 && table[at].hash != hash)
        at = (at + 1) % SLOTS;
    return &table[at];
}

static void add_word(enum edda_language language, struct edda_text word) {
    struct edda_folded folded;
    edda_fold_run(word, &folded);
    struct slot *slot = find_slot(edda_text_hash(folded.bytes, folded.size));
    slot->hash = edda_text_hash(folded.bytes, folded.size);
    slot->languages |= 1u << language;
}

static void build_table(void) {
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const char *at = lists[i].words;
        while (*at != '\0') {
            size_t size = strcspn(at, " ");
            if (size > 0)
                add_word(lists[i].language, (struct edda_text){at, size});
            at += size + (at[size] == ' ');
        }
    }
}

uint32_t edda_stopword_languages(uint64_t hash) {
    pthread_once(&table_once, build_table);
    return find_slot(hash)->languages;
}
