/* gateway/stage.c: held -> messages in flight -> the store. A message takes as many of the first
 * parts held as fit into it; what follows moves up. */
#include "gateway/stage.h"

#include "actors/runtime/clock.h"
#include "actors/text/text.h"

#define HELD_MAXIMUM    (EDDA_STAGE_MESSAGE + (size_t)8 * EDDA_PART_BYTES)
#define RETRY_MS        50
#define MAX_RETRIES     200 /* ten seconds without credit in one upload */
#define PUT_PART_TTL_MS 10000u

static void pump(struct edda_stage *stage);

static void fail(struct edda_stage *stage, int error) {
    if (!stage->error) {
        stage->error = error;
    }
}

/* Every part ends at a code point when the text is UTF-8, so each can be checked alone. */
static int hold_part(void *context, struct edda_text part, uint32_t number, uint64_t first_byte) {
    struct edda_stage *stage = context;
    (void)number;
    (void)first_byte;
    if (!edda_text_valid(part)) {
        return EDDA_E_INVALID;
    }
    if (stage->held_count == EDDA_STAGE_MAX_PARTS) {
        return EDDA_E_LIMIT;
    }
    stage->sizes[stage->held_count++] = (uint32_t)part.size;
    return edda_buffer_append(&stage->held, part.data, part.size);
}

int edda_stage_begin(struct edda_stage *stage, struct edda_visit *visit, uint64_t maximum,
                     edda_stage_fn on_room, edda_stage_fn on_done) {
    stage->visit = visit;
    stage->memo = edda_uuid_new();
    stage->maximum = maximum;
    stage->on_room = on_room;
    stage->on_done = on_done;
    stage->begun = true;
    edda_buffer_init(&stage->held, HELD_MAXIMUM);
    return edda_parts_init(&stage->cutter, hold_part, stage);
}

void edda_stage_done(struct edda_stage *stage) {
    if (!stage->begun) {
        return;
    }
    for (size_t i = 0; i < EDDA_STAGE_WINDOW; i++) {
        if (stage->calls[i].call) {
            edda_client_cancel(stage->visit->gateway->client, &stage->calls[i].call);
        }
    }
    edda_loop_timer_cancel(stage->visit->gateway->loop, &stage->retry);
    edda_parts_done(&stage->cutter);
    edda_buffer_done(&stage->held);
    stage->begun = false;
}

static bool over_inline(const struct edda_stage *stage) {
    return stage->first > 0 || stage->in_flight > 0 || stage->bytes > EDDA_INLINE_CONTENT_BYTES;
}

/* Whether a message's worth is held; the rest goes when the text has ended. */
static bool has_message(const struct edda_stage *stage) {
    return over_inline(stage) && stage->held_count > 0 &&
           (stage->finished || stage->held.size >= EDDA_STAGE_MESSAGE);
}

bool edda_stage_full(const struct edda_stage *stage) {
    return !stage->error && has_message(stage);
}

static void take_receipt(void *context, const struct edda_reply *reply) {
    struct edda_staging *staging = context;
    struct edda_stage *stage = staging->stage;
    staging->call = NULL;
    stage->in_flight--;
    if (reply->error) {
        fail(stage, reply->error);
        stage->detail = reply->detail;
        stage->detail.text = (struct edda_text){0};
    }
    pump(stage);
}

static void retry_later(void *context) {
    pump(context);
}

/* The first parts that fit one message. */
static size_t count_parts(const struct edda_stage *stage, size_t *ret_bytes) {
    size_t count = 0;
    *ret_bytes = 0;
    while (count < stage->held_count && *ret_bytes + stage->sizes[count] <= EDDA_STAGE_MESSAGE) {
        *ret_bytes += stage->sizes[count++];
    }
    return count;
}

static int send_message(struct edda_stage *stage, struct edda_staging *staging) {
    size_t bytes;
    size_t count = count_parts(stage, &bytes);
    struct edda_store_put_part put = {.memo = stage->memo, .first = stage->first};
    struct edda_step step;
    put.parts = (struct edda_texts){edda_stage_inline(stage).items, count};
    int error =
        edda_visit_step(stage->visit, "store.put_part", EDDA_BODY_STORE_PUT_PART, &put, &step);
    if (error) {
        return error;
    }
    struct edda_request request = edda_visit_request(stage->visit, &step, 1, PUT_PART_TTL_MS);
    request.on_reply = take_receipt;
    request.context = staging;
    staging->stage = stage;
    error = edda_client_call(stage->visit->gateway->client, &request, &staging->call);
    if (error) {
        staging->call = NULL;
        return error;
    }
    stage->in_flight++;
    stage->first += (uint32_t)count;
    stage->held_count -= count;
    memmove(stage->sizes, stage->sizes + count, stage->held_count * sizeof *stage->sizes);
    memmove(stage->held.data, stage->held.data + bytes, stage->held.size - bytes);
    stage->held.size -= bytes;
    return 0;
}

static struct edda_staging *find_slot(struct edda_stage *stage) {
    for (size_t i = 0; i < EDDA_STAGE_WINDOW; i++) {
        if (!stage->calls[i].call) {
            return &stage->calls[i];
        }
    }
    return NULL;
}

static void send_what_can_go(struct edda_stage *stage) {
    struct edda_staging *slot;
    while (!stage->error && has_message(stage) && (slot = find_slot(stage)) != NULL) {
        int error = send_message(stage, slot);
        if (error == EDDA_E_BUSY && stage->retries++ < MAX_RETRIES) {
            edda_loop_t *loop = stage->visit->gateway->loop;
            stage->retry =
                (struct edda_timer){.fire = retry_later, .context = stage, .name = "stage_retry"};
            edda_loop_timer_set(loop, &stage->retry, edda_loop_now(loop) + RETRY_MS);
            return;
        }
        if (error) {
            fail(stage, error);
        }
    }
}

/* Sends, then tells the owner what it waits for; of an error it is told once. The owner may end the
 * stage in its callback. */
static void pump(struct edda_stage *stage) {
    edda_loop_timer_cancel(stage->visit->gateway->loop, &stage->retry);
    send_what_can_go(stage);
    if (stage->told) {
        return;
    }
    stage->told = stage->error != 0;
    if (!stage->finished) {
        if (stage->error || !has_message(stage)) {
            stage->on_room(stage);
        }
    } else if (stage->error || (stage->in_flight == 0 && stage->held_count == 0)) {
        stage->told = true;
        stage->on_done(stage);
    }
}

int edda_stage_feed(struct edda_stage *stage, struct edda_text bytes) {
    if (!stage->error) {
        stage->bytes += bytes.size;
        fail(stage,
             stage->bytes > stage->maximum ? EDDA_E_LIMIT : edda_parts_feed(&stage->cutter, bytes));
    }
    if (!stage->error && stage->retry.index == 0) {
        send_what_can_go(stage);
    }
    return stage->error;
}

bool edda_stage_finish(struct edda_stage *stage) {
    edda_loop_t *loop = stage->visit->gateway->loop;
    if (!stage->error) {
        fail(stage, edda_parts_finish(&stage->cutter));
    }
    if (!stage->error && !over_inline(stage)) {
        return true;
    }
    stage->finished = true;
    edda_loop_timer_cancel(loop, &stage->retry);
    stage->retry =
        (struct edda_timer){.fire = retry_later, .context = stage, .name = "stage_finish"};
    edda_loop_timer_set(loop, &stage->retry, edda_loop_now(loop));
    return false;
}

struct edda_texts edda_stage_inline(struct edda_stage *stage) {
    const char *at = (const char *)stage->held.data;
    for (size_t i = 0; i < stage->held_count; i++) {
        stage->views[i] = (struct edda_text){at, stage->sizes[i]};
        at += stage->sizes[i];
    }
    return (struct edda_texts){stage->views, stage->held_count};
}

uint32_t edda_stage_count(const struct edda_stage *stage) {
    return stage->first;
}
