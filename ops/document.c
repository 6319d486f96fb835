/* ops/document.c: see document.h. */
#include "ops/document.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/utf8.h"

#define HASH_NAME "import_sha256"

static int read_all(struct edda_document *document, int fd, const char **ret_why) {
    struct stat status;
    *ret_why = "cannot be read";
    if (fstat(fd, &status) != 0)
        return EDDA_E_IO;
    *ret_why = "larger than 32 MiB";
    if (status.st_size > (off_t)EDDA_MAX_CONTENT_BYTES)
        return EDDA_E_LIMIT;
    size_t room = (size_t)status.st_size;
    document->bytes = malloc(room + 1);
    *ret_why = "out of memory";
    if (!document->bytes)
        return EDDA_E_MEMORY;
    ssize_t got = 0;
    while (document->size < room &&
           (got = read(fd, document->bytes + document->size, room - document->size)) > 0)
        document->size += (size_t)got;
    *ret_why = "cannot be read";
    return got < 0 ? EDDA_E_IO : 0;
}

/* The text of a first-level heading among the first lines, or nothing. */
static size_t find_heading(const struct edda_document *document, const char **ret_text) {
    const char *text = (const char *)document->bytes;
    size_t end = document->size < 4096 ? document->size : 4096;
    for (size_t at = 0; at < end;) {
        const char *line = text + at;
        const char *stop = memchr(line, '\n', end - at);
        size_t size = stop ? (size_t)(stop - line) : end - at;
        bool whole = stop || end == document->size;
        if (whole && size > 2 && line[0] == '#' && line[1] == ' ') {
            size -= 2;
            line += 2;
            while (size > 0 && strchr(" \t\r#", line[size - 1]))
                size--;
            *ret_text = line;
            return size;
        }
        at += (stop ? (size_t)(stop - line) : end - at) + 1;
    }
    return 0;
}

static void set_title(struct edda_document *document) {
    const char *name = strrchr(document->file->path, '/');
    name = name ? name + 1 : document->file->path;
    const char *dot = strrchr(name, '.');
    size_t size = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    const char *text = name;
    if (dot && strcasecmp(dot, ".md") == 0) {
        const char *heading = NULL;
        size_t heading_size = find_heading(document, &heading);
        text = heading_size > 0 ? heading : text;
        size = heading_size > 0 ? heading_size : size;
    }
    if (size > EDDA_DOCUMENT_TITLE - 1) {
        size = EDDA_DOCUMENT_TITLE - 1;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--; /* not in the middle of a character */
    }
    memcpy(document->title, text, size);
    document->title[size] = '\0';
}

int edda_document_read(struct edda_document *document, const struct edda_file *file,
                       const char **ret_why) {
    *document = (struct edda_document){.file = file};
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *ret_why = strerror(errno);
        return EDDA_E_IO;
    }
    int error = read_all(document, fd, ret_why);
    close(fd);
    if (error == 0 && document->size == 0) {
        *ret_why = "empty";
        error = EDDA_E_INVALID;
    }
    if (error == 0 && (!edda_utf8_valid((const char *)document->bytes, document->size) ||
                       memchr(document->bytes, '\0', document->size))) {
        *ret_why = "not UTF-8 text";
        error = EDDA_E_INVALID;
    }
    if (error != 0) {
        edda_document_done(document);
        return error;
    }
    /* Title and reference are made of it. */
    if (!edda_utf8_valid(file->path, strlen(file->path))) {
        *ret_why = "its name is not UTF-8";
        edda_document_done(document);
        return EDDA_E_INVALID;
    }
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, document->bytes, document->size);
    sodium_bin2hex(document->hash, sizeof document->hash, digest, sizeof digest);
    set_title(document);
    return 0;
}

void edda_document_done(struct edda_document *document) {
    free(document->bytes);
    document->bytes = NULL;
    document->size = 0;
}

void edda_document_key(const struct edda_document *document, unsigned attempt,
                       char ret_key[EDDA_DOCUMENT_HASH + 2]) {
    unsigned char digest[crypto_hash_sha256_BYTES];
    char number[16];
    crypto_hash_sha256_state state;
    snprintf(number, sizeof number, "%u", attempt);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)document->file->reference,
                              strlen(document->file->reference) + 1);
    crypto_hash_sha256_update(&state, (const unsigned char *)document->hash, sizeof document->hash);
    crypto_hash_sha256_update(&state, (const unsigned char *)number, strlen(number));
    crypto_hash_sha256_final(&state, digest);
    ret_key[0] = '"';
    sodium_bin2hex(ret_key + 1, EDDA_DOCUMENT_HASH, digest, sizeof digest);
    memcpy(ret_key + EDDA_DOCUMENT_HASH, "\"", 2);
}

static json_t *make_metadata(const struct edda_document *document) {
    return json_pack("{s:s, s:s}", "path", document->file->reference, HASH_NAME, document->hash);
}

static void append_field(struct edda_buffer *body, const char *boundary, const char *name,
                         const char *value) {
    edda_buffer_printf(body, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
                       boundary, name);
    edda_buffer_append_text(body, value);
    edda_buffer_append_text(body, "\r\n");
}

/* As browsers do it: quotes and line ends of a file name are percent-encoded. */
static void append_file_name(struct edda_buffer *body, const char *path) {
    const char *name = strrchr(path, '/');
    for (name = name ? name + 1 : path; *name; name++) {
        if (*name == '"' || *name == '\r' || *name == '\n')
            edda_buffer_printf(body, "%%%02X", (unsigned)*name);
        else
            edda_buffer_append(body, name, 1);
    }
}

int edda_document_form(const struct edda_document *document, char **ret_content_type,
                       uint8_t **ret_body, size_t *ret_size) {
    char boundary[64];
    snprintf(boundary, sizeof boundary, "edda-%.32s", document->hash);
    json_t *metadata = make_metadata(document);
    char *text = metadata ? json_dumps(metadata, JSON_COMPACT) : NULL;
    json_decref(metadata);
    struct edda_buffer body;
    edda_buffer_init(&body, EDDA_MAX_CONTENT_BYTES + 65536);
    append_field(&body, boundary, "title", document->title);
    append_field(&body, boundary, "reference_id", document->file->reference);
    append_field(&body, boundary, "metadata", text ? text : "{}");
    edda_buffer_printf(&body, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"",
                       boundary);
    append_file_name(&body, document->file->path);
    edda_buffer_append_text(&body, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
    edda_buffer_append(&body, document->bytes, document->size);
    edda_buffer_printf(&body, "\r\n--%s--\r\n", boundary);
    int error = text ? body.error : EDDA_E_MEMORY;
    free(text);
    char *type = NULL;
    if (error == 0 && asprintf(&type, "multipart/form-data; boundary=%s", boundary) < 0)
        error = EDDA_E_MEMORY;
    if (error != 0) {
        edda_buffer_done(&body);
        return error;
    }
    edda_buffer_take(&body, ret_body, ret_size);
    *ret_content_type = type;
    return 0;
}

char *edda_document_patch(const struct edda_document *document) {
    json_t *body = json_object();
    json_t *content = json_stringn((const char *)document->bytes, document->size);
    char *text = NULL;
    if (body && json_object_set_new(body, "title", json_string(document->title)) == 0 &&
        json_object_set_new(body, "metadata", make_metadata(document)) == 0 &&
        json_object_set_new(body, "content", content) == 0)
        text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

bool edda_document_same(const struct edda_document *document, struct edda_bytes memo) {
    json_t *json = json_loadb((const char *)memo.data, memo.size, 0, NULL);
    json_t *hash = json_object_get(json_object_get(json, "metadata"), HASH_NAME);
    json_t *content = json_object_get(json, "content");
    bool same = json_is_string(hash) && strcmp(json_string_value(hash), document->hash) == 0;
    /* The text decides: metadata may have been patched by others. */
    if (json_is_string(content))
        same = json_string_length(content) == document->size &&
               memcmp(json_string_value(content), document->bytes, document->size) == 0;
    json_decref(json);
    return same;
}
