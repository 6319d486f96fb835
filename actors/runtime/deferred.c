/* actors/runtime/deferred.c: an intrusive list whose nodes know what points to them. */
#include "actors/runtime/deferred.h"

void edda_deferred_add(struct edda_deferred_list *list, struct edda_deferred *deferred) {
    if (deferred->link) {
        return;
    }
    deferred->link = &list->first;
    deferred->next = list->first;
    if (deferred->next) {
        deferred->next->link = &deferred->next;
    }
    list->first = deferred;
}

void edda_deferred_cancel(struct edda_deferred *deferred) {
    if (!deferred->link) {
        return;
    }
    *deferred->link = deferred->next;
    if (deferred->next) {
        deferred->next->link = deferred->link;
    }
    deferred->link = NULL;
    deferred->next = NULL;
}

void edda_deferred_run(struct edda_deferred_list *list) {
    struct edda_deferred_list now = *list;
    list->first = NULL;
    if (now.first) {
        now.first->link = &now.first;
    }
    while (now.first) {
        struct edda_deferred *deferred = now.first;
        edda_deferred_cancel(deferred);
        deferred->fire(deferred->context);
    }
}
