/* actors/store/postgres/sqlstate.h: what a SQLSTATE of the server means for us: one table.
 *
 * A state that the table does not name is its class; a class it does not name is EDDA_E_IO. Pure.
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
#ifndef EDDA_ACTORS_STORE_POSTGRES_SQLSTATE_H
#define EDDA_ACTORS_STORE_POSTGRES_SQLSTATE_H

#include "proto/error.h"
#include "proto/types.h"

enum edda_sqlstate_flag {
    EDDA_SQLSTATE_NONE = 0,
    EDDA_SQLSTATE_AGAIN = 1,   /* the same transaction, repeated as it is, may succeed at once */
    EDDA_SQLSTATE_LOST = 2,    /* the connection is over, or no good any more: it is closed */
    EDDA_SQLSTATE_REFUSED = 4, /* connecting: will not succeed until somebody changes something */
    EDDA_SQLSTATE_SHOWN = 8,   /* the server's message names no values: it may be logged */
};

struct edda_sqlstate {
    const char *code; /* "40001", or a class: "40" */
    int error;        /* EDDA_E_ */
    unsigned flags;
    const char *text; /* for people */
};

/* code: five characters, as PQresultErrorField (PG_DIAG_SQLSTATE) gives them; anything else, NULL
 * too, is EDDA_E_IO. Never NULL; static. */
const struct edda_sqlstate *edda_sqlstate_find(const char *code);

#endif
