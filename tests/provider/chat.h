/* tests/provider/chat.h: an answer token by token, whole or as a stream of events.
 *
 *   begin -> next* until ended -> done    events appended to a buffer, each when it is due
 *   begin -> whole -> done                the answer in one piece
 *
 * A token is a word and the blanks after it. Pure. */
#ifndef EDDA_TESTS_PROVIDER_CHAT_H
#define EDDA_TESTS_PROVIDER_CHAT_H

#include "tests/provider/request.h"

struct fake_chat {
    const struct fake_request *request; /* borrowed while the chat lives */
    bool stream;
    bool include_usage;
    char model[128];
    struct edda_buffer base; /* what the tokens are taken from, again and again */
    size_t at;
    size_t tokens; /* of the whole answer */
    size_t prompt_tokens;
    size_t sent;
    const char *finish; /* in OpenAI's words */
    bool begun;
    bool ended;
    bool garbled; /* the malformed event is out */
    bool cut;     /* the last event was written by half */
};

/* 0, or 400 with ret_message. Done is called in any case. */
int fake_chat_begin(struct fake_chat *chat, const struct fake_request *request,
                    const char **ret_message);
void fake_chat_done(struct fake_chat *chat);

/* How long after the head the next event is due, in ms. */
int64_t fake_chat_due(const struct fake_chat *chat);

/* Appends what comes next; sets ended with the last. */
void fake_chat_next(struct fake_chat *chat, struct edda_buffer *out);

void fake_chat_whole(struct fake_chat *chat, struct edda_buffer *out);

#endif
