/* tests/actors/provider/accounts.h: an account of each kind, for tests of the mappings. */
#ifndef EDDA_TESTS_ACTORS_PROVIDER_ACCOUNTS_H
#define EDDA_TESTS_ACTORS_PROVIDER_ACCOUNTS_H

#include "actors/provider/api.h"

static inline struct edda_account account_of(enum edda_provider_kind kind) {
    return (struct edda_account){
        .kind = kind, .name = "name", .url = "http://host/base", .key = "k1", .model = "m1"};
}

static inline struct edda_bytes bytes_of(const char *text) {
    return (struct edda_bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool has_header(const struct edda_api_request *request, const char *header) {
    for (size_t i = 0; request->header_list[i]; i++) {
        if (strcmp(request->header_list[i], header) == 0) {
            return true;
        }
    }
    return false;
}

static inline size_t count_header_list(const struct edda_api_request *request) {
    size_t count = 0;
    while (request->header_list[count]) {
        count++;
    }
    return count;
}

#endif
