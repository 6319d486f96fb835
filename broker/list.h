/* broker/list.h: a doubly linked list whose links live inside the items.
 *
 * An item is in at most one list per link. Removing needs the list only for its count. */
#ifndef EDDA_BROKER_LIST_H
#define EDDA_BROKER_LIST_H

#include "proto/types.h"

struct edda_link {
    struct edda_link *next; /* NULL when in no list */
    struct edda_link *previous;
};

struct edda_list {
    struct edda_link head; /* circular */
    uint32_t count;
};

/* The struct of `type` whose `member` the link is. */
#define EDDA_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void edda_list_init(struct edda_list *list) {
    list->head.next = list->head.previous = &list->head;
    list->count = 0;
}

static inline void edda_list_insert_after(struct edda_list *list, struct edda_link *place,
                                          struct edda_link *link) {
    EDDA_ASSERT(!link->next);
    link->previous = place;
    link->next = place->next;
    place->next->previous = link;
    place->next = link;
    list->count++;
}

static inline void edda_list_push_front(struct edda_list *list, struct edda_link *link) {
    edda_list_insert_after(list, &list->head, link);
}

static inline void edda_list_push_back(struct edda_list *list, struct edda_link *link) {
    edda_list_insert_after(list, list->head.previous, link);
}

static inline void edda_list_remove(struct edda_list *list, struct edda_link *link) {
    EDDA_ASSERT(link->next && list->count > 0);
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = link->previous = NULL;
    list->count--;
}

/* NULL when empty. */
static inline struct edda_link *edda_list_first(const struct edda_list *list) {
    return list->count ? list->head.next : NULL;
}

/* The link after `link`, NULL at the end. */
static inline struct edda_link *edda_list_after(const struct edda_list *list,
                                                const struct edda_link *link) {
    return link->next == &list->head ? NULL : link->next;
}

#endif
