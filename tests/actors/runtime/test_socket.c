/* tests/actors/runtime/test_socket.c: endpoints, lock files, and what a broker must not bind. */
#include "actors/runtime/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/limits.h"
#include "tests/harness/port.h"
#include "tests/proto/cmocka.h"

static char folder[64];
static void *context;

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s", "socket-test-XXXXXX");
    context = zmq_ctx_new();
    return mkdtemp(folder) && context ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    zmq_ctx_term(context);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/s.lock", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/s", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static void make_url(char url[EDDA_MAX_URL]) {
    (void)snprintf(url, EDDA_MAX_URL, "ipc://%s/s", folder);
}

static void check_back(const char *url, const char *back) {
    char got[EDDA_MAX_URL] = "untouched";
    int error = edda_endpoint_back(url, got);
    assert_int_equal(error, back ? 0 : EDDA_E_INVALID);
    assert_string_equal(got, back ? back : "untouched");
}

static void the_back_endpoint_follows_from_the_url(void **state) {
    (void)state;
    check_back("tcp://127.0.0.1:7701", "tcp://127.0.0.1:7702");
    check_back("tcp://[::1]:7701", "tcp://[::1]:7702");
    check_back("tcp://*:65534", "tcp://*:65535");
    check_back("ipc:///run/edda/broker", "ipc:///run/edda/broker.back");
    check_back("inproc://broker", "inproc://broker.back");
}

static void a_url_that_is_none_is_refused(void **state) {
    (void)state;
    check_back("", NULL);
    check_back("tcp://", NULL);
    check_back("tcp://host", NULL);
    check_back("tcp://host:", NULL);
    check_back("tcp://:7701", NULL);
    check_back("tcp://host:0", NULL);
    check_back("tcp://host:*", NULL);
    check_back("tcp://host:65535", NULL);
    check_back("tcp://host:65536", NULL);
    check_back("tcp://host:77x", NULL);
    check_back("ipc://", NULL);
    check_back("ipc://*", NULL);
    check_back("ipc://@abstract", NULL);
    check_back("inproc://", NULL);
    check_back("udp://127.0.0.1:1", NULL);
    check_back("http://127.0.0.1:1", NULL);
}

static void an_ipc_path_has_at_most_107_bytes_with_its_back(void **state) {
    (void)state;
    char url[200] = "ipc://";
    char back[EDDA_MAX_URL];
    memset(url + 6, 'p', 103);
    assert_int_equal(edda_endpoint_back(url, back), EDDA_E_INVALID);
    url[6 + 102] = '\0';
    assert_int_equal(edda_endpoint_back(url, back), 0);
    char long_url[400] = "inproc://";
    memset(long_url + 9, 'n', 300);
    assert_int_equal(edda_endpoint_back(long_url, back), EDDA_E_INVALID);
}

static int bind_one(const char *url, bool allow_plain_tcp, void **ret_socket) {
    return edda_socket_router(context, &url, 1, allow_plain_tcp, ret_socket);
}

static void name_port(const char *host, uint16_t port, char *ret_name) {
    (void)snprintf(ret_name, EDDA_MAX_URL, "%s:%u", host, port);
}

static void plain_tcp_beyond_loopback_is_refused(void **state) {
    (void)state;
    static const char *const refused[] = {
        "tcp://0.0.0.0:38711",
        "tcp://*:38711",
        "tcp://[::]:38711",
        "tcp://10.0.0.1:38711",
        "tcp://eth0:38711",
        "tcp://127.example.org:38711",
        "tcp://localhost.example.org:38711",
    };
    void *socket = NULL;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(bind_one(refused[i], false, &socket), EDDA_E_DENIED);
        assert_null(socket);
    }
    char url[EDDA_MAX_URL];
    (void)free_tcp_url(url);
    assert_int_equal(bind_one(url, false, &socket), 0);
    edda_socket_close(&socket, 0);
    assert_null(socket);
}

static void plain_tcp_beyond_loopback_can_be_allowed(void **state) {
    (void)state;
    void *socket = NULL;
    char url[EDDA_MAX_URL];
    name_port("tcp://0.0.0.0", free_tcp_url(url), url);
    assert_int_equal(bind_one(url, true, &socket), 0);
    edda_socket_close(&socket, 0);
}

/* Whatever a client on this machine takes localhost for, the broker is there; a name of nobody, and
 * one of another machine, is refused. */
static void a_hosts_name_is_bound_at_its_addresses(void **state) {
    (void)state;
    char url[EDDA_MAX_URL];
    char name[EDDA_MAX_URL];
    char end[EDDA_MAX_URL];
    char back[EDDA_MAX_URL];
    void *socket = NULL;
    void *other = NULL;
    void *dealer = NULL;
    uint16_t port = free_tcp_url(url);
    name_port("tcp://localhost", port, name);
    assert_int_equal(bind_one(name, false, &socket), 0);
    const char *bound = edda_socket_bound(socket, 0);
    name_port("1]", port, end);
    assert_non_null(strstr(bound, end)); /* [::1], or 127.0.0.1 as IPv6 has it */
    assert_null(edda_socket_bound(socket, 1));
    assert_int_equal(edda_endpoint_back(name, back), 0);
    assert_int_equal(edda_socket_dealer(context, name, NULL, 0, &dealer), 0);
    for (int i = 0; i < 10000 && !edda_socket_writable(dealer); i++) {
        usleep(1000);
    }
    assert_int_equal(zmq_send(dealer, "x", 1, ZMQ_DONTWAIT), 1);
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, 10000), 1);
    assert_int_equal(bind_one(url, false, &other), EDDA_E_CONFLICT);
    edda_socket_close(&dealer, 0);
    edda_socket_close(&socket, 0);
    for (int i = 0; i < 10000 && bind_one(name, false, &socket) != 0; i++) {
        usleep(1000); /* until libzmq's thread has let go of it */
    }
    assert_non_null(socket);
    edda_socket_close(&socket, 0);
    assert_int_equal(bind_one("tcp://nobody.invalid:38715", true, &socket), EDDA_E_INVALID);
    assert_int_equal(bind_one("tcp://192.0.2.1:38715", true, &socket), EDDA_E_INVALID);
    assert_null(socket);
}

static void a_second_bind_does_not_steal_an_ipc_path(void **state) {
    (void)state;
    char url[EDDA_MAX_URL];
    void *first = NULL;
    void *second = NULL;
    make_url(url);
    assert_int_equal(bind_one(url, false, &first), 0);
    int error = bind_one(url, false, &second);
    void *dealer = NULL;
    assert_int_equal(edda_socket_dealer(context, url, NULL, 0, &dealer), 0);
    for (int i = 0; i < 1000 && !edda_socket_writable(dealer); i++) {
        usleep(1000);
    }
    int sent = zmq_send(dealer, "x", 1, ZMQ_DONTWAIT);
    zmq_pollitem_t item = {.socket = first, .events = ZMQ_POLLIN};
    int received = zmq_poll(&item, 1, 2000);
    /* Before anything is asserted: a context does not end while it has sockets. */
    edda_socket_close(&dealer, 0);
    edda_socket_close(&second, 0);
    edda_socket_close(&first, 0);
    assert_int_equal(error, EDDA_E_CONFLICT);
    assert_int_equal(sent, 1);
    assert_int_equal(received, 1);
}

/* Seen to fail without its lock (tests/fault/guards/39.patch). */
static void another_process_cannot_steal_an_ipc_path(void **state) {
    (void)state;
    char url[EDDA_MAX_URL];
    int ready[2];
    int finish[2];
    char byte;
    make_url(url);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(finish), 0);
    pid_t child = fork();
    if (child == 0) {
        void *own = zmq_ctx_new(); /* a context does not survive a fork */
        void *held = NULL;
        const char *urls[] = {url};
        int error = edda_socket_router(own, urls, 1, false, &held);
        ssize_t done = write(ready[1], "r", 1);
        done += read(finish[0], &byte, 1);
        _exit(error || done != 2);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    void *socket = NULL;
    int error = bind_one(url, false, &socket);
    edda_socket_close(&socket, 0);
    assert_int_equal(write(finish[1], "f", 1), 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(error, EDDA_E_CONFLICT);
    assert_int_equal(status, 0);
    /* Its lock died with it, whatever it left on disk. */
    assert_int_equal(bind_one(url, false, &socket), 0);
    edda_socket_close(&socket, 0);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(finish[i]);
    }
}

static void a_path_is_free_again_right_after_close(void **state) {
    (void)state;
    char url[EDDA_MAX_URL];
    make_url(url);
    for (int i = 0; i < 20; i++) {
        void *socket = NULL;
        struct stat status;
        assert_int_equal(bind_one(url, false, &socket), 0);
        assert_int_equal(stat(url + 6, &status), 0);
        edda_socket_close(&socket, 0);
        assert_int_equal(stat(url + 6, &status), -1);
    }
}

static void a_router_binds_several_urls_or_none(void **state) {
    (void)state;
    char url[EDDA_MAX_URL];
    make_url(url);
    const char *urls[] = {"inproc://several", url, "tcp://0.0.0.0:38714"};
    void *socket = NULL;
    void *other = NULL;
    assert_int_equal(edda_socket_router(context, urls, 3, false, &socket), EDDA_E_DENIED);
    assert_int_equal(edda_socket_router(context, urls, 0, false, &socket), EDDA_E_INVALID);
    assert_int_equal(edda_socket_router(context, urls, 2, false, &socket), 0);
    assert_int_equal(bind_one("inproc://several", false, &other), EDDA_E_CONFLICT);
    edda_socket_close(&socket, 0);
}

/* Of an option; all that are asked for are integers. */
static int number_of(void *socket, int option) {
    int value = -99;
    size_t size = sizeof value;
    assert_int_equal(zmq_getsockopt(socket, option, &value, &size), 0);
    return value;
}

/* Twice what one client may have open of all services, and some: never reached. */
#define HIGH_WATER (2 * EDDA_CLIENT_WINDOW * EDDA_MAX_SERVICES + 64)

static void options_are_those_of_the_design(void **state) {
    (void)state;
    void *router = NULL;
    void *dealer = NULL;
    static const struct {
        int name;
        int value;
    } wanted[] = {
        {ZMQ_SNDTIMEO, 0},
        {ZMQ_RCVTIMEO, 0},
        {ZMQ_LINGER, 2000},
        {ZMQ_HEARTBEAT_IVL, 0},
        {ZMQ_HANDSHAKE_IVL, 5000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_MAXRT, 15000},
        {ZMQ_IPV6, 1},
        {ZMQ_SNDHWM, HIGH_WATER},
        {ZMQ_RCVHWM, HIGH_WATER},
        {ZMQ_TCP_KEEPALIVE_IDLE, 10},
        {ZMQ_TCP_KEEPALIVE_INTVL, 3},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
    };
    assert_int_equal(bind_one("inproc://options", false, &router), 0);
    assert_int_equal(edda_socket_dealer(context, "inproc://options", NULL, 0, &dealer), 0);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_int_equal(number_of(router, wanted[i].name), wanted[i].value);
        assert_int_equal(number_of(dealer, wanted[i].name), wanted[i].value);
    }
    assert_int_equal(number_of(router, ZMQ_BACKLOG), 1024);
    assert_int_equal(number_of(dealer, ZMQ_IMMEDIATE), 1);
    assert_int_equal(number_of(dealer, ZMQ_RECONNECT_IVL), 100);
    assert_int_equal(number_of(dealer, ZMQ_RECONNECT_IVL_MAX), 0);
    int64_t most = 0;
    size_t size = sizeof most;
    assert_int_equal(zmq_getsockopt(router, ZMQ_MAXMSGSIZE, &most, &size), 0);
    assert_int_equal(most, EDDA_MAX_FRAME_BYTES + 64);
    edda_socket_close(&dealer, 0);
    edda_socket_close(&router, 0);
}

static void a_dealer_with_nobody_there_takes_nothing(void **state) {
    (void)state;
    void *dealer = NULL;
    char url[EDDA_MAX_URL];
    (void)free_tcp_url(url);
    assert_int_equal(edda_socket_dealer(context, url, NULL, 0, &dealer), 0);
    usleep(20000);
    assert_false(edda_socket_writable(dealer));
    assert_int_equal(zmq_send(dealer, "x", 1, ZMQ_DONTWAIT), -1);
    edda_socket_close(&dealer, 0);
    assert_int_equal(edda_socket_dealer(context, "nonsense", NULL, 0, &dealer), EDDA_E_INVALID);
    assert_null(dealer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_back_endpoint_follows_from_the_url),
        cmocka_unit_test(a_url_that_is_none_is_refused),
        cmocka_unit_test(an_ipc_path_has_at_most_107_bytes_with_its_back),
        cmocka_unit_test_setup_teardown(plain_tcp_beyond_loopback_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_tcp_beyond_loopback_can_be_allowed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_hosts_name_is_bound_at_its_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_bind_does_not_steal_an_ipc_path, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_process_cannot_steal_an_ipc_path, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_path_is_free_again_right_after_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_router_binds_several_urls_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_are_those_of_the_design, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dealer_with_nobody_there_takes_nothing, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
