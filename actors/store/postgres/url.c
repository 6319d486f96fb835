/* actors/store/postgres/url.c: libpq reads the URL; we check what it read and say no more of it
 * than is good. */
#include "actors/store/postgres/url.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/buffer.h"

#define HOST_BYTES  256
#define SHOWN_BYTES 512
#define SHOWN_WHOLE 65536
#define LIST_BYTES  4096
#define FORM        "postgres://USER:PASSWORD@HOST:PORT/DATABASE"
#define ENCODE      "; special characters of the password must be percent-encoded"

struct edda_pg_url {
    PQconninfoOption *options; /* owned; holds the password */
    struct edda_pg_host hosts[EDDA_PG_HOSTS];
    size_t host_count;
    char *texts[3 * EDDA_PG_HOSTS]; /* owned: what hosts point to */
    size_t text_count;
    char shown[SHOWN_BYTES];
};

/* ---- options ---- */

static PQconninfoOption *find_option(const struct edda_pg_url *self, const char *keyword) {
    for (PQconninfoOption *option = self->options; option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            return option;
        }
    }
    return NULL;
}

/* NULL: not said. */
static const char *find_value(const struct edda_pg_url *self, const char *keyword) {
    const PQconninfoOption *option = find_option(self, keyword);
    return option && option->val && option->val[0] ? option->val : NULL;
}

/* As libpq would take it: from the URL, else from the environment. */
static const char *value_or_variable(const struct edda_pg_url *self, const char *keyword,
                                     const char *variable) {
    const char *value = find_value(self, keyword);
    const char *from_environment = getenv(variable);
    return value ? value : from_environment ? from_environment : "";
}

static bool asks_for_a_standby(const struct edda_pg_url *self) {
    const char *wanted = find_value(self, "target_session_attrs");
    return wanted && (strcmp(wanted, "read-only") == 0 || strcmp(wanted, "standby") == 0 ||
                      strcmp(wanted, "prefer-standby") == 0);
}

/* ---- hosts ---- */

/* The n-th of a comma-separated list; false past its end. An empty list has one empty item. */
static bool list_item(const char *list, size_t n, const char **ret_begin, size_t *ret_size) {
    for (; n > 0; n--) {
        list = strchr(list, ',');
        if (!list) {
            return false;
        }
        list++;
    }
    *ret_begin = list;
    *ret_size = strcspn(list, ",");
    return true;
}

static size_t list_count(const char *list) {
    size_t count = 1;
    for (; *list; list++) {
        count += *list == ',';
    }
    return count;
}

static const char *keep(struct edda_pg_url *self, const char *begin, size_t size) {
    EDDA_ASSERT(self->text_count < sizeof self->texts / sizeof self->texts[0]);
    char *copy = strndup(begin, size);
    self->texts[self->text_count] = copy;
    self->text_count += copy != NULL;
    return copy;
}

/* A wrongly encoded password ends up in here. */
static bool is_host(const char *begin, size_t size) {
    if (size > 0 && begin[0] == '/') {
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        char c = begin[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_' || c == ':' || c == '%')) {
            return false;
        }
    }
    return size < HOST_BYTES;
}

static bool is_port(const char *begin, size_t size) {
    long port = 0;
    for (size_t i = 0; i < size; i++) {
        if (begin[i] < '0' || begin[i] > '9' || i >= 5) {
            return false;
        }
        port = port * 10 + (begin[i] - '0');
    }
    return size == 0 || (port > 0 && port <= 65535);
}

static bool is_number(const char *text) {
    struct in6_addr address; /* large enough for both */
    return inet_pton(AF_INET, text, &address) == 1 || strchr(text, ':') != NULL;
}

static enum edda_pg_host_kind kind_of(const struct edda_pg_host *host) {
    if (host->address) {
        return EDDA_PG_HOST_NUMBER;
    }
    if (host->name[0] == '\0' || host->name[0] == '/') {
        return EDDA_PG_HOST_SOCKET;
    }
    return is_number(host->name) ? EDDA_PG_HOST_NUMBER : EDDA_PG_HOST_NAME;
}

static int add_host(struct edda_pg_url *self, size_t n, const char *names, const char *addresses,
                    const char *ports) {
    const char *begin = "";
    size_t size = 0;
    struct edda_pg_host *host = &self->hosts[n];
    (void)list_item(names, n, &begin, &size);
    if (!is_host(begin, size)) {
        return EDDA_E_INVALID;
    }
    host->name = keep(self, begin, size);
    size = 0;
    (void)list_item(addresses, n, &begin, &size);
    if (!is_host(begin, size)) {
        return EDDA_E_INVALID;
    }
    host->address = size > 0 ? keep(self, begin, size) : NULL;
    bool no_address = size > 0 && !host->address;
    /* One port is for all hosts. */
    if (!list_item(ports, list_count(ports) == 1 ? 0 : n, &begin, &size) || !is_port(begin, size)) {
        return EDDA_E_INVALID;
    }
    host->port = keep(self, begin, size);
    if (!host->name || !host->port || no_address) {
        return EDDA_E_MEMORY;
    }
    host->kind = kind_of(host);
    return 0;
}

static int read_hosts(struct edda_pg_url *self) {
    const char *names = value_or_variable(self, "host", "PGHOST");
    const char *addresses = value_or_variable(self, "hostaddr", "PGHOSTADDR");
    const char *ports = value_or_variable(self, "port", "PGPORT");
    size_t count =
        list_count(addresses) > list_count(names) ? list_count(addresses) : list_count(names);
    if (count > EDDA_PG_HOSTS) {
        return EDDA_E_LIMIT;
    }
    for (size_t i = 0; i < count; i++) {
        int error = add_host(self, i, names, addresses, ports);
        if (error) {
            return error;
        }
    }
    self->host_count = count;
    return 0;
}

static void show(struct edda_pg_url *self) {
    struct edda_buffer text;
    const char *user = find_value(self, "user");
    const char *database = find_value(self, "dbname");
    edda_buffer_init(&text, SHOWN_WHOLE); /* what is longer than there is room for is cut */
    for (size_t i = 0; i < self->host_count; i++) {
        const struct edda_pg_host *host = &self->hosts[i];
        const char *name = host->name[0] ? host->name : host->address ? host->address : "socket";
        bool bracketed = strchr(name, ':') != NULL;
        (void)edda_buffer_printf(&text, "%s%s%s%s%s%s%s", i == 0 && user ? user : "",
                                 i == 0 && user ? "@"
                                 : i > 0        ? ","
                                                : "",
                                 bracketed ? "[" : "", name, bracketed ? "]" : "",
                                 host->port[0] ? ":" : "", host->port);
    }
    (void)edda_buffer_printf(&text, "/%s", database ? database : "");
    snprintf(self->shown, sizeof self->shown, "%.*s", (int)text.size,
             text.data ? (const char *)text.data : "");
    edda_buffer_done(&text);
}

/* ---- life ---- */

static int refuse(char *message, size_t size, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(char *message, size_t size, int error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, size, format, arguments);
    va_end(arguments);
    return error;
}

static int read_url(struct edda_pg_url *self, const char *text, char *message, size_t size) {
    char *words = NULL;
    if (strncmp(text, "postgres://", 11) != 0 && strncmp(text, "postgresql://", 13) != 0) {
        return refuse(message, size, EDDA_E_INVALID, "the database's URL must be " FORM);
    }
    self->options = PQconninfoParse(text, &words);
    PQfreemem(words); /* may hold all of the URL */
    if (!self->options) {
        return refuse(message, size, EDDA_E_INVALID,
                      "the database's URL is not " FORM " as libpq reads it" ENCODE);
    }
    if (find_value(self, "service")) {
        return refuse(message, size, EDDA_E_INVALID, "the database's URL may not name a service");
    }
    if (asks_for_a_standby(self)) {
        return refuse(
            message, size, EDDA_E_INVALID,
            "the database's URL asks for a standby (target_session_attrs); a store writes");
    }
    switch (read_hosts(self)) {
    case 0:
        show(self);
        return 0;
    case EDDA_E_LIMIT:
        return refuse(message, size, EDDA_E_INVALID, "the database's URL has more than %d hosts",
                      EDDA_PG_HOSTS);
    case EDDA_E_INVALID:
        return refuse(message, size, EDDA_E_INVALID,
                      "the database's URL has a host or port that is none" ENCODE);
    default:
        return refuse(message, size, EDDA_E_MEMORY, "out of memory");
    }
}

int edda_pg_url_parse(const char *text, char *message, size_t message_size,
                      edda_pg_url_t **ret_url) {
    struct edda_pg_url *self = calloc(1, sizeof *self);
    if (!self) {
        return refuse(message, message_size, EDDA_E_MEMORY, "out of memory");
    }
    int error = read_url(self, text, message, message_size);
    if (error) {
        edda_pg_url_free(&self);
        return error;
    }
    *ret_url = self;
    return 0;
}

void edda_pg_url_free(edda_pg_url_t **self_p) {
    struct edda_pg_url *self = *self_p;
    if (!self) {
        return;
    }
    for (PQconninfoOption *option = self->options; option && option->keyword; option++) {
        if (option->val) {
            explicit_bzero(option->val, strlen(option->val));
        }
    }
    PQconninfoFree(self->options);
    for (size_t i = 0; i < self->text_count; i++) {
        free(self->texts[i]);
    }
    free(self);
    *self_p = NULL;
}

const char *edda_pg_url_shown(const edda_pg_url_t *self) {
    return self->shown;
}

size_t edda_pg_url_hosts(const edda_pg_url_t *self) {
    return self->host_count;
}

const struct edda_pg_host *edda_pg_url_host(const edda_pg_url_t *self, size_t n) {
    EDDA_ASSERT(n < self->host_count);
    return &self->hosts[n];
}

bool edda_pg_url_has_names(const edda_pg_url_t *self) {
    for (size_t i = 0; i < self->host_count; i++) {
        if (self->hosts[i].kind == EDDA_PG_HOST_NAME) {
            return true;
        }
    }
    return false;
}

/* ---- what libpq is given ---- */

/* Of what the URL says these are said by us instead. */
static const char *const replaced[] = {"host",    "hostaddr",        "port",
                                       "options", "client_encoding", "connect_timeout"};

/* Where the URL says nothing. */
static const struct {
    const char *keyword;
    const char *value;
} defaults[] = {
    {"fallback_application_name", "edda"},
    {"target_session_attrs", "read-write"},
    {"keepalives_idle", "4"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
    {"gssencmode", "disable"},
};

struct filling {
    struct edda_pg_conninfo *conninfo;
    size_t count;
    int error;
};

static void fill(struct filling *filling, const char *keyword, const char *value) {
    if (filling->count + 1 >= EDDA_PG_OPTIONS) {
        filling->error = EDDA_E_LIMIT;
        return;
    }
    filling->conninfo->keywords[filling->count] = keyword;
    filling->conninfo->values[filling->count++] = value;
}

/* Of several hosts any is as good as one that cannot be written. */
static bool is_any(const PQconninfoOption *option) {
    return strcmp(option->keyword, "target_session_attrs") == 0 && option->val &&
           strcmp(option->val, "any") == 0;
}

static bool is_replaced(const char *keyword) {
    for (size_t i = 0; i < sizeof replaced / sizeof replaced[0]; i++) {
        if (strcmp(replaced[i], keyword) == 0) {
            return true;
        }
    }
    return false;
}

static char *take_text(struct edda_buffer *list, int *error) {
    uint8_t *text = NULL;
    size_t size = 0;
    (void)edda_buffer_append(list, "", 1);
    *error = *error ? *error : list->error;
    edda_buffer_take(list, &text, &size);
    return (char *)text;
}

static void fill_hosts(struct filling *filling, const edda_pg_url_t *url,
                       const struct edda_pg_address *addresses, size_t count) {
    struct edda_pg_conninfo *conninfo = filling->conninfo;
    struct edda_buffer hosts;
    struct edda_buffer numbers;
    struct edda_buffer ports;
    edda_buffer_init(&hosts, LIST_BYTES);
    edda_buffer_init(&numbers, LIST_BYTES);
    edda_buffer_init(&ports, LIST_BYTES);
    for (size_t i = 0; i < count; i++) {
        const struct edda_pg_host *host = edda_pg_url_host(url, addresses[i].host);
        const char *comma = i > 0 ? "," : "";
        (void)edda_buffer_printf(&hosts, "%s%s", comma, host->name);
        (void)edda_buffer_printf(&numbers, "%s%s", comma, addresses[i].text);
        (void)edda_buffer_printf(&ports, "%s%s", comma, host->port);
    }
    conninfo->hosts = take_text(&hosts, &filling->error);
    conninfo->addresses = take_text(&numbers, &filling->error);
    conninfo->ports = take_text(&ports, &filling->error);
    fill(filling, "host", conninfo->hosts);
    fill(filling, "hostaddr", conninfo->addresses);
    fill(filling, "port", conninfo->ports);
}

static void fill_settings(struct filling *filling, const edda_pg_url_t *url, const char *settings) {
    struct edda_buffer text;
    const char *own = find_value(url, "options");
    edda_buffer_init(&text, LIST_BYTES);
    (void)edda_buffer_printf(&text, "%s%s%s", own ? own : "", own && settings ? " " : "",
                             settings ? settings : "");
    filling->conninfo->settings = take_text(&text, &filling->error);
    fill(filling, "options", filling->conninfo->settings);
    fill(filling, "client_encoding", "UTF8");
}

int edda_pg_conninfo_make(struct edda_pg_conninfo *conninfo, const edda_pg_url_t *url,
                          const struct edda_pg_address *addresses, size_t count,
                          const char *settings) {
    struct filling filling = {.conninfo = conninfo};
    memset(conninfo, 0, sizeof *conninfo);
    for (const PQconninfoOption *option = url->options; option->keyword; option++) {
        if (option->val && !is_replaced(option->keyword) && !is_any(option)) {
            fill(&filling, option->keyword, option->val);
        }
    }
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        const PQconninfoOption *said = find_option(url, defaults[i].keyword);
        if (!said || !said->val || !said->val[0] || is_any(said)) {
            fill(&filling, defaults[i].keyword, defaults[i].value);
        }
    }
    fill_hosts(&filling, url, addresses, count);
    fill_settings(&filling, url, settings);
    if (filling.error) {
        edda_pg_conninfo_done(conninfo);
    }
    return filling.error;
}

void edda_pg_conninfo_done(struct edda_pg_conninfo *conninfo) {
    free(conninfo->hosts);
    free(conninfo->addresses);
    free(conninfo->ports);
    free(conninfo->settings);
    memset(conninfo, 0, sizeof *conninfo);
}

/* ---- words ---- */

void edda_pg_words(const edda_pg_url_t *url, const char *text, char ret_words[EDDA_PG_WORDS]) {
    const char *password = url ? find_value(url, "password") : NULL;
    size_t secret = password ? strlen(password) : 0;
    size_t used = 0;
    while (*text && used < EDDA_PG_WORDS - 4) {
        if (secret > 0 && strncmp(text, password, secret) == 0) {
            memcpy(ret_words + used, "***", 3);
            used += 3;
            text += secret;
            continue;
        }
        char c = *text++;
        c = c == '"' ? '\'' : (unsigned char)c < ' ' || c == 0x7F ? ' ' : c;
        if (c != ' ' || (used > 0 && ret_words[used - 1] != ' ')) {
            ret_words[used++] = c;
        }
    }
    while (used > 0 && ret_words[used - 1] == ' ') {
        used--;
    }
    ret_words[used] = '\0';
}
