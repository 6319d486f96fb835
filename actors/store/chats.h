/* actors/store/chats.h: what is decided about a chat without asking a database: what a turn may
 * hold, what the chat is called, how many messages are on a page.
 *
 * A chat is a row of turns, each two messages: the user's question and the model's answer. Pure. */
#ifndef EDDA_ACTORS_STORE_CHATS_H
#define EDDA_ACTORS_STORE_CHATS_H

#include "actors/store/memos.h"

#define EDDA_CHAT_MESSAGES      (1u << 20) /* of one chat; 20 bits of a message's row id */
#define EDDA_CHAT_PAGE_MESSAGES 1000u      /* what the body takes */
#define EDDA_CHAT_OVERHEAD      64u        /* of a message in an encoded page */
#define EDDA_CHAT_ERROR_BYTES   2048u

/* Stored: numbers are never reused. */
enum edda_chat_sender {
    EDDA_CHAT_USER = 0,
    EDDA_CHAT_MODEL = 1,
};

/* The contract's word. Static. */
const char *edda_chat_sender_name(enum edda_chat_sender sender);

/* *ret_text says what is wrong when it is EDDA_E_INVALID or EDDA_E_LIMIT. */
int edda_chat_check_turn(const struct edda_store_turn *turn, const char **ret_text) EDDA_MUST_CHECK;

/* Of a chat that begins with this question: its first EDDA_MAX_TITLE code points. Borrowed from
 * query, never absent. */
struct edda_text edda_chat_title(struct edda_text query);

/* Messages that are being gathered: one page, or the end of a chat for a model. */
struct edda_chat_page {
    bool latest;
    size_t history_bytes; /* of latest: of all contents */
    size_t contents;
    struct edda_memo_page page;
};

/* Counts one message in if it fits; the first always does. */
bool edda_chat_page_take(struct edda_chat_page *page, size_t content_bytes, size_t other_bytes);

#endif
