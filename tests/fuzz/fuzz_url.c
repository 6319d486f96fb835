/* tests/fuzz/fuzz_url.c: a database's URL, and what is said about it.
 *
 * The input is a URL, a zero byte, and words of a server. A URL that is refused is refused in
 * printable words; one that is taken can be given to libpq with an address for each host, is shown
 * without its password, and no words of a server repeat that. */
#include "actors/store/postgres/url.h"
#include "tests/fuzz/fuzz.h"

static void check_words(const char *words, size_t size) {
    size_t length = strnlen(words, size);
    EDDA_ASSERT(length < size);
    for (size_t i = 0; i < length; i++) {
        EDDA_ASSERT((unsigned char)words[i] >= ' ' && words[i] != '"' && words[i] != 0x7F);
    }
}

static const char *password_of(const struct edda_pg_conninfo *conninfo) {
    for (size_t i = 0; conninfo->keywords[i]; i++) {
        if (strcmp(conninfo->keywords[i], "password") == 0) {
            return conninfo->values[i];
        }
    }
    return NULL;
}

static void use(const edda_pg_url_t *url, const char *said) {
    struct edda_pg_address addresses[EDDA_PG_HOSTS] = {0};
    struct edda_pg_conninfo conninfo;
    char words[EDDA_PG_WORDS];
    size_t count = edda_pg_url_hosts(url);
    EDDA_ASSERT(count >= 1 && count <= EDDA_PG_HOSTS);
    for (size_t i = 0; i < count; i++) {
        addresses[i].host = i;
        EDDA_ASSERT(strlen(edda_pg_url_host(url, i)->port) < 16);
    }
    EDDA_ASSERT(strlen(edda_pg_url_shown(url)) > 0);
    edda_pg_words(url, said, words);
    check_words(words, sizeof words);
    if (edda_pg_conninfo_make(&conninfo, url, addresses, count, "-c jit=off") != 0) {
        return;
    }
    const char *password = password_of(&conninfo);
    if (password && strlen(password) >= 4 && !strchr(password, '*')) {
        EDDA_ASSERT(!strstr(words, password));
    }
    edda_pg_conninfo_done(&conninfo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = __builtin_malloc(size + 2);
    char message[512] = "";
    edda_pg_url_t *url = NULL;
    EDDA_ASSERT(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = copy[size + 1] = '\0';
    int error = edda_pg_url_parse(copy, message, sizeof message, &url);
    if (error) {
        EDDA_ASSERT(!url && message[0]);
        check_words(message, sizeof message);
    } else {
        use(url, copy + strlen(copy) + 1);
    }
    edda_pg_url_free(&url);
    __builtin_free(copy);
    return 0;
}
