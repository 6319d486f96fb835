/* actors/store/postgres/versions.h: a memo's contents: said as a version with its jobs, completed;
 * read from where they were staged. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_VERSIONS_H
#define EDDA_ACTORS_STORE_POSTGRES_VERSIONS_H

#include "actors/store/content.h"
#include "actors/store/postgres/call.h"

/* What a new version is of. */
struct edda_pg_version {
    struct edda_text project;
    struct edda_uuid memo;
    int64_t before; /* the memo's latest version, which this one follows; 0: it has none */
    int64_t number;
    const struct edda_content *content;
};

/* Makes it the memo's latest, one ready job a part, if the memo's latest is still the one before;
 * on_rows gets its row, or none. Uses the call's buffer. EDDA_E_MEMORY, EDDA_E_LIMIT. */
int edda_pg_say_version(struct edda_pg_call *call, const struct edda_pg_version *version,
                        edda_pg_step_fn on_rows) EDDA_MUST_CHECK;

/* Puts the parts of content where uuid's are staged, the first as number `first`; nothing happens
 * when a memo has taken them. Uses the call's buffer. EDDA_E_MEMORY, EDDA_E_LIMIT. */
int edda_pg_say_staged(struct edda_pg_call *call, const struct edda_uuid *uuid, uint32_t first,
                       const struct edda_content *content) EDDA_MUST_CHECK;

/* If all jobs of the version are done, and it is not shown yet: readers see it now, and no longer
 * the one before; parts that lack the project's next model are queued. Else nothing happens. Sets
 * jobs_ready. */
void edda_pg_say_complete(struct edda_pg_call *call, int64_t version);

/* Measures what is staged under uuid into *content, in the loop and on a pool thread, then the
 * step. staged is 0 when nothing is staged there any more. Words and EDDA_E_INVALID when parts are
 * missing or their sum is not bytes. */
struct edda_pg_staged {
    struct edda_uuid uuid;
    uint32_t parts;
    uint64_t bytes;
    struct edda_text format;
    struct edda_content *content;
    edda_pg_step_fn then;
    int64_t next; /* versions.c's own from here: the next part's row */
    edda_pg_result_t *result;
};
int edda_pg_read_staged(struct edda_pg_call *call, struct edda_pg_staged *staged) EDDA_MUST_CHECK;

/* EDDA_E_INVALID: the request has no project's name, or a longer one than there can be. */
int edda_pg_check_project(const struct edda_pg_call *call) EDDA_MUST_CHECK;

#endif
