/* tests/actors/provider/test_outbound_tls.c: who is trusted, against `openssl s_server` with keys
 * and certificates of the day. */
#include "tests/actors/provider/transfers.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char folder[] = "/tmp/edda_tls_XXXXXX";
static pid_t server_pid;
static int server_port;

static const char *path_of(const char *name) {
    static char paths[4][64];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Starts openssl with its output in the pipe (or nowhere). */
static pid_t start(const char *const *arguments, int output) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (output >= 0) {
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    }
    int error =
        posix_spawnp(&pid, "openssl", &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(error, 0); /* ops/install test installs it */
    return pid;
}

static void make_certificate(const char *name, const char *key, const char *certificate) {
    char subject[64];
    int status;
    snprintf(subject, sizeof subject, "/CN=%s", name);
    const char *const arguments[] = {"openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:P-256",
                                     "-nodes",
                                     "-days",
                                     "2",
                                     "-subj",
                                     subject,
                                     "-addext",
                                     "subjectAltName=IP:127.0.0.1",
                                     "-keyout",
                                     key,
                                     "-out",
                                     certificate,
                                     NULL};
    assert_true(waitpid(start(arguments, -1), &status, 0) > 0);
    assert_int_equal(status, 0);
}

/* "ACCEPT 127.0.0.1:PORT" is its word that it listens. */
static int read_port(int fd) {
    char text[1024] = "";
    size_t size = 0;
    const char *at = NULL;
    while (!at || !strchr(at, '\n')) {
        struct pollfd look = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&look, 1, 20000), 1);
        ssize_t got = read(fd, text + size, sizeof text - 1 - size);
        assert_true(got > 0);
        size += (size_t)got;
        at = strstr(text, "ACCEPT ");
    }
    return (int)strtol(strrchr(at, ':') + 1, NULL, 10);
}

static int start_server(void **state) {
    (void)state;
    int pipe_fds[2];
    assert_non_null(mkdtemp(folder));
    make_certificate("one", path_of("key"), path_of("certificate"));
    make_certificate("two", path_of("other_key"), path_of("other"));
    const char *const arguments[] = {
        "openssl", "s_server",     "-accept", "127.0.0.1:0", "-cert", path_of("certificate"),
        "-key",    path_of("key"), "-www",    NULL};
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    server_pid = start(arguments, pipe_fds[1]);
    close(pipe_fds[1]);
    server_port = read_port(pipe_fds[0]);
    close(pipe_fds[0]); /* it says nothing more */
    return 0;
}

static int remove_file(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static int stop_server(void **state) {
    (void)state;
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    return nftw(folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

static void get_from(const char *host, const char *ca_file, struct transfer *transfer) {
    transfers_use((struct edda_outbound_options){
        .ca_file = ca_file, .connect_ms = 20000, .first_byte_ms = 20000, .idle_ms = 20000});
    transfer_make(transfer);
    snprintf(transfer->url, sizeof transfer->url, "https://%s:%d/", host, server_port);
    transfer->request.method = "GET";
    transfer->request.body = (struct edda_bytes){0};
    transfer_send(transfer);
}

static void expect_refused(struct transfer *transfer) {
    transfer_expect(transfer, EDDA_E_UNAVAILABLE);
    assert_int_equal(transfer->status, 0);
    assert_false(transfer->began);
    assert_int_equal(transfer->body_size, 0);
}

static void a_server_is_trusted_by_the_file_of_authorities(void **state) {
    (void)state;
    struct transfer transfer;
    get_from("127.0.0.1", path_of("certificate"), &transfer);
    transfer_expect(&transfer, 0);
    assert_int_equal(transfer.status, 200);
    assert_true(transfer.body_size > 0);
}

static void a_server_that_nobody_vouches_for_is_refused(void **state) {
    (void)state;
    struct transfer transfer;
    get_from("127.0.0.1", NULL, &transfer);
    expect_refused(&transfer);
    get_from("127.0.0.1", "", &transfer);
    expect_refused(&transfer);
}

static void a_server_that_only_others_vouch_for_is_refused(void **state) {
    (void)state;
    struct transfer transfer;
    get_from("127.0.0.1", path_of("other"), &transfer);
    expect_refused(&transfer);
}

static void a_server_with_another_name_is_refused(void **state) {
    (void)state;
    struct transfer transfer;
    get_from("localhost", path_of("certificate"), &transfer);
    expect_refused(&transfer);
}

static void without_the_file_of_authorities_nobody_is_trusted(void **state) {
    (void)state;
    struct transfer transfer;
    get_from("127.0.0.1", path_of("none"), &transfer);
    expect_refused(&transfer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(a_server_is_trusted_by_the_file_of_authorities),
        TRANSFER_TEST(a_server_that_nobody_vouches_for_is_refused),
        TRANSFER_TEST(a_server_that_only_others_vouch_for_is_refused),
        TRANSFER_TEST(a_server_with_another_name_is_refused),
        TRANSFER_TEST(without_the_file_of_authorities_nobody_is_trusted),
    };
    signal(SIGPIPE, SIG_IGN); /* as the launcher does */
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
