/* tests/actors/store/postgres/test_sqlstate.c: what the server's errors mean for us. */
#include "actors/store/postgres/sqlstate.h"
#include "tests/proto/cmocka.h"

struct row {
    const char *code;
    int error;
    unsigned flags;
};

#define AGAIN   EDDA_SQLSTATE_AGAIN
#define LOST    EDDA_SQLSTATE_LOST
#define REFUSED EDDA_SQLSTATE_REFUSED
#define SHOWN   EDDA_SQLSTATE_SHOWN

static const struct row rows[] = {
    {"40001", EDDA_E_BUSY, AGAIN | SHOWN},                 /* serialization failure */
    {"40P01", EDDA_E_BUSY, AGAIN | SHOWN},                 /* deadlock */
    {"55P03", EDDA_E_BUSY, AGAIN | SHOWN},                 /* lock timeout */
    {"57014", EDDA_E_TIMEOUT, SHOWN},                      /* statement timeout, cancel */
    {"57P01", EDDA_E_UNAVAILABLE, LOST | SHOWN},           /* admin shutdown */
    {"57P02", EDDA_E_UNAVAILABLE, LOST | SHOWN},           /* crash */
    {"57P03", EDDA_E_UNAVAILABLE, LOST | SHOWN},           /* starting up */
    {"08006", EDDA_E_UNAVAILABLE, LOST | SHOWN},           /* connection failure */
    {"53300", EDDA_E_UNAVAILABLE, LOST | SHOWN},           /* too many connections */
    {"53100", EDDA_E_IO, SHOWN},                           /* disk full */
    {"25006", EDDA_E_UNAVAILABLE, LOST | SHOWN},           /* read-only */
    {"25P03", EDDA_E_TIMEOUT, LOST | SHOWN},               /* idle in transaction */
    {"28P01", EDDA_E_UNAVAILABLE, LOST | REFUSED | SHOWN}, /* wrong password */
    {"28000", EDDA_E_UNAVAILABLE, LOST | REFUSED | SHOWN}, /* no entry in pg_hba.conf */
    {"3D000", EDDA_E_UNAVAILABLE, LOST | REFUSED | SHOWN}, /* no such database */
    {"26000", EDDA_E_IO, LOST | SHOWN},                    /* prepared statement is gone */
    {"42P01", EDDA_E_IO, SHOWN},                           /* no such table */
    {"42501", EDDA_E_IO, SHOWN},                           /* no privilege */
    {"23505", EDDA_E_CONFLICT, 0},                         /* not unique */
    {"22021", EDDA_E_INVALID, 0},                          /* NUL in a text */
    {"22P02", EDDA_E_INTERNAL, 0},                         /* our own text form was wrong */
    {"54000", EDDA_E_LIMIT, SHOWN},
    {"58030", EDDA_E_IO, SHOWN}, /* I/O error */
    {"XX001", EDDA_E_IO, SHOWN}, /* data corrupted */
    {"ZZ999", EDDA_E_IO, 0},     /* nobody has heard of it */
};

static void each_state_has_its_error_and_its_consequences(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct edda_sqlstate *found = edda_sqlstate_find(rows[i].code);
        if (found->error != rows[i].error || found->flags != rows[i].flags) {
            fail_msg("%s: %s with %u", rows[i].code, edda_error_name(found->error), found->flags);
        }
    }
}

static void a_state_is_found_before_its_class(void **state) {
    (void)state;
    assert_string_equal(edda_sqlstate_find("57014")->code, "57014");
    assert_string_equal(edda_sqlstate_find("57000")->code, "57");
}

static void what_is_no_state_is_an_io_error(void **state) {
    (void)state;
    static const char *const none[] = {NULL, "", "4", "40", "4000", "400011", "40001 ", "zzzzz"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(edda_sqlstate_find(none[i])->error, EDDA_E_IO);
        assert_int_equal(edda_sqlstate_find(none[i])->flags, 0);
        assert_non_null(edda_sqlstate_find(none[i])->text);
    }
}

/* A message about a value may hold it, and values are what people wrote. */
static void messages_that_may_name_values_are_not_shown(void **state) {
    (void)state;
    static const char *const silent[] = {"22001", "22P02", "23502", "23505", "23514", "P0001"};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        assert_false(edda_sqlstate_find(silent[i])->flags & EDDA_SQLSTATE_SHOWN);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_error_and_its_consequences),
        cmocka_unit_test(a_state_is_found_before_its_class),
        cmocka_unit_test(what_is_no_state_is_an_io_error),
        cmocka_unit_test(messages_that_may_name_values_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
