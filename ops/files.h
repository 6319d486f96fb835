/* ops/files.h: which files an import takes, in a fixed order, with the reference id of each.
 *
 * A file's reference id is its path as given on the command line, tidied: no "./", no doubled or
 * trailing slashes, no leading "/" or "../". So `edda import docs` and `edda import docs/a.md` name
 * the same memo. A path over 255 bytes keeps its end behind a hash of the whole. Folders are walked
 * without following symbolic links; names that begin with a dot are left alone. */
#ifndef EDDA_OPS_FILES_H
#define EDDA_OPS_FILES_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_REFERENCE_TEXT 256

struct edda_file {
    char *path;
    char reference[EDDA_REFERENCE_TEXT];
};

struct edda_files {
    struct edda_file *items; /* in order of reference, none twice */
    size_t count;
    size_t capacity;
    size_t skipped; /* of other kinds */
};

void edda_files_init(struct edda_files *files);
void edda_files_done(struct edda_files *files);

/* Adds a file, or all files beneath a folder. A folder's files of other kinds are counted as
 * skipped. EDDA_E_INVALID: what is named itself is a file of another kind, or none.
 * EDDA_E_NOT_FOUND: no such path. EDDA_E_IO, EDDA_E_MEMORY. message says which. */
int edda_files_add(struct edda_files *files, const char *path, char *message,
                   size_t message_size) EDDA_MUST_CHECK;

/* Sorts and removes what was named twice; after the last add. */
void edda_files_finish(struct edda_files *files);

/* The reference id of a path; one that is too long is its hash and its end. */
void edda_files_reference(const char *path, char ret_reference[EDDA_REFERENCE_TEXT]);

#endif
