/* tests/fuzz/http_rig.h: a real HTTP edge that is fed the bytes of one connection in pieces.
 *
 * libmicrohttpd runs at each piece until nothing is left to do, on this thread; the loop is never
 * run, so the application must answer from within its callbacks. */
#ifndef EDDA_TESTS_FUZZ_HTTP_RIG_H
#define EDDA_TESTS_FUZZ_HTTP_RIG_H

#include "gateway/http.h"
#include "tests/proto/random.h"

/* options: the callbacks and visit_bytes; address and limits are set here. Lives as long as the
 * process. */
edda_http_t *http_rig_new(const struct edda_http_options *options);

/* A new connection that says these bytes, in pieces of at most `most`, and is then half-closed.
 * Appends what came back; asserts that the edge has forgotten it all. */
void http_rig_say(edda_http_t *http, struct edda_bytes bytes, size_t most, struct random *random,
                  struct edda_buffer *answer);

#endif
