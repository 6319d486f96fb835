/* gateway/openapi.h: gateway/openapi.json as it was at build time. */
#ifndef EDDA_GATEWAY_OPENAPI_H
#define EDDA_GATEWAY_OPENAPI_H

#include "proto/types.h"

/* Static. */
struct edda_bytes edda_openapi_document(void);

#endif
