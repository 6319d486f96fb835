/* tests/sim/office.c: who asks when, what an answer means to them. */
#include "tests/sim/office.h"

#include <stdlib.h>

#include "proto/body.h"
#include "proto/body_stage.h"
#include "proto/body_store.h"
#include "proto/uuid.h"
#include "tests/sim/roles.h"

#define JOINED_US SIM_SECOND

static void ask_again(struct sim_asker *asker, int64_t after_us) {
    sim_at(&asker->next, sim->now_us + after_us);
}

/* A gateway that is up, by chance; NULL: none is. */
static struct sim_node *choose_gateway(void) {
    struct sim_node *up[SIM_NODES];
    size_t count = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->role == &sim_role_gateway && node->up && !node->muted && !node->draining) {
            up[count++] = node;
        }
    }
    return count ? up[sim_below(SIM_DICE_WORK, count)] : NULL;
}

static void ask(void *context) {
    struct sim_asker *asker = context;
    struct sim_node *gateway = choose_gateway();
    if (!gateway) {
        ask_again(asker, 200 * SIM_MS);
        return;
    }
    /* There is nothing to look at yet, or soon no more. */
    if (asker->want == SIM_WANT_LOOK &&
        (edda_uuid_is_nil(&asker->author->memo) || asker->author->deletes)) {
        asker->want = SIM_WANT_SEARCH;
    }
    asker->asks = true;
    sim_gateway_ask(gateway, asker);
}

static void add(struct sim_office *self, enum sim_want want) {
    struct sim_asker *asker = &self->askers[self->count];
    *asker = (struct sim_asker){.want = want, .number = self->count++};
    asker->next = (struct edda_timer){.fire = ask, .context = asker, .name = "ask"};
    self->open++;
    /* A broker that not every service has joined yet may fail what is asked too early. */
    int64_t first_us = sim->plan.gentle ? JOINED_US : 0;
    ask_again(asker, first_us + sim_between(SIM_DICE_PLAN, 0, sim->plan.faulty_us));
}

static void add_author(struct sim_office *self) {
    add(self, SIM_WANT_ACCEPT);
    struct sim_asker *author = &self->askers[self->count - 1];
    author->parts = 1 + (uint32_t)sim_below(SIM_DICE_PLAN, SIM_PARTS);
    for (uint32_t i = 0; i < author->parts; i++) {
        author->chunks[i] = 1 + (uint32_t)sim_below(SIM_DICE_PLAN, 4);
    }
    bool poisons = sim->plan.faults >> SIM_FAULT_POISON & 1;
    author->poison = poisons && sim_chance(SIM_DICE_PLAN, 100);
    author->deletes = sim_chance(SIM_DICE_PLAN, 100);
}

struct sim_office *sim_office_new(void) {
    struct sim_office *self = calloc(1, sizeof(*self));
    size_t count = sim->plan.memos + sim->plan.questions;
    EDDA_ASSERT(self);
    self->askers = calloc(count, sizeof(*self->askers));
    EDDA_ASSERT(self->askers);
    for (size_t i = 0; i < sim->plan.memos; i++) {
        add_author(self);
    }
    for (size_t i = 0; i < sim->plan.questions; i++) {
        static const enum sim_want wants[] = {SIM_WANT_SEARCH, SIM_WANT_SEARCH, SIM_WANT_CHAT,
                                              SIM_WANT_LOOK};
        add(self, wants[sim_below(SIM_DICE_PLAN, 4)]);
        self->askers[self->count - 1].author =
            &self->askers[sim_below(SIM_DICE_PLAN, sim->plan.memos)];
    }
    return self;
}

void sim_office_free(struct sim_office **self_p) {
    struct sim_office *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        sim_cancel(&self->askers[i].next);
    }
    free(self->askers);
    free(self);
    *self_p = NULL;
}

/* ---- answers ---- */

static void is_content(struct sim_asker *asker) {
    asker->want = SIM_WANT_NOTHING;
    sim->office->open--;
}

static void decode(const struct edda_reply *reply, uint16_t type, struct edda_arena *arena,
                   void *record) {
    edda_arena_init(arena, 1u << 20);
    EDDA_ASSERT(reply->type == type);
    int error = edda_body_decode(type, reply->body, arena, record);
    EDDA_ASSERT(error == 0);
}

static void offend(const char *what) {
    sim_event("-", "books", "what=\"%s\" have=1 want=0", what);
}

static void take_accepted(struct sim_asker *author, const struct edda_reply *reply) {
    struct edda_store_accepted accepted;
    struct edda_arena arena;
    char uuid[EDDA_UUID_TEXT];
    uint32_t chunks = 0;
    decode(reply, EDDA_BODY_STORE_ACCEPTED, &arena, &accepted);
    author->memo = accepted.memo;
    edda_arena_done(&arena);
    edda_uuid_format(&author->memo, uuid);
    for (uint32_t i = 0; i < author->parts; i++) {
        chunks += author->chunks[i];
    }
    sim_event("-", "accepted", "memo=%s key=k%zu chunks=%u", uuid, author->number, chunks);
    if (!author->deletes) {
        is_content(author);
        return;
    }
    author->want = SIM_WANT_DELETE;
    sim_event("-", "deleting", "memo=%s", uuid);
    ask_again(author, sim_between(SIM_DICE_WORK, 0, SIM_SECOND));
}

static void take_hits(struct sim_asker *asker, const struct edda_reply *reply) {
    struct edda_hits hits;
    struct edda_arena arena;
    char query[16];
    decode(reply, EDDA_BODY_HITS, &arena, &hits);
    (void)snprintf(query, sizeof(query), "q%zu", asker->number);
    if (hits.hits.count != 1 || !edda_text_is(hits.hits.items[0].text, query)) {
        offend("a search has another's hits");
    }
    edda_arena_done(&arena);
}

static void take_answer(const struct edda_reply *reply, uint32_t parts) {
    struct edda_answer answer;
    struct edda_arena arena;
    char said[16];
    decode(reply, EDDA_BODY_ANSWER, &arena, &answer);
    (void)snprintf(said, sizeof(said), "%u", parts);
    if (!edda_text_is(answer.text, said)) {
        offend("a chat ended with other parts than came");
    }
    edda_arena_done(&arena);
}

static void take_status(struct sim_asker *looker, const struct edda_reply *reply) {
    struct edda_store_status status;
    struct edda_arena arena;
    struct sim_asker *author = looker->author;
    decode(reply, EDDA_BODY_STORE_STATUS, &arena, &status);
    bool processed = edda_text_is(status.status, "processed");
    if (author->seen && !processed) {
        offend("a memo was processed and is not any more");
    }
    author->seen |= processed;
    edda_arena_done(&arena);
}

static void take_reply(struct sim_asker *asker, const struct edda_reply *reply, uint32_t parts) {
    switch (asker->want) {
    case SIM_WANT_ACCEPT:
        take_accepted(asker, reply);
        return;
    case SIM_WANT_SEARCH:
        take_hits(asker, reply);
        break;
    case SIM_WANT_CHAT:
        take_answer(reply, parts);
        break;
    case SIM_WANT_LOOK:
        take_status(asker, reply);
        break;
    case SIM_WANT_DELETE:
    case SIM_WANT_NOTHING:
        break;
    }
    is_content(asker);
}

void sim_office_told(struct sim_asker *asker, const struct edda_reply *reply, uint32_t parts) {
    asker->asks = false;
    bool insists = asker->want == SIM_WANT_ACCEPT || asker->want == SIM_WANT_DELETE;
    bool gone = asker->want == SIM_WANT_DELETE && reply && reply->error == EDDA_E_NOT_FOUND;
    if (reply && reply->error == 0) {
        take_reply(asker, reply, parts);
    } else if (gone || (reply && !insists)) {
        is_content(asker);
    } else {
        ask_again(asker, sim_between(SIM_DICE_WORK, 100, 400) * SIM_MS);
    }
}

void sim_office_withdrawn(struct sim_asker *asker) {
    sim_office_told(asker, NULL, 0);
}
