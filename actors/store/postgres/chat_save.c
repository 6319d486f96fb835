/* actors/store/postgres/chat_save.c: a turn of a chat, whole and once. */
#include "actors/store/chats.h"
#include "actors/store/content.h"
#include "actors/store/postgres/store.h"
#include "actors/store/postgres/versions.h"

struct save {
    int64_t chat;
    int64_t messages;
    bool there;
    bool ours;
};

static const struct edda_store_turn *turn_of(const struct edda_pg_call *call) {
    return call->request.arguments;
}

static struct edda_pg_value asked(const struct edda_store_turn *said) {
    return said->asked_wall_ms > 0 ? BIGINT(said->asked_wall_ms) : NOTHING(EDDA_PG_BIGINT);
}

static int on_chat(struct edda_pg_call *call, edda_pg_result_t *result) {
    struct save *save = call->state;
    struct edda_pg_row row = edda_pg_row(result, 0);
    save->there = edda_pg_rows(result) > 0;
    if (save->there) {
        save->chat = edda_pg_bigint(&row, 0);
        save->messages = edda_pg_bigint(&row, 1);
        save->ours = edda_pg_boolean(&row, 2);
    }
    return save->there ? row.error : 0;
}

/* The chat is locked: what is known of its questions does not change any more. */
static int on_question(struct edda_pg_call *call, edda_pg_result_t *result) {
    const struct edda_store_turn *said = turn_of(call);
    const struct save *save = call->state;
    if (edda_pg_rows(result) > 0) {
        edda_pg_call_commit(call);
        return 0;
    }
    if (!save->there) {
        return EDDA_E_AGAIN;
    }
    if (!save->ours) {
        return EDDA_E_NOT_FOUND;
    }
    if (save->messages + 2 > EDDA_CHAT_MESSAGES) {
        return edda_pg_call_fail(call, EDDA_E_LIMIT, "the chat has no room for another turn");
    }
    edda_pg_call_say(call, EDDA_PGSQL_CHAT_TURN,
                     VALUES(BIGINT(save->chat), BIGINT(save->messages), UUID(&said->question),
                            TEXT(edda_text_or_empty(said->query)), TEXT(said->system_prompt),
                            UUID(&said->answer), TEXT(edda_text_or_empty(said->text)),
                            TEXT(said->error), asked(said)),
                     NULL);
    edda_pg_call_commit(call);
    return 0;
}

static int on_begin(struct edda_pg_call *call, edda_pg_result_t *none) {
    const struct edda_store_turn *said = turn_of(call);
    struct edda_text project = call->request.project;
    (void)none;
    edda_pg_call_say(call, EDDA_PGSQL_PROJECT_NEED, VALUES(TEXT(project)), NULL);
    edda_pg_call_say(call, EDDA_PGSQL_CHAT_NEED,
                     VALUES(TEXT(project), UUID(&said->chat), TEXT(edda_chat_title(said->query)),
                            UUID(&said->question), asked(said)),
                     NULL);
    edda_pg_call_say(call, EDDA_PGSQL_CHAT_LOCK, VALUES(TEXT(project), UUID(&said->chat)), on_chat);
    edda_pg_call_say(call, EDDA_PGSQL_QUESTION_FIND, VALUES(TEXT(project), UUID(&said->question)),
                     on_question);
    return 0;
}

int edda_postgres_chat_save(struct edda_pg_call *call) {
    const char *text = NULL;
    int error = edda_chat_check_turn(turn_of(call), &text);
    if (error) {
        return edda_pg_call_fail(call, error, text);
    }
    error = edda_pg_check_project(call);
    if (error || !edda_pg_call_need_state(call, sizeof(struct save))) {
        return error ? error : EDDA_E_MEMORY;
    }
    return edda_pg_call_begin(call, on_begin, NULL);
}
