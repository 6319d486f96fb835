/* actors/store/sqlite/chat.c: turns of chats, one chat in pages, the list of chats. */
#include "actors/store/chats.h"

#include "actors/store/rows.h"
#include "actors/store/sqlite/versions.h"
#include "proto/uuid.h"

/* The columns of EDDA_SQL_MESSAGES and EDDA_SQL_MESSAGES_BACKWARDS. */
enum { ID, UUID_, SENDER, CONTENT, SYSTEM_PROMPT, ERROR_, SENT };

/* A chat as its row says. */
struct chat {
    int64_t id;
    uint32_t messages;
    int64_t created_ms;
};

/* 1 with *ret_chat; 0: there is none; EDDA_E_NOT_FOUND: it is another project's. */
static int find_chat(edda_database_t *database, const struct edda_uuid *uuid,
                     struct edda_text project, struct chat *ret_chat) {
    sqlite3_stmt *row = NULL;
    int found = edda_query_one(database, EDDA_SQL_CHAT_FIND, VALUES(UUID(uuid)), &row);
    if (found == 1) {
        *ret_chat = (struct chat){.id = sqlite3_column_int64(row, 0),
                                  .messages = (uint32_t)sqlite3_column_int64(row, 1),
                                  .created_ms = sqlite3_column_int64(row, 2)};
        found = edda_text_equal(edda_column_text(row, 3), project) ? 1 : EDDA_E_NOT_FOUND;
        edda_query_end(row);
    }
    return found;
}

/* ---- saving ---- */

int edda_chat_save_prepare(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const char *text = NULL;
    int error = edda_chat_check_turn(call->request.arguments, &text);
    (void)reader;
    return error ? edda_sqlite_call_fail(call, error, text) : 0;
}

/* The chat of a turn, made when this is its first. */
static int need_chat(struct edda_turn *turn, const struct edda_sqlite_call *call, int64_t project,
                     int64_t asked_ms, struct chat *ret_chat) {
    const struct edda_store_turn *said = call->request.arguments;
    int found = find_chat(turn->database, &said->chat, call->request.project, ret_chat);
    if (found) {
        return found == 1 ? 0 : found;
    }
    int error = edda_query_run(turn->database, EDDA_SQL_CHAT_INSERT,
                               VALUES(INTEGER(project), UUID(&said->chat),
                                      TEXT(edda_chat_title(said->query)), INTEGER(asked_ms),
                                      INTEGER(asked_ms)),
                               NULL);
    *ret_chat = (struct chat){.id = sqlite3_last_insert_rowid(edda_database_handle(turn->database)),
                              .created_ms = asked_ms};
    return error ? error
                 : edda_query_run(turn->database, EDDA_SQL_PROJECT_COUNT_CHAT,
                                  VALUES(INTEGER(project)), NULL);
}

static int insert_turn(struct edda_turn *turn, const struct edda_store_turn *said,
                       const struct chat *chat, int64_t asked_ms, int64_t answered_ms) {
    struct edda_text none = {NULL, 0};
    int error = edda_query_run(turn->database, EDDA_SQL_MESSAGE_INSERT,
                               VALUES(INTEGER(edda_row_message(chat->id, chat->messages)),
                                      UUID(&said->question), INTEGER(EDDA_CHAT_USER),
                                      TEXT(edda_text_or_empty(said->query)),
                                      TEXT(said->system_prompt), TEXT(none), INTEGER(asked_ms)),
                               NULL);
    if (!error) {
        error = edda_query_run(turn->database, EDDA_SQL_MESSAGE_INSERT,
                               VALUES(INTEGER(edda_row_message(chat->id, chat->messages + 1)),
                                      UUID(&said->answer), INTEGER(EDDA_CHAT_MODEL),
                                      TEXT(edda_text_or_empty(said->text)), TEXT(none),
                                      TEXT(said->error), INTEGER(answered_ms)),
                               NULL);
    }
    return error ? error
                 : edda_query_run(turn->database, EDDA_SQL_CHAT_GROW,
                                  VALUES(INTEGER(answered_ms), INTEGER(chat->id)), NULL);
}

int edda_chat_save_write(struct edda_turn *turn, struct edda_sqlite_call *call) {
    const struct edda_store_turn *said = call->request.arguments;
    int64_t asked_ms = said->asked_wall_ms > 0 ? said->asked_wall_ms : turn->wall_ms;
    /* The asker's clock may be another machine's: an answer is never before its question. */
    int64_t answered_ms = turn->wall_ms > asked_ms ? turn->wall_ms : asked_ms;
    int64_t project = 0;
    int64_t known = 0;
    struct chat chat;
    int error = edda_project_need(turn, call->request.project, &project);
    if (!error) {
        error = edda_query_integer(turn->database, EDDA_SQL_QUESTION_FIND,
                                   VALUES(UUID(&said->question), INTEGER(project)), 0, &known);
    }
    if (error || known) {
        return error;
    }
    error = need_chat(turn, call, project, asked_ms, &chat);
    if (!error && chat.messages + 2 > EDDA_CHAT_MESSAGES) {
        error = edda_sqlite_call_fail(call, EDDA_E_LIMIT, "the chat has no room for another turn");
    }
    return error ? error : insert_turn(turn, said, &chat, asked_ms, answered_ms);
}

/* ---- reading ---- */

static int read_message(sqlite3_stmt *row, struct edda_arena *arena,
                        struct edda_store_message *message) {
    *message = (struct edda_store_message){
        .uuid = edda_column_uuid(row, UUID_),
        .sent_by = edda_text_of(
            edda_chat_sender_name((enum edda_chat_sender)sqlite3_column_int64(row, SENDER))),
        .sent_wall_ms = sqlite3_column_int64(row, SENT),
    };
    int error = edda_column_copy(row, CONTENT, arena, &message->content);
    error = error ? error : edda_column_copy(row, SYSTEM_PROMPT, arena, &message->system_prompt);
    return error ? error : edda_column_copy(row, ERROR_, arena, &message->error);
}

static void reverse(struct edda_store_messages *messages) {
    for (size_t i = 0, k = messages->count; i + 1 < k; i++) {
        struct edda_store_message kept = messages->items[i];
        messages->items[i] = messages->items[--k];
        messages->items[k] = kept;
    }
}

/* Takes what fits of the rows that a statement gives; chat->more is whether one was left. */
static int take_messages(struct edda_reader *reader, struct edda_sqlite_call *call,
                         sqlite3_stmt *row, struct edda_chat_page *page) {
    struct edda_store_chat *chat = call->record;
    int found = 0;
    chat->messages.items =
        edda_arena_take(&call->arena, EDDA_CHAT_PAGE_MESSAGES * sizeof(*chat->messages.items));
    if (!chat->messages.items) {
        return EDDA_E_MEMORY;
    }
    while (!found && (found = edda_query_next(reader->database, row)) == 1) {
        size_t others = (size_t)sqlite3_column_bytes(row, SYSTEM_PROMPT) +
                        (size_t)sqlite3_column_bytes(row, ERROR_);
        if (!edda_chat_page_take(page, (size_t)sqlite3_column_bytes(row, CONTENT), others)) {
            chat->more = true;
            return 0;
        }
        uint32_t after = edda_row_message_number(sqlite3_column_int64(row, ID)) + 1;
        chat->next = after > chat->next ? after : chat->next;
        found = read_message(row, &call->arena, &chat->messages.items[chat->messages.count++]);
    }
    return found;
}

int edda_chat_get_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    const struct edda_store_chat_select *select = call->request.arguments;
    struct edda_store_chat *record = call->record;
    struct edda_chat_page page = {.latest = select->latest, .history_bytes = select->history_bytes};
    sqlite3_stmt *row = NULL;
    struct chat chat;
    struct edda_uuid uuid;
    if (edda_uuid_parse(select->id, &uuid)) {
        return EDDA_E_NOT_FOUND;
    }
    int found = find_chat(reader->database, &uuid, call->request.project, &chat);
    if (found != 1) {
        return found < 0 ? found : EDDA_E_NOT_FOUND;
    }
    uint32_t from = select->latest ? 0 : select->from;
    from = from < EDDA_CHAT_MESSAGES ? from : EDDA_CHAT_MESSAGES;
    *record =
        (struct edda_store_chat){.uuid = uuid, .created_wall_ms = chat.created_ms, .next = from};
    int error = edda_query_begin(reader->database,
                                 select->latest ? EDDA_SQL_MESSAGES_BACKWARDS : EDDA_SQL_MESSAGES,
                                 VALUES(INTEGER(edda_row_message(chat.id, 0) + from),
                                        INTEGER(edda_row_message(chat.id + 1, 0) - 1)),
                                 &row);
    if (!error) {
        error = take_messages(reader, call, row, &page);
    }
    edda_query_end(row);
    if (!error && select->latest) {
        reverse(&record->messages);
        record->more = false; /* what was left is before these */
    }
    return error;
}

int edda_chat_list_read(struct edda_reader *reader, struct edda_sqlite_call *call) {
    struct edda_store_chats *chats = call->record;
    struct edda_store_chat_row *items = NULL;
    sqlite3_stmt *row = NULL;
    int found = edda_list_begin(reader, call, EDDA_SQL_PROJECT_CHATS, EDDA_SQL_CHAT_LIST,
                                &chats->count, sizeof *items, (void **)&items, &row);
    chats->chats.items = items;
    while (row && !found && (found = edda_query_next(reader->database, row)) == 1) {
        struct edda_store_chat_row *chat = &items[chats->chats.count++];
        *chat = (struct edda_store_chat_row){
            .uuid = edda_column_uuid(row, 0),
            .created_wall_ms = sqlite3_column_int64(row, 1),
            .messages = (uint64_t)sqlite3_column_int64(row, 3),
            .last_wall_ms = sqlite3_column_int64(row, 4),
        };
        found = edda_column_copy(row, 2, &call->arena, &chat->title);
    }
    edda_query_end(row);
    return found;
}
