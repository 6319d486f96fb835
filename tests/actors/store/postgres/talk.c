/* tests/actors/store/postgres/talk.c: see talk.h. */
#include "tests/actors/store/postgres/talk.h"

#include <stdio.h>

static void on_begin(void *context) {
    struct talk *talk = context;
    talk->begins++;
    if (talk->on_begin) {
        talk->on_begin(talk);
    }
}

static void on_done(void *context, struct edda_pg_answer *answer) {
    struct talk *talk = context;
    talk->answers++;
    talk->error = answer->error;
    talk->unknown = answer->unknown;
    memcpy(talk->sqlstate, answer->sqlstate, sizeof talk->sqlstate);
    snprintf(talk->text, sizeof talk->text, "%s", answer->text ? answer->text : "");
    assert_null(answer->result);
    assert_true((answer->error == 0) == (answer->text == NULL));
}

void talk_rows(void *context, edda_pg_result_t **result_p) {
    struct talk *talk = context;
    struct edda_pg_row row = edda_pg_row(*result_p, 0);
    assert_int_equal(talk->answers, 0);
    talk->calls++;
    talk->rows = edda_pg_rows(*result_p);
    if (talk->rows > 0) {
        talk->number = edda_pg_bigint_or(&row, 0, 0);
        if (row.error) {
            row = edda_pg_row(*result_p, 0);
            struct edda_text text = edda_pg_text(&row, 0);
            snprintf(talk->words, sizeof talk->words, "%.*s", (int)text.size,
                     text.data ? text.data : "");
        }
    }
    if (talk->on_rows) {
        talk->on_rows(talk);
    }
}

void talk(struct database *d, struct talk *talk, void (*begin)(struct talk *self)) {
    talk->database = d;
    talk->on_begin = begin;
    talk->conversation.on_begin = on_begin;
    talk->conversation.done = on_done;
    talk->conversation.context = talk;
    assert_int_equal(edda_pg_begin(d->pg, &talk->conversation), 0);
    assert_int_equal(talk->begins + talk->answers, 0);
}

void talk_expect(struct talk *talk, int error) {
    wait_for(talk->database, &talk->answers, 1);
    if (talk->error != error) {
        fail_msg("%s (%s %s) instead of %s", edda_error_name(talk->error), talk->sqlstate,
                 talk->text, edda_error_name(error));
    }
    assert_int_equal(talk->answers, 1);
}
