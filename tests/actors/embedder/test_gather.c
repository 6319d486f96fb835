/* tests/actors/embedder/test_gather.c: what goes into a batch, when it goes, and what becomes of a
 * refused one. */
#include "actors/embedder/gather.h"

#include <stdlib.h>

#include "tests/proto/cmocka.h"

#define URGENT EDDA_GATHER_URGENT
#define BULK   EDDA_GATHER_BULK
#define MANY   1000u

static const struct edda_gather_limits wide = {.items = 16,
                                               .tokens = 0,
                                               .bytes = 1000,
                                               .item_bytes = 500,
                                               .waiting = 100,
                                               .waiting_bytes = 10000};

/* A job: some texts, and what became of them. */
struct owner {
    struct edda_gather_want wants[MANY];
    size_t count;
    size_t handed;
    edda_gather_t *gather; /* when it takes back its others with the first that is handed */
};

static void hand(void *context, struct edda_gather_want *want, size_t index) {
    size_t *total = context;
    struct owner *owner = want->owner;
    assert_null(want->item);
    (void)index;
    owner->handed++;
    ++*total;
    if (owner->gather) {
        edda_gather_forget(owner->gather, owner->wants, owner->count);
    }
}

/* Texts of `size` times the letter, letter by letter from `first`. */
static struct owner *make_owner(size_t count, char first, uint32_t size) {
    static char letters[256][600];
    struct owner *owner = calloc(1, sizeof *owner);
    owner->count = count;
    for (size_t i = 0; i < count; i++) {
        unsigned char letter = (unsigned char)((unsigned char)first + i % 256);
        memset(letters[letter], letter, sizeof letters[letter]);
        owner->wants[i] = (struct edda_gather_want){
            .text = {letters[letter], size}, .tokens = size, .owner = owner};
        memcpy(owner->wants[i].key.bytes, &(uint16_t){(uint16_t)(letter + 256 * (i / 256))}, 2);
        memcpy(owner->wants[i].key.bytes + 2, &size, sizeof size);
    }
    return owner;
}

static void let_go(edda_gather_t *gather, struct owner *owner) {
    edda_gather_forget(gather, owner->wants, owner->count);
    free(owner);
}

static void add(edda_gather_t *gather, enum edda_gather_class class, bool query,
                struct owner *owner, int64_t now_ms) {
    assert_int_equal(edda_gather_add(gather, class, query, owner->wants, owner->count, now_ms), 0);
}

static struct edda_gather_batch *take(edda_gather_t *gather, uint32_t slots, int64_t now_ms) {
    int error = -1;
    struct edda_gather_batch *batch = edda_gather_take(gather, slots, now_ms, &error);
    assert_int_equal(error, 0);
    return batch;
}

static struct edda_gather_batch *take_some(edda_gather_t *gather, uint32_t slots, int64_t now_ms,
                                           size_t count) {
    struct edda_gather_batch *batch = take(gather, slots, now_ms);
    assert_non_null(batch);
    assert_int_equal(batch->texts.count, count);
    return batch;
}

static size_t end(edda_gather_t *gather, struct edda_gather_batch *batch) {
    size_t total = 0;
    edda_gather_end(gather, &batch, hand, &total);
    assert_null(batch);
    return total;
}

static size_t refuse(edda_gather_t *gather, struct edda_gather_batch *batch,
                     enum edda_gather_refusal refusal) {
    size_t total = 0;
    edda_gather_refuse(gather, &batch, refusal, hand, &total);
    return total;
}

static int make(void **state) {
    *state = edda_gather_new(&wide);
    return *state ? 0 : -1;
}

static int unmake(void **state) {
    edda_gather_t *gather = *state;
    edda_gather_destroy(&gather);
    edda_gather_destroy(&gather);
    return 0;
}

static void a_text_goes_at_once_when_nothing_is_asked(void **state) {
    edda_gather_t *gather = *state;
    struct owner *owner = make_owner(1, 'a', 10);
    assert_null(take(gather, 4, 0));
    assert_int_equal(edda_gather_due(gather, 4), INT64_MAX);
    add(gather, BULK, false, owner, 100);
    assert_null(take(gather, 0, 100)); /* nobody may be asked */
    struct edda_gather_batch *batch = take_some(gather, 4, 100, 1);
    assert_int_equal(batch->since_ms, 100);
    assert_int_equal(end(gather, batch), 1);
    assert_true(edda_gather_idle(gather));
    let_go(gather, owner);
}

static void texts_gather_for_two_milliseconds_while_others_are_asked(void **state) {
    edda_gather_t *gather = *state;
    struct owner *first = make_owner(1, 'a', 10);
    struct owner *second = make_owner(2, 'b', 10);
    struct owner *third = make_owner(3, 'f', 10);
    add(gather, BULK, false, first, 100);
    struct edda_gather_batch *running = take_some(gather, 4, 100, 1);
    add(gather, BULK, false, second, 100);
    add(gather, BULK, false, third, 101);
    assert_null(take(gather, 4, 101));
    assert_int_equal(edda_gather_due(gather, 4), 102);
    assert_int_equal(edda_gather_due(gather, 1), INT64_MAX); /* time alone frees no slot */
    struct edda_gather_batch *batch = take_some(gather, 4, 102, 5);
    assert_true(edda_text_equal(batch->texts.items[1], second->wants[1].text));
    assert_true(edda_text_equal(batch->texts.items[2], third->wants[0].text));
    assert_int_equal(end(gather, batch) + end(gather, running), 6);
    let_go(gather, first);
    let_go(gather, second);
    let_go(gather, third);
}

static void a_full_batch_does_not_wait(void **state) {
    edda_gather_t *gather = *state;
    struct owner *first = make_owner(1, 'a', 10);
    struct owner *almost = make_owner(15, 'b', 10);
    struct owner *last = make_owner(2, 'r', 10);
    add(gather, BULK, false, first, 0);
    struct edda_gather_batch *running = take_some(gather, 4, 0, 1);
    add(gather, BULK, false, almost, 0);
    assert_null(take(gather, 4, 0));
    add(gather, BULK, false, last, 0);
    struct edda_gather_batch *batch = take_some(gather, 4, 0, 16);
    assert_null(take(gather, 4, 1)); /* the seventeenth waits for company */
    (void)end(gather, batch);
    (void)end(gather, running);
    (void)end(gather, take_some(gather, 4, 1, 1));
    assert_true(almost->handed == 15 && last->handed == 2);
    let_go(gather, first);
    let_go(gather, almost);
    let_go(gather, last);
}

static void a_batch_keeps_to_bytes_and_tokens(void **state) {
    (void)state;
    struct edda_gather_limits limits = wide;
    edda_gather_t *gather = edda_gather_new(&limits);
    struct owner *owner = make_owner(5, 'a', 500); /* two are just 1,000 bytes */
    add(gather, BULK, false, owner, 0);
    (void)end(gather, take_some(gather, 1, 0, 2));
    (void)end(gather, take_some(gather, 1, 0, 2));
    (void)end(gather, take_some(gather, 1, 0, 1));
    let_go(gather, owner);
    owner = make_owner(2, 'a', 501); /* cut to 500 when asked, so counted as that */
    add(gather, BULK, false, owner, 0);
    (void)end(gather, take_some(gather, 1, 0, 2));
    let_go(gather, owner);
    edda_gather_destroy(&gather);

    limits.tokens = 100;
    gather = edda_gather_new(&limits);
    owner = make_owner(4, 'a', 50);
    struct owner *large = make_owner(2, 'k', 101); /* alone is more than a batch's tokens */
    add(gather, BULK, false, owner, 0);
    add(gather, BULK, false, large, 0);
    (void)end(gather, take_some(gather, 1, 0, 2));
    (void)end(gather, take_some(gather, 1, 0, 2));
    (void)end(gather, take_some(gather, 1, 0, 1));
    (void)end(gather, take_some(gather, 1, 0, 1));
    let_go(gather, owner);
    let_go(gather, large);
    edda_gather_destroy(&gather);
}

static void input_types_are_never_mixed(void **state) {
    edda_gather_t *gather = *state;
    struct owner *documents = make_owner(2, 'a', 10);
    struct owner *queries = make_owner(3, 'k', 10);
    add(gather, URGENT, false, documents, 0);
    add(gather, URGENT, true, queries, 1);
    struct edda_gather_batch *first = take_some(gather, 2, 1, 2); /* the older */
    assert_false(first->query);
    struct edda_gather_batch *second = take_some(gather, 2, 3, 3);
    assert_true(second->query);
    assert_int_equal(end(gather, first) + end(gather, second), 5);
    let_go(gather, documents);
    let_go(gather, queries);
}

static void urgent_overtakes_bulk_and_finds_a_slot(void **state) {
    edda_gather_t *gather = *state;
    struct owner *bulk = make_owner(80, 'a', 10);
    struct owner *query = make_owner(1, 'A', 10);
    add(gather, BULK, false, bulk, 0);
    struct edda_gather_batch *first = take_some(gather, 3, 0, 16);
    struct edda_gather_batch *second = take_some(gather, 3, 0, 16);
    assert_null(take(gather, 3, 10)); /* the last slot is kept */
    add(gather, URGENT, true, query, 10);
    struct edda_gather_batch *urgent = take_some(gather, 3, 10, 1);
    assert_int_equal(urgent->class, URGENT);
    (void)end(gather, urgent);
    assert_int_equal(query->handed, 1);
    (void)end(gather, first);
    (void)end(gather, second);
    let_go(gather, bulk);
    let_go(gather, query);
}

static void bulk_has_a_turn_after_eight_urgent_batches(void **state) {
    edda_gather_t *gather = *state;
    struct owner *bulk = make_owner(1, 'a', 10);
    struct owner *queries[20];
    size_t before = 0;
    add(gather, BULK, false, bulk, 0);
    for (size_t i = 0; i < 20; i++) {
        queries[i] = make_owner(1, (char)('A' + i), 10);
        add(gather, URGENT, true, queries[i], (int64_t)i);
        before += bulk->handed == 0;
        (void)end(gather, take(gather, 1, (int64_t)i));
    }
    assert_int_equal(bulk->handed, 1);
    assert_int_equal(before, EDDA_GATHER_TURNS + 1); /* and its own */
    assert_int_equal(queries[EDDA_GATHER_TURNS + 1]->handed, 1);
    for (size_t i = 0; i < 20; i++) {
        let_go(gather, queries[i]);
    }
    let_go(gather, bulk);
}

static void equal_texts_are_asked_once(void **state) {
    edda_gather_t *gather = *state;
    struct owner *first = make_owner(3, 'a', 10);
    struct owner *second = make_owner(4, 'b', 10); /* b and c once more */
    struct owner *third = make_owner(1, 'a', 10);
    struct owner *urgent = make_owner(1, 'a', 10);
    add(gather, BULK, false, first, 0);
    add(gather, BULK, false, second, 0);
    assert_int_equal(edda_gather_waiting(gather, BULK), 5);
    struct edda_gather_batch *batch = take_some(gather, 2, 0, 5);
    add(gather, BULK, false, third, 1);    /* is asked for already */
    add(gather, URGENT, false, urgent, 1); /* would have to wait for bulk */
    assert_int_equal(edda_gather_waiting(gather, BULK), 0);
    assert_int_equal(edda_gather_waiting(gather, URGENT), 1);
    assert_int_equal(end(gather, batch), 8);
    assert_int_equal(first->handed, 3);
    assert_int_equal(second->handed, 4);
    assert_int_equal(third->handed, 1);
    assert_int_equal(end(gather, take_some(gather, 2, 1, 1)), 1);
    let_go(gather, first);
    let_go(gather, second);
    let_go(gather, third);
    let_go(gather, urgent);
}

static void a_full_line_takes_no_more(void **state) {
    (void)state;
    struct edda_gather_limits limits = wide;
    edda_gather_t *gather = edda_gather_new(&limits);
    struct owner *owner = make_owner(100, 'a', 10);
    struct owner *more = make_owner(1, 'A', 10);
    add(gather, BULK, false, owner, 0);
    assert_int_equal(edda_gather_add(gather, BULK, false, more->wants, 1, 0), EDDA_E_BUSY);
    assert_null(more->wants[0].item);
    add(gather, URGENT, true, more, 0); /* another line */
    let_go(gather, owner);
    let_go(gather, more);
    edda_gather_destroy(&gather);

    limits.waiting_bytes = 1000;
    gather = edda_gather_new(&limits);
    owner = make_owner(10, 'a', 100);
    more = make_owner(1, 'A', 1);
    add(gather, BULK, false, owner, 0); /* just so many bytes */
    assert_int_equal(edda_gather_add(gather, BULK, false, more->wants, 1, 0), EDDA_E_BUSY);
    edda_gather_forget(gather, owner->wants, 1);
    add(gather, BULK, false, more, 0);
    let_go(gather, owner);
    let_go(gather, more);
    edda_gather_destroy(&gather);
}

/* Asks until nothing is left, one batch at a time; a batch with more than `fits` texts, or with one
 * of `faulty` letters, is refused. Returns the calls that were made. */
static size_t ask_all(edda_gather_t *gather, size_t fits, const char *faulty, size_t *ret_failed) {
    struct edda_gather_batch *batch;
    size_t calls = 0;
    *ret_failed = 0;
    while ((batch = take(gather, 1, 1000 + (int64_t)calls)) != NULL) {
        bool fault = false;
        for (size_t i = 0; i < batch->texts.count; i++) {
            fault = fault || strchr(faulty, batch->texts.items[i].data[0]);
        }
        calls++;
        if (batch->texts.count > fits) {
            *ret_failed += refuse(gather, batch, EDDA_GATHER_TOO_LARGE);
        } else if (fault) {
            *ret_failed += refuse(gather, batch, EDDA_GATHER_AT_FAULT);
        } else {
            (void)end(gather, batch);
        }
    }
    assert_true(edda_gather_idle(gather));
    return calls;
}

static void a_batch_that_is_too_large_is_halved(void **state) {
    edda_gather_t *gather = *state;
    struct owner *owner = make_owner(16, 'a', 10);
    size_t failed;
    add(gather, BULK, false, owner, 0);
    assert_int_equal(ask_all(gather, 4, "", &failed), 1 + 2 + 4);
    assert_int_equal(failed, 0);
    assert_int_equal(owner->handed, 16);
    add(gather, BULK, false, owner, 0);
    assert_int_equal(ask_all(gather, 0, "", &failed), 2 * 16 - 1); /* nothing is small enough */
    assert_int_equal(failed, 16);
    let_go(gather, owner);
}

static void a_text_at_fault_fails_its_owner_alone(void **state) {
    edda_gather_t *gather = *state;
    struct owner *owners[8];
    size_t failed;
    for (size_t i = 0; i < 8; i++) {
        owners[i] = make_owner(2, (char)('a' + 2 * i), 10);
        owners[i]->gather = i == 2 ? gather : NULL; /* fails as a whole */
        add(gather, BULK, false, owners[i], 0);
    }
    size_t calls = ask_all(gather, MANY, "f", &failed);
    assert_int_equal(failed, 1);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(owners[i]->handed, i == 2 ? 1 : 2);
        let_go(gather, owners[i]);
    }
    assert_true(calls <= 2 * 4 + 1); /* both halves on every level of 16 */
}

static void a_fault_of_the_only_owner_is_not_looked_for(void **state) {
    edda_gather_t *gather = *state;
    struct owner *owner = make_owner(16, 'a', 10);
    size_t failed;
    owner->gather = gather;
    add(gather, BULK, false, owner, 0);
    assert_int_equal(ask_all(gather, MANY, "c", &failed), 1);
    assert_int_equal(failed, 1); /* the others were taken back */
    let_go(gather, owner);
}

static void who_refuses_everything_is_not_asked_for_each_text(void **state) {
    (void)state;
    struct edda_gather_limits limits = wide;
    limits.items = 256;
    edda_gather_t *gather = edda_gather_new(&limits);
    struct owner *owners[26];
    struct edda_gather_batch *batch;
    size_t failed = 0;
    size_t calls = 0;
    for (size_t i = 0; i < 26; i++) {
        owners[i] = make_owner(1, (char)('a' + i), 10);
        add(gather, BULK, false, owners[i], 0);
    }
    while ((batch = take(gather, 1, 10)) != NULL) {
        calls++;
        failed += refuse(gather, batch, EDDA_GATHER_AT_FAULT);
    }
    assert_int_equal(failed, 26);
    assert_true(calls <= 2 * 5 + 2 + 5); /* of the 51 it would be */
    for (size_t i = 0; i < 26; i++) {
        assert_int_equal(owners[i]->handed, 1);
        let_go(gather, owners[i]);
    }
    edda_gather_destroy(&gather);
}

static void forgotten_texts_leave_the_line(void **state) {
    edda_gather_t *gather = *state;
    struct owner *first = make_owner(2, 'a', 10);
    struct owner *second = make_owner(2, 'b', 10); /* one in common */
    add(gather, BULK, false, first, 0);
    add(gather, BULK, false, second, 0);
    edda_gather_forget(gather, first->wants, 2);
    assert_int_equal(edda_gather_waiting(gather, BULK), 2);
    assert_int_equal(edda_gather_waiting_bytes(gather, BULK), 20);
    free(first); /* the text is the other's now */
    struct edda_gather_batch *batch = take_some(gather, 1, 0, 2);
    assert_ptr_equal(batch->texts.items[0].data, second->wants[0].text.data);
    edda_gather_forget(gather, second->wants, 2); /* both are asked: they go on, for the cache */
    assert_int_equal(batch->texts.count, 2);
    assert_memory_equal(edda_gather_key(batch, 1), &second->wants[1].key,
                        sizeof second->wants[1].key);
    struct owner *late = make_owner(1, 'c', 10);
    add(gather, BULK, false, late, 1); /* finds it on its way */
    assert_int_equal(end(gather, batch), 1);
    assert_int_equal(second->handed, 0);
    assert_int_equal(late->handed, 1);
    let_go(gather, second);
    let_go(gather, late);
}

static void forgotten_texts_of_a_refused_batch_are_not_asked_again(void **state) {
    edda_gather_t *gather = *state;
    struct owner *first = make_owner(4, 'a', 10);
    struct owner *second = make_owner(4, 'k', 10);
    add(gather, BULK, false, first, 0);
    add(gather, BULK, false, second, 0);
    assert_int_equal(refuse(gather, take_some(gather, 1, 0, 8), EDDA_GATHER_TOO_LARGE), 0);
    edda_gather_forget(gather, first->wants, 4);
    assert_int_equal(end(gather, take_some(gather, 1, 0, 4)), 4);
    assert_int_equal(second->handed, 4);
    assert_true(edda_gather_idle(gather));
    let_go(gather, first);
    let_go(gather, second);
}

static void a_forgotten_text_at_fault_fails_nobody(void **state) {
    edda_gather_t *gather = *state;
    struct owner *first = make_owner(1, 'f', 10);
    struct owner *second = make_owner(1, 'k', 10);
    size_t failed;
    add(gather, BULK, false, first, 0);
    add(gather, BULK, false, second, 0);
    struct edda_gather_batch *batch = take_some(gather, 1, 0, 2);
    let_go(gather, first);
    assert_int_equal(refuse(gather, batch, EDDA_GATHER_AT_FAULT), 0);
    assert_int_equal(ask_all(gather, MANY, "f", &failed), 1);
    assert_int_equal(failed, 0);
    assert_int_equal(second->handed, 1);
    let_go(gather, second);
}

static void what_waits_can_be_dropped_by_class(void **state) {
    edda_gather_t *gather = *state;
    struct owner *bulk = make_owner(40, 'a', 10);
    struct owner *queries = make_owner(3, 'A', 10);
    size_t dropped = 0;
    add(gather, BULK, false, bulk, 0);
    struct edda_gather_batch *running = take_some(gather, 3, 0, 16);
    struct edda_gather_batch *halved = take_some(gather, 3, 0, 16);
    assert_int_equal(refuse(gather, halved, EDDA_GATHER_TOO_LARGE), 0);
    add(gather, URGENT, true, queries, 0);
    edda_gather_drop(gather, BULK, hand, &dropped);
    assert_int_equal(dropped, 24);
    assert_int_equal(edda_gather_waiting(gather, BULK), 0);
    assert_int_equal(edda_gather_waiting(gather, URGENT), 3);
    assert_int_equal(end(gather, running), 16);
    edda_gather_drop(gather, URGENT, hand, &dropped);
    assert_true(edda_gather_idle(gather));
    let_go(gather, bulk);
    let_go(gather, queries);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_text_goes_at_once_when_nothing_is_asked),
        TEST(texts_gather_for_two_milliseconds_while_others_are_asked),
        TEST(a_full_batch_does_not_wait),
        cmocka_unit_test(a_batch_keeps_to_bytes_and_tokens),
        TEST(input_types_are_never_mixed),
        TEST(urgent_overtakes_bulk_and_finds_a_slot),
        TEST(bulk_has_a_turn_after_eight_urgent_batches),
        TEST(equal_texts_are_asked_once),
        cmocka_unit_test(a_full_line_takes_no_more),
        TEST(a_batch_that_is_too_large_is_halved),
        TEST(a_text_at_fault_fails_its_owner_alone),
        TEST(a_fault_of_the_only_owner_is_not_looked_for),
        cmocka_unit_test(who_refuses_everything_is_not_asked_for_each_text),
        TEST(forgotten_texts_leave_the_line),
        TEST(forgotten_texts_of_a_refused_batch_are_not_asked_again),
        TEST(a_forgotten_text_at_fault_fails_nobody),
        TEST(what_waits_can_be_dropped_by_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
