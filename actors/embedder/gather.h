/* actors/embedder/gather.h: texts of many jobs gathered into batches for one model of a provider.
 *
 *   add --> WAITING --take--> ASKED --end--> handed to all who want the text
 *              |                ^  |
 *              |                |  refuse: more than one text, or more than one owner
 *              |                +--+ halves, one behind the other; what is left alone is handed
 *              +--forget, drop--> gone
 *
 * A batch holds texts of one class and one input type, and goes when a slot is free for its class
 * and it is full, or nothing of its class is asked, or its oldest text has waited
 * EDDA_GATHER_WAIT_MS. Urgent goes before bulk; bulk leaves the last of several slots to urgent,
 * and has a turn after EDDA_GATHER_TURNS batches that went before it. Within a class and input type
 * texts go in the order they came.
 *
 * Equal texts (by key, within a class) that wait or are asked are one item with several wants. A
 * want is handed out exactly once, unless it is forgotten before. A text that nobody wants any more
 * leaves the line; one that is asked already is let go on: its vector is for the cache.
 *
 * A refused batch is halved until the text at fault is alone: its owners alone are failed. For a
 * size (EDDA_GATHER_TOO_LARGE) both halves are always tried, in all at most 2n - 1 calls; for a
 * fault (EDDA_GATHER_AT_FAULT) only where several owners are in it, and after 2 log2 n + 2 refusals
 * a refused piece is failed as it is, so that a provider that refuses everything is not asked for
 * each text.
 *
 * Pure: time in, batches out. Callbacks may call add and forget, nothing else of this header; those
 * of drop may not add. */
#ifndef EDDA_ACTORS_EMBEDDER_GATHER_H
#define EDDA_ACTORS_EMBEDDER_GATHER_H

#include "actors/embedder/cache.h"

#define EDDA_GATHER_WAIT_MS 2
#define EDDA_GATHER_TURNS   8

enum edda_gather_class { EDDA_GATHER_URGENT, EDDA_GATHER_BULK, EDDA_GATHER_CLASSES };

struct edda_gather_limits {
    uint32_t items;      /* texts of a batch */
    uint32_t tokens;     /* of all its texts; 0: no limit. A text that is over it goes alone */
    uint32_t bytes;      /* of all its texts */
    uint32_t item_bytes; /* a longer text counts, and is asked, as this many */
    size_t waiting;      /* texts of a class in line */
    size_t waiting_bytes;
};

struct edda_gather_item;

/* A vector that somebody wants. Lies still in the owner's memory from add until it is handed out or
 * forgotten; the text too. */
struct edda_gather_want {
    struct edda_text text;
    struct edda_cache_key key;
    uint32_t tokens;     /* estimated */
    int64_t deadline_ms; /* until when */
    void *owner;
    /* the gather's; zero before add */
    struct edda_gather_item *item; /* NULL: not in here */
    struct edda_gather_want *next;
    struct edda_gather_want *previous;
};

struct edda_gather_range {
    size_t from;
    size_t to;
};

/* From take until end or refuse. */
struct edda_gather_batch {
    enum edda_gather_class class;
    bool query;              /* input type */
    struct edda_texts texts; /* to ask for now; views into wants, only until the loop turns */
    int64_t since_ms;        /* its oldest text came; 0: a half of one that was refused */
    int64_t deadline_ms;     /* the last of all who want one of them */
    /* the gather's */
    struct edda_gather_item **items;
    size_t count;
    size_t from; /* texts.items[0] is of items[from] */
    struct edda_gather_range ranges[32];
    size_t range_count;
    unsigned refusals;
    struct edda_gather_batch *next;
    struct edda_gather_batch *previous;
};

enum edda_gather_refusal { EDDA_GATHER_TOO_LARGE, EDDA_GATHER_AT_FAULT };

typedef struct edda_gather edda_gather_t;

/* index: of the text in batch->texts; 0 from drop. The want is out of the gather. */
typedef void (*edda_gather_fn)(void *context, struct edda_gather_want *want, size_t index);

/* NULL: no memory. */
edda_gather_t *edda_gather_new(const struct edda_gather_limits *limits);

/* Wants that are still in it are let go without a word. */
void edda_gather_destroy(edda_gather_t **self_p);

/* All of them or none. EDDA_E_BUSY: the class's line has no room for so many; EDDA_E_MEMORY. */
int edda_gather_add(edda_gather_t *self, enum edda_gather_class class, bool query,
                    struct edda_gather_want *wants, size_t count, int64_t now_ms) EDDA_MUST_CHECK;

/* Those of them that are in the gather leave it. */
void edda_gather_forget(edda_gather_t *self, struct edda_gather_want *wants, size_t count);

/* The next batch to ask for, when `slots` may be asked at once; NULL: none may go now. *ret_error:
 * 0, or EDDA_E_MEMORY: nothing has changed. */
struct edda_gather_batch *edda_gather_take(edda_gather_t *self, uint32_t slots, int64_t now_ms,
                                           int *ret_error);

/* When time alone lets a batch go; INT64_MAX: it does not. */
int64_t edda_gather_due(const edda_gather_t *self, uint32_t slots);

/* The key of text i of the batch. */
const struct edda_cache_key *edda_gather_key(const struct edda_gather_batch *batch, size_t i);

/* The batch was answered, or failed for a reason that is in none of its texts: hand is called for
 * every want of every text. */
void edda_gather_end(edda_gather_t *self, struct edda_gather_batch **batch_p, edda_gather_fn hand,
                     void *context);

/* The provider will not have it: it is halved, or its wants are handed. */
void edda_gather_refuse(edda_gather_t *self, struct edda_gather_batch **batch_p,
                        enum edda_gather_refusal refusal, edda_gather_fn hand, void *context);

/* Everything of the class that waits, halves included, is handed. */
void edda_gather_drop(edda_gather_t *self, enum edda_gather_class class, edda_gather_fn hand,
                      void *context);

/* Texts of the class in line, batches that are asked, and whether there is nothing of either. */
size_t edda_gather_waiting(const edda_gather_t *self, enum edda_gather_class class);
size_t edda_gather_waiting_bytes(const edda_gather_t *self, enum edda_gather_class class);
size_t edda_gather_asked(const edda_gather_t *self);
bool edda_gather_idle(const edda_gather_t *self);

#endif
