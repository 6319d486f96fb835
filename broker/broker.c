/* broker/broker.c: frames to events, actions to frames.
 *
 * A body's handle is the zmq_msg_t at the start of a slot; slots come from a free list. What the
 * core sends waits in an outbox of its port until the end of the turn's phase. */
#include "broker/broker.h"

#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "actors/runtime/log.h"
#include "actors/runtime/outbox.h"
#include "actors/runtime/socket.h"
#include "actors/runtime/wire.h"
#include "broker/gauges.h"
#include "broker/ports.h"
#include "broker/routes.h"
#include "broker/trail.h"
#include "proto/body.h"

#define TICK_MS      50
#define GAUGES_MS    1000
#define LINGER_MS    2000
#define LEAVE_MS     100 /* from the last word to the end: see README.md */
#define RECORD_BYTES (64 * 1024)
#define MAX_LOST     256 /* a worker's whole window, of four that died at once */

struct slot {
    zmq_msg_t frame; /* first: the handle is its address */
    struct slot *next;
};

/* A peer the transport refused, to be told to the core once its actions are obeyed. */
struct lost {
    uint32_t number;
    uint32_t generation;
    enum edda_event_kind kind;
    bool work; /* what it refused was this WORK; of the envelope only what UNSENT looks at */
    struct edda_uuid id;
    uint8_t step;
    uint8_t attempt;
};

struct edda_broker {
    edda_loop_t *loop;
    edda_core_t *core; /* owned */
    /* In the order they are read: finish work before admitting more. */
    struct edda_port ports[EDDA_PORTS];
    edda_gate_t *gate; /* owned; NULL: no port is guarded */
    struct edda_timer tick;
    struct edda_actions actions;
    struct edda_wire wire;
    struct edda_routes routes;
    struct slot *free_slots;
    struct edda_buffer record; /* encoded bodies of our own */
    struct lost lost[MAX_LOST];
    size_t lost_count;
    struct edda_gauges gauges;
    int64_t gauges_ms;
    bool held;        /* our hold on a draining loop */
    int64_t leave_ms; /* when that ends; 0: not known yet */
};

static uint8_t port_number(const struct edda_port *port) {
    return (uint8_t)(port - port->broker->ports);
}

static struct slot *take_slot(struct edda_broker *self) {
    struct slot *slot = self->free_slots;
    if (slot) {
        self->free_slots = slot->next;
    } else {
        slot = malloc(sizeof(*slot));
        EDDA_ASSERT(slot);
    }
    zmq_msg_init(&slot->frame);
    return slot;
}

static void give_slot(struct edda_broker *self, void *handle) {
    struct slot *slot = handle;
    zmq_msg_close(&slot->frame);
    slot->next = self->free_slots;
    self->free_slots = slot;
}

static int make_record(struct edda_broker *self, const struct edda_route *route,
                       struct edda_action *action, zmq_msg_t *frames) {
    edda_buffer_reset(&self->record);
    int error = edda_body_encode(action->record_type, &action->record, &self->record);
    if (error) {
        return error;
    }
    const struct edda_bytes body = edda_buffer_bytes(&self->record);
    action->message.envelope.bodies[0] = (struct edda_body_descriptor){
        .type = action->record_type,
        .version = edda_body_schema(action->record_type)->version,
        .bytes = (uint32_t)body.size,
    };
    return edda_wire_make_bytes(frames, route->id, route->id_size, &action->message, &body, 1);
}

/* Which use of which number a message was for: the answer to it may come after the number's end. */
static uint64_t make_tag(uint32_t number, const struct edda_route *route) {
    return (uint64_t)route->generation << 32 | number;
}

static int send_message(struct edda_broker *self, const struct edda_route *route,
                        struct edda_action *action) {
    struct edda_outbox *outbox = &self->ports[route->port].outbox;
    zmq_msg_t *frames = edda_outbox_room(outbox);
    zmq_msg_t *bodies[2] = {action->bodies[0], action->bodies[1]};
    EDDA_ASSERT(frames); /* a ROUTER's never blocks */
    int made = action->record_type != 0
                   ? make_record(self, route, action, frames)
                   : edda_wire_make(frames, route->id, route->id_size, &action->message, bodies,
                                    action->message.envelope.body_count);
    if (made < 0) {
        return made;
    }
    edda_outbox_add(outbox, (size_t)made, make_tag(action->peer, route));
    return 0;
}

/* frames: routing id, F0, envelope. They are our own. */
static void remember_work(struct lost *lost, zmq_msg_t *frames) {
    struct edda_frame first;
    struct edda_envelope envelope;
    const struct edda_bytes slices[2] = {{zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1])},
                                         {zmq_msg_data(&frames[2]), zmq_msg_size(&frames[2])}};
    if (edda_frame_decode(slices[0], &first) == 0 && first.command == EDDA_WORK &&
        edda_envelope_decode(slices[1], &envelope) == 0) {
        lost->work = true;
        lost->id = envelope.id;
        lost->step = envelope.step;
        lost->attempt = envelope.attempt;
    }
}

/* The core is told when the actions at hand are obeyed, or the flush is over. */
static void note_refused(void *context, uint64_t tag, int error, zmq_msg_t *frames, size_t count) {
    struct edda_broker *self = context;
    EDDA_ASSERT(count >= 3);
    /* When the list is full the peer is met again at its next message or ping. */
    if (self->lost_count < MAX_LOST) {
        struct lost *lost = &self->lost[self->lost_count++];
        *lost = (struct lost){
            .number = (uint32_t)tag,
            .generation = (uint32_t)(tag >> 32),
            .kind = error == EDDA_E_AGAIN ? EDDA_EVENT_FULL : EDDA_EVENT_UNREACHABLE,
        };
        remember_work(lost, frames);
    }
}

static void obey_send(struct edda_broker *self, struct edda_action *action) {
    const struct edda_route *route = edda_routes_find(&self->routes, action->peer);
    int error = route ? send_message(self, route, action) : 0;
    pass_point("sent", &action->message);
    if (error) {
        edda_metric_add(EDDA_METRIC_DROPPED, "unsendable", 1);
        edda_log(EDDA_LOG_ERROR, "unsendable", "command=%s error=%s",
                 edda_command_name(action->message.command), edda_error_name(error));
    }
}

static void release_hold(struct edda_broker *self) {
    if (self->held) {
        self->held = false;
        edda_loop_release(self->loop);
    }
}

static void obey_actions(struct edda_broker *self) {
    for (size_t i = 0; i < self->actions.count; i++) {
        struct edda_action *action = &self->actions.items[i];
        switch (action->kind) {
        case EDDA_ACTION_SEND:
            obey_send(self, action);
            break;
        case EDDA_ACTION_RELEASE:
            give_slot(self, action->handle);
            break;
        case EDDA_ACTION_FORGET:
            edda_routes_forget(&self->routes, action->peer);
            break;
        case EDDA_ACTION_NOTE:
            write_note(&action->note);
            break;
        case EDDA_ACTION_DRAINED:
            edda_log(EDDA_LOG_INFO, "broker_drained", "requests=0");
            if (i == 0) {
                release_hold(self); /* nobody is there */
            }
            self->leave_ms = edda_loop_now(self->loop) + LEAVE_MS;
            break;
        }
    }
}

static bool is_route_of(const struct edda_broker *self, const struct lost *lost) {
    const struct edda_route *route = edda_routes_find(&self->routes, lost->number);
    return route && route->generation == lost->generation;
}

static void tell_unsent(struct edda_broker *self, const struct lost *lost) {
    struct edda_message work = {.command = EDDA_WORK};
    work.envelope.id = lost->id;
    work.envelope.step = lost->step;
    work.envelope.attempt = lost->attempt;
    const struct edda_event unsent = {
        .kind = EDDA_EVENT_UNSENT, .peer = lost->number, .message = &work};
    edda_core_step(self->core, &unsent, edda_loop_now(self->loop), &self->actions);
    obey_actions(self);
}

/* First what never left, of all of them: then nobody is blamed for it. */
static void tell_all_unsent(struct edda_broker *self) {
    for (size_t i = 0; i < self->lost_count; i++) {
        if (self->lost[i].work && is_route_of(self, &self->lost[i])) {
            self->lost[i].work = false;
            const struct lost lost = self->lost[i];
            tell_unsent(self, &lost);
        }
    }
}

static void flush_ports(struct edda_broker *self) {
    for (size_t i = 0; i < EDDA_PORTS; i++) {
        edda_outbox_flush(&self->ports[i].outbox);
    }
}

static void tell_lost(void *context) {
    struct edda_broker *self = context;
    while (self->lost_count > 0) {
        /* What one loss sent to another lost peer must be known to have stayed here, too. */
        flush_ports(self);
        tell_all_unsent(self);
        const struct lost lost = self->lost[--self->lost_count];
        if (is_route_of(self, &lost)) {
            const struct edda_event gone = {.kind = lost.kind, .peer = lost.number};
            edda_core_step(self->core, &gone, edda_loop_now(self->loop), &self->actions);
            obey_actions(self);
        }
    }
}

static void step_core(struct edda_broker *self, const struct edda_event *event) {
    edda_core_step(self->core, event, edda_loop_now(self->loop), &self->actions);
    obey_actions(self);
    tell_lost(self);
}

static const struct edda_permit *permit_of(const struct edda_port *port) {
    return port->guarded ? edda_gate_permit(port->broker->gate, port->broker->wire.key)
                         : &edda_permit_local;
}

static void receive_message(struct edda_broker *self, struct edda_port *port) {
    const struct edda_message *message = &self->wire.message;
    pass_point("received", message);
    void *bodies[EDDA_MAX_BODIES] = {NULL};
    uint8_t count = message->envelope.body_count;
    /* The core keeps bodies of these two only; others it reads, or shares within the step. */
    bool kept = message->command == EDDA_REQ || message->command == EDDA_DONE;
    for (uint8_t i = 0; i < count; i++) {
        if (message->envelope.bodies[i].type == EDDA_BODY_NONE) {
            continue;
        }
        zmq_msg_t *frame = edda_wire_body(&self->wire, i);
        if (kept) {
            struct slot *slot = take_slot(self);
            zmq_msg_move(&slot->frame, frame);
            frame = &slot->frame;
        }
        bodies[i] = frame;
    }
    const struct edda_event event = {
        .kind = EDDA_EVENT_MESSAGE,
        .peer = edda_routes_number(&self->routes, port_number(port), self->wire.routing_id,
                                   self->wire.routing_id_size),
        .side = port->side,
        .permit = permit_of(port),
        .message = message,
        .bodies = bodies,
    };
    step_core(self, &event);
    for (uint8_t i = 0; kept && i < count; i++) {
        if (bodies[i]) {
            give_slot(self, bodies[i]);
        }
    }
}

static void receive_malformed(struct edda_broker *self, struct edda_port *port, int error) {
    edda_metric_add(EDDA_METRIC_DROPPED, "malformed", 1);
    if (self->wire.routing_id_size == 0) {
        return;
    }
    const struct edda_event event = {
        .kind = EDDA_EVENT_MALFORMED,
        .peer = edda_routes_number(&self->routes, port_number(port), self->wire.routing_id,
                                   self->wire.routing_id_size),
        .side = port->side,
        .permit = permit_of(port),
        .error = error,
    };
    step_core(self, &event);
}

static void read_port(void *context) {
    struct edda_port *port = context;
    struct edda_broker *self = port->broker;
    self->wire.keyed = port->guarded;
    for (int i = 0; i < EDDA_SOCKET_BUDGET; i++) {
        int error = edda_wire_receive(port->socket, true, &self->wire);
        if (error == EDDA_E_AGAIN) {
            return;
        }
        if (error) {
            receive_malformed(self, port, error);
        } else {
            receive_message(self, port);
        }
        edda_wire_done(&self->wire);
    }
}

static void tick(void *context) {
    struct edda_broker *self = context;
    int64_t now_ms = edda_loop_now(self->loop);
    const struct edda_event event = {.kind = EDDA_EVENT_TICK};
    step_core(self, &event);
    if (now_ms - self->gauges_ms >= GAUGES_MS) {
        self->gauges_ms = now_ms;
        edda_gauges_update(&self->gauges, self->core, now_ms);
    }
    if (self->leave_ms > 0 && now_ms >= self->leave_ms) {
        release_hold(self);
    }
    edda_loop_timer_set(self->loop, &self->tick, now_ms + TICK_MS);
}

static void drain(void *context) {
    struct edda_broker *self = context;
    const struct edda_event event = {.kind = EDDA_EVENT_DRAIN};
    self->held = true;
    edda_loop_hold(self->loop);
    step_core(self, &event);
}

/* Whose connection it was the transport does not tell. */
static void doubt_workers(void *context) {
    struct edda_broker *self = context;
    const struct edda_event event = {.kind = EDDA_EVENT_DOUBT};
    step_core(self, &event);
}

static void look_at_losses(void *context, uint32_t events) {
    struct edda_port *port = context;
    (void)events;
    if (edda_port_lost(port)) {
        doubt_workers(port->broker);
    }
}

static void review_access(void *context, const edda_authorized_t *authorized) {
    struct edda_broker *self = context;
    const struct edda_event event = {.kind = EDDA_EVENT_ACCESS, .authorized = authorized};
    step_core(self, &event);
}

/* With a key every tcp endpoint is encrypted, those of loopback too. */
static int open_gate(struct edda_broker *self, const struct edda_broker_options *options) {
    bool needed = false;
    for (size_t i = 0; i < options->url_count; i++) {
        needed = needed || (options->curve && edda_url_is_tcp(options->urls[i]));
    }
    const struct edda_gate_options gate = {
        .loop = self->loop,
        .zmq_context = options->zmq_context,
        .curve = options->curve,
        .authorized = options->authorized,
        .changed = review_access,
        .lost = doubt_workers,
        .context = self,
    };
    return needed ? edda_gate_new(&gate, &self->gate) : 0;
}

static int open_port(struct edda_broker *self, struct edda_port *port, void *zmq_context) {
    int error =
        edda_outbox_open(&port->outbox, self->loop, port->socket, note_refused, tell_lost, self);
    if (error) {
        return error;
    }
    port->watch = edda_loop_socket(self->loop, port->socket, read_port, port,
                                   port->side == EDDA_SIDE_BACK ? "broker_back" : "broker_front");
    edda_port_watch_losses(port, self->loop, zmq_context, look_at_losses);
    return port->watch ? 0 : EDDA_E_MEMORY;
}

/* All are bound before one is read. */
static int open_ports(struct edda_broker *self, const struct edda_broker_options *options) {
    int error = open_gate(self, options);
    if (!error) {
        error = edda_ports_bind(self->ports, options, self->gate);
    }
    for (size_t i = 0; i < EDDA_PORTS && !error; i++) {
        self->ports[i].broker = self;
        error = self->ports[i].socket ? open_port(self, &self->ports[i], options->zmq_context) : 0;
    }
    return error;
}

static int begin(struct edda_broker *self) {
    self->tick = (struct edda_timer){.fire = tick, .context = self, .name = "broker_tick"};
    edda_loop_timer_set(self->loop, &self->tick, edda_loop_now(self->loop) + TICK_MS);
    return edda_loop_on_drain(self->loop, drain, self);
}

int edda_broker_new(const struct edda_broker_options *options, edda_broker_t **ret_broker) {
    struct edda_broker *self = calloc(1, sizeof(*self));
    if (!self) {
        return EDDA_E_MEMORY;
    }
    self->loop = options->loop;
    edda_wire_init(&self->wire);
    edda_buffer_init(&self->record, RECORD_BYTES);
    const struct edda_core_options core_options = {
        .epoch = edda_uuid_new(),
        .ping_ms = options->ping_ms,
        .liveness = options->liveness,
        .now_ms = edda_loop_now(self->loop),
    };
    self->core = edda_core_new(&core_options);
    int error = self->core ? edda_routes_init(&self->routes) : EDDA_E_MEMORY;
    if (!error) {
        error = open_ports(self, options);
    }
    if (!error) {
        error = begin(self);
    }
    if (error) {
        edda_broker_destroy(&self);
        return error;
    }
    *ret_broker = self;
    return 0;
}

void edda_broker_destroy(edda_broker_t **self_p) {
    struct edda_broker *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < EDDA_PORTS; i++) {
        edda_loop_unwatch(self->loop, &self->ports[i].watch);
        edda_port_unwatch_losses(&self->ports[i], self->loop);
    }
    edda_loop_timer_cancel(self->loop, &self->tick);
    edda_core_destroy(&self->core, &self->actions);
    obey_actions(self);
    release_hold(self);
    edda_gate_destroy(&self->gate);
    for (size_t i = 0; i < EDDA_PORTS; i++) {
        (void)edda_outbox_close(&self->ports[i].outbox, true);
        edda_socket_close(&self->ports[i].socket, LINGER_MS);
    }
    edda_actions_done(&self->actions);
    edda_wire_done(&self->wire);
    edda_buffer_done(&self->record);
    edda_routes_done(&self->routes);
    while (self->free_slots) {
        struct slot *slot = self->free_slots;
        self->free_slots = slot->next;
        free(slot);
    }
    free(self);
    *self_p = NULL;
}

struct edda_core *edda_broker_core(const edda_broker_t *self) {
    return self->core;
}
