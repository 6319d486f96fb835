/* actors/provider/answer.c: what the end of one try means. */
#include <stdio.h>

#include "actors/provider/provider_state.h"
#include "actors/runtime/clock.h"

enum edda_outcome edda_call_judge_expired(const struct edda_provider_call *call, bool began) {
    bool patient = edda_clock_us() - call->began_us >= EDDA_PROVIDER_PATIENCE_MS * INT64_C(1000);
    return patient && !began ? EDDA_OUTCOME_TIMEOUT : EDDA_OUTCOME_DROPPED;
}

/* A transfer without a whole response. */
static void judge_transfer(const struct edda_provider_call *call,
                           const struct edda_outbound_result *result, const char *const *secrets,
                           struct edda_provider_reply *reply, struct edda_verdict *verdict) {
    reply->error = result->error;
    reply->blame = EDDA_BLAME_OUTSIDE;
    *verdict = (struct edda_verdict){EDDA_OUTCOME_FAILED, false};
    switch (result->error) {
    case EDDA_E_TIMEOUT:
        *verdict = (struct edda_verdict){EDDA_OUTCOME_TIMEOUT, true};
        break;
    case EDDA_E_EXPIRED:
        verdict->outcome = edda_call_judge_expired(call, result->began);
        break;
    case EDDA_E_MEMORY:
        reply->blame = EDDA_BLAME_WORKER;
        verdict->outcome = EDDA_OUTCOME_DROPPED;
        break;
    case EDDA_E_LIMIT:
        reply->error = EDDA_E_FAILED; /* EDDA_E_LIMIT is the provider's word for a large request */
        break;
    default:
        verdict->again = true;
    }
    char words[EDDA_OUTBOUND_REASON];
    (void)edda_redact(edda_text_of(result->reason), secrets, words, sizeof words);
    (void)snprintf(reply->text, sizeof reply->text, "%s: %s", call->provider->name, words);
}

void edda_call_judge_look(const struct edda_provider_call *call, int error,
                          struct edda_provider_reply *reply, struct edda_verdict *verdict) {
    if (error) {
        reply->error = error;
        reply->blame = EDDA_BLAME_OUTSIDE;
        reply->body = (struct edda_bytes){0};
        *verdict = (struct edda_verdict){EDDA_OUTCOME_FAILED, true};
        (void)snprintf(reply->text, sizeof reply->text, "%s: " EDDA_NONSENSE, call->provider->name);
    }
}

/* A success must also make sense. */
static void check_body(struct edda_provider_call *call, struct edda_provider_reply *reply,
                       struct edda_verdict *verdict) {
    int error = 0;
    if (!reply->error && call->request.check) {
        error = call->request.check(call->request.context, reply->body);
    }
    call->looking = error == EDDA_E_AGAIN;
    if (!call->looking) {
        edda_call_judge_look(call, error, reply, verdict);
    }
}

struct edda_verdict edda_call_judge(struct edda_provider_call *call,
                                    const struct edda_outbound_result *result,
                                    struct edda_provider_reply *reply) {
    struct edda_verdict verdict;
    const char *secrets[EDDA_OUTBOUND_HEADERS + 1];
    edda_header_secrets(call->request.headers, secrets);
    /* A refusal that broke off says as much. */
    bool refusal = result->status >= 300 && result->error != EDDA_E_EXPIRED;
    if (result->error && !refusal) {
        reply->status = result->status;
        judge_transfer(call, result, secrets, reply, &verdict);
    } else {
        edda_provider_judge(call->provider->name, result->status, result->body, secrets, reply,
                            &verdict.outcome, &verdict.again);
        reply->body = reply->error ? (struct edda_bytes){0} : result->body;
        check_body(call, reply, &verdict);
    }
    return verdict;
}
