/* gateway/serving.c: a table of four-way buckets, each ordered by when it was learned. */
#include "gateway/serving.h"

#include <sodium.h>
#include <stdlib.h>

#include "proto/limits.h"

#define WAYS    4
#define BUCKETS (EDDA_SERVING_PROJECTS / WAYS)

struct served {
    char project[EDDA_MAX_NAME + 1];
    char model[EDDA_MAX_NAME + 1];
    uint32_t dimension;
};

struct edda_serving {
    struct served buckets[BUCKETS][WAYS]; /* newest first */
};

edda_serving_t *edda_serving_new(void) {
    return calloc(1, sizeof(edda_serving_t));
}

void edda_serving_destroy(edda_serving_t **self_p) {
    free(*self_p);
    *self_p = NULL;
}

/* Project names are the operator's, so a fixed key is enough. */
static size_t bucket_of(const char *project) {
    static const unsigned char key[crypto_shorthash_KEYBYTES];
    unsigned char hash[crypto_shorthash_BYTES];
    (void)crypto_shorthash(hash, (const unsigned char *)project, strlen(project), key);
    return (size_t)(hash[0] | hash[1] << 8) % BUCKETS;
}

bool edda_serving_find(const edda_serving_t *self, const char *project, struct edda_text *ret_model,
                       uint32_t *ret_dimension) {
    const struct served *bucket = self->buckets[bucket_of(project)];
    for (size_t i = 0; i < WAYS; i++) {
        if (bucket[i].model[0] && strcmp(bucket[i].project, project) == 0) {
            *ret_model = edda_text_of(bucket[i].model);
            *ret_dimension = bucket[i].dimension;
            return true;
        }
    }
    return false;
}

void edda_serving_learn(edda_serving_t *self, const char *project, struct edda_text model,
                        uint32_t dimension) {
    struct served *bucket = self->buckets[bucket_of(project)];
    struct served fresh = {.dimension = dimension};
    size_t size = strlen(project);
    size_t at = 0;
    if (size > EDDA_MAX_NAME || model.size == 0 || model.size > EDDA_MAX_NAME) {
        return;
    }
    memcpy(fresh.project, project, size);
    memcpy(fresh.model, model.data, model.size);
    while (at < WAYS - 1 && strcmp(bucket[at].project, project) != 0) {
        at++;
    }
    memmove(bucket + 1, bucket, at * sizeof *bucket);
    bucket[0] = fresh;
}
