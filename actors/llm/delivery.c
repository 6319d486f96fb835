#include "actors/llm/delivery.h"

#include "proto/body_stage.h"
#include "proto/limits.h"

#define ALIVE_MS 1000

struct edda_text edda_delivery_text(const struct edda_delivery *delivery) {
    return (struct edda_text){(const char *)delivery->text.data, delivery->text.size};
}

/* At most this much of text, cut between characters. */
static struct edda_text cut_text(struct edda_text text, size_t most) {
    if (text.size > most) {
        while (most > 0 && ((unsigned char)text.data[most] & 0xc0) == 0x80) {
            most--;
        }
        text.size = most;
    }
    return text;
}

static int send_parts(struct edda_delivery *delivery) {
    struct edda_text text = edda_delivery_text(delivery);
    int error = 0;
    while (!error && delivery->sent < text.size) {
        struct edda_text rest = {text.data + delivery->sent, text.size - delivery->sent};
        struct edda_answer_part part = {.text = cut_text(rest, EDDA_DELIVERY_PART)};
        error = edda_job_part(delivery->job, EDDA_BODY_ANSWER_PART, &part);
        delivery->sent += error ? 0 : part.text.size;
        if (!error && delivery->waiting) {
            delivery->waiting_since_ms = edda_loop_now(delivery->loop); /* it reads, if slowly */
        }
    }
    return error;
}

static void set_tick(struct edda_delivery *delivery) {
    int64_t at_ms = edda_loop_now(delivery->loop) + ALIVE_MS;
    int64_t slow_ms = delivery->waiting_since_ms + delivery->slow_ms;
    at_ms = delivery->waiting && slow_ms < at_ms ? slow_ms : at_ms;
    edda_loop_timer_set(delivery->loop, &delivery->tick, at_ms);
}

static void fire_tick(void *context) {
    struct edda_delivery *delivery = context;
    edda_job_progress(delivery->job);
    set_tick(delivery);
    if (delivery->waiting &&
        edda_loop_now(delivery->loop) - delivery->waiting_since_ms >= delivery->slow_ms) {
        delivery->on_slow(delivery->context);
    }
}

/* An error is not for here: who adds next, or the end, meets it again. */
static void take_credit(void *context) {
    struct edda_delivery *delivery = context;
    if (delivery->waiting && send_parts(delivery) == 0) {
        delivery->waiting = false;
        delivery->on_room(delivery->context);
    }
}

void edda_delivery_begin(struct edda_delivery *delivery, edda_loop_t *loop, edda_job_t *job) {
    delivery->loop = loop;
    delivery->job = job;
    delivery->streaming = (edda_job_envelope(job)->flags & EDDA_FLAG_STREAMING) != 0;
    delivery->tick =
        (struct edda_timer){.fire = fire_tick, .context = delivery, .name = "llm_delivery"};
    edda_buffer_init(&delivery->text, EDDA_MAX_ANSWER_BYTES);
    edda_job_on_credit(job, take_credit, delivery);
    edda_job_progress(job);
    set_tick(delivery);
}

void edda_delivery_done(struct edda_delivery *delivery) {
    if (delivery->loop) {
        edda_loop_timer_cancel(delivery->loop, &delivery->tick);
    }
    edda_buffer_done(&delivery->text);
}

int edda_delivery_add(struct edda_delivery *delivery, struct edda_text text) {
    struct edda_text taken = cut_text(text, EDDA_MAX_ANSWER_BYTES - delivery->text.size);
    delivery->full |= taken.size < text.size;
    int error = edda_buffer_append(&delivery->text, taken.data, taken.size);
    if (error || !delivery->streaming || delivery->waiting) {
        return error;
    }
    error = send_parts(delivery);
    if (error == EDDA_E_AGAIN) {
        delivery->waiting = true;
        delivery->waiting_since_ms = edda_loop_now(delivery->loop);
        set_tick(delivery);
        error = 0;
    }
    return error;
}
