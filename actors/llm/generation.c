#include "actors/llm/generation.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUEST_BYTES  ((size_t)16 * 1024 * 1024) /* every byte of a prompt may need six */
#define RESPONSE_BYTES ((size_t)64 * 1024 * 1024) /* of events around an answer's text */
#define TAIL_MS        500 /* a whole answer's connection has this long to be left in order */

struct edda_generation {
    struct edda_generation_options options;
    struct edda_api_request request;
    struct edda_chat_stream stream;
    edda_provider_call_t *call; /* NULL: it is over */
    struct edda_timer first_byte;
    struct edda_timer tail;
    bool in_data; /* a callback of the call is above us on the stack */
    bool dropped; /* to be freed when it returns */
};

static void free_generation(edda_generation_t *self) {
    edda_loop_timer_cancel(self->options.loop, &self->first_byte);
    edda_loop_timer_cancel(self->options.loop, &self->tail);
    edda_chat_stream_done(&self->stream);
    edda_api_request_done(&self->request);
    free(self);
}

static void tell_error(const edda_generation_t *self, int error, enum edda_blame blame,
                       const char *reason, struct edda_generation_end *ret_end) {
    *ret_end = (struct edda_generation_end){.error = error, .blame = blame};
    (void)snprintf(ret_end->text, sizeof ret_end->text, "%s: %s", self->options.model->name,
                   reason);
}

/* The stream's own error. */
static void tell_stream_error(const edda_generation_t *self, struct edda_generation_end *ret_end) {
    int error = self->stream.error == EDDA_E_LIMIT ? EDDA_E_FAILED : self->stream.error;
    bool ours = error == EDDA_E_MEMORY;
    tell_error(self, error, ours ? EDDA_BLAME_WORKER : EDDA_BLAME_OUTSIDE, self->stream.reason,
               ret_end);
}

/* Ends the call from within: what it still sends is not wanted. */
static void break_off(edda_generation_t *self, const struct edda_generation_end *end) {
    edda_provider_cancel(&self->call);
    edda_loop_timer_cancel(self->options.loop, &self->first_byte);
    edda_loop_timer_cancel(self->options.loop, &self->tail);
    self->options.on_end(self->options.context, end);
}

static void give_text(edda_generation_t *self) {
    struct edda_text text = {(const char *)self->stream.text.data, self->stream.text.size};
    if (text.size > 0) {
        self->options.on_text(self->options.context, text);
        edda_buffer_reset(&self->stream.text);
    }
}

static void take_data(void *context, struct edda_bytes data) {
    edda_generation_t *self = context;
    edda_loop_timer_cancel(self->options.loop, &self->first_byte);
    self->in_data = true;
    int error = edda_chat_stream_feed(&self->stream, data);
    give_text(self);
    if (error && !self->dropped) {
        struct edda_generation_end end;
        tell_stream_error(self, &end);
        edda_provider_blame(self->options.model->provider);
        break_off(self, &end);
    } else if (edda_chat_stream_whole(&self->stream) && !self->dropped) {
        edda_loop_timer_set(self->options.loop, &self->tail,
                            edda_loop_now(self->options.loop) + TAIL_MS);
    }
    self->in_data = false;
    if (self->dropped) {
        free_generation(self);
    }
}

static struct edda_generation_end tell_whole(const edda_generation_t *self) {
    return (struct edda_generation_end){.finish = self->stream.finish,
                                        .input_tokens = self->stream.input_tokens,
                                        .output_tokens = self->stream.output_tokens};
}

/* The answer is whole, and whoever gave it neither ends its response nor leaves. */
static void fire_tail(void *context) {
    edda_generation_t *self = context;
    struct edda_generation_end end = tell_whole(self);
    break_off(self, &end);
}

static void take_done(void *context, const struct edda_provider_reply *reply) {
    edda_generation_t *self = context;
    struct edda_generation_end end = tell_whole(self);
    self->call = NULL;
    edda_loop_timer_cancel(self->options.loop, &self->first_byte);
    edda_loop_timer_cancel(self->options.loop, &self->tail);
    self->in_data = true;
    /* What breaks behind the end mark breaks nothing. */
    if (reply->error && !edda_chat_stream_whole(&self->stream)) {
        end.error = reply->error;
        end.blame = reply->blame;
        end.retry_after_ms = reply->retry_after_ms;
        memcpy(end.text, reply->text, sizeof end.text);
    } else if (edda_chat_stream_end(&self->stream) != 0) {
        tell_stream_error(self, &end);
        edda_provider_blame(self->options.model->provider);
    }
    give_text(self);
    if (!self->dropped) {
        self->options.on_end(self->options.context, &end);
    }
    self->in_data = false;
    if (self->dropped) {
        free_generation(self);
    }
}

static void fire_first_byte(void *context) {
    edda_generation_t *self = context;
    struct edda_generation_end end;
    tell_error(self, EDDA_E_TIMEOUT, EDDA_BLAME_OUTSIDE, "no answer in time", &end);
    break_off(self, &end);
}

static int send_request(edda_generation_t *self, struct edda_generation_end *ret_end) {
    struct edda_provider_request request = {
        .method = "POST",
        .url = self->request.url,
        .headers = self->request.header_list,
        .body = edda_buffer_bytes(&self->request.body),
        .response_maximum = RESPONSE_BYTES,
        .deadline_ms = self->options.deadline_ms,
        .on_data = take_data,
        .on_done = take_done,
        .context = self,
    };
    edda_provider_t *provider = self->options.model->provider;
    int64_t wait_ms = 0;
    int error = edda_provider_send(provider, &request, &self->call, &wait_ms);
    if (error) {
        bool closed = error == EDDA_E_UNAVAILABLE;
        tell_error(self, error, closed ? EDDA_BLAME_OUTSIDE : EDDA_BLAME_WORKER,
                   edda_error_text(error), ret_end);
        ret_end->retry_after_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    }
    if (error == EDDA_E_UNAVAILABLE) {
        (void)snprintf(ret_end->text, sizeof ret_end->text, "%s", edda_provider_reason(provider));
    }
    return error;
}

int edda_generation_new(const struct edda_generation_options *options,
                        const struct edda_chat_prompt *prompt, edda_generation_t **ret_generation,
                        struct edda_generation_end *ret_end) {
    edda_generation_t *self = calloc(1, sizeof *self);
    if (!self) {
        *ret_end =
            (struct edda_generation_end){EDDA_E_MEMORY, EDDA_BLAME_WORKER, 0, "", NULL, 0, 0};
        return EDDA_E_MEMORY;
    }
    self->options = *options;
    self->first_byte =
        (struct edda_timer){.fire = fire_first_byte, .context = self, .name = "llm_first_byte"};
    self->tail = (struct edda_timer){.fire = fire_tail, .context = self, .name = "llm_tail"};
    edda_api_request_init(&self->request, REQUEST_BYTES);
    edda_chat_stream_init(&self->stream, &options->model->account);
    int error = edda_chat_build(&options->model->account, prompt, &self->request);
    if (error) {
        tell_error(self, error, error == EDDA_E_LIMIT ? EDDA_BLAME_JOB : EDDA_BLAME_WORKER,
                   edda_error_text(error), ret_end);
    } else {
        error = send_request(self, ret_end);
    }
    if (error) {
        free_generation(self);
        return error;
    }
    edda_loop_timer_set(options->loop, &self->first_byte,
                        edda_loop_now(options->loop) + options->first_byte_ms);
    *ret_generation = self;
    return 0;
}

void edda_generation_cancel(edda_generation_t **self_p) {
    edda_generation_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    edda_provider_cancel(&self->call);
    if (self->in_data) {
        self->dropped = true;
    } else {
        free_generation(self);
    }
}

void edda_generation_pause(edda_generation_t *self, bool paused) {
    if (self->call) {
        edda_provider_pause(self->call, paused);
    }
}
