/* tests/sim/checker_rules.c: requests, nodes, brokers and what is said of the run (G3..G7, G9). */
#include <stdio.h>

#include "tests/sim/checker_state.h"

#define GRACE_US INT64_C(1000000) /* of G5 */

#define TEXT(text) (int)(text).size, (text).data ? (text).data : ""

/* ---- nodes ---- */

static struct checker_node *node_of(struct checker *self, const struct checker_line *line) {
    return checker_entry(&self->nodes, line->node);
}

void checker_on_started(struct checker *self, const struct checker_line *line) {
    node_of(self, line)->stopped_us = 0;
}

/* What a node had open when it died has nobody to be answered to. */
static void lose_askers(struct checker *self, const struct checker_node *node) {
    for (struct checker_entry *entry = self->requests.first; entry; entry = entry->later) {
        struct checker_request *request = (struct checker_request *)entry;
        if (request->state == REQUEST_OPEN && request->asker == node) {
            request->state = REQUEST_GONE;
        }
    }
}

static void harm(struct checker_node *node, int64_t until_us) {
    node->harmed_until_us = until_us > node->harmed_until_us ? until_us : node->harmed_until_us;
}

void checker_on_crashed(struct checker *self, const struct checker_line *line) {
    struct checker_node *node = node_of(self, line);
    harm(node, line->time_us);
    lose_askers(self, node);
}

/* A drain that was cut leaves requests; one that was not leaves none. */
void checker_on_ended(struct checker *self, const struct checker_line *line) {
    struct checker_node *node = node_of(self, line);
    struct edda_text result = checker_text(line, "result");
    harm(node, line->time_us);
    if (result.size && !edda_text_is(result, "ok")) {
        if (self->gentle) {
            checker_offend(self, "G0: %.*s could not end in time though nothing was wrong",
                           TEXT(line->node));
        }
        lose_askers(self, node);
    }
}

void checker_on_stopped(struct checker *self, const struct checker_line *line) {
    struct checker_node *node = node_of(self, line);
    node->stopped_us = line->time_us;
    harm(node, INT64_MAX);
}

void checker_on_continued(struct checker *self, const struct checker_line *line) {
    struct checker_node *node = node_of(self, line);
    node->stopped_sum_us += node->stopped_us ? line->time_us - node->stopped_us : 0;
    node->stopped_us = 0;
    node->harmed_until_us = line->time_us;
}

void checker_on_harmed(struct checker *self, const struct checker_line *line) {
    harm(node_of(self, line), line->time_us + checker_number(line, "for_ms", 0) * 1000);
}

/* ---- requests ---- */

static struct checker_request *request_of(struct checker *self, const struct checker_line *line) {
    return checker_entry(&self->requests, checker_text(line, "request"));
}

void checker_on_asked(struct checker *self, const struct checker_line *line) {
    struct checker_request *request = request_of(self, line);
    if (request->state != REQUEST_UNKNOWN) {
        checker_offend(self, "G3: request %s is asked twice", request->entry.name);
    }
    request->state = REQUEST_OPEN;
    request->asker = node_of(self, line);
    request->asked_us = line->time_us;
    request->within_us = checker_number(line, "within_ms", 0) * 1000;
    request->stopped_sum_us = request->asker->stopped_sum_us;
}

static void check_time(struct checker *self, const struct checker_request *request,
                       int64_t now_us) {
    const struct checker_node *asker = request->asker;
    int64_t stopped_us = asker->stopped_sum_us - request->stopped_sum_us;
    stopped_us += asker->stopped_us ? now_us - asker->stopped_us : 0;
    int64_t took_us = now_us - request->asked_us - stopped_us;
    if (request->within_us && took_us > request->within_us + GRACE_US) {
        checker_offend(self, "G5: request %s took %lld ms of %lld", request->entry.name,
                       (long long)(took_us / 1000), (long long)(request->within_us / 1000));
    }
    if (self->answered_bound_us && took_us > self->answered_bound_us) {
        checker_offend(self, "G10: request %s took %lld ms though nothing was wrong",
                       request->entry.name, (long long)(took_us / 1000));
    }
}

void checker_on_answered(struct checker *self, const struct checker_line *line) {
    struct checker_request *request = request_of(self, line);
    struct edda_text result = checker_text(line, "result");
    if (request->state != REQUEST_OPEN) {
        static const char *const why[] = {"was never asked", "", "was answered before",
                                          "has nobody who waits"};
        checker_offend(self, "G3: request %s %s", request->entry.name, why[request->state]);
        return;
    }
    request->state = REQUEST_ANSWERED;
    check_time(self, request, line->time_us);
    bool good = edda_text_is(result, "ok") || edda_text_is(result, self->but);
    if (self->gentle && !good) {
        checker_offend(self, "G0: request %s failed (%.*s) though nothing was wrong",
                       request->entry.name, TEXT(result));
    }
}

void checker_on_withdrawn(struct checker *self, const struct checker_line *line) {
    struct checker_request *request = request_of(self, line);
    if (request->state != REQUEST_OPEN) {
        checker_offend(self, "G3: request %s is withdrawn and was not open", request->entry.name);
    }
    request->state = REQUEST_GONE;
}

void checker_on_refused(struct checker *self, const struct checker_line *line) {
    request_of(self, line)->refused = true;
}

void checker_finish_requests(struct checker *self) {
    for (struct checker_entry *entry = self->requests.first; entry; entry = entry->later) {
        const struct checker_request *request = (const struct checker_request *)entry;
        if (request->state == REQUEST_OPEN) {
            checker_offend(self, "G3: request %s of %s has no answer", request->entry.name,
                           request->asker->entry.name);
        }
    }
}

/* ---- brokers ---- */

static struct checker_peer *peer_of(struct checker *self, const struct checker_line *line) {
    return checker_entry(&self->peers, checker_text(line, "peer"));
}

void checker_on_granted(struct checker *self, const struct checker_line *line) {
    struct checker_peer *peer = peer_of(self, line);
    uint64_t messages = (uint64_t)checker_number(line, "messages", 0);
    uint64_t bytes = (uint64_t)checker_number(line, "bytes", 0);
    peer->granted = messages > peer->granted ? messages : peer->granted;
    peer->granted_bytes = bytes > peer->granted_bytes ? bytes : peer->granted_bytes;
}

void checker_on_dispatched(struct checker *self, const struct checker_line *line) {
    struct checker_peer *peer = peer_of(self, line);
    struct checker_request *request = request_of(self, line);
    struct checker_node *worker = checker_entry(&self->nodes, checker_text(line, "worker"));
    peer->sent++;
    peer->sent_bytes += (uint64_t)checker_number(line, "bytes", 0);
    if (peer->sent > peer->granted || peer->sent_bytes > peer->granted_bytes) {
        checker_offend(self, "G7: %s was sent %llu messages of %llu and %llu bytes of %llu",
                       worker->entry.name, (unsigned long long)peer->sent,
                       (unsigned long long)peer->granted, (unsigned long long)peer->sent_bytes,
                       (unsigned long long)peer->granted_bytes);
    }
    request->broker = node_of(self, line);
    request->dispatched_us = request->dispatched_us ? request->dispatched_us : line->time_us;
    request->workers[request->worker_count++ % 8] = worker;
}

void checker_on_balance(struct checker *self, const struct checker_line *line) {
    static const char *const parts[] = {"done",      "failed", "expired",
                                        "cancelled", "queued", "running"};
    int64_t admitted = checker_number(line, "admitted", -1);
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        sum += checker_number(line, parts[i], 0);
    }
    if (admitted != sum) {
        checker_offend(self, "G6: %.*s admitted %lld and accounts for %lld", TEXT(line->node),
                       (long long)admitted, (long long)sum);
    }
}

/* ---- sums and ends ---- */

void checker_on_books(struct checker *self, const struct checker_line *line) {
    struct edda_text what = checker_text(line, "what");
    int64_t have = checker_number(line, "have", -1);
    int64_t want = checker_number(line, "want", -2);
    if (have != want) {
        checker_offend(self, "G9: %.*s of %.*s: %lld, not %lld", TEXT(what), TEXT(line->node),
                       (long long)have, (long long)want);
    }
}

void checker_on_memory(struct checker *self, const struct checker_line *line) {
    int64_t used = checker_number(line, "used", INT64_MAX);
    int64_t cap = checker_number(line, "cap", 0);
    if (used > cap) {
        checker_offend(self, "G4: %.*s uses %lld of %lld", TEXT(line->node), (long long)used,
                       (long long)cap);
    }
}

void checker_on_open(struct checker *self, const struct checker_line *line) {
    struct edda_text what = checker_text(line, "what");
    int64_t count = checker_number(line, "count", 1);
    if (count != 0) {
        checker_offend(self, "G0: %.*s has %lld %.*s open at the end", TEXT(line->node),
                       (long long)count, TEXT(what));
    }
}

void checker_on_bound(struct checker *self, const struct checker_line *line) {
    int64_t bound_us = checker_number(line, "ms", 0) * 1000;
    if (edda_text_is(checker_text(line, "what"), "ready")) {
        self->ready_bound_us = bound_us;
    } else {
        self->answered_bound_us = bound_us;
    }
}

void checker_on_gentle(struct checker *self, const struct checker_line *line) {
    self->gentle = true;
    (void)snprintf(self->but, sizeof(self->but), "%.*s", TEXT(checker_text(line, "but")));
}

void checker_on_end(struct checker *self, const struct checker_line *line) {
    self->ended = true;
    self->all = checker_number(line, "all", 0) != 0;
}
