/* tests/harness/port.c: see port.h. */
#include "tests/harness/port.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/socket.h"
#include "tests/proto/cmocka.h"

static bool is_free(uint16_t port) {
    int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(probe >= 0);
    assert_int_equal(setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    bool free = bind(probe, (struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return free;
}

/* A peer that looks for a broker that is being started again could be given such a port as its own,
 * and be connected to itself; a closed connection keeps one for a minute. */
uint16_t free_tcp_url(char *ret_url) {
    uint16_t port;
    do {
        port = (uint16_t)(10000 + edda_random32() % 5000 * 2);
    } while (!is_free(port) || !is_free((uint16_t)(port + 1)));
    snprintf(ret_url, EDDA_MAX_URL, "tcp://127.0.0.1:%u", port);
    return port;
}
