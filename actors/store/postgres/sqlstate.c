/* actors/store/postgres/sqlstate.c: the table, looked up by state, then by class. */
#include "actors/store/postgres/sqlstate.h"

#define NONE    EDDA_SQLSTATE_NONE
#define AGAIN   EDDA_SQLSTATE_AGAIN
#define LOST    EDDA_SQLSTATE_LOST
#define REFUSED EDDA_SQLSTATE_REFUSED
#define SHOWN   EDDA_SQLSTATE_SHOWN

#define EDDA_SQLSTATE(code, error, flags, text) {(code), EDDA_E_##error, (flags), (text)},
static const struct edda_sqlstate states[] = {
#include "actors/store/postgres/sqlstate.def"
};
#undef EDDA_SQLSTATE

static const struct edda_sqlstate unknown = {"", EDDA_E_IO, NONE, "the database failed"};

static const struct edda_sqlstate *find(const char *code, size_t size) {
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strlen(states[i].code) == size && memcmp(states[i].code, code, size) == 0) {
            return &states[i];
        }
    }
    return NULL;
}

const struct edda_sqlstate *edda_sqlstate_find(const char *code) {
    if (!code || strnlen(code, 6) != 5) {
        return &unknown;
    }
    const struct edda_sqlstate *state = find(code, 5);
    state = state ? state : find(code, 2);
    return state ? state : &unknown;
}
