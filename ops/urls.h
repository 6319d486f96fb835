/* ops/urls.h: which broker URLs a part connects to and listens at, from settings and defaults. */
#ifndef EDDA_OPS_URLS_H
#define EDDA_OPS_URLS_H

#include "actors/runtime/config.h"
#include "actors/runtime/socket.h"

#define EDDA_MAX_URLS 8

struct edda_urls {
    char texts[EDDA_MAX_URLS][EDDA_MAX_URL];
    const char *items[EDDA_MAX_URLS];
    size_t count;
};

void edda_urls_init(struct edda_urls *urls);

/* EDDA_E_LIMIT: there are too many, or one is too long. */
int edda_urls_add(struct edda_urls *urls, const char *url) EDDA_MUST_CHECK;

/* Adds each item of a comma-separated setting. EDDA_E_LIMIT as above. */
int edda_urls_add_list(struct edda_urls *urls, const char *list) EDDA_MUST_CHECK;

/* The first to which no part can connect, whoever listens there; NULL: none. Borrowed from urls. */
const char *edda_urls_find_wrong(const struct edda_urls *urls);

#endif
