/* proto/body_peer.c: the fields of the session's bodies. A key that is missing had a meaning and
 * gets no other. */
#include "proto/body_peer.h"

#include "proto/schema.h"

#define MAX_PEER_NAME       256
#define MAX_STATUS_SERVICES 256

const struct edda_schema edda_empty_schema = {
    .name = "edda_empty",
    .type = EDDA_BODY_EMPTY,
    .version = EDDA_VERSION_EMPTY,
    .size = sizeof(struct edda_empty),
};

static const struct edda_field edda_hello_service_fields[] = {
    FIELD_REQUIRED(1, edda_hello_service, name, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_hello_service, model, EDDA_MAX_NAME),
    FIELD_UP_TO(3, edda_hello_service, dimension, EDDA_MAX_DIMENSION),
};
RECORD_SCHEMA(edda_hello_service);

static const struct edda_field edda_hello_fields[] = {
    FIELD_REQUIRED(1, edda_hello, node, 0),
    FIELD_UP_TO(2, edda_hello, incarnation, EDDA_ANY_NUMBER),
    FIELD_REQUIRED(3, edda_hello, role, EDDA_MAX_NAME),
    FIELD_UP_TO(4, edda_hello, name, MAX_PEER_NAME),
    FIELD_LIST(6, edda_hello, services, edda_hello_service, EDDA_MAX_SERVICES),
    FIELD_UP_TO(7, edda_hello, window, EDDA_MAX_WORKER_WINDOW),
};
BODY_SCHEMA(edda_hello, HELLO);

static const struct edda_field edda_welcome_fields[] = {
    FIELD_UP_TO(1, edda_welcome, session, EDDA_ANY_NUMBER),
    FIELD(2, edda_welcome, broker),
    FIELD_UP_TO(4, edda_welcome, ping_ms, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_welcome, liveness, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_welcome, WELCOME);

static const struct edda_field edda_credit_grant_fields[] = {
    FIELD_UP_TO(1, edda_credit_grant, service, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_credit_grant, messages, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_credit_grant, bytes, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_credit_grant, CREDIT);

static const struct edda_field edda_ping_fields[] = {
    FIELD_UP_TO(1, edda_ping, stamp, EDDA_ANY_NUMBER),
    FIELD_UP_TO(2, edda_ping, messages, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_ping, bytes, EDDA_ANY_NUMBER),
};
BODY_SCHEMA(edda_ping, PING);

static const struct edda_field edda_reset_fields[] = {
    FIELD_UP_TO(1, edda_reset, code, EDDA_ANY_NUMBER),
    FIELD_UP_TO(2, edda_reset, text, EDDA_MAX_ERROR_TEXT),
};
BODY_SCHEMA(edda_reset, RESET);

static const struct edda_field edda_service_status_fields[] = {
    FIELD_REQUIRED(1, edda_service_status, name, EDDA_MAX_NAME),
    FIELD_UP_TO(2, edda_service_status, model, EDDA_MAX_NAME),
    FIELD_UP_TO(3, edda_service_status, workers, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_service_status, window, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_service_status, queued, EDDA_ANY_NUMBER),
    FIELD_UP_TO(6, edda_service_status, queued_bytes, EDDA_ANY_NUMBER),
    FIELD_UP_TO(7, edda_service_status, oldest_ms, EDDA_ANY_NUMBER),
    FIELD_UP_TO(8, edda_service_status, running, EDDA_ANY_NUMBER),
    FIELD_UP_TO(9, edda_service_status, done, EDDA_ANY_NUMBER),
    FIELD_UP_TO(10, edda_service_status, failed, EDDA_ANY_NUMBER),
    FIELD_UP_TO(11, edda_service_status, requeued, EDDA_ANY_NUMBER),
    FIELD(12, edda_service_status, rate),
    FIELD(13, edda_service_status, step_ms),
};
RECORD_SCHEMA(edda_service_status);

static const struct edda_field edda_broker_status_fields[] = {
    FIELD(1, edda_broker_status, broker),
    FIELD_UP_TO(2, edda_broker_status, uptime_ms, EDDA_ANY_NUMBER),
    FIELD_UP_TO(3, edda_broker_status, peers, EDDA_ANY_NUMBER),
    FIELD_UP_TO(4, edda_broker_status, clients, EDDA_ANY_NUMBER),
    FIELD_UP_TO(5, edda_broker_status, workers, EDDA_ANY_NUMBER),
    FIELD_UP_TO(6, edda_broker_status, admitted, EDDA_ANY_NUMBER),
    FIELD_UP_TO(7, edda_broker_status, ended, EDDA_ANY_NUMBER),
    FIELD_UP_TO(8, edda_broker_status, queued, EDDA_ANY_NUMBER),
    FIELD_UP_TO(9, edda_broker_status, running, EDDA_ANY_NUMBER),
    FIELD_UP_TO(10, edda_broker_status, pending_bytes, EDDA_ANY_NUMBER),
    FIELD_UP_TO(11, edda_broker_status, refused, EDDA_ANY_NUMBER),
    FIELD_UP_TO(12, edda_broker_status, late, EDDA_ANY_NUMBER),
    FIELD_UP_TO(13, edda_broker_status, resets, EDDA_ANY_NUMBER),
    FIELD(14, edda_broker_status, draining),
    FIELD_LIST(15, edda_broker_status, services, edda_service_status, MAX_STATUS_SERVICES),
};
BODY_SCHEMA(edda_broker_status, BROKER_STATUS);
