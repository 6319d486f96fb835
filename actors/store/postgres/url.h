/* actors/store/postgres/url.h: the URL of a database, taken apart; it keeps the password to itself.
 *
 * libpq's own words about a URL may repeat all of it, so nothing of them is used here. Threads:
 * read from any. Limits: EDDA_PG_HOSTS hosts; EDDA_PG_ADDRESSES addresses of them all. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_URL_H
#define EDDA_ACTORS_STORE_POSTGRES_URL_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_PG_HOSTS     8
#define EDDA_PG_ADDRESSES 16
#define EDDA_PG_OPTIONS   64  /* keywords and values of a connection */
#define EDDA_PG_WORDS     400 /* words of libpq or the server, made presentable */

typedef struct edda_pg_url edda_pg_url_t;

/* EDDA_E_INVALID: message says what is wrong with it, without repeating any of it. EDDA_E_MEMORY.
 */
int edda_pg_url_parse(const char *text, char *message, size_t message_size,
                      edda_pg_url_t **ret_url) EDDA_MUST_CHECK;

/* Wipes the password. */
void edda_pg_url_free(edda_pg_url_t **self_p);

/* "edda@db.example:5432/edda": for people and logs. Lives as long as the URL. */
const char *edda_pg_url_shown(const edda_pg_url_t *self);

/* ---- hosts, in the order they are tried ---- */

enum edda_pg_host_kind { EDDA_PG_HOST_SOCKET, EDDA_PG_HOST_NUMBER, EDDA_PG_HOST_NAME };

struct edda_pg_host {
    const char *name;    /* "" with a socket: libpq's default directory */
    const char *address; /* hostaddr, or NULL; then it need not be looked up */
    const char *port;    /* digits, or "" */
    enum edda_pg_host_kind kind;
};

size_t edda_pg_url_hosts(const edda_pg_url_t *self);
const struct edda_pg_host *edda_pg_url_host(const edda_pg_url_t *self, size_t n);

/* Whether some host is a name without an address. */
bool edda_pg_url_has_names(const edda_pg_url_t *self);

/* One address of one host. */
struct edda_pg_address {
    size_t host;
    char text[64]; /* numeric; "" for a socket */
};

/* ---- what libpq is given ---- */

/* Borrows from the URL and from itself: does not move. */
struct edda_pg_conninfo {
    const char *keywords[EDDA_PG_OPTIONS]; /* NULL-terminated */
    const char *values[EDDA_PG_OPTIONS];
    char *hosts; /* owned, as all that follow */
    char *addresses;
    char *ports;
    char *settings;
};

/* addresses: at least one a host that is to be tried. settings: of the session, "-c a=b -c c=d",
 * put behind those of the URL; NULL: none. EDDA_E_MEMORY, EDDA_E_LIMIT. */
int edda_pg_conninfo_make(struct edda_pg_conninfo *conninfo, const edda_pg_url_t *url,
                          const struct edda_pg_address *addresses, size_t count,
                          const char *settings) EDDA_MUST_CHECK;
void edda_pg_conninfo_done(struct edda_pg_conninfo *conninfo);

/* libpq's or the server's words as one line fit for a log: line breaks and quotes replaced, cut,
 * the password wherever it occurs as "***". url may be NULL: nothing is hidden. A password from
 * PGPASSWORD or a passfile is not known here, and need not be: of libpq's texts only those about a
 * URL repeat values of it, the others name at most a file, and a server does not repeat what it was
 * given. Source: libpq 15, fe-connect.c, fe-auth.c */
void edda_pg_words(const edda_pg_url_t *url, const char *text, char ret_words[EDDA_PG_WORDS]);

#endif
