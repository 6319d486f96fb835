/* tests/sim/checker_store.c: memos, their durable jobs, and the rows at the end (G0, G1, G2, G8,
 * G10). */
#include <stdio.h>

#include "tests/sim/checker_state.h"

#define TEXT(text) (int)(text).size, (text).data ? (text).data : ""

static struct checker_memo *memo_of(struct checker *self, const struct checker_line *line) {
    return checker_entry(&self->memos, checker_text(line, "memo"));
}

static struct checker_job *job_of(struct checker *self, const struct checker_line *line) {
    return checker_entry(&self->jobs, checker_text(line, "job"));
}

static uint64_t token_of(const struct checker_line *line) {
    return (uint64_t)checker_number(line, "token", 0);
}

/* ---- memos ---- */

void checker_on_accepted(struct checker *self, const struct checker_line *line) {
    struct checker_memo *memo = memo_of(self, line);
    struct edda_text name = checker_text(line, "key");
    if (!memo->accepted) {
        memo->accepted_us = line->time_us;
    }
    memo->accepted = true;
    memo->expected = checker_number(line, "chunks", -1) + 1;
    if (name.size == 0) {
        return;
    }
    struct checker_key *key = checker_entry(&self->keys, name);
    if (key->memo[0] && strcmp(key->memo, memo->entry.name) != 0) {
        checker_offend(self, "G1: key %s made memo %s and then memo %s", key->entry.name, key->memo,
                       memo->entry.name);
    }
    memcpy(key->memo, memo->entry.name, sizeof(key->memo));
}

void checker_on_poison(struct checker *self, const struct checker_line *line) {
    memo_of(self, line)->poison = true;
}

void checker_on_deleting(struct checker *self, const struct checker_line *line) {
    memo_of(self, line)->deleting = true;
}

void checker_on_ready(struct checker *self, const struct checker_line *line) {
    struct checker_memo *memo = memo_of(self, line);
    if (memo->ready_us) {
        checker_offend(self, "G2: memo %s became ready twice", memo->entry.name);
    }
    if (memo->poison) {
        checker_offend(self, "G0: memo %s is poison and became ready", memo->entry.name);
    }
    memo->ready_us = line->time_us;
    /* It may be ready before the answer that it is accepted arrives. */
    if (memo->accepted && self->ready_bound_us &&
        line->time_us - memo->accepted_us > self->ready_bound_us) {
        checker_offend(self, "G10: memo %s took %lld ms though nothing was wrong", memo->entry.name,
                       (long long)((line->time_us - memo->accepted_us) / 1000));
    }
}

/* ---- jobs ---- */

void checker_on_claimed(struct checker *self, const struct checker_line *line) {
    struct checker_job *job = job_of(self, line);
    uint64_t token = token_of(line);
    if (job->state == JOB_DONE || job->state == JOB_DEAD || job->state == JOB_REMOVED) {
        checker_offend(self, "G8: job %s was claimed after its end", job->entry.name);
    }
    if (token <= job->token) {
        checker_offend(self, "G8: job %s was claimed with token %llu after %llu", job->entry.name,
                       (unsigned long long)token, (unsigned long long)job->token);
    }
    job->state = JOB_LEASED;
    job->attempts++;
    job->token = token;
    job->memo = memo_of(self, line);
    job->holder = checker_entry(&self->nodes, line->node);
    job->request = NULL;
}

static bool is_current(const struct checker_job *job, const struct checker_line *line) {
    return job->state == JOB_LEASED && job->token == token_of(line);
}

void checker_on_committed(struct checker *self, const struct checker_line *line) {
    struct checker_job *job = job_of(self, line);
    if (!is_current(job, line)) {
        checker_offend(self, "G8: job %s was committed with token %llu, and its lease is %llu%s",
                       job->entry.name, (unsigned long long)token_of(line),
                       (unsigned long long)job->token,
                       job->state == JOB_LEASED ? "" : ", not in force");
    }
    job->state = JOB_DONE;
}

void checker_on_stale(struct checker *self, const struct checker_line *line) {
    struct checker_job *job = job_of(self, line);
    if (is_current(job, line)) {
        checker_offend(self, "G8: job %s was refused its own token", job->entry.name);
    }
}

void checker_on_released(struct checker *self, const struct checker_line *line) {
    struct checker_job *job = job_of(self, line);
    if (job->state != JOB_LEASED) {
        checker_offend(self, "G8: job %s was released and not leased", job->entry.name);
    }
    job->state = JOB_READY;
    job->attempts--;
}

void checker_on_removed(struct checker *self, const struct checker_line *line) {
    job_of(self, line)->state = JOB_REMOVED;
}

void checker_on_requested(struct checker *self, const struct checker_line *line) {
    struct checker_job *job = job_of(self, line);
    if (job->token == token_of(line)) {
        job->request = checker_entry(&self->requests, checker_text(line, "request"));
    }
}

static bool was_harmed(const struct checker_node *node, int64_t since_us) {
    return node && node->harmed_until_us && node->harmed_until_us >= since_us - CHECKER_SLACK_US;
}

/* Whether anything happened that can explain why the step got no result. */
static bool is_explained(const struct checker_job *job) {
    const struct checker_request *request = job->request;
    if (!request || !request->dispatched_us) {
        return was_harmed(job->holder, 0);
    }
    int64_t since_us = request->dispatched_us;
    bool explained = was_harmed(request->broker, since_us) || was_harmed(job->holder, since_us);
    for (size_t i = 0; i < request->worker_count && i < 8; i++) {
        explained |= was_harmed(request->workers[i], since_us);
    }
    return explained;
}

static void check_report(struct checker *self, const struct checker_job *job,
                         struct edda_text how) {
    bool died = edda_text_is(how, "died");
    bool failed = edda_text_is(how, "failed");
    bool poison = job->memo && job->memo->poison;
    if (!died && !failed) {
        return;
    }
    if (self->gentle) {
        checker_offend(self, "G0: job %s %.*s though nothing was wrong", job->entry.name,
                       TEXT(how));
    }
    bool refused = failed && job->request && job->request->refused;
    if (!poison && !refused && !is_explained(job)) {
        checker_offend(self, "G0: job %s is said to have %.*s, and nothing befell its workers",
                       job->entry.name, TEXT(how));
    }
}

static void count_report(struct checker_job *job, struct edda_text how) {
    bool back = edda_text_is(how, "returned") || edda_text_is(how, "outside");
    job->attempts -= back;
    job->deaths += edda_text_is(how, "died");
}

/* What was given back or taken back has cost nothing. */
static void check_count(struct checker *self, const struct checker_job *job,
                        const struct checker_line *line) {
    bool died = edda_text_is(checker_text(line, "how"), "died");
    int64_t have = died ? job->deaths : job->attempts;
    int64_t after = checker_number(line, "after", 0);
    if (checker_number(line, "dead", 0) != 0 && have < after) {
        checker_offend(self, "G0: job %s is dead after %lld %s of %lld", job->entry.name,
                       (long long)have, died ? "deaths" : "attempts", (long long)after);
    }
}

void checker_on_reported(struct checker *self, const struct checker_line *line) {
    struct checker_job *job = job_of(self, line);
    bool dead = checker_number(line, "dead", 0) != 0;
    if (!is_current(job, line)) {
        checker_offend(self, "G8: job %s was given up with token %llu, and its lease is %llu",
                       job->entry.name, (unsigned long long)token_of(line),
                       (unsigned long long)job->token);
    }
    count_report(job, checker_text(line, "how"));
    check_report(self, job, checker_text(line, "how"));
    check_count(self, job, line);
    job->state = dead ? JOB_DEAD : JOB_READY;
}

void checker_finish_jobs(struct checker *self) {
    for (struct checker_entry *entry = self->jobs.first; entry; entry = entry->later) {
        const struct checker_job *job = (const struct checker_job *)entry;
        if (job->state == JOB_READY || job->state == JOB_LEASED) {
            checker_offend(self, "G1: job %s is %s at the end", job->entry.name,
                           job->state == JOB_READY ? "not done" : "leased");
        }
    }
}

/* ---- the rows ---- */

static void keep(char *place, size_t size, struct edda_text text) {
    (void)snprintf(place, size, "%.*s", TEXT(text));
}

void checker_on_stored(struct checker *self, const struct checker_line *line) {
    struct checker_memo *memo = memo_of(self, line);
    if (memo->stored) {
        checker_offend(self, "G1: memo %s is there twice", memo->entry.name);
    }
    memo->stored = true;
    memo->chunks = checker_number(line, "chunks", 0);
    memo->dimension = checker_number(line, "dimension", -1);
    keep(memo->state, sizeof(memo->state), checker_text(line, "state"));
    keep(memo->reason, sizeof(memo->reason), checker_text(line, "reason"));
}

void checker_on_chunk(struct checker *self, const struct checker_line *line) {
    struct checker_memo *memo = memo_of(self, line);
    char name[CHECKER_KEY * 2];
    int64_t dimension = checker_number(line, "dimension", -1);
    (void)snprintf(name, sizeof(name), "%.40s/%lld/%lld", memo->entry.name,
                   (long long)checker_number(line, "part", 0),
                   (long long)checker_number(line, "number", -1));
    if (checker_find(&self->chunks, edda_text_of(name))) {
        checker_offend(self, "G2: chunk %s is there twice", name);
    }
    (void)checker_entry(&self->chunks, edda_text_of(name));
    memo->seen++;
    if (memo->dimension >= 0 && dimension != memo->dimension) {
        checker_offend(self, "G2: chunk %s has a vector of %lld numbers, not %lld", name,
                       (long long)dimension, (long long)memo->dimension);
    }
    /* Rows come in order: one before it in its part is there already. */
    int64_t number = checker_number(line, "number", -1);
    (void)snprintf(name, sizeof(name), "%.40s/%lld/%lld", memo->entry.name,
                   (long long)checker_number(line, "part", 0), (long long)number - 1);
    if (number != 0 && !checker_find(&self->chunks, edda_text_of(name))) {
        checker_offend(self, "G2: chunk %s is missing", name);
    }
}

static void check_ready(struct checker *self, const struct checker_memo *memo) {
    if (memo->seen != memo->chunks) {
        checker_offend(self, "G2: memo %s has %lld chunks, and %lld rows", memo->entry.name,
                       (long long)memo->chunks, (long long)memo->seen);
    }
    if (memo->expected && memo->expected - 1 != memo->chunks) {
        checker_offend(self, "G2: memo %s has %lld chunks of %lld", memo->entry.name,
                       (long long)memo->chunks, (long long)memo->expected - 1);
    }
}

static void check_memo(struct checker *self, const struct checker_memo *memo) {
    if (memo->accepted && !memo->stored) {
        checker_offend(self, "G1: memo %s was accepted and is not there", memo->entry.name);
    } else if (!memo->accepted && memo->stored && self->all) {
        checker_offend(self, "G1: memo %s is there and nobody was told", memo->entry.name);
    } else if (strcmp(memo->state, "ready") == 0) {
        check_ready(self, memo);
    } else if (strcmp(memo->state, "error") == 0) {
        if (!memo->reason[0]) {
            checker_offend(self, "G1: memo %s is dead without a reason", memo->entry.name);
        }
    } else if (strcmp(memo->state, "deleted") == 0) {
        if (!memo->deleting || memo->seen) {
            checker_offend(self, "G1: memo %s is deleted, %s", memo->entry.name,
                           memo->seen ? "and has chunks" : "and nobody asked for it");
        }
    } else if (memo->stored && strcmp(memo->state, "superseded") != 0) {
        checker_offend(self, "G1: memo %s is still %s", memo->entry.name, memo->state);
    }
}

void checker_finish_memos(struct checker *self) {
    for (struct checker_entry *entry = self->memos.first; entry; entry = entry->later) {
        check_memo(self, (const struct checker_memo *)entry);
    }
}
