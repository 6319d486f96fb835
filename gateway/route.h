/* gateway/route.h: which resource a method and a path name. From gateway/routes.def.
 *
 * A pattern is a path whose one segment may be "{id}"; a trailing slash changes nothing. Pure. */
#ifndef EDDA_GATEWAY_ROUTE_H
#define EDDA_GATEWAY_ROUTE_H

#include "gateway/http.h"

struct edda_visit;

enum edda_route_flag {
    EDDA_ROUTE_OPEN = 1,   /* no key needed */
    EDDA_ROUTE_UPLOAD = 2, /* takes multipart/form-data */
    EDDA_ROUTE_KEEP = 4,   /* goes on when the client has hung up: it changes something */
};

#define EDDA_ROUTE(name, method, pattern, handler, flags) EDDA_ROUTE_##name,
enum edda_route_name {
#include "gateway/routes.def"
    EDDA_ROUTE_COUNT
};
#undef EDDA_ROUTE

struct edda_route {
    enum edda_route_name name;
    const char *label; /* "MEMO_GET", for metrics and logs */
    enum edda_method method;
    const char *pattern;
    void (*handle)(struct edda_visit *visit);
    unsigned flags;
};

/* NULL: none. HEAD finds what GET finds. *ret_id is the undecoded {id}, never empty. */
const struct edda_route *edda_route_find(enum edda_method method, struct edda_text path,
                                         struct edda_text *ret_id);

/* Whether every path below this one needs a key, known or not. */
bool edda_route_guarded(struct edda_text path);

const struct edda_route *edda_route_at(size_t index); /* below EDDA_ROUTE_COUNT */

/* The resources, one file each. */
#define EDDA_ROUTE(name, method, pattern, handler, flags) void handler(struct edda_visit *visit);
#include "gateway/routes.def"
#undef EDDA_ROUTE

#endif
