/* tests/provider/request.c: reading what the providers' requests have in common. */
#include "tests/provider/request.h"

#include <stdio.h>

struct route {
    const char *end;
    enum fake_kind kind;
    enum fake_provider provider;
};

#define FAKE_ROUTE(end, kind, provider) {end, FAKE_##kind, FAKE_##provider},
static const struct route routes[] = {
#include "tests/provider/route.def"
};
#undef FAKE_ROUTE

#define FAKE_PROVIDER(name, segment, texts, documents, status) {segment, texts, documents, status},
static const struct {
    const char *segment;
    size_t texts;
    size_t documents;
    int status;
} providers[] = {
#include "tests/provider/route.def"
};
#undef FAKE_PROVIDER

const char *fake_kind_name(enum fake_kind kind) {
    static const char *const names[] = {"embed", "rerank", "chat", "other"};
    return names[kind];
}

struct edda_text fake_text_of(const json_t *string) {
    return (struct edda_text){json_string_value(string), json_string_length(string)};
}

static bool ends_with(struct edda_text path, const char *end) {
    size_t size = strlen(end);
    return path.size >= size && memcmp(path.data + path.size - size, end, size) == 0;
}

/* FAKE_PROVIDERS: the first segment is no provider's. */
static enum fake_provider named_by(struct edda_text path) {
    const char *begin = path.data + (path.size > 0 ? 1 : 0);
    const char *slash = path.size > 1 ? memchr(begin, '/', path.size - 1) : NULL;
    struct edda_text segment = {begin, slash ? (size_t)(slash - begin) : 0};
    int i = 0;
    while (i < FAKE_PROVIDERS && !edda_text_is(segment, providers[i].segment)) {
        i++;
    }
    return (enum fake_provider)i;
}

/* Where several speak at one path, their bodies tell them apart. */
static enum fake_provider told_by_body(const struct fake_request *request,
                                       enum fake_provider provider) {
    const json_t *json = request->json;
    if (request->kind == FAKE_EMBED && provider == FAKE_TEI) {
        return json_object_get(json, "content") ? FAKE_LOCAL : FAKE_TEI;
    }
    if (request->kind != FAKE_RERANK || provider != FAKE_JINA) {
        return provider;
    }
    if (json_object_get(json, "texts")) {
        return FAKE_TEI;
    }
    if (json_object_get(json, "top_k")) {
        return json_object_get(json, "model") ? FAKE_VOYAGE : FAKE_LOCAL;
    }
    return provider;
}

void fake_request_route(struct fake_request *request) {
    enum fake_provider named = named_by(request->path);
    request->kind = FAKE_OTHER;
    request->provider = FAKE_OPENAI;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (ends_with(request->path, routes[i].end)) {
            request->kind = routes[i].kind;
            request->provider = told_by_body(request, routes[i].provider);
            break;
        }
    }
    if (named != FAKE_PROVIDERS) {
        request->provider = named;
    }
}

const json_t *fake_request_list(const struct fake_request *request) {
    static const char *const embed[] = {"input", "texts", "inputs", "requests", "content"};
    static const char *const rerank[] = {"documents", "texts"};
    const char *const *names = request->kind == FAKE_EMBED ? embed : rerank;
    size_t count = request->kind == FAKE_EMBED ? 5 : request->kind == FAKE_RERANK ? 2 : 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *list = json_object_get(request->json, names[i]);
        if (list) {
            return list;
        }
    }
    return NULL;
}

size_t fake_request_items(const struct fake_request *request) {
    const json_t *list = fake_request_list(request);
    return json_is_array(list) ? json_array_size(list) : list ? 1 : 0;
}

struct edda_text fake_request_text(const json_t *item) {
    if (json_is_string(item)) {
        return fake_text_of(item);
    }
    const json_t *content = json_object_get(item, "content");
    const json_t *part = json_array_get(json_object_get(content, "parts"), 0);
    return fake_text_of(json_object_get(part ? part : item, "text"));
}

size_t fake_request_most(const struct fake_request *request, int *ret_status) {
    *ret_status = 413;
    if (request->behaviour->max_items > 0) {
        return (size_t)request->behaviour->max_items;
    }
    *ret_status = providers[request->provider].status;
    return request->kind == FAKE_EMBED    ? providers[request->provider].texts
           : request->kind == FAKE_RERANK ? providers[request->provider].documents
                                          : 0;
}

const char *fake_request_model(const struct fake_request *request, char *room, size_t size) {
    const char *named = json_string_value(json_object_get(request->json, "model"));
    struct edda_text path = request->path;
    size_t colon = path.size;
    size_t slash = path.size;
    if (request->provider != FAKE_GEMINI) {
        return named ? named : "default";
    }
    while (colon > 0 && path.data[colon - 1] != ':') {
        colon--;
    }
    slash = colon;
    while (slash > 0 && path.data[slash - 1] != '/') {
        slash--;
    }
    (void)snprintf(room, size, "%.*s", (int)(colon > slash ? colon - 1 - slash : 0),
                   path.data + slash);
    return room;
}
