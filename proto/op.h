/* proto/op.h: the table of operations: which bodies each takes and gives. From proto/op.def. */
#ifndef EDDA_PROTO_OP_H
#define EDDA_PROTO_OP_H

#include "proto/body.h"

#define EDDA_ASKED_BY_CLI     0u /* alone; it may ask for the others' too */
#define EDDA_ASKED_BY_GATEWAY 1u
#define EDDA_ASKED_BY_PUMP    2u
#define EDDA_ASKED_BY_BOTH    3u

struct edda_op {
    const char *name;
    uint16_t arguments; /* enum edda_body_type */
    uint16_t input;
    uint16_t output;
    uint32_t budget_ms;
    unsigned askers; /* EDDA_ASKED_BY_ bits */
    const char *meaning;
};

/* NULL for ops that are not in the table. */
const struct edda_op *edda_op_find(struct edda_text name);

/* The whole table, for help texts and completeness tests. */
const struct edda_op *edda_op_table(size_t *ret_count);

#endif
