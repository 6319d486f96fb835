/* tests/harness/script.c: the verbs of a script: send_ and expect_. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "proto/op.h"
#include "proto/uuid.h"
#include "tests/harness/state.h"
#include "tests/proto/cmocka.h"

struct route_text {
    char arguments[EDDA_MAX_ROUTE][96];
    struct edda_bytes bodies[EDDA_MAX_ROUTE];
};

/* One step of the route; returns what is left of the text. */
static const char *parse_step(const char *at, struct edda_envelope *envelope,
                              struct route_text *text) {
    uint8_t index = envelope->route_count;
    struct edda_route_step *step = &envelope->route[index];
    at += strspn(at, " ->");
    step->op = (struct edda_text){at, strcspn(at, " ?(")};
    at += step->op.size;
    if (*at == '?') {
        step->on_error = EDDA_ON_ERROR_SKIP;
        at++;
    }
    if (*at == '(') {
        step->budget_ms = (uint32_t)strtoul(at + 1, NULL, 10);
        at += strcspn(at, ")") + 1;
    }
    int size = snprintf(text->arguments[index], sizeof(text->arguments[index]), "arguments of %.*s",
                        (int)step->op.size, step->op.data);
    const struct edda_op *op = edda_op_find(step->op);
    step->arguments = index;
    text->bodies[index] =
        (struct edda_bytes){(const uint8_t *)text->arguments[index], (size_t)size};
    envelope->bodies[index] =
        (struct edda_body_descriptor){op ? op->arguments : EDDA_BODY_EMPTY, 1, (uint32_t)size};
    envelope->body_count = ++envelope->route_count;
    return at;
}

struct edda_uuid send_req_with(edda_fake_t *client, const struct fake_request *request) {
    struct edda_message message = {.command = EDDA_REQ};
    struct edda_envelope *envelope = &message.envelope;
    struct route_text text;
    envelope->id = edda_uuid_is_nil(&request->id) ? edda_uuid_new() : request->id;
    envelope->project = edda_text_of(request->project ? request->project : "test");
    envelope->priority = request->priority;
    envelope->retries = request->retries;
    envelope->ttl_ms = request->ttl_ms;
    envelope->flags = request->flags;
    envelope->fence = request->fence;
    for (const char *at = request->route; *at;) {
        at = parse_step(at, envelope, &text);
    }
    fake_send(client, &message, text.bodies, envelope->body_count);
    return envelope->id;
}

struct edda_uuid send_req(edda_fake_t *client, const char *route) {
    const struct fake_request request = {.route = route, .retries = 2, .ttl_ms = 5000};
    return send_req_with(client, &request);
}

void send_cancel(edda_fake_t *client, const struct edda_uuid *id) {
    fake_send_record(client, EDDA_CANCEL, id, 0, NULL);
}

void send_stream_credit(edda_fake_t *client, const struct edda_uuid *id, uint64_t messages,
                        uint64_t bytes) {
    const struct edda_credit_grant grant = {.messages = messages, .bytes = bytes};
    fake_send_record(client, EDDA_CREDIT, id, EDDA_BODY_CREDIT, &grant);
}

void send_command(edda_fake_t *fake, enum edda_command command) {
    const struct edda_message message = {.command = (uint8_t)command};
    fake_send(fake, &message, NULL, 0);
}

static struct edda_message about(enum edda_command command, const struct fake_work *work) {
    struct edda_message message = {.command = (uint8_t)command};
    message.envelope.id = work->id;
    message.envelope.step = work->step;
    message.envelope.attempt = work->attempt;
    return message;
}

static void send_output(edda_fake_t *worker, struct edda_message *message, uint16_t type,
                        const char *text) {
    const struct edda_bytes body = {(const uint8_t *)text, strlen(text)};
    message->envelope.body_count = 1;
    message->envelope.bodies[0] = (struct edda_body_descriptor){type, 1, (uint32_t)body.size};
    fake_send(worker, message, &body, 1);
}

/* An actor's grant after a result; a broker that drained on that result is gone already. */
static void give_back(edda_fake_t *worker) {
    if (edda_socket_writable(worker->socket)) {
        send_credit(worker, 1);
    }
}

void send_done_of_type(edda_fake_t *worker, const struct fake_work *work, uint16_t type,
                       const char *output) {
    struct edda_message message = about(EDDA_DONE, work);
    send_output(worker, &message, type, output);
    give_back(worker);
}

void send_done(edda_fake_t *worker, const struct fake_work *work, const char *output) {
    const struct edda_op *op = edda_op_find(edda_text_of(work->op));
    send_done_of_type(worker, work, op ? op->output : EDDA_BODY_EMPTY, output);
}

void send_fail(edda_fake_t *worker, const struct fake_work *work, int code, enum edda_blame blame) {
    struct edda_message message = about(EDDA_FAIL, work);
    message.envelope.error = (struct edda_wire_error){
        .code = code, .blame = (uint8_t)blame, .text = EDDA_TEXT("a fake failed")};
    fake_send(worker, &message, NULL, 0);
    give_back(worker);
}

void send_return(edda_fake_t *worker, const struct fake_work *work) {
    const struct edda_message message = about(EDDA_RETURN, work);
    fake_send(worker, &message, NULL, 0);
    give_back(worker);
}

void send_part(edda_fake_t *worker, const struct fake_work *work, uint32_t sequence,
               const char *text) {
    struct edda_message message = about(EDDA_PART, work);
    message.envelope.sequence = sequence;
    send_output(worker, &message, EDDA_BODY_EMPTY, text);
}

void send_progress(edda_fake_t *worker, const struct fake_work *work) {
    const struct edda_message message = about(EDDA_PROGRESS, work);
    fake_send(worker, &message, NULL, 0);
}

struct inbox_item *fake_expect(edda_fake_t *fake, enum edda_command command,
                               const struct edda_uuid *id) {
    struct inbox_item *item = fake_take(fake, SCENARIO_WAIT_MS);
    if (!item) {
        fail_msg("%s %s expected %s and got nothing", fake->role, fake->services,
                 edda_command_name((uint8_t)command));
        return NULL;
    }
    const struct edda_message *message = &item->wire.message;
    if (message->command != command) {
        fail_msg("%s %s expected %s and got %s %.*s %s", fake->role, fake->services,
                 edda_command_name((uint8_t)command), edda_command_name(message->command),
                 (int)message->envelope.op.size,
                 message->envelope.op.data ? message->envelope.op.data : "",
                 edda_error_name(message->envelope.error.code));
    }
    if (id && !edda_uuid_equal(&message->envelope.id, id)) {
        fail_msg("%s %s got %s for another request", fake->role, fake->services,
                 edda_command_name((uint8_t)command));
    }
    return item;
}

static void cut_text(char *place, size_t room, const void *data, size_t size) {
    size_t copied = size < room ? size : room - 1;
    if (copied > 0) {
        memcpy(place, data, copied);
    }
    place[copied] = '\0';
}

struct fake_work fake_read_work(const struct inbox_item *item) {
    const struct edda_message *message = &item->wire.message;
    const struct edda_envelope *envelope = &message->envelope;
    struct fake_work work = {
        .id = envelope->id,
        .attempt = envelope->attempt,
        .step = envelope->step,
        .retries = envelope->retries,
        .priority = envelope->priority,
        .ttl_ms = envelope->ttl_ms,
        .fence = envelope->fence,
        .flags = envelope->flags,
        .arguments_type = edda_message_body_type(message, 0),
        .input_type = edda_message_body_type(message, 1),
    };
    cut_text(work.op, sizeof(work.op), envelope->op.data, envelope->op.size);
    cut_text(work.project, sizeof(work.project), envelope->project.data, envelope->project.size);
    cut_text(work.arguments, sizeof(work.arguments), message->bodies[0].data,
             message->bodies[0].size);
    cut_text(work.input, sizeof(work.input), message->bodies[1].data, message->bodies[1].size);
    return work;
}

struct fake_work expect_work(edda_fake_t *worker, const char *op) {
    struct inbox_item *item = fake_expect(worker, EDDA_WORK, NULL);
    struct fake_work work = fake_read_work(item);
    fake_free_item(&item);
    assert_string_equal(work.op, op);
    return work;
}

void expect_cancel(edda_fake_t *worker, const struct edda_uuid *id) {
    struct inbox_item *item = fake_expect(worker, EDDA_CANCEL, id);
    fake_free_item(&item);
}

void expect_stream_credit(edda_fake_t *worker, const struct edda_uuid *id, uint64_t messages) {
    struct inbox_item *item = fake_expect(worker, EDDA_CREDIT, id);
    struct edda_credit_grant grant;
    struct edda_arena arena;
    edda_arena_init(&arena, 0);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_CREDIT, item->wire.message.bodies[0], &arena, &grant), 0);
    edda_arena_done(&arena);
    fake_free_item(&item);
    assert_int_equal(grant.messages, messages);
}

static struct fake_reply read_reply(struct inbox_item **item_p) {
    const struct edda_message *message = &(*item_p)->wire.message;
    const struct edda_envelope *envelope = &message->envelope;
    struct fake_reply reply = {
        .id = envelope->id,
        .error = envelope->error.code,
        .blame = envelope->error.blame,
        .retry_after_ms = envelope->error.retry_after_ms,
        .type = edda_message_body_type(message, 0),
    };
    if (envelope->body_count > 0) {
        cut_text(reply.body, sizeof(reply.body), message->bodies[0].data, message->bodies[0].size);
    }
    size_t used = 0;
    for (uint8_t i = 0; i < envelope->degraded_count; i++) {
        int size =
            snprintf(reply.degraded + used, sizeof(reply.degraded) - used, "%s%.*s", i ? " " : "",
                     (int)envelope->degraded[i].size, envelope->degraded[i].data);
        used += (size_t)size;
    }
    fake_free_item(item_p);
    return reply;
}

struct fake_reply expect_resp(edda_fake_t *client, const struct edda_uuid *id, const char *body) {
    struct inbox_item *item = fake_expect(client, EDDA_RESP, id);
    struct fake_reply reply = read_reply(&item);
    if (body) {
        assert_string_equal(reply.body, body);
    }
    return reply;
}

struct fake_reply expect_fail(edda_fake_t *client, const struct edda_uuid *id, int code) {
    struct inbox_item *item = fake_expect(client, EDDA_FAIL, id);
    struct fake_reply reply = read_reply(&item);
    assert_string_equal(edda_error_name(reply.error), edda_error_name(code));
    return reply;
}

void expect_part(edda_fake_t *client, const struct edda_uuid *id, uint32_t sequence,
                 const char *text) {
    struct inbox_item *item = fake_expect(client, EDDA_PART, id);
    assert_int_equal(item->wire.message.envelope.sequence, sequence);
    struct fake_reply reply = read_reply(&item);
    assert_string_equal(reply.body, text);
}

void expect_progress(edda_fake_t *client, const struct edda_uuid *id) {
    struct inbox_item *item = fake_expect(client, EDDA_PROGRESS, id);
    fake_free_item(&item);
}

void expect_command(edda_fake_t *fake, enum edda_command command) {
    struct inbox_item *item = fake_expect(fake, command, NULL);
    fake_free_item(&item);
}

void expect_reset(edda_fake_t *fake, int code) {
    struct inbox_item *item = fake_expect(fake, EDDA_RESET, NULL);
    struct edda_reset reset;
    struct edda_arena arena;
    edda_arena_init(&arena, 1024);
    assert_int_equal(
        edda_body_decode(EDDA_BODY_RESET, item->wire.message.bodies[0], &arena, &reset), 0);
    int got = edda_error_from_wire(reset.code);
    edda_arena_done(&arena);
    fake_free_item(&item);
    assert_string_equal(edda_error_name(got), edda_error_name(code));
}

void expect_silence(edda_fake_t *fake, int64_t wait_ms) {
    struct inbox_item *item = fake_take(fake, wait_ms);
    if (item) {
        fail_msg("%s %s expected silence and got %s %s", fake->role, fake->services,
                 edda_command_name(item->wire.message.command),
                 edda_error_name(item->wire.message.envelope.error.code));
    }
}
