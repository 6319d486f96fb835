/* broker/ended.c: the ring of kept replies and its table by id. */
#include "broker/ended.h"

#include "broker/emit.h"
#include "broker/pending.h"
#include "proto/buggify.h"

_Static_assert(EDDA_ENDED_RING == EDDA_ENDED_RING_BYTES / EDDA_ENDED_OVERHEAD_BYTES,
               "the ring has the places that the bytes allow");
_Static_assert(sizeof(struct edda_ended) <= EDDA_ENDED_OVERHEAD_BYTES,
               "a place is what it is counted for");

int edda_ended_setup(struct edda_core *core) {
    core->ended = calloc(EDDA_ENDED_RING, sizeof(*core->ended));
    edda_table_init(&core->ended_table, 2 * EDDA_ENDED_RING);
    return core->ended && core->ended_table.entries ? 0 : EDDA_E_MEMORY;
}

void edda_ended_teardown(struct edda_core *core) {
    free(core->ended);
    edda_table_done(&core->ended_table);
}

static uint64_t cost_bytes(const struct edda_ended *ended) {
    return EDDA_ENDED_OVERHEAD_BYTES + ended->body.bytes + ended->error.text.size;
}

static void drop_oldest(struct edda_core *core) {
    struct edda_ended *ended = &core->ended[core->ended_first];
    core->ended_bytes -= cost_bytes(ended);
    edda_table_remove(&core->ended_table, ended->hash, core->ended_first);
    free((void *)(uintptr_t)ended->error.text.data);
    ended->error.text.data = NULL;
    edda_emit_release(core, &ended->body);
    core->ended_first = (core->ended_first + 1) % EDDA_ENDED_RING;
    core->ended_count--;
}

void edda_ended_clear(struct edda_core *core) {
    while (core->ended_count > 0) {
        drop_oldest(core);
    }
}

void edda_ended_expire(struct edda_core *core) {
    while (core->ended_count > 0 &&
           core->now_ms - core->ended[core->ended_first].at_ms >= EDDA_ENDED_KEEP_MS) {
        drop_oldest(core);
    }
}

const struct edda_ended *edda_ended_find(const struct edda_core *core, const struct edda_uuid *id,
                                         const struct edda_client *client) {
    uint32_t hash = edda_hash_uuid(id);
    uint32_t place = hash;
    uint32_t slot;
    while ((slot = edda_table_next(&core->ended_table, hash, &place)) != EDDA_TABLE_NONE) {
        const struct edda_ended *ended = &core->ended[slot];
        if (edda_uuid_equal(&ended->id, id) && edda_uuid_equal(&ended->node, &client->node) &&
            ended->identity == client->identity) {
            return ended;
        }
    }
    return NULL;
}

static void keep_error(struct edda_ended *ended, const struct edda_wire_error *error) {
    ended->error = *error;
    ended->error.text = (struct edda_text){0};
    char *text = error->text.size ? malloc(error->text.size) : NULL;
    if (text) {
        memcpy(text, error->text.data, error->text.size);
        ended->error.text = (struct edda_text){text, error->text.size};
    }
}

void edda_ended_keep(struct edda_core *core, struct edda_pending *pending,
                     const struct edda_wire_error *error) {
    if (core->ended_count == EDDA_ENDED_RING ||
        (core->ended_count > 0 && EDDA_BUGGIFY("ended_forgotten"))) {
        drop_oldest(core);
    }
    uint32_t slot = (core->ended_first + core->ended_count) % EDDA_ENDED_RING;
    struct edda_ended *ended = &core->ended[slot];
    *ended = (struct edda_ended){
        .id = pending->id,
        .node = pending->client->node,
        .identity = pending->client->identity,
        .at_ms = core->now_ms,
        .hash = pending->hash,
        .step = pending->step,
        .parts = pending->sequence,
    };
    for (uint8_t i = 0; i < pending->step_count; i++) {
        if (pending->skipped & (1u << i)) {
            ended->skipped[ended->skipped_count++] = pending->steps[i].op;
        }
    }
    if (error) {
        keep_error(ended, error);
    } else {
        ended->body = pending->input;
        pending->held_bytes -= pending->input.bytes;
        core->pending_bytes -= pending->input.bytes;
        pending->input = (struct edda_body){0};
    }
    edda_table_insert(&core->ended_table, ended->hash, slot);
    core->ended_count++;
    core->ended_bytes += cost_bytes(ended);
    while (core->ended_bytes > EDDA_ENDED_RING_BYTES) {
        drop_oldest(core);
    }
}

void edda_ended_send(struct edda_core *core, const struct edda_ended *ended,
                     struct edda_peer *peer) {
    struct edda_action *action =
        edda_emit_send(core, peer, ended->error.code ? EDDA_FAIL : EDDA_RESP);
    struct edda_envelope *envelope = &action->message.envelope;
    envelope->id = ended->id;
    envelope->error = ended->error;
    envelope->step = ended->error.code ? ended->step : 0;
    for (uint8_t i = 0; i < ended->skipped_count; i++) {
        envelope->degraded[i] = edda_op_entry_name(ended->skipped[i]);
    }
    envelope->degraded_count = ended->skipped_count;
    if (!ended->error.code) {
        envelope->sequence = ended->parts;
        edda_emit_body(action, &ended->body);
    }
}
