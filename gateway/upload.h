/* gateway/upload.h: a text file posted as multipart/form-data, staged at the store while it comes.
 *
 * One part named "file" (.txt .md .html .csv .json) and text fields in any order: title, source,
 * reference_id, expiration_date, and, as JSON, tags, metadata, scopes. Others are ignored. The file
 * is never held whole: it goes through a stage, and reading pauses while that is full. What the
 * contract forbids is refused as soon as it is seen. Threads: the loop's. */
#ifndef EDDA_GATEWAY_UPLOAD_H
#define EDDA_GATEWAY_UPLOAD_H

#include "gateway/visit.h"

/* The headers are there and the key is good. */
void edda_upload_begin(struct edda_visit *visit);
void edda_upload_field(struct edda_visit *visit, const struct edda_http_field *field);
void edda_upload_end(struct edda_visit *visit);

#endif
