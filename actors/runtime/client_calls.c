/* actors/runtime/client_calls.c: a call from its request to its one answer. */
#include <stdlib.h>

#include "actors/runtime/client_state.h"
#include "actors/runtime/clock.h"
#include "proto/body.h"
#include "proto/uuid.h"

void edda_call_list_append(struct edda_call_list *list, struct edda_call *call) {
    EDDA_ASSERT(!call->list);
    call->list = list;
    call->next = NULL;
    call->previous = list->last;
    if (list->last) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
    list->count++;
}

void edda_call_list_remove(struct edda_call *call) {
    struct edda_call_list *list = call->list;
    if (!list) {
        return;
    }
    *(call->previous ? &call->previous->next : &list->first) = call->next;
    *(call->next ? &call->next->previous : &list->last) = call->previous;
    list->count--;
    call->list = NULL;
}

/* The end of a UUIDv7 is random. */
static struct edda_call **find_bucket(struct edda_client *client, const struct edda_uuid *id) {
    uint32_t hash;
    memcpy(&hash, id->bytes + 12, sizeof hash);
    return &client->buckets[hash % EDDA_CLIENT_BUCKETS];
}

struct edda_call *edda_call_find(struct edda_client *client, const struct edda_uuid *id) {
    struct edda_call *call = *find_bucket(client, id);
    while (call && !edda_uuid_equal(&call->message.envelope.id, id)) {
        call = call->next_in_bucket;
    }
    return call;
}

static size_t measure_texts(const struct edda_request *request) {
    size_t size = request->project.size + request->traceparent.size + request->tracestate.size +
                  request->idempotency.size;
    for (size_t i = 0; i < request->step_count; i++) {
        size += strlen(request->steps[i].op);
    }
    return size;
}

/* Copies size bytes to *at, moves *at behind them, and gives the copy. */
static const void *keep(char **at, const void *data, size_t size) {
    if (!data) {
        return NULL;
    }
    char *copy = *at;
    memcpy(copy, data, size);
    *at += size;
    return copy;
}

static struct edda_text keep_text(char **at, struct edda_text text) {
    return (struct edda_text){keep(at, text.data, text.size), text.size};
}

static int fill_steps(struct edda_call *call, const struct edda_request *request, char **at) {
    struct edda_envelope *envelope = &call->message.envelope;
    for (size_t i = 0; i < request->step_count; i++) {
        const struct edda_step *step = &request->steps[i];
        struct edda_route_step *route = &envelope->route[envelope->route_count++];
        route->op = keep_text(at, edda_text_of(step->op));
        route->budget_ms = step->budget_ms;
        route->on_error = step->on_error;
        route->arguments = EDDA_NO_ARGUMENTS;
        if (step->type == EDDA_BODY_NONE) {
            continue;
        }
        zmq_msg_t *body = &call->bodies[envelope->body_count];
        if (zmq_msg_init_size(body, step->arguments.size) != 0) {
            return EDDA_E_MEMORY;
        }
        if (step->arguments.size) {
            memcpy(zmq_msg_data(body), step->arguments.data, step->arguments.size);
        }
        const struct edda_schema *schema = edda_body_schema(step->type);
        route->arguments = envelope->body_count;
        envelope->bodies[envelope->body_count++] = (struct edda_body_descriptor){
            .type = step->type,
            .version = schema ? schema->version : 0,
            .bytes = (uint32_t)step->arguments.size,
        };
        call->bytes += step->arguments.size;
    }
    return 0;
}

static int fill_message(struct edda_call *call, const struct edda_request *request, char *at) {
    struct edda_envelope *envelope = &call->message.envelope;
    memset(&call->message, 0, sizeof call->message);
    call->message.command = EDDA_REQ;
    envelope->id = edda_uuid_is_nil(&request->id) ? edda_uuid_new() : request->id;
    envelope->project = keep_text(&at, request->project);
    envelope->traceparent = keep_text(&at, request->traceparent);
    envelope->tracestate = keep_text(&at, request->tracestate);
    envelope->idempotency.data = keep(&at, request->idempotency.data, request->idempotency.size);
    envelope->idempotency.size = request->idempotency.size;
    envelope->priority = request->priority;
    envelope->retries = request->retries;
    envelope->flags = request->flags;
    envelope->fence = request->fence;
    return fill_steps(call, request, &at);
}

static void release_call(struct edda_client *client, struct edda_call *call) {
    for (size_t i = 0; i < call->message.envelope.body_count; i++) {
        zmq_msg_close(&call->bodies[i]);
    }
    if (call->texts != call->inline_texts) {
        free(call->texts);
    }
    if (client->spare_count >= EDDA_CLIENT_SPARE_CALLS) {
        free(call);
        return;
    }
    call->next = client->spare;
    client->spare = call;
    client->spare_count++;
}

static struct edda_call *take_spare(struct edda_client *client) {
    struct edda_call *call = client->spare;
    if (!call) {
        return malloc(sizeof *call);
    }
    client->spare = call->next;
    client->spare_count--;
    return call;
}

struct edda_call *edda_call_new(struct edda_client *client, const struct edda_request *request) {
    struct edda_call *call = take_spare(client);
    if (!call) {
        return NULL;
    }
    /* Everything up to the message; what follows is filled as far as it is used. */
    memset(call, 0, offsetof(struct edda_call, message));
    size_t texts_size = measure_texts(request);
    call->texts = call->inline_texts;
    call->message.envelope.body_count = 0;
    if (texts_size > EDDA_CLIENT_INLINE_BYTES) {
        call->texts = malloc(texts_size);
        if (!call->texts) {
            release_call(client, call);
            return NULL;
        }
    }
    if (fill_message(call, request, call->texts) != 0) {
        release_call(client, call);
        return NULL;
    }
    call->deadline_ms = edda_loop_now(client->loop) + request->ttl_ms;
    call->pinned = request->broker;
    call->broker = -1;
    call->on_reply = request->on_reply;
    call->on_part = request->on_part;
    call->on_progress = request->on_progress;
    call->context = request->context;
    call->service =
        edda_client_service(client, edda_op_service(call->message.envelope.route[0].op));
    struct edda_call **bucket = find_bucket(client, &call->message.envelope.id);
    call->next_in_bucket = *bucket;
    *bucket = call;
    if (client->open_calls++ == 0) {
        edda_client_arm(client);
    }
    return call;
}

static void forget_call(struct edda_client *client, struct edda_call *call) {
    edda_call_list_remove(call);
    struct edda_call **link = find_bucket(client, &call->message.envelope.id);
    while (*link != call) {
        EDDA_ASSERT(*link);
        link = &(*link)->next_in_bucket;
    }
    *link = call->next_in_bucket;
    EDDA_ASSERT(client->open_calls > 0);
    client->open_calls--;
}

void edda_call_free(struct edda_client *client, struct edda_call *call) {
    forget_call(client, call);
    release_call(client, call);
}

static void count_result(struct edda_client *client, int error) {
    size_t index = (size_t)-error;
    EDDA_ASSERT(index < EDDA_CLIENT_CODES);
    if (!client->result_cells[index]) {
        client->result_cells[index] = edda_metric_cell(EDDA_METRIC_CALLS, edda_error_name(error));
    }
    edda_cell_add(client->result_cells[index], 1);
}

void edda_call_answer(struct edda_client *client, struct edda_call *call,
                      const struct edda_reply *reply) {
    forget_call(client, call);
    count_result(client, reply->error);
    call->on_reply(call->context, reply);
    release_call(client, call);
}

void edda_call_fail(struct edda_client *client, struct edda_call *call, int error) {
    struct edda_reply reply = {
        .error = error,
        .detail = {.code = error,
                   .blame = EDDA_BLAME_OUTSIDE,
                   .text = edda_text_of(edda_error_text(error))},
    };
    edda_call_answer(client, call, &reply);
}

void edda_call_end_all(struct edda_client *client) {
    while (client->ending.first) {
        edda_call_fail(client, client->ending.first, client->ending.first->error);
    }
}
