/* tests/gateway/live_chat.h: both ends of a chat: a client that reads events as they come, and the
 * worker of the llm step behind the fake broker.
 *
 *   struct live_stream *stream = open_stream(live, "{\"query\":\"q\",\"stream\":true}");
 *   struct edda_uuid id = expect_route(live, "embed store.search rerank llm.answer");
 *   send_part(live, &id, 0, "Hello");
 *   expect_stream_head(stream);
 *   expect_event(stream, ": ping");
 *   expect_event(stream, "data: {\"type\":\"token\",\"content\":\"Hello\"}");
 *
 * Threads: the test's one. */
#ifndef EDDA_TESTS_GATEWAY_LIVE_CHAT_H
#define EDDA_TESTS_GATEWAY_LIVE_CHAT_H

#include "proto/body_stage.h"
#include "tests/gateway/live_gateway.h"

#define CHAT_PATH "/api/v1/chat"

struct live_stream;

/* Sends a POST to /api/v1/chat. receive_bytes: of its socket's buffer; 0: the system's. */
struct live_stream *open_stream(struct live_gateway *live, const char *body);
struct live_stream *open_narrow_stream(struct live_gateway *live, const char *body,
                                       int receive_bytes);
void close_stream(struct live_stream **stream_p);
int stream_fd(const struct live_stream *stream);

/* 200, and the headers of a stream of events, those and no ETag. */
void expect_stream_head(struct live_stream *stream);

/* The next event, without the blank line that ends it. The text given is borrowed until the next.
 */
const char *take_event(struct live_stream *stream);
void expect_event(struct live_stream *stream, const char *text);

/* Any number of pings, then this. */
void expect_event_after_pings(struct live_stream *stream, const char *text);

/* The body ends here. */
void expect_last(struct live_stream *stream);

/* Nothing comes for a tenth of a second. */
void expect_silence(struct live_stream *stream);

/* The next call's ops, separated by spaces. */
struct edda_uuid expect_route(struct live_gateway *live, const char *ops);

/* The arguments of its last step. */
struct edda_llm_answer last_answer_arguments(struct live_gateway *live);

void send_part(struct live_gateway *live, const struct edda_uuid *id, uint32_t sequence,
               const char *text);
void send_progress(struct live_gateway *live, const struct edda_uuid *id, uint8_t step);
void fail_step(struct live_gateway *live, const struct edda_uuid *id, uint8_t step, int code,
               const char *text);

/* An ANSWER of this text by "builtin", with these sources. */
void answer_chat(struct live_gateway *live, const struct edda_uuid *id, const char *text,
                 struct edda_source *sources, size_t count);

/* store.chat_save comes and is answered. */
struct edda_store_turn expect_saved(struct live_gateway *live);

/* The next stream credit for this call: cumulative. */
struct edda_credit_grant expect_stream_credit(struct live_gateway *live,
                                              const struct edda_uuid *id);
bool has_stream_credit(struct live_gateway *live, int64_t within_ms);
void expect_cancel(struct live_gateway *live, const struct edda_uuid *id);

/* Answers the look at brokers and store: these services have a worker. */
void answer_look(struct live_gateway *live, const char *const *names, size_t count);

#endif
