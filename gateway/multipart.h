/* gateway/multipart.h: the parts of a multipart body, read piece by piece.
 *
 *   preamble -> (delimiter -> header lines -> value)* -> last delimiter -> epilogue
 *
 * A delimiter is CRLF, two dashes and the boundary; behind it "--" ends the body, and blanks and
 * CRLF begin a part. Pure: the same parts come of the same bytes, however they are cut. A part's
 * name, file name and type are told with its first piece, which is empty. Values are taken as they
 * are, without transfer encodings; a multipart in a part is its value. Once something was malformed
 * nothing more is told.
 *
 * Limits: a boundary of 70 bytes; EDDA_MULTIPART_HEADER bytes of header lines a part. Nothing is
 * allocated. Source: RFC 2046, section 5.1; RFC 7578. */
#ifndef EDDA_GATEWAY_MULTIPART_H
#define EDDA_GATEWAY_MULTIPART_H

#include "proto/error.h"
#include "proto/types.h"

#define EDDA_MULTIPART_HEADER   4096
#define EDDA_MULTIPART_BOUNDARY 70

/* A piece of one part. Views live for the call. */
struct edda_multipart_piece {
    bool begins; /* the part: data is empty, and the next three are its own */
    struct edda_text name;
    struct edda_text file_name; /* absent: a plain field */
    struct edda_text content_type;
    struct edda_text data;
};

typedef void (*edda_multipart_fn)(void *context, const struct edda_multipart_piece *piece);

struct edda_multipart {
    uint8_t state;  /* of multipart.c */
    uint8_t seen;   /* of what follows a delimiter */
    size_t matched; /* bytes of the delimiter that came last */
    size_t delimiter_size;
    size_t header_size;
    size_t line; /* where the header line that is being read begins */
    char delimiter[4 + EDDA_MULTIPART_BOUNDARY];
    char header[EDDA_MULTIPART_HEADER];
    struct edda_text name; /* in header, as the next two */
    struct edda_text file_name;
    struct edda_text content_type;
};

/* content_type: the body's own, with its boundary. EDDA_E_MALFORMED: it has none that may be. */
int edda_multipart_init(struct edda_multipart *self, struct edda_text content_type) EDDA_MUST_CHECK;

/* EDDA_E_MALFORMED, then and ever after. */
int edda_multipart_feed(struct edda_multipart *self, struct edda_bytes bytes,
                        edda_multipart_fn tell, void *context) EDDA_MUST_CHECK;

/* Whether the last delimiter has come. */
bool edda_multipart_whole(const struct edda_multipart *self);

#endif
