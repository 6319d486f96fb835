/* actors/store/chats.c: limits of turns, titles and pages of chats. */
#include "actors/store/chats.h"

#include "actors/text/text.h"
#include "proto/uuid.h"

const char *edda_chat_sender_name(enum edda_chat_sender sender) {
    return sender == EDDA_CHAT_USER ? "user" : "model";
}

int edda_chat_check_turn(const struct edda_store_turn *turn, const char **ret_text) {
    if (edda_uuid_is_nil(&turn->chat) || edda_uuid_is_nil(&turn->question) ||
        edda_uuid_is_nil(&turn->answer)) {
        *ret_text = "a turn needs the uuids of its chat, question and answer";
        return EDDA_E_INVALID;
    }
    if (turn->query.size > EDDA_MAX_QUERY_BYTES ||
        turn->system_prompt.size > EDDA_MAX_PROMPT_BYTES ||
        turn->text.size > EDDA_MAX_ANSWER_BYTES || turn->error.size > EDDA_CHAT_ERROR_BYTES) {
        *ret_text = "a text of the turn is over its limit";
        return EDDA_E_LIMIT;
    }
    if (!edda_text_valid(turn->query) || !edda_text_valid(turn->system_prompt) ||
        !edda_text_valid(turn->text) || !edda_text_valid(turn->error)) {
        *ret_text = "a text of the turn is not valid UTF-8";
        return EDDA_E_INVALID;
    }
    return 0;
}

struct edda_text edda_chat_title(struct edda_text query) {
    return query.data ? edda_text_prefix(query, EDDA_MAX_TITLE) : (struct edda_text){"", 0};
}

bool edda_chat_page_take(struct edda_chat_page *page, size_t content_bytes, size_t other_bytes) {
    size_t most = page->latest ? EDDA_MAX_HISTORY : EDDA_CHAT_PAGE_MESSAGES;
    if (page->page.items >= most) {
        return false;
    }
    if (page->latest && page->page.items > 0 &&
        page->contents + content_bytes > page->history_bytes) {
        return false;
    }
    if (!edda_memo_page_take(&page->page, content_bytes + other_bytes + EDDA_CHAT_OVERHEAD)) {
        return false;
    }
    page->contents += content_bytes;
    return true;
}
