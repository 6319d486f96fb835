/* tests/actors/runtime/test_share.c: a window among brokers that know nothing of each other. */
#include "actors/runtime/client.h"
#include "actors/runtime/share.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

#define MOST EDDA_CLIENT_MAX_BROKERS

static void give(struct edda_share *shares, size_t count, uint32_t window, uint32_t lost) {
    edda_share_out(shares, count, window, edda_share_floor(window, window), lost);
    for (size_t i = 0; i < count; i++) {
        shares[i].unused += shares[i].more;
    }
}

/* The broker sends a job, if it may. */
static bool send(struct edda_share *share) {
    if (share->unused == 0) {
        return false;
    }
    share->unused--;
    share->running++;
    return true;
}

static void idle_brokers_have_their_floor_and_no_more(void **state) {
    struct edda_share shares[3] = {{.joined = true}, {.joined = true}, {.joined = false}};
    (void)state;
    give(shares, 3, 64, 0);
    assert_int_equal(shares[0].unused, 2);
    assert_int_equal(shares[1].unused, 2);
    assert_int_equal(shares[2].unused, 0);
    struct edda_share narrow[2] = {{.joined = true}, {.joined = true}};
    give(narrow, 2, 1, 0);
    assert_int_equal(narrow[0].unused, 1);
    assert_int_equal(narrow[1].unused, 1);
    struct edda_share none[2] = {{.joined = true}, {.joined = true}};
    give(none, 2, 0, 0);
    assert_int_equal(none[0].unused + none[1].unused, 0);
}

static void a_broker_that_uses_what_it_has_gets_the_window(void **state) {
    struct edda_share shares[2] = {{.joined = true}, {.joined = true}};
    (void)state;
    int rounds = 0;
    for (give(shares, 2, 64, 0); shares[0].running < 64; give(shares, 2, 64, 0)) {
        assert_true(rounds++ < 20);
        while (send(&shares[0])) {
        }
    }
    assert_int_equal(shares[0].running, 64);
    assert_int_equal(shares[1].unused, 2);
}

static void an_idle_broker_holds_back_a_third_at_most(void **state) {
    struct edda_share shares[2] = {{.joined = true}, {.joined = true}};
    (void)state;
    for (give(shares, 2, 60, 0); shares[0].running < 60; give(shares, 2, 60, 0)) {
        while (send(&shares[0])) {
        }
    }
    for (; shares[0].running > 0; give(shares, 2, 60, 0)) {
        shares[0].running--;
    }
    assert_true(shares[0].unused <= 60 / 3 + 2);
    for (int i = 0; i < 20; i++, give(shares, 2, 60, 0)) {
        while (send(&shares[1])) {
        }
    }
    assert_true(shares[1].running >= 60 * 2 / 3);
}

static void what_a_lost_broker_had_is_shared_again(void **state) {
    struct edda_share shares[2] = {{.joined = true}, {.joined = true}};
    (void)state;
    for (int i = 0; i < 20; i++, give(shares, 2, 8, 0)) {
        while (send(&shares[0])) {
        }
    }
    uint32_t lost = shares[0].running;
    assert_int_equal(lost, 8);
    shares[0] = (struct edda_share){.joined = false};
    give(shares, 2, 8, lost);
    assert_int_equal(shares[1].unused, 2); /* its jobs still run */
    for (; lost > 0; lost--) {
        give(shares, 2, 8, lost - 1);
        while (send(&shares[1])) {
        }
        assert_true(shares[1].running + lost - 1 <= 8 + 2);
    }
    for (int i = 0; i < 20; i++, give(shares, 2, 8, 0)) {
        while (send(&shares[1])) {
        }
    }
    assert_int_equal(shares[1].running, 8);
}

static void check(const struct edda_share *shares, size_t count, uint32_t window, uint32_t lost,
                  uint32_t seed) {
    uint32_t out = lost;
    uint32_t running = lost;
    uint32_t lacking = 0;
    for (size_t i = 0; i < count; i++) {
        out += shares[i].running + shares[i].unused;
        running += shares[i].running;
        lacking += shares[i].joined && shares[i].unused < edda_share_floor(window, window);
    }
    uint32_t cap = window + (uint32_t)(count - 1) * edda_share_floor(window, window);
    if (out > cap) {
        fail_msg("seed %u: %u slots of %u are out", seed, out, cap);
    }
    if (running == 0 && lacking > 0) {
        fail_msg("seed %u: nothing runs and %u brokers cannot send bulk", seed, lacking);
    }
}

/* Brokers that join, leave, send and are silent in any order: never more than the window and the
 * floors are out, and a worker with nothing to do can be given work by every broker. */
static void any_history_keeps_the_window_and_every_broker_going(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        struct random random = {seed};
        struct edda_share shares[MOST] = {{0}};
        size_t count = 2 + random_below(&random, MOST - 1);
        uint32_t window = 1 + (uint32_t)random_below(&random, 64);
        uint32_t lost = 0;
        for (int step = 0; step < 2000; step++) {
            struct edda_share *share = &shares[random_below(&random, count)];
            size_t event = random_below(&random, 100);
            if (event < 2 && share->joined) {
                lost += share->running;
                *share = (struct edda_share){.joined = false};
            } else if (event < 4) {
                share->joined = true;
            } else if (event < 50) {
                (void)send(share);
            } else if (event < 90 && share->running > 0) {
                share->running--;
            } else if (lost > 0) {
                lost--;
            }
            if (random_below(&random, 3) > 0) { /* several things in a turn */
                continue;
            }
            give(shares, count, window, lost);
            check(shares, count, window, lost, seed);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_brokers_have_their_floor_and_no_more),
        cmocka_unit_test(a_broker_that_uses_what_it_has_gets_the_window),
        cmocka_unit_test(an_idle_broker_holds_back_a_third_at_most),
        cmocka_unit_test(what_a_lost_broker_had_is_shared_again),
        cmocka_unit_test(any_history_keeps_the_window_and_every_broker_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
