/* ops/document.h: one file made ready to be sent: its bytes, hash, title, and the request bodies.
 */
#ifndef EDDA_OPS_DOCUMENT_H
#define EDDA_OPS_DOCUMENT_H

#include "ops/files.h"

#define EDDA_DOCUMENT_HASH  65 /* 64 hexadecimal digits and NUL */
#define EDDA_DOCUMENT_TITLE 256

struct edda_document {
    const struct edda_file *file; /* borrowed */
    uint8_t *bytes;               /* owned, valid UTF-8 without NUL */
    size_t size;
    char hash[EDDA_DOCUMENT_HASH];   /* sha256 of the bytes */
    char title[EDDA_DOCUMENT_TITLE]; /* a Markdown file's first heading, else the file's name */
};

/* Reads the file. EDDA_E_IO, EDDA_E_INVALID (empty, or no UTF-8 text or name), EDDA_E_LIMIT (over
 * 32 MiB), EDDA_E_MEMORY: *ret_why (static) says it in words. */
int edda_document_read(struct edda_document *document, const struct edda_file *file,
                       const char **ret_why) EDDA_MUST_CHECK;
void edda_document_done(struct edda_document *document);

/* Idempotency-Key of creating this document; each attempt number gives another. */
void edda_document_key(const struct edda_document *document, unsigned attempt,
                       char ret_key[EDDA_DOCUMENT_HASH + 2]);

/* A multipart/form-data body that is the same bytes every time, so that a repeated request is seen
 * to be the same. The caller frees both. EDDA_E_MEMORY. */
int edda_document_form(const struct edda_document *document, char **ret_content_type,
                       uint8_t **ret_body, size_t *ret_size) EDDA_MUST_CHECK;

/* The JSON body of a PATCH to this content; free it. NULL when out of memory. */
char *edda_document_patch(const struct edda_document *document);

/* Whether a memo as the service gives it (JSON text) holds this document already. */
bool edda_document_same(const struct edda_document *document, struct edda_bytes memo);

#endif
