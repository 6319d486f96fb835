/* gateway/visit_answer.c: a visit's calls and answers. */
#include <stdio.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "gateway/admit.h"
#include "gateway/read.h"
#include "gateway/uri.h"
#include "gateway/visit_internal.h"
#include "gateway/write.h"
#include "proto/op.h"
#include "proto/uuid.h"

void edda_visit_reply(struct edda_visit *visit, int status) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    struct edda_http_response response = {
        .status = status,
        .tag = head->method == EDDA_METHOD_GET || head->method == EDDA_METHOD_HEAD,
    };
    edda_exchange_respond(visit->exchange, &response);
}

void edda_visit_refuse(struct edda_visit *visit, const struct edda_refusal *refusal) {
    struct edda_buffer *out = edda_visit_out(visit);
    struct edda_http_response response = {.status = refusal->status,
                                          .retry_after_s = refusal->retry_after_s};
    edda_buffer_reset(out);
    EDDA_WRITE(out, "{\"error\":");
    edda_write_text(out, refusal->text);
    if (refusal->reason.size > 0) {
        EDDA_WRITE(out, ",\"reason\":");
        edda_write_text(out, refusal->reason);
    }
    EDDA_WRITE(out, "}");
    edda_exchange_respond(visit->exchange, &response);
}

static void fail_text(struct edda_visit *visit, int status, struct edda_text text) {
    struct edda_refusal refusal = {.status = status, .text = text};
    edda_visit_refuse(visit, &refusal);
}

void edda_visit_fail(struct edda_visit *visit, int status, const char *text) {
    fail_text(visit, status, edda_text_of(text));
}

void edda_visit_log(const struct edda_visit *visit, int status, int code,
                    const struct edda_wire_error *detail) {
    struct edda_text text = detail ? detail->text : (struct edda_text){0};
    edda_log(status == 503 || status == 504 ? EDDA_LOG_INFO : EDDA_LOG_WARNING, "http_failed",
             "route=%s status=%d error=%s text=\"%.*s\" request_id=%s",
             visit->route ? visit->route->label : "none", status, edda_error_name(code),
             (int)text.size, text.data ? text.data : "", visit->request_id);
}

void edda_visit_error(struct edda_visit *visit, int code, const struct edda_wire_error *detail) {
    struct edda_refusal refusal = edda_admit_refuse(code, detail, edda_random32());
    if (refusal.ours) {
        edda_visit_log(visit, refusal.status, code, detail);
    }
    if (edda_exchange_ended(visit->exchange)) {
        edda_visit_refuse(visit, &refusal);
    } else {
        turn_away(visit, refusal.status, edda_error_text(code));
    }
}

void edda_visit_complain(struct edda_visit *visit, int error,
                         const struct edda_complaints *complaints) {
    const struct edda_buffer *words = &complaints->text;
    if (error == EDDA_E_INVALID) {
        fail_text(visit, 400, (struct edda_text){(const char *)words->data, words->size});
    } else {
        edda_visit_error(visit, error, NULL);
    }
}

struct edda_request edda_visit_request(struct edda_visit *visit, const struct edda_step *steps,
                                       size_t count, uint32_t ttl_ms) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    struct edda_text state = head->tracestate;
    struct edda_text none = {0};
    return (struct edda_request){
        .steps = steps,
        .step_count = count,
        .project = edda_text_of(visit->project),
        .traceparent = {visit->traceparent, EDDA_TRACEPARENT - 1},
        .tracestate = state.size > 0 && state.size <= EDDA_MAX_TRACESTATE ? state : none,
        .retries = 1,
        .ttl_ms = ttl_ms,
        .broker = -1,
        .context = visit,
    };
}

int edda_visit_step(struct edda_visit *visit, const char *op, uint16_t type, const void *record,
                    struct edda_step *ret_step) {
    struct edda_buffer *scratch = &visit->gateway->scratch;
    edda_buffer_reset(scratch);
    int error = edda_body_encode(type, record, scratch);
    *ret_step = (struct edda_step){.op = op, .type = type, .arguments = edda_buffer_bytes(scratch)};
    return error;
}

static void take_reply(void *context, const struct edda_reply *reply) {
    struct edda_visit *visit = context;
    visit->call = NULL;
    if (!edda_exchange_gone(visit->exchange)) {
        visit->on_reply(visit, reply);
    }
}

int edda_visit_try(struct edda_visit *visit, struct edda_request *request,
                   edda_visit_reply_fn on_reply) {
    EDDA_ASSERT(!visit->call);
    if (visit->gateway->closing) {
        return EDDA_E_DRAINING;
    }
    visit->on_reply = on_reply;
    request->on_reply = take_reply;
    int error = edda_client_call(visit->gateway->client, request, &visit->call);
    if (error) {
        visit->call = NULL;
    }
    return error;
}

void edda_visit_call(struct edda_visit *visit, const char *op, uint16_t type, const void *record,
                     edda_visit_reply_fn on_reply) {
    struct edda_step step;
    const struct edda_op *known = edda_op_find(edda_text_of(op));
    int error = edda_visit_step(visit, op, type, record, &step);
    EDDA_ASSERT(known);
    if (error) {
        edda_visit_error(visit, error, NULL);
        return;
    }
    struct edda_request request = edda_visit_request(visit, &step, 1, known->budget_ms);
    error = edda_visit_try(visit, &request, on_reply);
    if (error) {
        edda_visit_error(visit, error, NULL);
    }
}

bool edda_visit_take(struct edda_visit *visit, const struct edda_reply *reply, uint16_t type,
                     struct edda_arena *arena, void *ret_record, const char *not_found) {
    int error = reply->error;
    if (error == EDDA_E_NOT_FOUND && not_found) {
        edda_visit_fail(visit, 404, not_found);
        return false;
    }
    if (!error && reply->type != type) {
        error = EDDA_E_TYPE;
    }
    if (!error) {
        error = edda_body_decode(type, reply->body, arena, ret_record);
    }
    if (error) {
        edda_visit_error(visit, error, &reply->detail);
    }
    return error == 0;
}

bool edda_visit_parameter(struct edda_visit *visit, const char *name, struct edda_text *ret_value) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    if (edda_uri_parameter(head->query, name, &visit->arena, ret_value) != 0) {
        edda_visit_fail(visit, 400, "Invalid request");
        return false;
    }
    return true;
}

bool edda_visit_select(struct edda_visit *visit, struct edda_store_select *ret_select) {
    struct edda_text type;
    struct edda_uuid uuid;
    *ret_select = (struct edda_store_select){0};
    if (!edda_visit_parameter(visit, "id_type", &type)) {
        return false;
    }
    ret_select->by_reference = edda_text_is(type, "reference_id");
    if (type.data && !ret_select->by_reference && !edda_text_is(type, "memo_uuid")) {
        edda_visit_fail(visit, 400, "id_type must be either 'memo_uuid' or 'reference_id'");
        return false;
    }
    if (edda_uri_decode(visit->id, false, &visit->arena, &ret_select->id) != 0) {
        edda_visit_fail(visit, 400, "Invalid request");
        return false;
    }
    bool possible = ret_select->by_reference ? ret_select->id.size <= 4 * EDDA_MAX_TITLE
                                             : edda_uuid_parse(ret_select->id, &uuid) == 0;
    if (!possible) {
        edda_visit_fail(visit, 404, "Memo not found");
    }
    return possible;
}

void *edda_visit_work(struct edda_visit *visit, size_t size) {
    visit->work = edda_arena_take(&visit->arena, size);
    if (!visit->work) {
        edda_visit_error(visit, EDDA_E_MEMORY, NULL);
    }
    return visit->work;
}
