/* tests/broker/test_authorized.c: the authorized file read, and what its roles allow. */
#include "broker/authorized.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "proto/op.h"
#include "tests/proto/cmocka.h"

#define FIRST  "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECOND "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static const uint8_t salt[EDDA_AUTHORIZED_SALT] = {1, 2, 3};
static char message[EDDA_AUTHORIZED_MESSAGE];

static int parse(const char *text, edda_authorized_t **ret_authorized) {
    message[0] = '\0';
    return edda_authorized_parse(text, strlen(text), salt, ret_authorized, message);
}

static void check_refused(const char *text, int code, const char *said) {
    edda_authorized_t *authorized = NULL;
    assert_int_equal(parse(text, &authorized), code);
    assert_null(authorized);
    if (!strstr(message, said)) {
        fail_msg("\"%s\" does not say \"%s\"", message, said);
    }
}

static void each_line_gives_a_key_its_name_and_roles(void **state) {
    (void)state;
    edda_authorized_t *authorized = NULL;
    assert_int_equal(parse("# a comment\n"
                           "\n"
                           "  front\t" FIRST " gateway,cli\r\n"
                           "machine-2@rack:7 " SECOND "   worker:embed, worker:rerank\n",
                           &authorized),
                     0);
    assert_int_equal(edda_authorized_count(authorized), 2);
    const struct edda_permit *first = edda_authorized_find(authorized, FIRST);
    assert_true(edda_text_is(first->name, "front"));
    assert_int_equal(first->roles, EDDA_PERMIT_GATEWAY | EDDA_PERMIT_CLI);
    assert_int_equal(first->service_count, 0);
    const struct edda_permit *second = edda_authorized_find(authorized, SECOND);
    assert_true(edda_text_is(second->name, "machine-2@rack:7"));
    assert_int_equal(second->roles, 0);
    assert_int_equal(second->service_count, 2);
    assert_true(edda_text_is(second->services[1], "rerank"));
    assert_true(first->identity != second->identity);
    assert_ptr_equal(edda_authorized_find_identity(authorized, second->identity), second);
    edda_authorized_destroy(&authorized);
}

static void a_key_that_is_not_there_may_nothing(void **state) {
    (void)state;
    edda_authorized_t *authorized = NULL;
    assert_int_equal(parse("front " FIRST " gateway cli store worker:*", &authorized), 0);
    assert_ptr_equal(edda_authorized_find(authorized, SECOND), &edda_permit_none);
    assert_ptr_equal(edda_authorized_find(authorized, ""), &edda_permit_none);
    assert_ptr_equal(edda_authorized_find_identity(authorized, 0), &edda_permit_none);
    edda_authorized_destroy(&authorized);
    assert_int_equal(parse("", &authorized), 0);
    assert_int_equal(edda_authorized_count(authorized), 0);
    assert_ptr_equal(edda_authorized_find(authorized, FIRST), &edda_permit_none);
    edda_authorized_destroy(&authorized);
    edda_authorized_destroy(&authorized);
}

static void an_identity_lasts_from_file_to_file_and_is_never_a_local_one(void **state) {
    (void)state;
    edda_authorized_t *before = NULL;
    edda_authorized_t *after = NULL;
    edda_authorized_t *elsewhere = NULL;
    const uint8_t other_salt[EDDA_AUTHORIZED_SALT] = {9};
    const char *text = "x " SECOND " cli\ny " FIRST " cli\n";
    assert_int_equal(parse("front " FIRST " gateway", &before), 0);
    assert_int_equal(parse(text, &after), 0);
    assert_int_equal(edda_authorized_parse(text, strlen(text), other_salt, &elsewhere, message), 0);
    uint64_t identity = edda_authorized_find(before, FIRST)->identity;
    assert_true(identity == edda_authorized_find(after, FIRST)->identity);
    assert_true(identity != edda_authorized_find(elsewhere, FIRST)->identity);
    assert_true(identity != edda_permit_local.identity && identity != edda_permit_none.identity);
    edda_authorized_destroy(&before);
    edda_authorized_destroy(&after);
    edda_authorized_destroy(&elsewhere);
}

static void a_wrong_line_refuses_the_file_and_is_named(void **state) {
    (void)state;
    check_refused("front " FIRST " gateway\nback " SECOND "\n", EDDA_E_INVALID,
                  "line 2: back has no role");
    check_refused("front gateway\n", EDDA_E_INVALID, "line 1: front is not followed by a public");
    check_refused("front\n", EDDA_E_INVALID, "is not followed by a public key");
    check_refused("front " FIRST "x gateway\n", EDDA_E_INVALID, "public key");
    check_refused("front Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\" gateway\n", EDDA_E_INVALID,
                  "public key");
    /* Z85 of a number that 32 bits do not hold. */
    check_refused("front ##########fVvi]a<NY6T1ed:M$fCG*[IaLV{hID gateway\n", EDDA_E_INVALID,
                  "public key");
    check_refused("a/b " FIRST " gateway\n", EDDA_E_INVALID, "line 1: a/b is no name");
    check_refused("\n\nfront " FIRST " gatway\n", EDDA_E_INVALID,
                  "line 3: gatway is no role; did you mean gateway?");
    check_refused("front " FIRST " worker\n", EDDA_E_INVALID, "is no role");
    check_refused("front " FIRST " worker:\n", EDDA_E_INVALID, "is no role");
    check_refused("front " FIRST " worker:a.b\n", EDDA_E_INVALID, "is no role");
    check_refused("front " FIRST " worker:**\n", EDDA_E_INVALID, "is no role");
    check_refused("front " FIRST " GATEWAY\n", EDDA_E_INVALID, "is no role");
    check_refused("a " FIRST " cli\nb " SECOND " cli\nc " FIRST " gateway\n", EDDA_E_INVALID,
                  "line 3: c has the key of an earlier line");
}

static void a_message_never_repeats_what_may_be_a_secret(void **state) {
    (void)state;
    check_refused(SECOND " " FIRST " gateway\n", EDDA_E_INVALID, "is no name");
    assert_null(strstr(message, SECOND));
    check_refused("front " FIRST " " SECOND "\n", EDDA_E_INVALID, "is no role");
    assert_null(strstr(message, SECOND));
    check_refused("front\x1b[2J " FIRST " gateway\n", EDDA_E_INVALID, "is no name");
    assert_null(strchr(message, '\x1b'));
}

static void what_a_file_may_hold_is_bounded_on_both_sides(void **state) {
    (void)state;
    edda_authorized_t *authorized = NULL;
    char *text = malloc(EDDA_AUTHORIZED_BYTES + 2);
    char key[EDDA_CURVE_KEY_TEXT];
    uint8_t bytes[EDDA_CURVE_KEY_BYTES] = {0};
    assert_non_null(text);
    size_t size = 0;
    for (uint16_t i = 0; i <= EDDA_AUTHORIZED_KEYS; i++) {
        memcpy(bytes, &i, sizeof i);
        assert_non_null(zmq_z85_encode(key, bytes, sizeof bytes));
        if (i == EDDA_AUTHORIZED_KEYS) {
            assert_int_equal(edda_authorized_parse(text, size, salt, &authorized, message), 0);
            assert_int_equal(edda_authorized_count(authorized), EDDA_AUTHORIZED_KEYS);
            edda_authorized_destroy(&authorized);
        }
        size += (size_t)snprintf(text + size, EDDA_AUTHORIZED_BYTES - size, "n%u %s cli\n", i, key);
    }
    assert_int_equal(edda_authorized_parse(text, size, salt, &authorized, message), EDDA_E_LIMIT);
    memset(text, '\n', EDDA_AUTHORIZED_BYTES + 1);
    assert_int_equal(edda_authorized_parse(text, EDDA_AUTHORIZED_BYTES, salt, &authorized, message),
                     0);
    edda_authorized_destroy(&authorized);
    assert_int_equal(
        edda_authorized_parse(text, EDDA_AUTHORIZED_BYTES + 1, salt, &authorized, message),
        EDDA_E_LIMIT);
    size = (size_t)snprintf(text, 128, "n %s", FIRST);
    for (size_t i = 0; i <= EDDA_AUTHORIZED_ROLES; i++) {
        size += (size_t)snprintf(text + size, 32, " worker:s%zu", i);
        assert_int_equal(edda_authorized_parse(text, size, salt, &authorized, message),
                         i < EDDA_AUTHORIZED_ROLES ? 0 : EDDA_E_LIMIT);
        edda_authorized_destroy(&authorized);
    }
    free(text);
}

/* What each role of the file may be, offer and ask for: the whole table, allowed and not. */
static const struct {
    const char *roles;
    const char *joins;  /* of gateway, pump, cli, worker */
    const char *offers; /* of store, embed, rerank */
    unsigned askers;    /* EDDA_ASKED_BY_ bits of the ops it may ask for as its own role */
    bool all_ops;
} expected[] = {
    {"gateway", "gateway", "", EDDA_ASKED_BY_GATEWAY, false},
    {"store", "pump worker", "store", EDDA_ASKED_BY_PUMP, false},
    {"cli", "cli", "", 0, true},
    {"worker:embed", "worker", "embed", 0, false},
    {"worker:store", "worker", "store", 0, false},
    {"worker:*", "worker", "embed rerank", 0, false},
    {"gateway store", "gateway pump worker", "store", EDDA_ASKED_BY_GATEWAY | EDDA_ASKED_BY_PUMP,
     false},
};

static bool has_word(const char *list, const char *word) {
    const char *at = strstr(list, word);
    return at && (at == list || at[-1] == ' ') &&
           (at[strlen(word)] == ' ' || at[strlen(word)] == '\0');
}

static void check_asks(const struct edda_permit *permit, const char *joins, unsigned askers,
                       bool all_ops) {
    static const struct {
        const char *role;
        unsigned bit;
    } clients[] = {{"gateway", EDDA_ASKED_BY_GATEWAY}, {"pump", EDDA_ASKED_BY_PUMP}, {"cli", 0}};
    size_t count = 0;
    const struct edda_op *ops = edda_op_table(&count);
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        struct edda_text role = edda_text_of(clients[i].role);
        bool joined = has_word(joins, clients[i].role);
        for (size_t n = 0; n < count; n++) {
            bool may = joined && ((all_ops && clients[i].bit == 0) ||
                                  (ops[n].askers & clients[i].bit & askers) != 0);
            assert_int_equal(edda_permit_asks(permit, role, edda_text_of(ops[n].name)), may);
        }
        assert_int_equal(edda_permit_asks(permit, role, EDDA_TEXT("store.nothing")),
                         joined && all_ops && clients[i].bit == 0);
    }
    assert_false(edda_permit_asks(permit, EDDA_TEXT("worker"), EDDA_TEXT("embed")));
}

static void a_role_may_what_is_its_own_and_nothing_of_anothers(void **state) {
    (void)state;
    static const char *const roles[] = {"gateway", "pump", "cli", "worker", "broker", ""};
    static const char *const services[] = {"store", "embed", "rerank"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        edda_authorized_t *authorized = NULL;
        char text[128];
        (void)snprintf(text, sizeof text, "x %s %s", FIRST, expected[i].roles);
        assert_int_equal(parse(text, &authorized), 0);
        const struct edda_permit *permit = edda_authorized_find(authorized, FIRST);
        for (size_t n = 0; n < sizeof roles / sizeof roles[0]; n++) {
            assert_int_equal(edda_permit_joins(permit, edda_text_of(roles[n])),
                             roles[n][0] && has_word(expected[i].joins, roles[n]));
        }
        for (size_t n = 0; n < sizeof services / sizeof services[0]; n++) {
            assert_int_equal(edda_permit_offers(permit, edda_text_of(services[n])),
                             has_word(expected[i].offers, services[n]));
        }
        check_asks(permit, expected[i].joins, expected[i].askers, expected[i].all_ops);
        edda_authorized_destroy(&authorized);
    }
}

static void a_local_peer_may_everything_and_nobody_nothing(void **state) {
    (void)state;
    static const char *const roles[] = {"gateway", "pump", "cli", "worker"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        struct edda_text role = edda_text_of(roles[i]);
        assert_true(edda_permit_joins(&edda_permit_local, role));
        assert_true(edda_permit_asks(&edda_permit_local, role, EDDA_TEXT("store.key_create")));
        assert_false(edda_permit_joins(&edda_permit_none, role));
        assert_false(edda_permit_asks(&edda_permit_none, role, EDDA_TEXT("broker.status")));
    }
    assert_true(edda_permit_offers(&edda_permit_local, EDDA_TEXT("store")));
    assert_false(edda_permit_offers(&edda_permit_none, EDDA_TEXT("embed")));
    assert_false(edda_permit_joins(&edda_permit_local, EDDA_TEXT("king")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_gives_a_key_its_name_and_roles),
        cmocka_unit_test(a_key_that_is_not_there_may_nothing),
        cmocka_unit_test(an_identity_lasts_from_file_to_file_and_is_never_a_local_one),
        cmocka_unit_test(a_wrong_line_refuses_the_file_and_is_named),
        cmocka_unit_test(a_message_never_repeats_what_may_be_a_secret),
        cmocka_unit_test(what_a_file_may_hold_is_bounded_on_both_sides),
        cmocka_unit_test(a_role_may_what_is_its_own_and_nothing_of_anothers),
        cmocka_unit_test(a_local_peer_may_everything_and_nobody_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
