/* tests/actors/runtime/test_curve.c: key files: who may read them, what they may hold, and that
 * messages about them keep their secrets. */
#include "actors/runtime/curve.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/proto/cmocka.h"

static char folder[64];
static char path[80];
static char public_path[96];
static char message[512];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/edda-curve-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(public_path, sizeof public_path, "%s.pub", path);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(path);
    (void)unlink(public_path);
    return rmdir(folder); /* nothing half-written is left */
}

static mode_t mode_of(const char *file) {
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    return status.st_mode & 07777;
}

static void write_file(const char *text) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int load(edda_curve_t **ret_curve) {
    *ret_curve = NULL;
    message[0] = '\0';
    return edda_curve_load(path, ret_curve, message, sizeof message);
}

static void a_saved_pair_is_loaded_and_closed_to_others(void **state) {
    (void)state;
    edda_curve_t *made = NULL;
    edda_curve_t *read = NULL;
    (void)umask(0);
    assert_int_equal(edda_curve_new(&made), 0);
    assert_int_equal(edda_curve_save(made, path, false, message, sizeof message), 0);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(public_path), 0644);
    assert_int_equal(load(&read), 0);
    assert_string_equal(edda_curve_public(read), edda_curve_public(made));
    edda_curve_destroy(&read);
    edda_curve_destroy(&made);
    (void)umask(022);
}

static void a_pair_is_not_overwritten_unless_asked_for(void **state) {
    (void)state;
    edda_curve_t *first = NULL;
    edda_curve_t *second = NULL;
    edda_curve_t *read = NULL;
    assert_int_equal(edda_curve_new(&first), 0);
    assert_int_equal(edda_curve_new(&second), 0);
    assert_string_not_equal(edda_curve_public(first), edda_curve_public(second));
    assert_int_equal(edda_curve_save(first, path, false, message, sizeof message), 0);
    assert_int_equal(edda_curve_save(second, path, false, message, sizeof message),
                     EDDA_E_CONFLICT);
    assert_int_equal(load(&read), 0);
    assert_string_equal(edda_curve_public(read), edda_curve_public(first));
    edda_curve_destroy(&read);
    assert_int_equal(edda_curve_save(second, path, true, message, sizeof message), 0);
    assert_int_equal(load(&read), 0);
    assert_string_equal(edda_curve_public(read), edda_curve_public(second));
    edda_curve_destroy(&read);
    edda_curve_destroy(&first);
    edda_curve_destroy(&second);
}

static void a_secret_file_that_others_can_read_is_refused(void **state) {
    (void)state;
    static const mode_t open_modes[] = {0604, 0640, 0620, 0602, 0601, 0666};
    edda_curve_t *curve = NULL;
    assert_int_equal(edda_curve_new(&curve), 0);
    assert_int_equal(edda_curve_save(curve, path, false, message, sizeof message), 0);
    edda_curve_destroy(&curve);
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_int_equal(load(&curve), EDDA_E_DENIED);
        assert_non_null(strstr(message, "chmod 600"));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(load(&curve), 0);
    edda_curve_destroy(&curve);
}

static void what_is_no_pair_is_refused_without_repeating_it(void **state) {
    (void)state;
    char public_key[2][EDDA_CURVE_KEY_TEXT];
    char secret_key[2][EDDA_CURVE_KEY_TEXT];
    char text[256];
    edda_curve_t *curve = NULL;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(zmq_curve_keypair(public_key[i], secret_key[i]), 0);
    }
    const char *keys[][2] = {{public_key[0], secret_key[1]}, {public_key[0], "short"}};
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "curve\n public-key = \"%s\"\n secret-key = \"%s\"\n",
                 keys[i][0], keys[i][1]);
        write_file(text);
        assert_int_equal(load(&curve), EDDA_E_INVALID);
        assert_null(strstr(message, secret_key[1]));
    }
    snprintf(text, sizeof text, "curve\n public-key = \"%s\"\n", public_key[0]);
    write_file(text);
    assert_int_equal(load(&curve), EDDA_E_INVALID);
    assert_non_null(strstr(message, "public certificate"));
    /* The key itself where its file's name belongs. */
    assert_int_equal(edda_curve_load(secret_key[0], &curve, message, sizeof message), EDDA_E_IO);
    assert_null(strstr(message, secret_key[0]));
    assert_null(curve);
}

static void a_broker_is_trusted_by_its_key_or_its_file(void **state) {
    (void)state;
    char public_key[EDDA_CURVE_KEY_TEXT];
    char secret_key[EDDA_CURVE_KEY_TEXT];
    edda_curve_t *broker = NULL;
    edda_curve_t *curve = NULL;
    assert_int_equal(edda_curve_new(&broker), 0);
    assert_int_equal(edda_curve_save(broker, path, false, message, sizeof message), 0);
    assert_int_equal(edda_curve_new(&curve), 0);
    assert_int_equal(edda_curve_trust(curve, public_path, message, sizeof message), 0);
    assert_int_equal(edda_curve_trust(curve, edda_curve_public(broker), message, sizeof message),
                     0);
    assert_int_equal(edda_curve_trusted(curve), 2);
    assert_int_equal(edda_curve_trust(curve, "/nowhere/key.pub", message, sizeof message),
                     EDDA_E_IO);
    assert_int_equal(edda_curve_trust(curve, "/dev/null", message, sizeof message), EDDA_E_INVALID);
    assert_int_equal(edda_curve_trusted(curve), 2);
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    while (edda_curve_trusted(curve) < EDDA_CURVE_MAX_BROKERS) {
        assert_int_equal(edda_curve_trust(curve, public_key, message, sizeof message), 0);
    }
    assert_int_equal(edda_curve_trust(curve, public_key, message, sizeof message), EDDA_E_LIMIT);
    edda_curve_destroy(&curve);
    edda_curve_destroy(&broker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_saved_pair_is_loaded_and_closed_to_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_pair_is_not_overwritten_unless_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_secret_file_that_others_can_read_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_pair_is_refused_without_repeating_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_broker_is_trusted_by_its_key_or_its_file, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
