/* actors/runtime/resolve.c: see resolve.h. */
#include "actors/runtime/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#define HOST_BYTES 256

static bool split(const char *url, char host[HOST_BYTES], const char **ret_port) {
    const char *colon = strrchr(url, ':');
    if (strncmp(url, "tcp://", 6) != 0 || !colon || colon <= url + 6 ||
        colon - url - 6 >= HOST_BYTES) {
        return false;
    }
    size_t size = (size_t)(colon - url) - 6;
    memcpy(host, url + 6, size);
    host[size] = '\0';
    *ret_port = colon + 1;
    return true;
}

static bool write_address(const struct addrinfo *info, char ret_url[EDDA_ADDRESS_URL]) {
    char host[64];
    char port[8];
    if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    bool six = info->ai_family == AF_INET6;
    (void)snprintf(ret_url, EDDA_ADDRESS_URL, six ? "tcp://[%s]:%s" : "tcp://%s:%s", host, port);
    return true;
}

size_t edda_url_resolve(const char *url, char ret_urls[EDDA_MAX_ADDRESSES][EDDA_ADDRESS_URL]) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[HOST_BYTES];
    const char *port;
    size_t count = 0;
    if (!split(url, host, &port) || getaddrinfo(host, port, &hints, &found) != 0) {
        return 0;
    }
    for (const struct addrinfo *at = found; at && count < EDDA_MAX_ADDRESSES; at = at->ai_next) {
        bool known = !write_address(at, ret_urls[count]);
        for (size_t i = 0; i < count && !known; i++) {
            known = strcmp(ret_urls[i], ret_urls[count]) == 0;
        }
        count += !known;
    }
    freeaddrinfo(found);
    return count;
}
