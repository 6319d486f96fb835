/* actors/store/postgres/projects.h: the numbers of projects whose names were met: a memory that
 * forgets, so that most operations need not ask.
 *
 * A project's number never changes, while the database is the same one. Direct-mapped: a newer name
 * takes the place of an older one. Threads: the loop's. */
#ifndef EDDA_ACTORS_STORE_POSTGRES_PROJECTS_H
#define EDDA_ACTORS_STORE_POSTGRES_PROJECTS_H

#include "actors/text/text.h"
#include "proto/limits.h"
#include "proto/types.h"

#define EDDA_PG_PROJECTS 1024

struct edda_pg_project {
    int64_t id; /* 0: empty */
    size_t size;
    char name[EDDA_MAX_NAME];
};

struct edda_pg_projects {
    struct edda_pg_project items[EDDA_PG_PROJECTS];
};

static inline struct edda_pg_project *edda_pg_projects_at(struct edda_pg_projects *projects,
                                                          struct edda_text name) {
    return &projects
                ->items[edda_text_hash(name.data ? name.data : "", name.size) % EDDA_PG_PROJECTS];
}

/* 0: not known. */
static inline int64_t edda_pg_projects_get(struct edda_pg_projects *projects,
                                           struct edda_text name) {
    const struct edda_pg_project *project = edda_pg_projects_at(projects, name);
    bool same = project->id && project->size == name.size && name.size > 0 &&
                memcmp(project->name, name.data, name.size) == 0;
    return same ? project->id : 0;
}

static inline void edda_pg_projects_put(struct edda_pg_projects *projects, struct edda_text name,
                                        int64_t id) {
    struct edda_pg_project *project = edda_pg_projects_at(projects, name);
    if (name.size > 0 && name.size <= EDDA_MAX_NAME) {
        memcpy(project->name, name.data, name.size);
        project->size = name.size;
        project->id = id;
    }
}

static inline void edda_pg_projects_forget(struct edda_pg_projects *projects) {
    memset(projects, 0, sizeof *projects);
}

#endif
