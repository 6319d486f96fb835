/* actors/store/memos.h: what is decided about a memo without asking a database: its status, how its
 * pages are cut, how long rows are kept.
 *
 * A memo has versions of its content; the newest is `latest`, the one that readers see `current`.
 * Pure. */
#ifndef EDDA_ACTORS_STORE_MEMOS_H
#define EDDA_ACTORS_STORE_MEMOS_H

#include "proto/body_store.h"
#include "proto/error.h"
#include "proto/limits.h"

#define EDDA_MAX_PARTS           4096 /* of one memo; 12 bits of a part's row id */
#define EDDA_MEMO_PAGE_BYTES     (512u * 1024u)
#define EDDA_MEMO_PAGE_CHUNKS    4096u
#define EDDA_MEMO_CHUNK_OVERHEAD 64u /* of a chunk in an encoded page */
#define EDDA_MEMO_PART_OVERHEAD  8u
#define EDDA_SNIPPET_POINTS      100u

#define EDDA_KEEP_STAGED_MS      (24 * 3600 * INT64_C(1000))
#define EDDA_KEEP_TOMBSTONE_MS   (24 * 3600 * INT64_C(1000)) /* a resent accept must find it */
#define EDDA_KEEP_SUPERSEDED_MS  (60 * INT64_C(1000))        /* a reader may be between two pages */
#define EDDA_KEEP_IDEMPOTENCY_MS (7 * 24 * 3600 * INT64_C(1000))
#define EDDA_KEEP_EXPIRED_MS     (30 * 24 * 3600 * INT64_C(1000))

/* Stored: numbers are never reused. */
enum edda_version_state {
    EDDA_VERSION_OPEN = 0,       /* has jobs that are not done */
    EDDA_VERSION_READY = 1,      /* complete: may be shown */
    EDDA_VERSION_DEAD = 2,       /* one of its jobs is dead */
    EDDA_VERSION_SUPERSEDED = 3, /* a newer one took its place */
    EDDA_VERSION_STAGED = 4,     /* parts without a memo yet */
};

/* The contract's word for a memo whose latest version is in this state. Static. */
const char *edda_memo_status(enum edda_version_state latest);

/* A page of at most EDDA_MEMO_PAGE_BYTES that is being filled. */
struct edda_memo_page {
    size_t bytes;
    size_t items;
};

/* Counts one item of size bytes (with its overhead) if it fits; the page's first always does. */
bool edda_memo_page_take(struct edda_memo_page *page, size_t size);

/* EDDA_E_INVALID when the page is 0 or the size is not 1..100; else the first row to show. */
int edda_list_offset(const struct edda_store_page *page, uint64_t *ret_offset) EDDA_MUST_CHECK;

/* What accept, patch and put_part are refused for by every backend, U+0000 in a text among it.
 * *ret_text says what is wrong when it is EDDA_E_INVALID or EDDA_E_LIMIT. */
int edda_store_check_accept(const struct edda_store_accept *accept,
                            const char **ret_text) EDDA_MUST_CHECK;
int edda_store_check_patch(const struct edda_store_patch *patch,
                           const char **ret_text) EDDA_MUST_CHECK;
int edda_store_check_put_part(const struct edda_store_put_part *put,
                              const char **ret_text) EDDA_MUST_CHECK;
int edda_memo_check_parts(const struct edda_texts *parts, uint32_t staged_parts,
                          uint64_t content_bytes, const char **ret_text) EDDA_MUST_CHECK;

#endif
