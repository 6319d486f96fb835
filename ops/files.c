/* ops/files.c: see files.h. */
#include "ops/files.h"

#include <errno.h>
#include <fts.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void edda_files_init(struct edda_files *files) {
    *files = (struct edda_files){0};
}

void edda_files_done(struct edda_files *files) {
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
    edda_files_init(files);
}

/* Of either case. */
static bool is_importable(const char *name) {
    static const char *const endings[] = {".txt", ".md", ".html", ".csv", ".json"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i]);
        if (size > ending && strcasecmp(name + size - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

/* Skips "./", "../" and slashes at a component's begin. */
static const char *skip_dots(const char *at, bool first) {
    for (;;) {
        if (*at == '/')
            at++;
        else if (at[0] == '.' && (at[1] == '/' || at[1] == '\0'))
            at++;
        else if (first && at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
            at += 2;
        else
            return at;
    }
}

void edda_files_reference(const char *path, char ret_reference[EDDA_REFERENCE_TEXT]) {
    size_t room = strlen(path) + 1;
    char *tidy = malloc(room);
    EDDA_ASSERT(tidy);
    size_t size = 0;
    const char *at = skip_dots(path, true);
    while (*at) {
        size_t component = strcspn(at, "/");
        if (size > 0)
            tidy[size++] = '/';
        memcpy(tidy + size, at, component);
        size += component;
        at = skip_dots(at + component, false);
    }
    tidy[size] = '\0';
    if (size < EDDA_REFERENCE_TEXT) {
        memcpy(ret_reference, tidy, size + 1);
    } else {
        unsigned char digest[crypto_hash_sha256_BYTES];
        crypto_hash_sha256(digest, (const unsigned char *)tidy, size);
        sodium_bin2hex(ret_reference, 33, digest, 16);
        size_t kept = EDDA_REFERENCE_TEXT - 1 - 33;
        const char *end = tidy + size - kept;
        while (((unsigned char)*end & 0xc0) == 0x80)
            end++; /* not in the middle of a character */
        snprintf(ret_reference + 32, EDDA_REFERENCE_TEXT - 32, "-%s", end);
    }
    free(tidy);
}

static int add_one(struct edda_files *files, const char *path) {
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : 64;
        struct edda_file *items = reallocarray(files->items, capacity, sizeof *items);
        if (!items)
            return EDDA_E_MEMORY;
        files->items = items;
        files->capacity = capacity;
    }
    struct edda_file *file = &files->items[files->count];
    file->path = strdup(path);
    if (!file->path)
        return EDDA_E_MEMORY;
    edda_files_reference(path, file->reference);
    files->count++;
    return 0;
}

/* One entry of the walk. What cannot be read is an error; what is no text file is one when it was
 * named itself, else it is passed over. */
static int take_entry(struct edda_files *files, FTS *walk, FTSENT *entry, char *message,
                      size_t message_size) {
    bool named = entry->fts_level == 0;
    switch (entry->fts_info) {
    case FTS_D:
        if (!named && entry->fts_name[0] == '.')
            fts_set(walk, entry, FTS_SKIP);
        return 0;
    case FTS_F:
        if (!is_importable(entry->fts_name) || (!named && entry->fts_name[0] == '.')) {
            if (named) {
                snprintf(message, message_size, "%s is not a .txt, .md, .html, .csv or .json file",
                         entry->fts_path);
                return EDDA_E_INVALID;
            }
            files->skipped++;
            return 0;
        }
        return add_one(files, entry->fts_path);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        snprintf(message, message_size, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
        return entry->fts_errno == ENOENT ? EDDA_E_NOT_FOUND : EDDA_E_IO;
    case FTS_SLNONE:
    case FTS_DEFAULT:
        if (named) {
            snprintf(message, message_size, "%s is no file and no folder", entry->fts_path);
            return EDDA_E_INVALID;
        }
        return 0;
    default:
        return 0;
    }
}

int edda_files_add(struct edda_files *files, const char *path, char *message, size_t message_size) {
    char *copy = strdup(path);
    char *const paths[] = {copy, NULL};
    FTS *walk = copy ? fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL) : NULL;
    int error = walk ? 0 : EDDA_E_MEMORY;
    snprintf(message, message_size, "%s: %s", path, walk ? "" : strerror(errno));
    FTSENT *entry;
    while (error == 0 && (entry = fts_read(walk)))
        error = take_entry(files, walk, entry, message, message_size);
    if (walk)
        fts_close(walk);
    free(copy);
    return error;
}

static int compare_references(const void *a, const void *b) {
    const struct edda_file *first = a;
    const struct edda_file *second = b;
    return strcmp(first->reference, second->reference);
}

void edda_files_finish(struct edda_files *files) {
    if (files->count == 0)
        return;
    qsort(files->items, files->count, sizeof *files->items, compare_references);
    size_t kept = 1;
    for (size_t i = 1; i < files->count; i++) {
        if (strcmp(files->items[i].reference, files->items[kept - 1].reference) == 0)
            free(files->items[i].path);
        else
            files->items[kept++] = files->items[i];
    }
    files->count = kept;
}
