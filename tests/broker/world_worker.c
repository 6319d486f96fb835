/* tests/broker/world_worker.c: workers: they grant, work, fail, stream, hang, die and come back. */
#include "proto/op.h"
#include "tests/broker/world_state.h"

static const char *const offers[] = {"embed", "store", "embed,store", "rerank",
                                     "talk",  "own",   "own,talk"};
#define COUNT(array) (sizeof(array) / sizeof(array[0]))

static void take_work(struct world *self, struct worker *worker,
                      const struct edda_envelope *envelope) {
    const struct edda_op *op = edda_op_find(envelope->op);
    worker->received++;
    assert_true(worker->received <= worker->granted);
    assert_false(worker->draining);
    assert_false(asked_of(self, &envelope->id)->answered);
    assert_true(envelope->ttl_ms > 0);
    if (envelope->flags & EDDA_FLAG_SOLO) {
        assert_true(worker->job_count == 0 || worker->hung);
    }
    if (worker->hung || worker->job_count == JOBS) {
        return;
    }
    worker->jobs[worker->job_count++] = (struct job){
        .id = envelope->id,
        .step = envelope->step,
        .attempt = envelope->attempt,
        .output = op ? op->output : EDDA_BODY_EMPTY,
        .streams = edda_text_is(envelope->op, "talk.answer"),
    };
}

static void forget_job(struct worker *worker, size_t index) {
    worker->jobs[index] = worker->jobs[--worker->job_count];
}

void world_tell_worker(struct world *self, struct worker *worker,
                       const struct edda_action *action) {
    const struct edda_envelope *envelope = &action->message.envelope;
    if (action->message.command == EDDA_WORK) {
        take_work(self, worker, envelope);
        return;
    }
    for (size_t i = 0; i < worker->job_count; i++) {
        if (!edda_uuid_equal(&worker->jobs[i].id, &envelope->id)) {
            continue;
        }
        if (action->message.command == EDDA_CREDIT) {
            worker->jobs[i].stream_credit = action->record.credit.messages;
        } else if (action->message.command == EDDA_CANCEL) {
            forget_job(worker, i);
        }
        return;
    }
}

static void connect_worker(struct world *self, size_t index) {
    struct worker *worker = &self->workers[index];
    uint32_t peer = rig_stranger(self->rig, EDDA_SIDE_BACK);
    bool restarted = worker->hung || choose(self, 2) == 0;
    *worker = (struct worker){
        .peer = peer,
        .incarnation = restarted ? ++self->incarnations : worker->incarnation,
        .window = 1 + (uint32_t)choose(self, 6),
    };
    uint32_t before = worker->peer;
    self->owner[peer] = (uint32_t)(CLIENTS + index);
    rig_hello(self->rig, peer, "worker", offers[index % COUNT(offers)], (uint16_t)(100 + index),
              worker->incarnation, worker->window);
    world_deliver(self);
    if (worker->peer == before) {
        worker->granted = worker->window;
        rig_credit(self->rig, peer, NULL, worker->granted, LARGE);
        world_deliver(self);
    }
}

static void give_credit(struct world *self, struct worker *worker) {
    if (worker->peer != NOBODY && !worker->draining) {
        worker->granted++;
        rig_credit(self->rig, worker->peer, NULL, worker->granted, LARGE);
        world_deliver(self);
    }
}

static void finish_job(struct world *self, struct worker *worker, bool well) {
    size_t index = choose(self, worker->job_count);
    const struct job job = worker->jobs[index];
    size_t dice = well ? 99 : choose(self, 100);
    forget_job(worker, index);
    if (dice < 8) {
        rig_fail(self->rig, worker->peer, &job.id, job.step, job.attempt, EDDA_E_INTERNAL,
                 (enum edda_blame)choose(self, 3));
    } else if (dice < 12) {
        rig_about(self->rig, worker->peer, EDDA_RETURN, &job.id, job.step, job.attempt);
    } else if (dice < 13) {
        rig_done(self->rig, worker->peer, &job.id, job.step, job.attempt, EDDA_BODY_STORE_KEY);
    } else {
        rig_done(self->rig, worker->peer, &job.id, job.step, job.attempt, job.output);
        if (dice < 16) {
            world_deliver(self);
            if (worker->peer != NOBODY) { /* the same once more */
                rig_done(self->rig, worker->peer, &job.id, job.step, job.attempt, job.output);
            }
        }
    }
    world_deliver(self);
    give_credit(self, worker);
}

static void work_a_little(struct world *self, struct worker *worker) {
    struct job *job = &worker->jobs[choose(self, worker->job_count)];
    if (job->streams && job->step == 0 && job->sequence < job->stream_credit) {
        uint32_t sequence = job->sequence++;
        if (!self->calm && choose(self, 40) == 0) {
            sequence += choose(self, 2) ? 1 : (uint32_t)-1; /* lost or repeated on its way */
        }
        rig_part(self->rig, worker->peer, &job->id, job->attempt, sequence);
    } else {
        rig_about(self->rig, worker->peer, EDDA_PROGRESS, &job->id, job->step, job->attempt);
    }
    world_deliver(self);
}

static void harm_worker(struct world *self, struct worker *worker) {
    self->counts.deaths++;
    switch (choose(self, 5)) {
    case 0: /* its process hangs: the broker has to notice by itself */
        worker->hung = true;
        worker->job_count = 0;
        return;
    case 1:
        worker->draining = true;
        rig_command(self->rig, worker->peer, EDDA_DRAIN);
        break;
    case 2:
        rig_command(self->rig, worker->peer, EDDA_BYE);
        break;
    case 3:
        rig_lose(self->rig, worker->peer, EDDA_EVENT_MALFORMED);
        break;
    default:
        rig_lose(self->rig, worker->peer,
                 choose(self, 4) ? EDDA_EVENT_UNREACHABLE : EDDA_EVENT_FULL);
        break;
    }
    world_deliver(self);
}

void world_step_worker(struct world *self, size_t index) {
    struct worker *worker = &self->workers[index];
    bool away = worker->peer == NOBODY || worker->hung;
    bool leaves = worker->draining && worker->job_count == 0;
    size_t dice = choose(self, 1000);
    if (away) {
        if (self->calm || dice < 300) {
            connect_worker(self, index); /* a hung one is evicted by its restarted self */
        }
    } else if (leaves) {
        rig_command(self->rig, worker->peer, EDDA_BYE);
        world_deliver(self);
    } else if (dice < 10 && !self->calm) {
        harm_worker(self, worker);
    } else if (dice < 200) {
        rig_ping(self->rig, worker->peer, EDDA_PING, 2, worker->granted, LARGE);
        world_deliver(self);
    } else if (worker->job_count > 0) {
        if (dice < 400) {
            work_a_little(self, worker);
        } else {
            finish_job(self, worker, self->calm);
        }
    }
}
