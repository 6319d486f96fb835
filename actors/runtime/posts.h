/* actors/runtime/posts.h: the loop's list of tasks that other threads gave it.
 *
 * Used by loop.c alone, which holds its lock around every call; zero-initialised. */
#ifndef EDDA_RUNTIME_POSTS_H
#define EDDA_RUNTIME_POSTS_H

#include "actors/runtime/loop.h"

struct edda_posted {
    edda_task_fn task;
    void *context;
};

struct edda_posts {
    struct edda_posted *items; /* owned */
    size_t count;
    size_t capacity;
};

/* EDDA_E_LIMIT over EDDA_LOOP_MAX_POSTED, or without memory. */
int edda_posts_add(struct edda_posts *posts, edda_task_fn task, void *context) EDDA_MUST_CHECK;

void edda_posts_done(struct edda_posts *posts);

#endif
