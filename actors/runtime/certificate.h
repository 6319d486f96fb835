/* actors/runtime/certificate.h: a CURVE certificate as text: a public key, and its secret or not.
 *
 *   curve
 *       public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
 *       secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
 *
 * The form of czmq's zcert and of pyzmq, so that keys made by either serve here and the reverse.
 * Keys are in Z85 (RFC 32). Lines that begin with #, and sections other than curve, are passed
 * over; a line that is none of these is an error, and so is a key given twice.
 *
 * Pure. Source: zcert(3), RFC 4/ZPL, RFC 32/Z85. */
#ifndef EDDA_RUNTIME_CERTIFICATE_H
#define EDDA_RUNTIME_CERTIFICATE_H

#include "proto/buffer.h"

#define EDDA_CURVE_KEY_TEXT   41 /* 40 characters and NUL */
#define EDDA_CURVE_KEY_BYTES  32
#define EDDA_CERTIFICATE_SIZE 8192

struct edda_certificate {
    char public_key[EDDA_CURVE_KEY_TEXT];
    char secret_key[EDDA_CURVE_KEY_TEXT]; /* "": the public half alone */
};

/* Whether size bytes are a key in Z85. */
bool edda_curve_is_key(const char *text, size_t size);

/* EDDA_E_INVALID: no certificate; EDDA_E_LIMIT: over EDDA_CERTIFICATE_SIZE. Sets nothing then. */
int edda_certificate_parse(const char *text, size_t size,
                           struct edda_certificate *ret_certificate) EDDA_MUST_CHECK;

/* The secret half too when there is one. Errors stick in the buffer. */
void edda_certificate_write(const struct edda_certificate *certificate, struct edda_buffer *out);

#endif
