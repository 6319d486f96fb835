/* actors/store/postgres/units.c: lists of units, and the one way out of them. */
#include "actors/store/postgres/state.h"

void edda_pg_unit_move(struct edda_pg_unit *unit, struct edda_pg_units *list) {
    if (unit->list) {
        *(unit->previous ? &unit->previous->next : &unit->list->first) = unit->next;
        *(unit->next ? &unit->next->previous : &unit->list->last) = unit->previous;
        unit->list->count--;
    }
    unit->list = list;
    unit->next = NULL;
    unit->previous = list ? list->last : NULL;
    if (list) {
        *(list->last ? &list->last->next : &list->first) = unit;
        list->last = unit;
        list->count++;
    }
}

void edda_pg_unit_end(struct edda_pg_unit *unit, const struct edda_pg_answer *answer) {
    EDDA_ASSERT(unit->database && !unit->connection && !answer->result);
    PQclear(unit->answer.result);
    unit->answer = *answer;
    edda_pg_unit_move(unit, &unit->database->ending);
    edda_pg_unsettled(unit->database);
}

static void close_unit(struct edda_pg_unit *unit) {
    struct edda_pg *database = unit->database;
    edda_pg_unit_move(unit, NULL);
    unit->database = NULL;
    EDDA_ASSERT(database->open > 0);
    database->open--;
    edda_loop_release(database->options.loop);
}

void edda_pg_unit_tell(struct edda_pg_unit *unit) {
    struct edda_pg_answer answer = unit->answer;
    edda_pg_done_fn done;
    void *context;
    if (unit->kind == EDDA_SLOTS_STATEMENT) {
        done = edda_pg_query_of(unit)->done;
        context = edda_pg_query_of(unit)->context;
    } else {
        done = edda_pg_conversation_of(unit)->done;
        context = edda_pg_conversation_of(unit)->context;
    }
    close_unit(unit);
    done(context, &answer); /* the unit may be gone with it */
    PQclear(answer.result);
}

void edda_pg_unit_forget(struct edda_pg_unit *unit) {
    PQclear(unit->answer.result);
    unit->answer.result = NULL;
    close_unit(unit);
}

void edda_pg_read_again(struct edda_pg_query *query) {
    struct edda_pg *database = query->unit.database;
    query->alone = true;
    query->unit.connection = NULL;
    database->running--;
    edda_pg_unit_move(&query->unit, &database->lines[EDDA_SLOTS_STATEMENT]);
    edda_slots_arrived(&database->slots, EDDA_SLOTS_STATEMENT);
    edda_pg_unsettled(database);
}
