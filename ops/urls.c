/* ops/urls.c: see urls.h. */
#include "ops/urls.h"

#include "ops/options.h"

void edda_urls_init(struct edda_urls *urls) {
    urls->count = 0;
}

int edda_urls_add(struct edda_urls *urls, const char *url) {
    size_t size = strlen(url);
    if (urls->count == EDDA_MAX_URLS || size >= EDDA_MAX_URL)
        return EDDA_E_LIMIT;
    memcpy(urls->texts[urls->count], url, size + 1);
    urls->items[urls->count] = urls->texts[urls->count];
    urls->count++;
    return 0;
}

int edda_urls_add_list(struct edda_urls *urls, const char *list) {
    char item[EDDA_MAX_URL];
    int more;
    for (size_t n = 0; (more = edda_list_item(list, n, item, sizeof item)) > 0; n++) {
        int error = edda_urls_add(urls, item);
        if (error != 0)
            return error;
    }
    return more;
}

const char *edda_urls_find_wrong(const struct edda_urls *urls) {
    char back[EDDA_MAX_URL];
    for (size_t i = 0; i < urls->count; i++) {
        if (edda_endpoint_back(urls->items[i], back) != 0)
            return urls->items[i];
    }
    return NULL;
}
