/* actors/runtime/job.c: the doors of a job, and what it may say before it leaves by one. */
#include "actors/runtime/job.h"

#include <stdlib.h>

#include "actors/runtime/actor_state.h"
#include "actors/runtime/clock.h"
#include "proto/uuid.h"

#define SPARE_JOBS 128

struct edda_job *edda_job_new(struct edda_actor *actor) {
    struct edda_job *job = actor->spare;
    if (job) {
        actor->spare = job->next;
        actor->spare_count--;
    } else {
        job = malloc(sizeof *job);
        EDDA_ASSERT(job);
    }
    job->magic = 0;
    job->actor = actor;
    edda_wire_init(&job->wire);
    return job;
}

void edda_job_free(struct edda_job *job) {
    struct edda_actor *actor = job->actor;
    edda_wire_done(&job->wire);
    job->magic = 0;
    if (actor->spare_count >= SPARE_JOBS) {
        free(job);
        return;
    }
    job->next = actor->spare;
    actor->spare = job;
    actor->spare_count++;
}

void edda_job_begin(struct edda_job *job, struct edda_actor_link *link, size_t operation) {
    const struct edda_envelope *envelope = &job->wire.message.envelope;
    link->open++;
    job->magic = EDDA_JOB_MAGIC;
    job->link = link;
    job->orphan = false;
    job->silent = false;
    atomic_store_explicit(&job->cancelled, false, memory_order_relaxed);
    job->began_us = edda_clock_us();
    job->deadline_ms = edda_loop_now(job->actor->loop) + envelope->ttl_ms;
    job->progress_ms = 0;
    job->operation = operation;
    job->bytes = job->wire.message.bodies[0].size + job->wire.message.bodies[1].size;
    job->stream = (struct edda_credit){0};
    job->next_part = 0;
    job->parked = false;
    job->on_cancel = NULL;
    job->on_credit = NULL;
    edda_arena_init(&job->arena, EDDA_JOB_ARENA_BYTES);
    job->previous = NULL;
    job->next = link->jobs;
    if (link->jobs) {
        link->jobs->previous = job;
    }
    link->jobs = job;
    if (job->actor->running++ == 0) {
        edda_actor_arm(job->actor);
    }
}

/* Every public function comes through here: a job that has left is caught, also by a stale pointer
 * while its memory waits among the spare. */
static struct edda_job *check_job(const struct edda_job *job) {
    EDDA_ASSERT(job && job->magic == EDDA_JOB_MAGIC);
    return (struct edda_job *)(uintptr_t)job;
}

const struct edda_envelope *edda_job_envelope(const edda_job_t *job) {
    return &check_job(job)->wire.message.envelope;
}

int64_t edda_job_deadline_ms(const edda_job_t *job) {
    return check_job(job)->deadline_ms;
}

static int decode_body(struct edda_job *job, size_t index, uint16_t type, void *ret_record) {
    const struct edda_schema *schema = edda_body_schema(type);
    uint16_t given = edda_message_body_type(&job->wire.message, index);
    if (!schema) {
        return EDDA_E_TYPE;
    }
    if (given == EDDA_BODY_NONE) {
        memset(ret_record, 0, schema->size);
        return 0;
    }
    if (given != type) {
        return EDDA_E_TYPE;
    }
    return edda_body_decode(type, job->wire.message.bodies[index], &job->arena, ret_record);
}

int edda_job_arguments(edda_job_t *job, uint16_t type, void *ret_record) {
    return decode_body(check_job(job), 0, type, ret_record);
}

int edda_job_input(edda_job_t *job, uint16_t type, void *ret_record) {
    return decode_body(check_job(job), 1, type, ret_record);
}

struct edda_arena *edda_job_arena(edda_job_t *job) {
    return &check_job(job)->arena;
}

bool edda_job_cancelled(const edda_job_t *job) {
    return atomic_load_explicit(&check_job(job)->cancelled, memory_order_relaxed);
}

void edda_job_on_cancel(edda_job_t *job, edda_task_fn cancel, void *context) {
    check_job(job)->on_cancel = cancel;
    job->cancel_context = context;
}

void edda_job_on_credit(edda_job_t *job, edda_task_fn credit, void *context) {
    check_job(job)->on_credit = credit;
    job->credit_context = context;
}

void edda_job_abandon(struct edda_job *job) {
    job->silent = true;
    if (atomic_exchange_explicit(&job->cancelled, true, memory_order_relaxed)) {
        return;
    }
    if (job->on_cancel) {
        job->on_cancel(job->cancel_context); /* may finish the job */
    }
}

/* What every message about this job begins with. Texts of the WORK are not repeated. */
static struct edda_message begin_message(const struct edda_job *job, uint8_t command) {
    struct edda_message message = {.command = command};
    message.envelope.id = job->wire.message.envelope.id;
    message.envelope.attempt = job->wire.message.envelope.attempt;
    message.envelope.step = job->wire.message.envelope.step;
    return message;
}

/* A result that cannot be sent is lost with its session; the broker's step timer or the end of the
 * session gives the step to somebody else. */
static void send_or_count(struct edda_actor_link *link, const struct edda_message *message,
                          zmq_msg_t *const *bodies, size_t count) {
    if (edda_link_send(&link->link, message, bodies, count) != 0) {
        edda_metric_add(EDDA_METRIC_DROPPED, "unsent", 1);
    }
}

void edda_job_progress(edda_job_t *job) {
    int64_t now_ms = edda_loop_now(check_job(job)->actor->loop);
    if (job->silent || (job->progress_ms && now_ms - job->progress_ms < EDDA_JOB_PROGRESS_MS)) {
        return;
    }
    job->progress_ms = now_ms;
    struct edda_message message = begin_message(job, EDDA_PROGRESS);
    send_or_count(job->link, &message, NULL, 0);
}

static void describe_body(struct edda_message *message, uint16_t type, size_t size) {
    const struct edda_schema *schema = edda_body_schema(type);
    message->envelope.body_count = 1;
    message->envelope.bodies[0] = (struct edda_body_descriptor){
        .type = type,
        .version = schema ? schema->version : 0,
        .bytes = (uint32_t)size,
    };
}

static void free_buffer(void *data, void *hint) {
    (void)hint;
    free(data);
}

/* The buffer's memory becomes the frame's. */
static int move_to_frame(struct edda_buffer *buffer, zmq_msg_t *ret_frame) {
    uint8_t *data = NULL;
    size_t size = 0;
    if (buffer->error) {
        return buffer->error;
    }
    if (buffer->size > EDDA_MAX_FRAME_BYTES) {
        return EDDA_E_LIMIT;
    }
    edda_buffer_take(buffer, &data, &size);
    if (size == 0) {
        free(data);
        zmq_msg_init(ret_frame);
        return 0;
    }
    if (zmq_msg_init_data(ret_frame, data, size, free_buffer, NULL) != 0) {
        free(data);
        return EDDA_E_MEMORY;
    }
    return 0;
}

int edda_job_part(edda_job_t *job, uint16_t type, const void *record) {
    struct edda_buffer buffer;
    zmq_msg_t frame;
    if (check_job(job)->silent) {
        return EDDA_E_CANCELLED;
    }
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    int error = edda_body_encode(type, record, &buffer);
    size_t size = buffer.size;
    if (!error && !edda_credit_allows(&job->stream, size)) {
        job->parked = true;
        error = EDDA_E_AGAIN;
    }
    if (!error) {
        error = move_to_frame(&buffer, &frame);
    }
    if (error) {
        edda_buffer_done(&buffer);
        return error;
    }
    struct edda_message message = begin_message(job, EDDA_PART);
    describe_body(&message, type, size);
    message.envelope.sequence = job->next_part;
    error = edda_link_send(&job->link->link, &message, (zmq_msg_t *[]){&frame}, 1);
    zmq_msg_close(&frame);
    if (!error) {
        job->next_part++;
        edda_credit_spend(&job->stream, size);
    }
    return error;
}

void edda_job_count(int code) {
    edda_metric_add(EDDA_METRIC_JOBS, edda_error_name(code), 1);
}

/* The end of every door. */
static void leave(edda_job_t **job_p) {
    struct edda_job *job = *job_p;
    struct edda_actor_link *link = job->link;
    struct edda_actor *actor = job->actor;
    bool orphan = job->orphan;
    uint64_t bytes = job->bytes;
    int64_t spent_us = edda_clock_us() - job->began_us;
    edda_cell_observe(actor->seconds_cells[job->operation], (double)spent_us / 1e6);
    *(job->previous ? &job->previous->next : &link->jobs) = job->next;
    if (job->next) {
        job->next->previous = job->previous;
    }
    edda_arena_done(&job->arena);
    edda_job_free(job);
    *job_p = NULL;
    edda_actor_job_left(actor, link, orphan, bytes);
}

/* Whether the job may still speak. A result nobody waits for is counted. */
static bool enter_door(edda_job_t **job_p) {
    EDDA_ASSERT(job_p);
    struct edda_job *job = check_job(*job_p);
    if (job->silent) {
        edda_metric_add(EDDA_METRIC_DROPPED, job->orphan ? "lost_session" : "cancelled", 1);
    }
    return !job->silent;
}

static void send_done(struct edda_job *job, uint16_t type, zmq_msg_t *frame) {
    struct edda_message message = begin_message(job, EDDA_DONE);
    describe_body(&message, type, zmq_msg_size(frame));
    send_or_count(job->link, &message, (zmq_msg_t *[]){frame}, 1);
    zmq_msg_close(frame);
    edda_cell_add(job->actor->done_cell, 1);
}

void edda_job_finish_buffer(edda_job_t **job_p, uint16_t type, struct edda_buffer *buffer) {
    if (enter_door(job_p)) {
        zmq_msg_t frame;
        int error = move_to_frame(buffer, &frame);
        if (error) {
            edda_job_fail(job_p, error, error == EDDA_E_LIMIT ? EDDA_BLAME_JOB : EDDA_BLAME_WORKER,
                          0, "the output could not be encoded");
            edda_buffer_done(buffer);
            return;
        }
        send_done(*job_p, type, &frame);
    }
    edda_buffer_done(buffer);
    leave(job_p);
}

void edda_job_finish(edda_job_t **job_p, uint16_t type, const void *record) {
    struct edda_buffer buffer;
    EDDA_ASSERT(job_p);
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    if (!check_job(*job_p)->silent) {
        int error = edda_body_encode(type, record, &buffer);
        if (error && !buffer.error) {
            buffer.error = error;
        }
    }
    edda_job_finish_buffer(job_p, type, &buffer);
}

void edda_job_tell_failure(struct edda_job *job, struct edda_actor_link *link, int code,
                           enum edda_blame blame, uint32_t retry_after_ms, const char *text) {
    struct edda_message message = begin_message(job, EDDA_FAIL);
    struct edda_text shown = edda_text_of(text ? text : edda_error_text(code));
    shown.size = shown.size > EDDA_MAX_ERROR_TEXT ? EDDA_MAX_ERROR_TEXT : shown.size;
    /* Not in the middle of a character. */
    while (shown.size > 0 && text && ((uint8_t)shown.data[shown.size] & 0xc0) == 0x80) {
        shown.size--;
    }
    message.envelope.error = (struct edda_wire_error){
        .code = code, .blame = (uint8_t)blame, .retry_after_ms = retry_after_ms, .text = shown};
    send_or_count(link, &message, NULL, 0);
    edda_job_count(code);
}

void edda_job_tell_return(struct edda_job *job, struct edda_actor_link *link) {
    struct edda_message message = begin_message(job, EDDA_RETURN);
    send_or_count(link, &message, NULL, 0);
    edda_metric_add(EDDA_METRIC_JOBS, "returned", 1);
}

void edda_job_fail(edda_job_t **job_p, int code, enum edda_blame blame, uint32_t retry_after_ms,
                   const char *text) {
    EDDA_ASSERT(code < 0);
    if (enter_door(job_p)) {
        edda_job_tell_failure(*job_p, (*job_p)->link, code, blame, retry_after_ms, text);
    }
    leave(job_p);
}

void edda_job_return(edda_job_t **job_p) {
    if (enter_door(job_p)) {
        edda_job_tell_return(*job_p, (*job_p)->link);
    }
    leave(job_p);
}
