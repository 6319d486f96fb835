/* proto/op.c: the table of proto/op.def. */
#include "proto/op.h"

#define EDDA_OP(name, arguments, input, output, budget_ms, who, meaning)                           \
    {name,                                                                                         \
     EDDA_BODY_##arguments,                                                                        \
     EDDA_BODY_##input,                                                                            \
     EDDA_BODY_##output,                                                                           \
     budget_ms,                                                                                    \
     EDDA_ASKED_BY_##who,                                                                          \
     meaning},
static const struct edda_op ops[] = {
#include "proto/op.def"
};
#undef EDDA_OP

/* Beside the table, so that a look-up compares one byte per op before it compares a name. */
#define EDDA_OP(name, arguments, input, output, budget_ms, who, meaning)                           \
    (uint8_t)(sizeof(name) - 1),
static const uint8_t name_sizes[] = {
#include "proto/op.def"
};
#undef EDDA_OP

const struct edda_op *edda_op_find(struct edda_text name) {
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (name.size == name_sizes[i] && memcmp(name.data, ops[i].name, name.size) == 0) {
            return &ops[i];
        }
    }
    return NULL;
}

const struct edda_op *edda_op_table(size_t *ret_count) {
    *ret_count = sizeof(ops) / sizeof(ops[0]);
    return ops;
}
