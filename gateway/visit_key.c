/* gateway/visit_key.c: whose project a visit works in. */
#include "gateway/visit_internal.h"

struct key_check {
    edda_visit_fn next;
    struct edda_key_tag tag;
};

static void deny(struct edda_visit *visit) {
    turn_away(visit, 401, "Unauthorized");
}

static void learn_key(struct edda_visit *visit, const struct edda_reply *reply) {
    struct key_check *check = visit->work;
    edda_gateway_t *gateway = visit->gateway;
    int64_t now_ms = edda_loop_now(gateway->loop);
    struct edda_store_key key = {0};
    struct edda_text none = {0};
    int error = reply->error;

    visit->work = NULL;
    if (!error && reply->type != EDDA_BODY_STORE_KEY) {
        error = EDDA_E_TYPE;
    }
    if (!error) {
        error = edda_body_decode(EDDA_BODY_STORE_KEY, reply->body, &visit->arena, &key);
    }
    if (error == EDDA_E_NOT_FOUND || error == EDDA_E_DENIED) {
        edda_keys_learn(gateway->keys, &check->tag, none, now_ms);
        deny(visit);
        return;
    }
    if (error) {
        edda_visit_error(visit, error, &reply->detail);
        return;
    }
    bool good = !key.revoked && key.project.size > 0 && key.project.size <= EDDA_MAX_NAME;
    edda_keys_learn(gateway->keys, &check->tag, good ? key.project : none, now_ms);
    if (!good) {
        deny(visit);
        return;
    }
    memcpy(visit->project, key.project.data, key.project.size);
    visit->keyed = true;
    check->next(visit);
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
    int error = edda_keys_parse(head->authorization, &text);
    if (error == EDDA_E_INVALID) {
        turn_away(visit, 400, "Invalid request");
        return;
    }
    if (!error) {
        error =
            edda_keys_find(gateway->keys, text, edda_loop_now(gateway->loop), &tag, visit->project);
    }
    if (error == EDDA_E_AGAIN) {
        ask_store(visit, text, tag, next);
    } else if (error) {
        deny(visit);
    } else {
        visit->keyed = true;
        next(visit);
    }
}
