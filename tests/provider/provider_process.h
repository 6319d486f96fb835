/* tests/provider/provider_process.h: the fake provider as a child process of a C test.
 *
 *   struct provider_process *fake = provider_process_start(NULL, NULL);
 *   provider_process_url(fake, "openai/v1", url, sizeof url);
 *   provider_process_set(fake, "{\"embed\":{\"latency_ms\":100,\"fail\":{\"status\":429}}}");
 *   ...
 *   assert_int_equal(provider_process_count(fake, "embed", "requests"), 2);
 *   provider_process_stop(&fake);
 *
 * Everything blocks, and fails the test (cmocka) when it does not work. It ends with the test's
 * process, however that ends. What can be set is in the folder's README. */
#ifndef EDDA_TESTS_PROVIDER_PROCESS_H
#define EDDA_TESTS_PROVIDER_PROCESS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct provider_process;

/* certificate, key: file names for TLS, or NULL. */
struct provider_process *provider_process_start(const char *certificate, const char *key);
void provider_process_stop(struct provider_process **fake_p);

/* The same as a group's set-up and tear-down: *state is the provider. */
int start_provider(void **state);
int stop_provider(void **state);

/* "http://127.0.0.1:PORT/PREFIX" into url; without a prefix there is no slash. */
void provider_process_url(const struct provider_process *fake, const char *prefix, char *url,
                          size_t size);

/* JSON as for POST /control/set. */
void provider_process_set(struct provider_process *fake, const char *settings);
void provider_process_reset(struct provider_process *fake);

/* GET /control/counters and /control/requests; a reference for the caller. */
json_t *provider_process_counters(struct provider_process *fake);
json_t *provider_process_requests(struct provider_process *fake, int last);

/* One counter: of a kind, or of all with kind NULL. */
int64_t provider_process_count(struct provider_process *fake, const char *kind, const char *name);

#endif
