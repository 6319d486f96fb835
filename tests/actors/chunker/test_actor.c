/* tests/actors/chunker/test_actor.c: the chunker as a role, before a broker that is a fake; cutting
 * itself, and in child processes, which are this program started again. */
#include "actors/chunker/actor.h"

#include "actors/chunker/chunk.h"
#include "actors/runtime/clock.h"
#include "actors/runtime/isolated.h"
#include "actors/runtime/wire.h"
#include "proto/body.h"
#include "tests/harness/live_role.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zmq.h>

static void set(struct live_role *stage, const char *flag, const char *value) {
    const char *message = NULL;
    assert_int_equal(edda_config_flag(stage->config, flag, value, &message), 0);
}

static void start(struct live_role *stage, bool isolated) {
    live_role_prepare(stage, "chunker");
    if (isolated) {
        set(stage, "--chunker-isolated", "1");
        set(stage, "--isolated-ms", "2000");
    }
    live_role_start(stage, edda_chunker_main);
}

static const struct edda_wire *work(struct live_role *stage, struct edda_text text,
                                    uint8_t command) {
    const struct edda_chunk_arguments arguments = {.text = text};
    struct edda_message message = {.envelope.id = edda_uuid_new(),
                                   .envelope.op = EDDA_TEXT("chunk"),
                                   .envelope.ttl_ms = 30000};
    live_role_send(stage, &message, EDDA_BODY_CHUNK_ARGUMENTS, &arguments, 0, NULL);
    return fake_broker_expect_after_credit(stage->fake, FAKE_BACK, command);
}

static void expect_chunks(struct live_role *stage, struct edda_text text) {
    struct edda_chunks wanted;
    struct edda_chunks chunks;
    const struct edda_chunk_arguments arguments = {.text = text};
    const struct edda_wire *done = work(stage, text, EDDA_DONE);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_CHUNKS, done->message.bodies[0], &stage->arena, &chunks), 0);
    assert_int_equal(edda_chunk_text(&arguments, &stage->arena, &wanted), 0);
    assert_int_equal(chunks.chunks.count, wanted.chunks.count);
    for (size_t i = 0; i < wanted.chunks.count; i++) {
        assert_int_equal(chunks.chunks.items[i].text.size, wanted.chunks.items[i].text.size);
        assert_memory_equal(chunks.chunks.items[i].text.data, wanted.chunks.items[i].text.data,
                            wanted.chunks.items[i].text.size);
        assert_int_equal(chunks.chunks.items[i].start, wanted.chunks.items[i].start);
    }
}

static void chunks_are_the_same_on_the_loop_in_the_pool_and_in_a_child(void **state) {
    (void)state;
    static char text[60001];
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        text[i] = i % 60 == 59 ? '.' : i % 6 == 5 ? ' ' : (char)('a' + i / 6 % 26);
    }
    for (int isolated = 0; isolated < 2; isolated++) {
        struct live_role stage;
        start(&stage, isolated == 1);
        expect_chunks(&stage, EDDA_TEXT("Green tea. Black tea."));
        expect_chunks(&stage, (struct edda_text){text, sizeof text - 1});
        expect_chunks(&stage, EDDA_TEXT(" "));
        live_role_stop(&stage);
    }
}

static void expect_failed(struct live_role *stage, const char *text, int code, const char *reason) {
    const struct edda_wire *failed = work(stage, edda_text_of(text), EDDA_FAIL);
    const struct edda_wire_error *error = &failed->message.envelope.error;
    assert_int_equal(error->code, code);
    assert_int_equal(error->blame, EDDA_BLAME_JOB);
    assert_true(edda_text_is(error->text, reason));
}

static void a_text_that_crashes_or_stops_its_child_fails_alone_and_says_how(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, true);
    expect_failed(&stage, "please crash", EDDA_E_FAILED,
                  "chunker died of signal 11 (Segmentation fault)");
    expect_chunks(&stage, EDDA_TEXT("Green tea. Black tea."));
    expect_failed(&stage, "please hang", EDDA_E_TIMEOUT, "chunker took more than 2000 ms");
    expect_chunks(&stage, EDDA_TEXT("Green tea. Black tea."));
    live_role_stop(&stage);
}

static void a_child_that_answers_what_is_no_chunks_fails_the_job(void **state) {
    (void)state;
    struct live_role stage;
    start(&stage, true);
    (void)work(&stage, EDDA_TEXT("please lie"), EDDA_FAIL);
    expect_chunks(&stage, EDDA_TEXT("Green tea. Black tea."));
    live_role_stop(&stage);
}

/* The chunker's own function, with three texts that it does not survive. */
static int serve(struct edda_bytes request, struct edda_buffer *out) {
    struct edda_text bytes = {(const char *)request.data, request.size};
    if (memmem(bytes.data, bytes.size, "please crash", 12)) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
    }
    while (memmem(bytes.data, bytes.size, "please hang", 11)) {
    }
    if (memmem(bytes.data, bytes.size, "please lie", 10)) {
        return edda_buffer_append(out, "\xc1\xc1\xc1", 3);
    }
    return edda_chunker_isolated(request, out);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "isolated") == 0) {
        return edda_isolated_serve(serve);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_the_same_on_the_loop_in_the_pool_and_in_a_child),
        cmocka_unit_test(a_text_that_crashes_or_stops_its_child_fails_alone_and_says_how),
        cmocka_unit_test(a_child_that_answers_what_is_no_chunks_fails_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
