/* tests/actors/runtime/peers.c: notes what calls are told. */
#include "tests/actors/runtime/peers.h"

#include "actors/runtime/clock.h"
#include "tests/proto/cmocka.h"

void answer_reply(void *context, const struct edda_reply *reply) {
    struct answer *answer = context;
    answer->replies++;
    answer->error = reply->error;
    answer->step = reply->step;
    answer->type = reply->type;
    answer->degraded = reply->degraded_count;
    answer->at_ms = edda_clock_ms();
    answer->body_size = reply->body.size < sizeof answer->body ? reply->body.size : 0;
    if (answer->body_size) {
        memcpy(answer->body, reply->body.data, answer->body_size);
    }
    if (reply->error) {
        assert_int_equal(reply->detail.code, reply->error);
        assert_true(reply->detail.text.size > 0 && reply->detail.text.size < sizeof answer->text);
        memcpy(answer->text, reply->detail.text.data, reply->detail.text.size);
    }
}

void answer_part(void *context, uint32_t sequence, uint16_t type, struct edda_bytes body) {
    struct answer *answer = context;
    (void)type;
    (void)body;
    assert_int_equal(sequence, answer->next_part);
    answer->next_part++;
    answer->parts++;
}

void answer_progress(void *context, unsigned step) {
    struct answer *answer = context;
    answer->progress++;
    answer->progress_step = step;
}

static bool is_answered(void *context) {
    const struct answer *answer = context;
    return answer->replies > 0;
}

void expect_answer(edda_loop_t *loop, struct answer *answer, int error) {
    assert_true(fake_loop_until(loop, is_answered, answer, 6000));
    assert_int_equal(answer->replies, 1);
    assert_int_equal(answer->error, error);
}

struct edda_request make_request(const struct edda_step *step, struct answer *answer) {
    memset(answer, 0, sizeof *answer);
    return (struct edda_request){
        .steps = step,
        .step_count = 1,
        .project = EDDA_TEXT("default"),
        .ttl_ms = 5000,
        .broker = -1,
        .on_reply = answer_reply,
        .on_part = answer_part,
        .on_progress = answer_progress,
        .context = answer,
    };
}
