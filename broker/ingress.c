/* broker/ingress.c: accounts of clients and the CREDIT they are told. */
#include "broker/ingress.h"

#include "broker/emit.h"
#include "proto/buggify.h"

#define RAISE_SHARE 4 /* a raise of a quarter of the window is worth a message at once */

static struct edda_account *account_of(const struct edda_peer *peer,
                                       const struct edda_service *service) {
    return &peer->accounts[service->index];
}

void edda_ingress_received(struct edda_peer *peer, const struct edda_service *service,
                           uint64_t bytes) {
    struct edda_account *account = account_of(peer, service);
    account->received++;
    account->received_bytes += bytes;
}

bool edda_ingress_allows(const struct edda_peer *peer, const struct edda_service *service) {
    const struct edda_account *account = account_of(peer, service);
    return account->received <= account->told && account->received_bytes <= account->told_bytes;
}

void edda_ingress_charge(struct edda_pending *pending, struct edda_peer *peer,
                         const struct edda_service *service, uint64_t bytes) {
    if (pending->session == peer->session) {
        return;
    }
    struct edda_account *account = account_of(peer, service);
    pending->session = peer->session;
    pending->request_bytes = bytes;
    account->open++;
    account->open_bytes += bytes;
}

void edda_ingress_settle(struct edda_core *core, struct edda_pending *pending) {
    struct edda_peer *peer = pending->client->peer;
    const struct edda_service *service = pending->steps[0].op->service;
    if (!peer || peer->session != pending->session || !service) {
        return;
    }
    struct edda_account *account = account_of(peer, service);
    EDDA_ASSERT(account->open > 0 && account->open_bytes >= pending->request_bytes);
    account->open--;
    account->open_bytes -= pending->request_bytes;
    edda_ingress_grant(core, peer, service, false);
}

static uint64_t window_messages(const struct edda_peer *peer, const struct edda_service *service) {
    const struct edda_queue *queue = &service->queue;
    uint64_t window = peer->pump ? EDDA_CLIENT_WINDOW / 2 : EDDA_CLIENT_WINDOW;
    uint64_t room =
        EDDA_MAX_QUEUE_MESSAGES -
        (queue->count < EDDA_MAX_QUEUE_MESSAGES ? queue->count : EDDA_MAX_QUEUE_MESSAGES);
    if (peer->pump) {
        uint64_t bulk = queue->bands[EDDA_BAND_BULK].count;
        uint64_t half = EDDA_MAX_QUEUE_MESSAGES / 2;
        uint64_t bulk_room = bulk < half ? half - bulk : 0;
        room = bulk_room < room ? bulk_room : room;
    }
    return window < room ? window : room;
}

static uint64_t window_bytes(const struct edda_peer *peer, const struct edda_service *service) {
    uint64_t maximum = peer->pump ? EDDA_MAX_QUEUE_BYTES / 2 : EDDA_MAX_QUEUE_BYTES;
    uint64_t used = peer->pump ? service->queue.bands[EDDA_BAND_BULK].bytes : service->queue.bytes;
    uint64_t window = peer->pump ? EDDA_CLIENT_WINDOW_BYTES / 2 : EDDA_CLIENT_WINDOW_BYTES;
    uint64_t room = used < maximum ? maximum - used : 0;
    return window < room ? window : room;
}

static void send_credit(struct edda_core *core, struct edda_peer *peer,
                        const struct edda_service *service) {
    const struct edda_account *account = account_of(peer, service);
    struct edda_action *action = edda_emit_record(core, peer, EDDA_CREDIT, EDDA_BODY_CREDIT);
    action->record.credit = (struct edda_credit_grant){
        .service = edda_text_of(service->name),
        .messages = account->told,
        .bytes = account->told_bytes,
    };
}

void edda_ingress_grant(struct edda_core *core, struct edda_peer *peer,
                        const struct edda_service *service, bool all) {
    if (core->draining || service->ready_count == 0) {
        return;
    }
    struct edda_account *account = account_of(peer, service);
    if (account->told == 0) {
        /* What it sent without a grant, the client does not count either. */
        account->received = account->open;
        account->received_bytes = account->open_bytes;
    }
    uint64_t window = window_messages(peer, service);
    uint64_t messages = account->received - account->open + window;
    uint64_t bytes = account->received_bytes - account->open_bytes + window_bytes(peer, service);
    uint64_t raise = messages > account->told ? messages - account->told : 0;
    uint64_t raise_bytes = bytes > account->told_bytes ? bytes - account->told_bytes : 0;
    bool worth = all ? raise > 0 || (raise_bytes > 0 && account->told > 0)
                     : raise >= EDDA_CLIENT_WINDOW / 2 / RAISE_SHARE ||
                           raise_bytes >= EDDA_CLIENT_WINDOW_BYTES / 2 / RAISE_SHARE;
    if (!worth || (!all && EDDA_BUGGIFY("grant_late"))) {
        return;
    }
    account->told += raise;
    account->told_bytes += raise_bytes;
    send_credit(core, peer, service);
}

void edda_ingress_grant_all(struct edda_core *core, struct edda_peer *peer, bool again) {
    for (uint32_t i = 0; i < core->service_count; i++) {
        const struct edda_service *service = &core->services[i];
        if (again && account_of(peer, service)->told > 0) {
            send_credit(core, peer, service);
        } else {
            edda_ingress_grant(core, peer, service, true);
        }
    }
}

void edda_ingress_offer(struct edda_core *core, const struct edda_service *service) {
    for (uint32_t i = 0; i < core->peer_high; i++) {
        struct edda_peer *peer = core->peers[i];
        if (peer && peer->side == EDDA_SIDE_FRONT) {
            edda_ingress_grant(core, peer, service, true);
        }
    }
}

void edda_ingress_tick(struct edda_core *core) {
    for (uint32_t i = 0; i < core->service_count; i++) {
        edda_ingress_offer(core, &core->services[i]);
    }
}
