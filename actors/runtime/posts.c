/* actors/runtime/posts.c: an array that grows to its bound and stays. */
#include "actors/runtime/posts.h"

#include <stdlib.h>

static bool grow_posts(struct edda_posts *posts) {
    size_t capacity = posts->capacity ? posts->capacity * 2 : 64;
    struct edda_posted *items = realloc(posts->items, capacity * sizeof *items);
    if (!items) {
        return false;
    }
    posts->items = items;
    posts->capacity = capacity;
    return true;
}

int edda_posts_add(struct edda_posts *posts, edda_task_fn task, void *context) {
    if (posts->count >= EDDA_LOOP_MAX_POSTED ||
        (posts->count == posts->capacity && !grow_posts(posts))) {
        return EDDA_E_LIMIT;
    }
    posts->items[posts->count++] = (struct edda_posted){task, context};
    return 0;
}

void edda_posts_done(struct edda_posts *posts) {
    free(posts->items);
    *posts = (struct edda_posts){0};
}
