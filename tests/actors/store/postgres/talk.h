/* tests/actors/store/postgres/talk.h: conversations that do what a test says, step by step. */
#ifndef EDDA_TESTS_STORE_POSTGRES_TALK_H
#define EDDA_TESTS_STORE_POSTGRES_TALK_H

#include "tests/actors/store/postgres/database.h"

struct talk {
    struct edda_pg_conversation conversation;
    struct database *database;
    void (*on_begin)(struct talk *self); /* says what it likes; NULL: nothing */
    void (*on_rows)(struct talk *self);  /* of statements said with talk_rows */
    void *of_test;
    int begins;
    int calls; /* of on_rows */
    int answers;
    int error;
    bool unknown;
    char sqlstate[6];
    char text[160];
    size_t rows; /* of the last result */
    int64_t number;
    char words[64];
};

/* begin, which must be taken. */
void talk(struct database *d, struct talk *talk, void (*on_begin)(struct talk *self));

/* The on_rows to say with: notes the result, then calls talk->on_rows. */
void talk_rows(void *context, edda_pg_result_t **result_p);

/* Waits for its end, which must have this error. */
void talk_expect(struct talk *talk, int error);

#endif
