/* actors/store/postgres/chat_read.c: one chat in pages, the list of chats. */
#include "actors/store/chats.h"
#include "actors/store/postgres/read.h"
#include "actors/store/rows.h"
#include "proto/uuid.h"

/* The columns of CHAT_PAGE. */
enum { CREATED, ID, UUID_, SENDER, CONTENT, SYSTEM_PROMPT, ERROR_, SENT };

static void reverse(struct edda_store_messages *messages) {
    for (size_t i = 0, k = messages->count; i + 1 < k; i++) {
        struct edda_store_message kept = messages->items[i];
        messages->items[i] = messages->items[--k];
        messages->items[k] = kept;
    }
}

/* Takes what fits; chat->more is whether one was left. */
static int take_messages(struct edda_pg_call *call, const edda_pg_result_t *result,
                         struct edda_chat_page *page) {
    struct edda_store_chat *chat = call->record;
    size_t rows = edda_pg_rows(result);
    chat->messages.items = edda_arena_take(&call->arena, rows * sizeof(*chat->messages.items));
    if (!chat->messages.items) {
        return EDDA_E_MEMORY;
    }
    for (size_t i = 0; i < rows; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        struct edda_store_message message = {
            .uuid = edda_pg_uuid(&row, UUID_),
            .sent_by = edda_text_of(
                edda_chat_sender_name((enum edda_chat_sender)edda_pg_bigint(&row, SENDER))),
            .content = edda_pg_text(&row, CONTENT),
            .system_prompt = edda_pg_text(&row, SYSTEM_PROMPT),
            .error = edda_pg_text(&row, ERROR_),
            .sent_wall_ms = edda_pg_bigint(&row, SENT),
        };
        uint32_t after = edda_row_message_number(edda_pg_bigint(&row, ID)) + 1;
        if (row.error) {
            return row.error;
        }
        if (!edda_chat_page_take(page, message.content.size,
                                 message.system_prompt.size + message.error.size)) {
            chat->more = true;
            return 0;
        }
        chat->next = after > chat->next ? after : chat->next;
        chat->messages.items[chat->messages.count++] = message;
    }
    return 0;
}

static int on_messages(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct edda_store_chat_select *select = call->request.arguments;
    struct edda_store_chat *chat = call->record;
    struct edda_chat_page page = {.latest = select->latest, .history_bytes = select->history_bytes};
    struct edda_pg_row row = edda_pg_row(result, 0);
    int error = 0;
    if (edda_pg_rows(result) == 0) {
        return EDDA_E_NOT_FOUND;
    }
    edda_pg_call_keep(call);
    chat->created_wall_ms = edda_pg_bigint(&row, CREATED);
    if (!edda_pg_is_absent(&row, ID)) {
        error = take_messages(call, result, &page);
    }
    if (!error && select->latest) {
        reverse(&chat->messages);
        chat->more = false; /* what was left is before these */
    }
    return error ? error : row.error;
}

int edda_postgres_chat_get(struct edda_pg_call *call) {
    const struct edda_store_chat_select *select = call->request.arguments;
    struct edda_store_chat *chat = call->record;
    if (edda_uuid_parse(select->id, &chat->uuid)) {
        return EDDA_E_NOT_FOUND;
    }
    uint32_t from = select->latest ? 0 : select->from;
    chat->next = from < EDDA_CHAT_MESSAGES ? from : EDDA_CHAT_MESSAGES;
    return edda_pg_call_run(call, select->latest ? EDDA_PGSQL_CHAT_LAST : EDDA_PGSQL_CHAT_PAGE,
                            VALUES(TEXT(call->request.project), UUID(&chat->uuid),
                                   BIGINT(chat->next), BIGINT(EDDA_MEMO_PAGE_BYTES)),
                            on_messages);
}

static int on_chats(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct edda_store_chats *chats = call->record;
    struct edda_store_chat_row *items = NULL;
    size_t rows = 0;
    int error =
        edda_pg_list_rows(call, result, 1, sizeof *items, &chats->count, (void **)&items, &rows);
    chats->chats.items = items;
    for (size_t i = 0; i < rows && !error; i++) {
        struct edda_pg_row row = edda_pg_row(result, i);
        items[chats->chats.count++] = (struct edda_store_chat_row){
            .uuid = edda_pg_uuid(&row, 1),
            .created_wall_ms = edda_pg_bigint(&row, 2),
            .title = edda_pg_text(&row, 3),
            .messages = (uint64_t)edda_pg_bigint(&row, 4),
            .last_wall_ms = edda_pg_bigint(&row, 5),
        };
        error = row.error;
    }
    return error;
}

int edda_postgres_chat_list(struct edda_pg_call *call) {
    return edda_pg_list_begin(call, EDDA_PGSQL_CHAT_LIST, on_chats);
}
