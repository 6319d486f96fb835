/* actors/store/backend.c: the doors into whichever backend there is. */
#include "actors/store/backend.h"

int edda_backend_submit(edda_backend_t *self, const struct edda_backend_request *request) {
    EDDA_ASSERT(request->operation < EDDA_BACKEND_COUNT && request->done);
    return self->interface->submit(self, request);
}

void edda_backend_destroy(edda_backend_t **self_p) {
    if (*self_p) {
        (*self_p)->interface->destroy(*self_p);
        *self_p = NULL;
    }
}

size_t edda_backend_result_size(enum edda_backend_operation operation) {
#define EDDA_BACKEND(name, arguments, input, result, meaning)                                      \
    [EDDA_BACKEND_##name] = sizeof(struct result),
    static const size_t sizes[] = {
#include "actors/store/operation.def"
    };
#undef EDDA_BACKEND
    return sizes[operation];
}
