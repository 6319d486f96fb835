/* tests/sim/store.c: the tables and what each operation does to them. */
#include "tests/sim/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/runtime/clock.h"
#include "proto/uuid.h"

struct turn {
    struct sim_truth *truth;
    const char *node;
    uint64_t life;
    int64_t now_ms;
    int64_t lease_ms;
    const struct edda_backend_request *request;
    struct edda_arena *arena;
};

struct sim_truth *sim_truth_new(void) {
    struct sim_truth *self = calloc(1, sizeof(*self));
    EDDA_ASSERT(self);
    return self;
}

void sim_truth_free(struct sim_truth **self_p) {
    struct sim_truth *self = *self_p;
    if (self) {
        free(self->memos);
        free(self->jobs);
        free(self->rows);
        free(self);
        *self_p = NULL;
    }
}

/* Room for one more at the end of an array that doubles. */
static void *grow(void *items, size_t count, size_t size) {
    if (count & (count - 1)) {
        return items;
    }
    items = realloc(items, (count ? count * 2 : 1) * size);
    EDDA_ASSERT(items);
    return items;
}

static unsigned long long id_of(const struct sim_truth *truth, const struct sim_job *job) {
    return (unsigned long long)(job - truth->jobs) + 1;
}

static struct sim_job *find_job(const struct sim_truth *truth, uint64_t id) {
    return id >= 1 && id <= truth->job_count ? &truth->jobs[id - 1] : NULL;
}

static void format_memo(const struct sim_truth *truth, size_t index, char text[EDDA_UUID_TEXT]) {
    edda_uuid_format(&truth->memos[index].uuid, text);
}

static void copy_text(char *place, size_t size, struct edda_text text) {
    (void)snprintf(place, size, "%.*s", (int)text.size, text.data ? text.data : "");
}

/* ---- memos ---- */

static void add_job(struct turn *turn, size_t memo, uint32_t part, struct edda_text text) {
    struct sim_truth *truth = turn->truth;
    truth->jobs = grow(truth->jobs, truth->job_count, sizeof(*truth->jobs));
    struct sim_job *job = &truth->jobs[truth->job_count++];
    *job = (struct sim_job){.memo = memo, .part = part, .row = {.run_at_ms = turn->now_ms}};
    copy_text(job->text, sizeof(job->text), text);
}

static int accept_memo(struct turn *turn, struct edda_store_accepted *accepted) {
    struct sim_truth *truth = turn->truth;
    const struct edda_store_accept *accept = turn->request->arguments;
    for (size_t i = 0; i < truth->memo_count; i++) {
        if (edda_text_is(accept->idempotency_key, truth->memos[i].key)) {
            *accepted = (struct edda_store_accepted){truth->memos[i].uuid, 1, true};
            return 0;
        }
    }
    if (sim_is_broken(SIM_BREAK_MEMO_LOST, 300)) {
        *accepted = (struct edda_store_accepted){accept->memo, 1, false};
        return 0;
    }
    truth->memos = grow(truth->memos, truth->memo_count, sizeof(*truth->memos));
    struct sim_memo *memo = &truth->memos[truth->memo_count];
    *memo = (struct sim_memo){.uuid = accept->memo,
                              .open_jobs = (uint32_t)accept->parts.count,
                              .parts = (uint32_t)accept->parts.count,
                              .first_job = truth->job_count + 1};
    copy_text(memo->key, sizeof(memo->key), accept->idempotency_key);
    for (uint32_t i = 0; i < accept->parts.count; i++) {
        add_job(turn, truth->memo_count, i, accept->parts.items[i]);
    }
    truth->memo_count++;
    *accepted = (struct edda_store_accepted){accept->memo, 1, false};
    return 0;
}

static struct sim_memo *find_memo(struct turn *turn) {
    const struct edda_store_select *select = turn->request->arguments;
    for (size_t i = 0; i < turn->truth->memo_count; i++) {
        char uuid[EDDA_UUID_TEXT];
        format_memo(turn->truth, i, uuid);
        if (edda_text_is(select->id, uuid) && !turn->truth->memos[i].deleted) {
            return &turn->truth->memos[i];
        }
    }
    return NULL;
}

static int tell_status(struct turn *turn, struct edda_store_status *status) {
    const struct sim_memo *memo = find_memo(turn);
    if (!memo) {
        return EDDA_E_NOT_FOUND;
    }
    status->uuid = memo->uuid;
    status->status = edda_text_of(memo->dead             ? "error"
                                  : memo->open_jobs == 0 ? "processed"
                                                         : "processing");
    return 0;
}

/* Its jobs and rows go with it. */
static int delete_memo(struct turn *turn) {
    struct sim_truth *truth = turn->truth;
    struct sim_memo *memo = find_memo(turn);
    if (!memo) {
        return EDDA_E_NOT_FOUND;
    }
    memo->deleted = true;
    for (uint64_t id = memo->first_job; id < memo->first_job + memo->parts; id++) {
        truth->jobs[id - 1].row.state = EDDA_JOB_DONE;
        sim_event(turn->node, "removed", "job=%llu", (unsigned long long)id);
    }
    size_t kept = 0;
    for (size_t i = 0; i < truth->row_count; i++) {
        if (&truth->memos[truth->rows[i].memo] != memo) {
            truth->rows[kept++] = truth->rows[i];
        }
    }
    truth->row_count = kept;
    return 0;
}

static int search(struct turn *turn, struct edda_hits *hits) {
    const struct edda_store_search *asked = turn->request->arguments;
    struct edda_hit *hit = edda_arena_take(turn->arena, sizeof(*hit));
    EDDA_ASSERT(hit);
    hit->text = edda_arena_text(turn->arena, asked->query);
    hit->score = 1;
    hits->hits.items = hit;
    hits->hits.count = 1;
    return 0;
}

/* ---- jobs ---- */

static bool apply_event(struct turn *turn, struct sim_job *job,
                        const struct edda_job_input *input) {
    struct edda_job_row after;
    bool changed = edda_job_next(&job->row, input, &after);
    job->row = after;
    (void)turn;
    return changed;
}

static void claim_job(struct turn *turn, struct sim_job *job, struct edda_claims *claims) {
    struct edda_job_input input = {
        .event = EDDA_JOB_CLAIM, .now_ms = turn->now_ms, .lease_ms = turn->lease_ms};
    if (!apply_event(turn, job, &input)) {
        return;
    }
    const struct sim_memo *memo = &turn->truth->memos[job->memo];
    char uuid[EDDA_UUID_TEXT];
    job->holder = turn->life;
    claims->items[claims->count++] = (struct edda_claimed){
        .job = id_of(turn->truth, job),
        .token = job->row.token,
        .project = EDDA_TEXT("p"),
        .memo = memo->uuid,
        .version = 1,
        .part = job->part,
        .solo = job->row.solo,
        .title = EDDA_TEXT("t"),
        .format = EDDA_TEXT("plain"),
        .text = edda_arena_text(turn->arena, edda_text_of(job->text)),
    };
    format_memo(turn->truth, job->memo, uuid);
    sim_event(turn->node, "claimed", "job=%llu token=%llu memo=%s", id_of(turn->truth, job),
              (unsigned long long)job->row.token, uuid);
}

static bool is_over(const struct sim_job *job, int64_t now_ms) {
    return job->row.state == EDDA_JOB_LEASED && job->row.lease_until_ms < now_ms;
}

/* Leases that are over first, then what is due, as all backends do. */
static int claim(struct turn *turn, struct edda_claims *claims) {
    struct sim_truth *truth = turn->truth;
    const struct edda_claim *asked = turn->request->arguments;
    claims->items = edda_arena_take(turn->arena, asked->limit * sizeof(*claims->items));
    EDDA_ASSERT(claims->items && asked->limit >= 1 && asked->limit <= EDDA_CLAIM_MOST);
    uint32_t limit =
        asked->limits[EDDA_JOB_CHUNK] < asked->limit ? asked->limits[EDDA_JOB_CHUNK] : asked->limit;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < truth->job_count && claims->count < limit; i++) {
            if (is_over(&truth->jobs[i], turn->now_ms) == (round == 0)) {
                claim_job(turn, &truth->jobs[i], claims);
            }
        }
    }
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < truth->job_count; i++) {
        const struct edda_job_row *row = &truth->jobs[i].row;
        int64_t at_ms = row->state == EDDA_JOB_READY    ? row->run_at_ms
                        : row->state == EDDA_JOB_LEASED ? row->lease_until_ms + 1
                                                        : INT64_MAX;
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    claims->wait_ms = next_ms == INT64_MAX     ? -1
                      : next_ms > turn->now_ms ? next_ms - turn->now_ms
                                               : 0;
    return 0;
}

static int renew(struct turn *turn, struct edda_store_count *renewed) {
    const struct edda_leases *leases = turn->request->arguments;
    for (size_t i = 0; i < leases->count; i++) {
        struct sim_job *job = find_job(turn->truth, leases->items[i].job);
        struct edda_job_input input = {.event = EDDA_JOB_PROGRESS,
                                       .token = leases->items[i].token,
                                       .now_ms = turn->now_ms,
                                       .lease_ms = turn->lease_ms};
        renewed->count += job && apply_event(turn, job, &input);
    }
    return 0;
}

static const char *how_of(enum edda_job_event event) {
    return event == EDDA_JOB_RETURNED                                ? "returned"
           : event == EDDA_JOB_OUTSIDE || event == EDDA_JOB_UNSERVED ? "outside"
           : event == EDDA_JOB_DIED                                  ? "died"
                                                                     : "failed";
}

static int fail_job(struct turn *turn, struct edda_failed *failed) {
    const struct edda_failure *failure = turn->request->arguments;
    struct sim_job *job = find_job(turn->truth, failure->lease.job);
    bool nobody = failure->event == EDDA_JOB_OUTSIDE || failure->event == EDDA_JOB_UNSERVED;
    bool blamed = nobody && sim_is_broken(SIM_BREAK_BLAMED, 1000);
    struct edda_job_input input = {.event = blamed ? EDDA_JOB_DIED : failure->event,
                                   .token = failure->lease.token,
                                   .now_ms = turn->now_ms,
                                   .retry_after_ms = failure->retry_after_ms,
                                   .random = (uint32_t)sim_below(SIM_DICE_WORK, UINT32_MAX)};
    if (!job || !apply_event(turn, job, &input)) {
        failed->stale = true;
        return 0;
    }
    failed->dead = job->row.state == EDDA_JOB_DEAD;
    sim_event(turn->node, "reported", "job=%llu token=%llu how=%s dead=%d after=%d reason=\"%.*s\"",
              id_of(turn->truth, job), (unsigned long long)failure->lease.token,
              how_of(input.event), failed->dead,
              input.event == EDDA_JOB_DIED ? EDDA_JOB_DEATHS : EDDA_JOB_ATTEMPTS,
              (int)failure->reason.size, failure->reason.data);
    if (failed->dead) {
        struct sim_memo *memo = &turn->truth->memos[job->memo];
        memo->dead = true;
        copy_text(memo->reason, sizeof(memo->reason), failure->reason);
    }
    return 0;
}

static int release(struct turn *turn, struct edda_store_count *released) {
    struct sim_truth *truth = turn->truth;
    for (size_t i = 0; i < truth->job_count; i++) {
        struct sim_job *job = &truth->jobs[i];
        struct edda_job_input input = {.event = EDDA_JOB_RELEASE, .now_ms = turn->now_ms};
        /* A back-off longer than there can be is a wall clock that was set back. */
        if (job->row.state == EDDA_JOB_READY &&
            job->row.run_at_ms > turn->now_ms + EDDA_JOB_BACKOFF_MAX_MS) {
            job->row.run_at_ms = turn->now_ms;
        }
        if (job->holder != turn->life && apply_event(turn, job, &input)) {
            released->count++;
            sim_event(turn->node, "released", "job=%llu", id_of(truth, job));
        }
    }
    return 0;
}

/* ---- the fenced commit ---- */

/* The chunker's text names its memo and part; the embedder's vector is made of the text. */
static bool is_of_job(const struct sim_job *job, const struct edda_chunks *chunks) {
    if (chunks->dimension != SIM_DIMENSION ||
        chunks->vectors.size != chunks->chunks.count * SIM_DIMENSION * sizeof(float)) {
        return false;
    }
    for (size_t i = 0; i < chunks->chunks.count; i++) {
        const struct edda_chunk *chunk = &chunks->chunks.items[i];
        char text[SIM_PART_TEXT + 16];
        (void)snprintf(text, sizeof(text), "%s#%u", job->text, chunk->number);
        if (!edda_text_is(chunk->text, text) || chunk->number != i) {
            return false;
        }
    }
    return true;
}

static int put_chunks(struct turn *turn, struct edda_store_stored *stored) {
    struct sim_truth *truth = turn->truth;
    const struct edda_store_put_chunks *put = turn->request->arguments;
    const struct edda_chunks *chunks = turn->request->input;
    struct sim_job *job = find_job(truth, put->job);
    struct edda_job_input input = {
        .event = EDDA_JOB_COMMIT, .token = turn->request->fence, .now_ms = turn->now_ms};
    unsigned long long token = (unsigned long long)turn->request->fence;
    if (job && job->row.state != EDDA_JOB_DONE && sim_is_broken(SIM_BREAK_FENCE_OPEN, 1000)) {
        input.token = job->row.token;
    }
    if (!job || !apply_event(turn, job, &input)) {
        stored->stale = true;
        sim_event(turn->node, "stale", "job=%llu token=%llu", (unsigned long long)put->job, token);
        return 0;
    }
    struct sim_memo *memo = &truth->memos[job->memo];
    sim_event(turn->node, "committed", "job=%llu token=%llu", (unsigned long long)put->job, token);
    sim_event(turn->node, "books", "what=\"work of another job\" have=%d want=0",
              !is_of_job(job, chunks) || !edda_uuid_equal(&memo->uuid, &put->memo));
    bool twice = sim_is_broken(SIM_BREAK_CHUNK_TWICE, 300);
    for (uint32_t i = 0; i < chunks->chunks.count; i += twice ? 0 : 1, twice = false) {
        truth->rows = grow(truth->rows, truth->row_count, sizeof(*truth->rows));
        truth->rows[truth->row_count++] =
            (struct sim_row){job->memo, job->part, i, chunks->dimension};
    }
    memo->chunks += (uint32_t)chunks->chunks.count;
    EDDA_ASSERT(memo->open_jobs > 0);
    if (--memo->open_jobs == 0) {
        char uuid[EDDA_UUID_TEXT];
        format_memo(truth, job->memo, uuid);
        stored->complete = true;
        sim_event(turn->node, "ready", "memo=%s", uuid);
    }
    return 0;
}

int sim_truth_apply(struct sim_truth *self, const char *node, uint64_t life, int64_t now_ms,
                    int64_t lease_ms, const struct edda_backend_request *request, void *record,
                    struct edda_arena *arena) {
    struct turn turn = {self, node, life, now_ms, lease_ms, request, arena};
    switch (request->operation) {
    case EDDA_BACKEND_ACCEPT:
        return accept_memo(&turn, record);
    case EDDA_BACKEND_STATUS:
        return tell_status(&turn, record);
    case EDDA_BACKEND_DELETE:
        return delete_memo(&turn);
    case EDDA_BACKEND_SEARCH:
        return search(&turn, record);
    case EDDA_BACKEND_PUT_CHUNKS:
        return put_chunks(&turn, record);
    case EDDA_BACKEND_CLAIM:
        return claim(&turn, record);
    case EDDA_BACKEND_RENEW:
        return renew(&turn, record);
    case EDDA_BACKEND_FAIL:
        return fail_job(&turn, record);
    case EDDA_BACKEND_RELEASE:
        return release(&turn, record);
    default:
        return 0; /* probe, sweep, statistics: nothing that matters here */
    }
}

size_t sim_truth_open(const struct sim_truth *self) {
    size_t open = 0;
    for (size_t i = 0; i < self->job_count; i++) {
        open +=
            self->jobs[i].row.state == EDDA_JOB_READY || self->jobs[i].row.state == EDDA_JOB_LEASED;
    }
    return open;
}

static const char *state_of(const struct sim_memo *memo) {
    return memo->deleted          ? "deleted"
           : memo->dead           ? "error"
           : memo->open_jobs == 0 ? "ready"
                                  : "processing";
}

void sim_truth_write(const struct sim_truth *self) {
    char uuid[EDDA_UUID_TEXT];
    for (size_t i = 0; i < self->memo_count; i++) {
        const struct sim_memo *memo = &self->memos[i];
        format_memo(self, i, uuid);
        sim_event("-", "stored", "memo=%s state=%s chunks=%u dimension=%d reason=\"%s\"", uuid,
                  state_of(memo), memo->chunks, SIM_DIMENSION, memo->reason);
    }
    for (size_t i = 0; i < self->row_count; i++) {
        const struct sim_row *row = &self->rows[i];
        format_memo(self, row->memo, uuid);
        sim_event("-", "chunk", "memo=%s part=%u number=%u dimension=%u", uuid, row->part,
                  row->number, row->dimension);
    }
}
