/* broker/emit.c: appending actions; the array grows to the largest step and stays. */
#include "broker/emit.h"

static struct edda_action *add_action(struct edda_core *core, enum edda_action_kind kind,
                                      uint32_t peer) {
    struct edda_actions *actions = core->actions;
    if (actions->count == actions->capacity) {
        size_t capacity = actions->capacity ? actions->capacity * 2 : 16;
        struct edda_action *items = realloc(actions->items, capacity * sizeof(*items));
        EDDA_ASSERT(items);
        actions->items = items;
        actions->capacity = capacity;
    }
    struct edda_action *action = &actions->items[actions->count++];
    action->kind = kind;
    action->peer = peer;
    return action;
}

static struct edda_action *add_send(struct edda_core *core, uint32_t peer, uint8_t command) {
    struct edda_action *action = add_action(core, EDDA_ACTION_SEND, peer);
    memset(&action->message, 0, offsetof(struct edda_message, bodies));
    action->message.command = command;
    action->record_type = 0;
    return action;
}

struct edda_action *edda_emit_send(struct edda_core *core, struct edda_peer *peer,
                                   uint8_t command) {
    peer->sent_ms = core->now_ms;
    return add_send(core, peer->number, command);
}

static void expect_record(struct edda_action *action, uint16_t type) {
    action->record_type = type;
    action->message.envelope.body_count = 1;
    memset(&action->record, 0, sizeof(action->record));
}

struct edda_action *edda_emit_record(struct edda_core *core, struct edda_peer *peer,
                                     uint8_t command, uint16_t type) {
    struct edda_action *action = edda_emit_send(core, peer, command);
    expect_record(action, type);
    return action;
}

void edda_emit_body(struct edda_action *action, const struct edda_body *body) {
    struct edda_envelope *envelope = &action->message.envelope;
    EDDA_ASSERT(envelope->body_count < 2);
    envelope->bodies[envelope->body_count] =
        (struct edda_body_descriptor){body->type, body->version, body->bytes};
    action->bodies[envelope->body_count++] = body->handle;
}

void edda_emit_reset(struct edda_core *core, uint32_t number, int code) {
    struct edda_action *action = add_send(core, number, EDDA_RESET);
    expect_record(action, EDDA_BODY_RESET);
    uint32_t wire = (uint32_t)-code;
    action->record.reset.code = wire;
    action->record.reset.text = edda_text_of(edda_error_text(code));
    core->counters.resets[wire < EDDA_CORE_CODES ? wire : 0]++;
}

void edda_emit_release(struct edda_core *core, struct edda_body *body) {
    if (body->handle) {
        add_action(core, EDDA_ACTION_RELEASE, 0)->handle = body->handle;
    }
    *body = (struct edda_body){0};
}

void edda_emit_forget(struct edda_core *core, uint32_t number) {
    add_action(core, EDDA_ACTION_FORGET, number);
}

void edda_emit_drained(struct edda_core *core) {
    (void)add_action(core, EDDA_ACTION_DRAINED, 0);
}

void edda_emit_note(struct edda_core *core, const char *event, struct edda_text name, int code,
                    uint64_t count) {
    struct edda_action *action = add_action(core, EDDA_ACTION_NOTE, 0);
    action->note = (struct edda_note){event, name, code ? edda_error_name(code) : NULL, count};
}

void edda_actions_done(struct edda_actions *actions) {
    free(actions->items);
    *actions = (struct edda_actions){0};
}
