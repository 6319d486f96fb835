/* gateway/route.c: the table, walked from its top; twenty comparisons of short paths. */
#include "gateway/route.h"

#define EDDA_ROUTE(name, method, pattern, handler, flags)                                          \
    {EDDA_ROUTE_##name, #name, EDDA_METHOD_##method, pattern, handler, flags},
static const struct edda_route routes[EDDA_ROUTE_COUNT] = {
#include "gateway/routes.def"
};
#undef EDDA_ROUTE

static bool match(const char *pattern, struct edda_text path, struct edda_text *ret_id) {
    size_t at = 0;
    *ret_id = (struct edda_text){0};
    while (*pattern) {
        if (*pattern == '{') {
            size_t begin = at;
            while (at < path.size && path.data[at] != '/') {
                at++;
            }
            *ret_id = (struct edda_text){path.data + begin, at - begin};
            if (ret_id->size == 0) {
                return false;
            }
            pattern = strchr(pattern, '}') + 1;
        } else if (at < path.size && path.data[at] == *pattern) {
            at++;
            pattern++;
        } else {
            return false;
        }
    }
    bool slash = at + 1 == path.size && path.data[at] == '/' && at > 0 && path.data[at - 1] != '/';
    return at == path.size || slash;
}

const struct edda_route *edda_route_find(enum edda_method method, struct edda_text path,
                                         struct edda_text *ret_id) {
    if (method == EDDA_METHOD_HEAD) {
        method = EDDA_METHOD_GET;
    }
    for (size_t i = 0; i < EDDA_ROUTE_COUNT; i++) {
        if (routes[i].method == method && match(routes[i].pattern, path, ret_id)) {
            return &routes[i];
        }
    }
    return NULL;
}

bool edda_route_guarded(struct edda_text path) {
    return path.size >= 5 && memcmp(path.data, "/api/", 5) == 0;
}

const struct edda_route *edda_route_at(size_t index) {
    EDDA_ASSERT(index < EDDA_ROUTE_COUNT);
    return &routes[index];
}
