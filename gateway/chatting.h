/* gateway/chatting.h: one question of a chat on its way, what chat.c and chat_answer.c share.
 *
 *   fields -> [history] -> [rewrite] -> embed -> store.search -> [rerank] -> llm.answer -> save
 *
 * A stream begins when the llm step shows its first sign, so that what fails before is a plain
 * answer with its status; after a second of nothing it begins anyway. Once it has begun, what fails
 * becomes an error event, the turn is saved as far as it came, and done is always the last. Saving
 * is a request of its own: a route that has delivered parts cannot be tried again.
 *
 * Threads: the loop's. Limits: EDDA_MAX_CHATS at once; the deadline EDDA_CHAT_MS, and
 * EDDA_CHAT_IDLE_MS without a sign of the route. */
#ifndef EDDA_GATEWAY_CHATTING_H
#define EDDA_GATEWAY_CHATTING_H

#include "gateway/chat_fields.h"
#include "gateway/events.h"
#include "gateway/retrieval.h"
#include "proto/body_stage.h"

struct edda_chatting {
    struct edda_chat_fields fields;
    struct edda_store_turn turn;
    struct edda_llm_messages history;
    struct edda_llm_answer answer;
    struct edda_retrieval retrieval; /* its degraded is the whole chat's */
    struct edda_events events;       /* of a stream */
    struct edda_timer tick;
    int64_t begun_ms;
    int64_t heard_ms; /* the route's last sign of life */
    bool answering;   /* the llm step has shown itself */
    bool extractive;
};

/* The route's end: an ANSWER, or why there is none. */
void edda_chatting_take_answer(struct edda_visit *visit, const struct edda_reply *reply);

/* Ends the chat with an error. by_llm: it is the language model's, not the search's. not_found: the
 * text of a 404, or NULL. */
void edda_chatting_fail(struct edda_visit *visit, int code, const struct edda_wire_error *detail,
                        bool by_llm, const char *not_found);

#endif
