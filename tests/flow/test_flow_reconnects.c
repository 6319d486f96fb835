/* tests/flow/test_flow_reconnects.c: a worker that comes again and again, and what is left of it.
 */
#include <dirent.h>
#include <malloc.h>

#include "tests/harness/scenario.h"
#include "tests/proto/cmocka.h"

#define MAY_GROW    (256u * 1024u) /* libzmq's queues keep a block of 64 KiB each after a stall */
#define SETTLE_JOBS 2000           /* at most, before what is left is judged */
#define MAY_LINGER  16             /* descriptors of connections that libzmq has not reaped yet */

/* Of the sanitizers' own allocator, whose header not every compiler has. */
size_t __sanitizer_get_current_allocated_bytes(void);

static size_t heap_bytes(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

static size_t open_files(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count;
}

static void do_a_job(edda_scenario_t *s, edda_fake_t *gateway, edda_fake_t *worker) {
    struct edda_uuid id = send_req(gateway, "embed");
    struct fake_work work = expect_work(worker, "embed");
    send_done(worker, &work, "vectors");
    expect_resp(gateway, &id, "vectors");
    assert_int_equal(scenario_status(s)->workers, 1);
}

static void reconnect(const char *transport, size_t times) {
    edda_scenario_t *s = scenario_start(transport);
    edda_fake_t *gateway = scenario_client(s, "gateway");
    edda_fake_t *worker = scenario_worker(s, "embed", 2);
    size_t bytes = 0;
    size_t files = 0;
    for (size_t i = 0; i < times; i++) {
        if (i == times / 10) { /* everything is as large as it gets */
            do_a_job(s, gateway, worker);
            bytes = heap_bytes();
            files = open_files();
        }
        peer_reconnect(worker);
    }
    /* What came at once on a busy machine still waits to be read and freed. */
    for (int i = 0; i == 0 || (heap_bytes() > bytes + MAY_GROW && i < SETTLE_JOBS); i++) {
        do_a_job(s, gateway, worker);
    }
    assert_in_range(heap_bytes(), 0, bytes + MAY_GROW);
    assert_in_range(open_files(), 0, files + MAY_LINGER);
    expect_balance(s);
    scenario_stop(&s);
}

/* Seen to fail without edda_peers_bury() and without edda_routes_forget()
 * (tests/fault/guards/46.patch, 46c). */
static void ten_thousand_reconnections_leave_nothing_behind(void **state) {
    (void)state;
    reconnect("inproc", 10000);
}

static void two_thousand_new_connections_leave_no_descriptor_behind(void **state) {
    (void)state;
    reconnect("ipc", 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_reconnections_leave_nothing_behind),
        cmocka_unit_test(two_thousand_new_connections_leave_no_descriptor_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
