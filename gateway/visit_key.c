/* gateway/visit_key.c: whose project a visit works in. */
#include "gateway/visit_internal.h"

struct key_check {
    edda_visit_fn next;
    struct edda_key_tag tag;
};

static void deny(struct edda_visit *visit) {
    turn_away(visit, 401, "Unauthorized");
}

static struct edda_key_limits limits_of(const edda_gateway_t *gateway,
                                        const struct edda_key_grant *grant) {
    struct edda_key_limits limits = gateway->limits;
    if (grant->limits.rate > 0) {
        limits.rate = grant->limits.rate;
    }
    if (grant->limits.concurrency > 0) {
        limits.concurrency = grant->limits.concurrency;
    }
    return limits;
}

/* The key is good: what it may ask for is counted here, once a request. */
static void admit(struct edda_visit *visit, const struct edda_key_tag *tag,
                  const struct edda_key_grant *grant, edda_visit_fn next) {
    edda_gateway_t *gateway = visit->gateway;
    struct edda_key_limits limits = limits_of(gateway, grant);
    struct edda_limiter_answer answer =
        edda_limiter_enter(gateway->limiter, tag, &limits, edda_loop_now(gateway->loop));
    memcpy(visit->project, grant->project, sizeof visit->project);
    visit->keyed = true;
    visit->ticket = answer.ticket;
    if (limits.rate > 0 || limits.concurrency > 0) {
        char policy[EDDA_LIMITER_POLICY];
        char state[EDDA_LIMITER_POLICY];
        edda_limiter_headers(&limits, &answer, policy, state);
        edda_exchange_limits(visit->exchange, policy, state);
    }
    if (answer.verdict == EDDA_LIMITER_PASS) {
        next(visit);
        return;
    }
    bool rate = answer.verdict == EDDA_LIMITER_RATE;
    edda_metric_add(EDDA_METRIC_HTTP_REFUSED, rate ? "rate" : "concurrency", 1);
    turn_away_until(visit, 429, rate ? "Too many requests" : "Too many requests at once",
                    rate ? answer.next_s : 1);
}

static void learn_key(struct edda_visit *visit, const struct edda_reply *reply) {
    struct key_check *check = visit->work;
    edda_gateway_t *gateway = visit->gateway;
    int64_t now_ms = edda_loop_now(gateway->loop);
    struct edda_store_key key = {0};
    int error = reply->error;

    visit->work = NULL;
    if (!error && reply->type != EDDA_BODY_STORE_KEY) {
        error = EDDA_E_TYPE;
    }
    if (!error) {
        error = edda_body_decode(EDDA_BODY_STORE_KEY, reply->body, &visit->arena, &key);
    }
    if (error && error != EDDA_E_NOT_FOUND && error != EDDA_E_DENIED) {
        edda_visit_error(visit, error, &reply->detail);
        return;
    }
    if (error || key.revoked || key.project.size == 0 || key.project.size > EDDA_MAX_NAME) {
        edda_keys_learn(gateway->keys, &check->tag, NULL, now_ms);
        deny(visit);
        return;
    }
    struct edda_key_grant grant = {.limits = {key.rate, key.concurrency}};
    memcpy(grant.project, key.project.data, key.project.size);
    edda_keys_learn(gateway->keys, &check->tag, &grant, now_ms);
    admit(visit, &check->tag, &grant, check->next);
}

static void ask_store(struct edda_visit *visit, struct edda_text text, struct edda_key_tag tag,
                      edda_visit_fn next) {
    uint8_t hash[EDDA_KEY_HASH_BYTES];
    struct key_check *check = edda_visit_work(visit, sizeof *check);
    if (!check) {
        return;
    }
    *check = (struct key_check){next, tag};
    edda_keys_hash(text, hash);
    struct edda_store_key key = {.hash = {hash, sizeof hash}};
    edda_visit_call(visit, "store.key_check", EDDA_BODY_STORE_KEY, &key, learn_key);
}

void check_key(struct edda_visit *visit, edda_visit_fn next) {
    const struct edda_http_head *head = edda_exchange_head(visit->exchange);
    edda_gateway_t *gateway = visit->gateway;
    struct edda_text text;
    struct edda_key_tag tag;
    struct edda_key_grant grant;
    int error = edda_keys_parse(head->authorization, &text);
    if (error == EDDA_E_INVALID) {
        turn_away(visit, 400, "Invalid request");
        return;
    }
    if (!error) {
        error = edda_keys_find(gateway->keys, text, edda_loop_now(gateway->loop), &tag, &grant);
    }
    if (error == EDDA_E_AGAIN) {
        ask_store(visit, text, tag, next);
    } else if (error) {
        deny(visit);
    } else {
        admit(visit, &tag, &grant, next);
    }
}
