/* tests/provider/chat_words.h: the events and answers of a chat as each provider words them. */
#ifndef EDDA_TESTS_PROVIDER_CHAT_WORDS_H
#define EDDA_TESTS_PROVIDER_CHAT_WORDS_H

#include "tests/provider/chat.h"

struct fake_chat_words {
    void (*start)(const struct fake_chat *chat, struct edda_buffer *out);
    void (*token)(const struct fake_chat *chat, struct edda_buffer *out, struct edda_text token);
    void (*end)(const struct fake_chat *chat, struct edda_buffer *out);
    void (*error)(const struct fake_chat *chat, struct edda_buffer *out);
    void (*whole)(const struct fake_chat *chat, struct edda_buffer *out, struct edda_text text);
};

const struct fake_chat_words *fake_chat_words_of(enum fake_provider provider);

#endif
