/* tests/actors/store/postgres/test_slots.c: who gets which connection, in rows and at random. */
#include <stdlib.h>

#include "actors/store/postgres/slots.h"
#include "tests/proto/cmocka.h"

#define EVENTS 1000000
#define FAR_MS 1000000

static struct edda_slots slots;
static bool first_is_small; /* what waits in line first is a small read */

static void expect(enum edda_slots_what what, enum edda_slots_kind kind, unsigned slot,
                   int64_t now_ms) {
    struct edda_slots_action action = edda_slots_next(&slots, first_is_small, now_ms);
    assert_int_equal(action.what, what);
    if (what != EDDA_SLOTS_NOTHING) {
        assert_int_equal(action.slot, slot);
    }
    if (what == EDDA_SLOTS_GIVE) {
        assert_int_equal(action.kind, kind);
    }
}

#define EXPECT_STATEMENT(slot)    expect(EDDA_SLOTS_GIVE, EDDA_SLOTS_STATEMENT, (slot), FAR_MS)
#define EXPECT_CONVERSATION(slot) expect(EDDA_SLOTS_GIVE, EDDA_SLOTS_CONVERSATION, (slot), FAR_MS)
#define EXPECT_OPEN(slot)         expect(EDDA_SLOTS_OPEN, EDDA_SLOTS_STATEMENT, (slot), FAR_MS)
#define EXPECT_NOTHING()          expect(EDDA_SLOTS_NOTHING, EDDA_SLOTS_STATEMENT, 0, FAR_MS)

/* All of them stand. */
static void begin(unsigned count) {
    first_is_small = false;
    edda_slots_init(&slots, count);
    for (unsigned i = 0; i < count; i++) {
        slots.items[i].state = EDDA_SLOT_OPENING;
        edda_slots_opened(&slots, i, 0);
    }
}

static void arrive(enum edda_slots_kind kind) {
    edda_slots_arrived(&slots, kind);
}

static void the_first_connection_is_kept_without_being_asked_for(void **state) {
    (void)state;
    edda_slots_init(&slots, 3);
    EXPECT_OPEN(0);
    EXPECT_NOTHING();
    edda_slots_opened(&slots, 0, 0);
    EXPECT_NOTHING();
    edda_slots_lost(&slots, 0, FAR_MS / 2, 0);
    EXPECT_OPEN(0);
}

static void statements_go_where_the_fewest_are(void **state) {
    (void)state;
    begin(3);
    for (int i = 0; i < 4; i++) {
        arrive(EDDA_SLOTS_STATEMENT);
    }
    EXPECT_STATEMENT(0);
    EXPECT_STATEMENT(1);
    EXPECT_STATEMENT(2);
    EXPECT_STATEMENT(0);
    edda_slots_answered(&slots, 1);
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(1);
}

static void one_connection_takes_no_more_than_its_depth(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < EDDA_SLOTS_DEPTH + 1; i++) {
        arrive(EDDA_SLOTS_STATEMENT);
    }
    for (int i = 0; i < EDDA_SLOTS_DEPTH; i++) {
        EXPECT_STATEMENT(0);
    }
    EXPECT_NOTHING();
    edda_slots_answered(&slots, 0);
    EXPECT_STATEMENT(0);
}

static void small_reads_go_together_until_the_batch_is_full_or_went_out(void **state) {
    (void)state;
    begin(3);
    first_is_small = true;
    for (int i = 0; i < EDDA_SLOTS_BATCH + 3; i++) {
        arrive(EDDA_SLOTS_STATEMENT);
    }
    for (int i = 0; i < EDDA_SLOTS_BATCH; i++) {
        EXPECT_STATEMENT(0);
    }
    EXPECT_STATEMENT(1);
    edda_slots_sent(&slots, 1);
    EXPECT_STATEMENT(2);
    EXPECT_STATEMENT(2);
}

static void what_is_no_small_read_goes_where_the_fewest_are_and_begins_no_batch(void **state) {
    (void)state;
    begin(2);
    first_is_small = true;
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(0);
    first_is_small = false;
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(1);
    edda_slots_sent(&slots, 0);
    edda_slots_answered(&slots, 0);
    first_is_small = true;
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(0); /* the fewest: what is at 1 is no batch */
}

static void a_batch_does_not_pass_the_depth(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < EDDA_SLOTS_DEPTH + 1; i++) {
        arrive(EDDA_SLOTS_STATEMENT);
    }
    for (int i = 0; i < EDDA_SLOTS_DEPTH - 1; i++) {
        EXPECT_STATEMENT(0);
    }
    first_is_small = true;
    EXPECT_STATEMENT(0);
    EXPECT_NOTHING();
}

static void a_conversation_holds_one_alone_and_never_the_first_of_several(void **state) {
    (void)state;
    begin(2);
    arrive(EDDA_SLOTS_CONVERSATION);
    EXPECT_CONVERSATION(1);
    arrive(EDDA_SLOTS_CONVERSATION);
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(0);
    EXPECT_NOTHING();
    edda_slots_answered(&slots, 0);
    EXPECT_NOTHING();
    edda_slots_released(&slots, 1);
    EXPECT_CONVERSATION(1);
}

static void a_conversation_that_waits_keeps_new_statements_off_the_least_loaded(void **state) {
    (void)state;
    begin(3);
    for (int i = 0; i < 6; i++) {
        arrive(EDDA_SLOTS_STATEMENT);
    }
    for (unsigned i = 0; i < 6; i++) {
        EXPECT_STATEMENT(i % 3);
    }
    edda_slots_answered(&slots, 2);
    arrive(EDDA_SLOTS_CONVERSATION);
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(0); /* not 2, which has the fewest */
    edda_slots_answered(&slots, 2);
    EXPECT_CONVERSATION(2);
}

static void on_one_connection_statements_and_conversations_take_turns(void **state) {
    (void)state;
    begin(1);
    arrive(EDDA_SLOTS_CONVERSATION);
    EXPECT_CONVERSATION(0);
    arrive(EDDA_SLOTS_CONVERSATION);
    arrive(EDDA_SLOTS_STATEMENT);
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_NOTHING();
    edda_slots_released(&slots, 0);
    arrive(EDDA_SLOTS_STATEMENT); /* came after the turn began */
    EXPECT_STATEMENT(0);
    EXPECT_STATEMENT(0);
    EXPECT_NOTHING();
    edda_slots_answered(&slots, 0);
    edda_slots_answered(&slots, 0);
    EXPECT_CONVERSATION(0);
    edda_slots_released(&slots, 0);
    EXPECT_STATEMENT(0);
}

static void a_turn_does_not_wait_for_statements_that_left(void **state) {
    (void)state;
    begin(1);
    arrive(EDDA_SLOTS_CONVERSATION);
    EXPECT_CONVERSATION(0);
    arrive(EDDA_SLOTS_CONVERSATION);
    arrive(EDDA_SLOTS_STATEMENT);
    edda_slots_released(&slots, 0);
    edda_slots_left(&slots, EDDA_SLOTS_STATEMENT);
    EXPECT_CONVERSATION(0);
}

static void another_is_opened_for_a_conversation_that_waits(void **state) {
    (void)state;
    edda_slots_init(&slots, 3);
    arrive(EDDA_SLOTS_CONVERSATION);
    arrive(EDDA_SLOTS_CONVERSATION);
    arrive(EDDA_SLOTS_CONVERSATION);
    EXPECT_OPEN(0);
    EXPECT_OPEN(1);
    EXPECT_OPEN(2);
    EXPECT_NOTHING();
}

static void another_is_opened_when_all_are_busy_with_statements(void **state) {
    (void)state;
    edda_slots_init(&slots, 2);
    EXPECT_OPEN(0);
    edda_slots_opened(&slots, 0, 0);
    for (int i = 0; i < EDDA_SLOTS_BUSY - 1; i++) {
        arrive(EDDA_SLOTS_STATEMENT);
        EXPECT_STATEMENT(0);
    }
    EXPECT_NOTHING();
    arrive(EDDA_SLOTS_STATEMENT);
    EXPECT_STATEMENT(0);
    EXPECT_OPEN(1);
    EXPECT_NOTHING();
}

static void while_the_database_fails_one_attempt_is_made_at_a_time_and_not_too_soon(void **state) {
    (void)state;
    edda_slots_init(&slots, 4);
    arrive(EDDA_SLOTS_CONVERSATION);
    EXPECT_OPEN(0);
    EXPECT_OPEN(1);
    edda_slots_failed(&slots, 1, false, 100, UINT32_MAX);
    edda_slots_failed(&slots, 0, false, 100, UINT32_MAX);
    assert_int_equal(edda_slots_wake_ms(&slots), 150);
    expect(EDDA_SLOTS_NOTHING, 0, 0, 149);
    expect(EDDA_SLOTS_OPEN, 0, 0, 150);
    EXPECT_NOTHING();
    assert_int_equal(edda_slots_wake_ms(&slots), INT64_MAX);
    edda_slots_opened(&slots, 0, 200);
    EXPECT_OPEN(1);
}

/* ---- at random ---- */

struct model {
    unsigned seed;
    int64_t now_ms;
    size_t waiting[EDDA_SLOTS_KINDS];
    size_t served[EDDA_SLOTS_KINDS];
    size_t arrived[EDDA_SLOTS_KINDS];
    size_t left[EDDA_SLOTS_KINDS];
};

static unsigned pick(struct model *model, unsigned below) {
    return (unsigned)rand_r(&model->seed) % below;
}

static bool may_hold(unsigned slot) {
    return slots.count == 1 || slot > 0;
}

static void check_slots(const struct model *model) {
    for (unsigned i = 0; i < slots.count; i++) {
        const struct edda_slot *slot = &slots.items[i];
        assert_true(slot->running <= EDDA_SLOTS_DEPTH);
        assert_true(slot->batch <= slot->running && slot->batch < EDDA_SLOTS_BATCH);
        assert_true(slot->running == 0 || slot->state == EDDA_SLOT_OPEN);
        assert_true(slot->state != EDDA_SLOT_HELD || may_hold(i));
    }
    for (int kind = 0; kind < EDDA_SLOTS_KINDS; kind++) {
        assert_int_equal(slots.waiting[kind], model->waiting[kind]);
        assert_int_equal(model->arrived[kind],
                         model->waiting[kind] + model->served[kind] + model->left[kind]);
    }
}

/* Nobody waits in front of a connection that is free for him. */
static void check_idle(const struct model *model) {
    for (unsigned i = 0; i < slots.count; i++) {
        const struct edda_slot *slot = &slots.items[i];
        bool is_free = slot->state == EDDA_SLOT_OPEN && slot->running == 0;
        if (is_free && may_hold(i)) {
            assert_int_equal(model->waiting[EDDA_SLOTS_CONVERSATION], 0);
        }
        if (slot->state == EDDA_SLOT_OPEN && slot->running < EDDA_SLOTS_DEPTH &&
            model->waiting[EDDA_SLOTS_CONVERSATION] == 0) {
            assert_int_equal(model->waiting[EDDA_SLOTS_STATEMENT], 0);
        }
    }
}

static void take_actions(struct model *model) {
    for (int steps = 0;; steps++) {
        uint32_t failures = slots.reconnect.failures;
        int64_t not_before_ms = slots.reconnect.not_before_ms;
        bool small = pick(model, 2) == 0;
        struct edda_slots_action action = edda_slots_next(&slots, small, model->now_ms);
        unsigned opening = 0;
        assert_true(steps < 100000);
        if (action.what == EDDA_SLOTS_NOTHING) {
            break;
        }
        if (action.what == EDDA_SLOTS_GIVE) {
            assert_true(model->waiting[action.kind] > 0);
            model->waiting[action.kind]--;
            model->served[action.kind]++;
        } else {
            assert_true(model->now_ms >= not_before_ms);
            for (unsigned i = 0; i < slots.count; i++) {
                opening += slots.items[i].state == EDDA_SLOT_OPENING;
            }
            assert_true(failures == 0 || opening == 1);
        }
        check_slots(model);
    }
    check_idle(model);
}

/* Something that can happen to this connection as it is. */
static void happen(struct model *model, unsigned i, bool only_good) {
    struct edda_slot *slot = &slots.items[i];
    uint32_t random = (uint32_t)rand_r(&model->seed) << 16 ^ (uint32_t)rand_r(&model->seed);
    bool bad = !only_good && pick(model, 8) == 0;
    switch (slot->state) {
    case EDDA_SLOT_OPENING:
        if (bad) {
            edda_slots_failed(&slots, i, pick(model, 2), model->now_ms, random);
        } else {
            edda_slots_opened(&slots, i, model->now_ms);
        }
        break;
    case EDDA_SLOT_OPEN:
        if (bad && pick(model, 8) == 0) {
            edda_slots_lost(&slots, i, model->now_ms, random);
        } else if (slot->batch > 0) {
            edda_slots_sent(&slots, i);
        } else if (slot->running > 0) {
            edda_slots_answered(&slots, i);
        }
        break;
    case EDDA_SLOT_HELD:
        if (bad && pick(model, 8) == 0) {
            edda_slots_lost(&slots, i, model->now_ms, random);
        } else {
            edda_slots_released(&slots, i);
        }
        break;
    case EDDA_SLOT_CLOSED:
        break;
    }
}

static void step(struct model *model) {
    enum edda_slots_kind kind =
        pick(model, 4) == 0 ? EDDA_SLOTS_CONVERSATION : EDDA_SLOTS_STATEMENT;
    model->now_ms += pick(model, 20) == 0 ? pick(model, 3000) : 0;
    switch (pick(model, 5)) {
    case 0:
    case 1:
        edda_slots_arrived(&slots, kind);
        model->arrived[kind]++;
        model->waiting[kind]++;
        break;
    case 2:
        if (model->waiting[kind] > 0 && pick(model, 4) == 0) {
            edda_slots_left(&slots, kind);
            model->left[kind]++;
            model->waiting[kind]--;
        }
        break;
    default:
        happen(model, pick(model, slots.count), false);
        break;
    }
}

/* Nobody new comes and nothing breaks: then all are served, in a bounded number of steps. */
static void serve_all(struct model *model) {
    size_t waiting = model->waiting[0] + model->waiting[1];
    for (size_t i = 0; i < (waiting + 200) * 4 && model->waiting[0] + model->waiting[1] > 0; i++) {
        model->now_ms += EDDA_RECONNECT_MOST_MS;
        take_actions(model);
        for (unsigned n = 0; n < slots.count; n++) {
            happen(model, n, true);
        }
        take_actions(model);
    }
    assert_int_equal(model->waiting[0] + model->waiting[1], 0);
}

static void a_million_random_events_break_no_promise(void **state) {
    static const unsigned counts[] = {1, 2, 3, 8, 64};
    (void)state;
    for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++) {
        struct model model = {.seed = 1000 + (unsigned)n, .now_ms = 1};
        edda_slots_init(&slots, counts[n]);
        for (int i = 0; i < EVENTS / 5; i++) {
            step(&model);
            check_slots(&model);
            take_actions(&model);
            if (i % 5000 == 4999) {
                serve_all(&model);
            }
        }
        assert_true(model.served[EDDA_SLOTS_STATEMENT] > EVENTS / 50);
        assert_true(model.served[EDDA_SLOTS_CONVERSATION] > EVENTS / 500);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_connection_is_kept_without_being_asked_for),
        cmocka_unit_test(statements_go_where_the_fewest_are),
        cmocka_unit_test(one_connection_takes_no_more_than_its_depth),
        cmocka_unit_test(small_reads_go_together_until_the_batch_is_full_or_went_out),
        cmocka_unit_test(what_is_no_small_read_goes_where_the_fewest_are_and_begins_no_batch),
        cmocka_unit_test(a_batch_does_not_pass_the_depth),
        cmocka_unit_test(a_conversation_holds_one_alone_and_never_the_first_of_several),
        cmocka_unit_test(a_conversation_that_waits_keeps_new_statements_off_the_least_loaded),
        cmocka_unit_test(on_one_connection_statements_and_conversations_take_turns),
        cmocka_unit_test(a_turn_does_not_wait_for_statements_that_left),
        cmocka_unit_test(another_is_opened_for_a_conversation_that_waits),
        cmocka_unit_test(another_is_opened_when_all_are_busy_with_statements),
        cmocka_unit_test(while_the_database_fails_one_attempt_is_made_at_a_time_and_not_too_soon),
        cmocka_unit_test(a_million_random_events_break_no_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
