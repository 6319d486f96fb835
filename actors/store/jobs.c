/* actors/store/jobs.c: state table 5. */
#include "actors/store/jobs.h"

#include "proto/envelope.h"

/* An outage ends for all jobs at once; none should then sleep on for minutes. */
#define OUTSIDE_DELAYS 5

int64_t edda_job_backoff_ms(uint32_t delays, uint32_t random) {
    int64_t most = EDDA_JOB_BACKOFF_MAX_MS;
    if (delays < 20 && ((int64_t)EDDA_JOB_BACKOFF_MIN_MS << delays) < most) {
        most = (int64_t)EDDA_JOB_BACKOFF_MIN_MS << delays;
    }
    return (int64_t)((uint64_t)random * (uint64_t)(most + 1) >> 32);
}

int64_t edda_job_unserved_ms(uint32_t times, uint32_t random) {
    int64_t most = EDDA_JOB_UNSERVED_MAX_MS;
    EDDA_ASSERT(times > 0);
    if (times < 20 && ((int64_t)EDDA_JOB_UNSERVED_MIN_MS << (times - 1)) < most) {
        most = (int64_t)EDDA_JOB_UNSERVED_MIN_MS << (times - 1);
    }
    return most - (int64_t)((uint64_t)random * (uint64_t)(most / 2 + 1) >> 32);
}

static bool is_claimable(const struct edda_job_row *row, int64_t now_ms) {
    if (row->run_at_ms > now_ms) {
        return false;
    }
    return row->state == EDDA_JOB_READY ||
           (row->state == EDDA_JOB_LEASED && row->lease_until_ms < now_ms);
}

static void delay(struct edda_job_row *row, const struct edda_job_input *input, uint32_t exponent) {
    int64_t wait_ms = edda_job_backoff_ms(exponent, input->random);
    if (wait_ms < input->retry_after_ms) {
        wait_ms = input->retry_after_ms;
    }
    row->state = EDDA_JOB_READY;
    row->lease_until_ms = 0;
    row->run_at_ms = input->now_ms + wait_ms;
}

/* Each attempt that is to blame waits longer, however long an outage was before it. */
static uint32_t own_delays(const struct edda_job_row *row) {
    return row->attempts > 0 ? row->attempts - 1 : 0;
}

static void give_up(struct edda_job_row *row) {
    row->state = EDDA_JOB_DEAD;
    row->lease_until_ms = 0;
}

/* What its holder reports of a leased job. */
static void report(struct edda_job_row *row, const struct edda_job_input *input) {
    switch (input->event) {
    case EDDA_JOB_COMMIT:
        row->state = EDDA_JOB_DONE;
        row->lease_until_ms = 0;
        break;
    case EDDA_JOB_PROGRESS:
        row->lease_until_ms = input->now_ms + input->lease_ms;
        break;
    case EDDA_JOB_UNSERVED:
        row->attempts -= row->attempts > 0;
        row->state = EDDA_JOB_READY;
        row->lease_until_ms = 0;
        break;
    case EDDA_JOB_RETURNED:
    case EDDA_JOB_OUTSIDE:
        row->attempts -= row->attempts > 0;
        delay(row, input, row->delays < OUTSIDE_DELAYS ? row->delays : OUTSIDE_DELAYS);
        row->delays++;
        break;
    case EDDA_JOB_FAILED:
        if (row->attempts >= EDDA_JOB_ATTEMPTS) {
            give_up(row);
        } else {
            delay(row, input, own_delays(row));
        }
        break;
    case EDDA_JOB_DIED:
        row->deaths++;
        row->solo = true;
        if (row->deaths >= EDDA_JOB_DEATHS) {
            give_up(row);
        } else {
            delay(row, input, own_delays(row));
        }
        break;
    default:
        EDDA_ASSERT(false && "an event of a holder");
    }
}

bool edda_job_next(const struct edda_job_row *row, const struct edda_job_input *input,
                   struct edda_job_row *ret_row) {
    struct edda_job_row next = *row;
    *ret_row = next;
    switch (input->event) {
    case EDDA_JOB_CLAIM:
        if (!is_claimable(row, input->now_ms)) {
            return false;
        }
        next.state = EDDA_JOB_LEASED;
        next.token++;
        next.attempts++;
        next.lease_until_ms = input->now_ms + input->lease_ms;
        break;
    case EDDA_JOB_RELEASE:
        if (row->state != EDDA_JOB_LEASED) {
            return false;
        }
        next.state = EDDA_JOB_READY;
        next.attempts -= next.attempts > 0;
        next.lease_until_ms = 0;
        next.run_at_ms = input->now_ms;
        break;
    case EDDA_JOB_REDRIVE:
        if (row->state != EDDA_JOB_DEAD) {
            return false;
        }
        next = (struct edda_job_row){
            .state = EDDA_JOB_READY, .token = row->token, .run_at_ms = input->now_ms};
        break;
    default:
        if (row->state != EDDA_JOB_LEASED || row->token != input->token) {
            return false;
        }
        report(&next, input);
    }
    *ret_row = next;
    return true;
}

enum edda_job_event edda_job_event_of(int error, uint8_t blame) {
    switch (error) {
    case EDDA_E_WORKER_DIED:
        return EDDA_JOB_DIED;
    case EDDA_E_DRAINING:
    case EDDA_E_CANCELLED:
        return EDDA_JOB_RETURNED;
    case EDDA_E_NO_SERVICE:
        return EDDA_JOB_UNSERVED;
    case EDDA_E_BUSY:
    case EDDA_E_UNAVAILABLE:
    case EDDA_E_EXPIRED:
    case EDDA_E_CREDIT:
    case EDDA_E_AGAIN:
    case EDDA_E_IO:
        return EDDA_JOB_OUTSIDE;
    default:
        return blame == EDDA_BLAME_OUTSIDE ? EDDA_JOB_OUTSIDE : EDDA_JOB_FAILED;
    }
}

size_t edda_job_reason(struct edda_text text, char ret_reason[EDDA_JOB_REASON]) {
    size_t size = text.size < EDDA_JOB_REASON ? text.size : EDDA_JOB_REASON - 1;
    while (size > 0 && size < text.size && ((uint8_t)text.data[size] & 0xc0) == 0x80) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text.data[i];
        ret_reason[i] = byte < 0x20 || byte == 0x7f ? ' ' : text.data[i];
    }
    ret_reason[size] = '\0';
    return size;
}

struct edda_text edda_job_reason_of(enum edda_job_event event, struct edda_text reason) {
    if (event == EDDA_JOB_RETURNED) {
        return (struct edda_text){NULL, 0};
    }
    return reason.size > 0 ? reason : EDDA_TEXT("it failed");
}

const char *edda_job_state_name(enum edda_job_state state) {
    static const char *const names[] = {"ready", "leased", "done", "dead"};
    return names[state];
}
