/* tests/sim/role_worker.c: stages: the real worker session and jobs, with work that is only time.
 *
 * What a step does is decided when it begins: it is done, failed, given back, never ended, or kills
 * its process. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/body_stage.h"
#include "tests/sim/roles.h"
#include "tests/sim/store.h"

#define MAX_CHUNKS 8
#define MAX_PARTS  12
#define MOST_PARTS 80 /* of those who like to talk */

enum fate { FATE_DONE, FATE_FAIL, FATE_RETURN, FATE_HANG, FATE_DIE };

struct worker {
    edda_actor_t *actor;
    struct task *tasks;
    uint32_t window;
};

struct task {
    struct sim_node *node;
    struct task *next;
    struct task *previous;
    edda_job_t *job;
    enum fate fate;
    struct edda_timer timer; /* of the node's loop */
    uint32_t parts;          /* llm: how many there are, and were said */
    uint32_t said;
};

static void wait(struct task *task, int64_t for_us) {
    for_us += sim->broken == SIM_BREAK_STEPS_SLOW ? 2 * SIM_SECOND : 0;
    edda_loop_t *loop = task->node->loop;
    edda_loop_timer_set(loop, &task->timer, edda_loop_now(loop) + for_us / 1000);
}

static void free_task(struct task *task) {
    struct worker *worker = task->node->state;
    *(task->previous ? &task->previous->next : &worker->tasks) = task->next;
    if (task->next) {
        task->next->previous = task->previous;
    }
    edda_loop_timer_cancel(task->node->loop, &task->timer);
    free(task);
}

/* ---- what is worked out ---- */

/* "m3 p1 c4": the fourth memo's second part has four chunks. */
static void chunk(struct task *task) {
    struct edda_chunk_arguments arguments;
    struct edda_chunk items[MAX_CHUNKS];
    char texts[MAX_CHUNKS][SIM_PART_TEXT + 16];
    unsigned memo = 0;
    unsigned part = 0;
    unsigned count = 0;
    int error = edda_job_arguments(task->job, EDDA_BODY_CHUNK_ARGUMENTS, &arguments);
    EDDA_ASSERT(error == 0);
    char text[SIM_PART_TEXT];
    (void)snprintf(text, sizeof(text), "%.*s", (int)arguments.text.size, arguments.text.data);
    int read = sscanf(text, "m%u p%u c%u", &memo, &part, &count);
    EDDA_ASSERT(read == 3 && count <= MAX_CHUNKS);
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%s#%u", text, i);
        items[i] = (struct edda_chunk){.text = edda_text_of(texts[i]), .number = i};
    }
    struct edda_chunks chunks = {.chunks = {items, count}};
    edda_job_finish(&task->job, EDDA_BODY_CHUNKS, &chunks);
}

static void embed_chunks(struct task *task) {
    struct edda_chunks chunks;
    float vectors[MAX_CHUNKS * SIM_DIMENSION];
    int error = edda_job_input(task->job, EDDA_BODY_CHUNKS, &chunks);
    EDDA_ASSERT(error == 0 && chunks.chunks.count <= MAX_CHUNKS);
    for (size_t i = 0; i < chunks.chunks.count * SIM_DIMENSION; i++) {
        vectors[i] = 1;
    }
    chunks.dimension = SIM_DIMENSION;
    chunks.model = EDDA_TEXT("sim");
    chunks.vectors = (struct edda_floats){(const uint8_t *)vectors,
                                          chunks.chunks.count * SIM_DIMENSION * sizeof(float)};
    edda_job_finish(&task->job, EDDA_BODY_CHUNKS, &chunks);
}

static void embed(struct task *task) {
    float vector[SIM_DIMENSION] = {1};
    struct edda_embeddings embeddings = {.model = EDDA_TEXT("sim"),
                                         .dimension = SIM_DIMENSION,
                                         .count = 1,
                                         .vectors = {(const uint8_t *)vector, sizeof(vector)}};
    edda_job_finish(&task->job, EDDA_BODY_EMBEDDINGS, &embeddings);
}

static void rerank(struct task *task) {
    struct edda_hits hits;
    int error = edda_job_input(task->job, EDDA_BODY_HITS, &hits);
    EDDA_ASSERT(error == 0);
    edda_job_finish(&task->job, EDDA_BODY_HITS, &hits);
}

/* One part after the other, each when there is credit; then the number of them as the answer. */
static void say_more(void *context) {
    struct task *task = context;
    char text[32];
    if (task->said == task->parts || edda_job_cancelled(task->job)) {
        (void)snprintf(text, sizeof(text), "%u", task->said);
        struct edda_answer answer = {.text = edda_text_of(text)};
        edda_job_finish(&task->job, EDDA_BODY_ANSWER, &answer);
        free_task(task);
        return;
    }
    (void)snprintf(text, sizeof(text), "%u", task->said);
    struct edda_answer_part part = {edda_text_of(text)};
    int error = edda_job_part(task->job, EDDA_BODY_ANSWER_PART, &part);
    task->said += error == 0;
    if (error != EDDA_E_AGAIN || sim_chance(SIM_DICE_WORK, 100)) {
        wait(task, sim_around(SIM_DICE_WORK, 20 * SIM_MS));
    } /* else credit comes, and calls us */
}

/* ---- the life of a step ---- */

static void fail(struct task *task) {
    static const int codes[] = {EDDA_E_FAILED, EDDA_E_INTERNAL, EDDA_E_IO, EDDA_E_BUSY,
                                EDDA_E_UNAVAILABLE};
    enum edda_blame blame = (enum edda_blame)sim_below(SIM_DICE_WORK, 3);
    int code = codes[sim_below(SIM_DICE_WORK, sizeof(codes) / sizeof(codes[0]))];
    edda_job_fail(&task->job, code, blame, 0, NULL);
}

static void finish(void *context) {
    struct task *task = context;
    struct edda_text op = edda_job_envelope(task->job)->op;
    switch (task->fate) {
    case FATE_FAIL:
        fail(task);
        break;
    case FATE_RETURN:
        edda_job_return(&task->job);
        break;
    case FATE_DIE:
        sim_node_crash(task->node, false, sim_between(SIM_DICE_WORK, 100 * SIM_MS, SIM_SECOND));
        return;
    case FATE_HANG:
        if (!edda_job_cancelled(task->job)) {
            return; /* until somebody cancels it */
        }
        edda_job_return(&task->job);
        break;
    case FATE_DONE:
        if (edda_text_is(op, "llm.answer")) {
            say_more(task);
            return;
        }
        if (edda_text_is(op, "chunk")) {
            chunk(task);
        } else if (edda_text_is(op, "embed.chunks")) {
            embed_chunks(task);
        } else if (edda_text_is(op, "embed")) {
            embed(task);
        } else {
            rerank(task);
        }
        break;
    }
    free_task(task);
}

/* Some stop at once, some look at the flag when they come by. */
static void on_cancel(void *context) {
    struct task *task = context;
    if (task->fate == FATE_HANG) {
        wait(task, sim_around(SIM_DICE_WORK, 10 * SIM_MS));
    } else if (sim_chance(SIM_DICE_WORK, 500)) {
        edda_job_return(&task->job);
        free_task(task);
    } else if (!task->timer.index) {
        wait(task, sim_around(SIM_DICE_WORK, 10 * SIM_MS)); /* it waited for credit */
    }
}

static bool is_poison(const struct task *task) {
    struct edda_chunk_arguments arguments;
    struct edda_text op = edda_job_envelope(task->job)->op;
    return edda_text_is(op, "chunk") &&
           edda_job_arguments(task->job, EDDA_BODY_CHUNK_ARGUMENTS, &arguments) == 0 &&
           arguments.text.size > 0 && arguments.text.data[arguments.text.size - 1] == '!';
}

static enum fate choose_fate(const struct task *task) {
    if (is_poison(task)) {
        return FATE_DIE;
    }
    if (!sim_chance(SIM_DICE_WORK, sim->plan.misbehave)) {
        return FATE_DONE;
    }
    static const struct {
        enum sim_fault fault;
        enum fate fate;
    } fates[] = {
        {SIM_FAULT_FAIL, FATE_FAIL}, {SIM_FAULT_RETURN, FATE_RETURN}, {SIM_FAULT_HANG, FATE_HANG}};
    size_t chosen = sim_below(SIM_DICE_WORK, 3);
    if (!sim_has(fates[chosen].fault)) {
        return FATE_DONE;
    }
    sim->counts.faults[fates[chosen].fault]++;
    if (fates[chosen].fate == FATE_HANG) {
        sim_event(task->node->name, "harmed", "kind=hang");
    }
    return fates[chosen].fate;
}

static void handle(void *stage, edda_job_t *job) {
    struct sim_node *node = stage;
    struct worker *worker = node->state;
    struct task *task = calloc(1, sizeof(*task));
    EDDA_ASSERT(task);
    *task = (struct task){.node = node, .next = worker->tasks, .job = job};
    task->timer = (struct edda_timer){.fire = finish, .context = task, .name = "step"};
    if (worker->tasks) {
        worker->tasks->previous = task;
    }
    worker->tasks = task;
    bool talks = !sim->plan.calm && !sim->plan.failover && sim_chance(SIM_DICE_WORK, 300);
    task->parts = (uint32_t)sim_below(SIM_DICE_WORK, talks ? MOST_PARTS : MAX_PARTS);
    task->fate = choose_fate(task);
    edda_job_on_cancel(job, on_cancel, task);
    edda_job_on_credit(job, say_more, task);
    if (sim_chance(SIM_DICE_WORK, 200)) {
        edda_job_progress(job);
    }
    wait(task, sim_around(SIM_DICE_WORK, sim->plan.step_us));
}

/* ---- the roles ---- */

static void start_worker(struct sim_node *node, const char *service,
                         const struct edda_operation *operations, size_t count) {
    struct worker *worker = calloc(1, sizeof(*worker));
    EDDA_ASSERT(worker);
    node->state = worker;
    worker->window = 1 + (uint32_t)sim_below(SIM_DICE_WORK, sim->plan.window);
    worker->actor = edda_actor_new(&(struct edda_actor_options){
        .loop = node->loop,
        .zmq_context = node,
        .brokers = sim_urls,
        .broker_count = sim->plan.brokers,
        .service = service,
        .name = node->name,
        .operations = operations,
        .operation_count = count,
        .window = worker->window,
        .stage = node,
    });
    EDDA_ASSERT(worker->actor);
}

static void start_chunker(struct sim_node *node) {
    static const struct edda_operation operations[] = {{"chunk", handle}};
    start_worker(node, "chunk", operations, 1);
}

static void start_embedder(struct sim_node *node) {
    static const struct edda_operation operations[] = {{"embed", handle}, {"embed.chunks", handle}};
    start_worker(node, "embed", operations, 2);
}

static void start_reranker(struct sim_node *node) {
    static const struct edda_operation operations[] = {{"rerank", handle}};
    start_worker(node, "rerank", operations, 1);
}

static void start_llm(struct sim_node *node) {
    static const struct edda_operation operations[] = {{"llm.answer", handle}};
    start_worker(node, "llm", operations, 1);
}

/* The steps of a process that ends are over with it; a real one's memory just goes. */
static void stop(struct sim_node *node) {
    struct worker *worker = node->state;
    while (worker->tasks) {
        edda_job_return(&worker->tasks->job);
        free_task(worker->tasks);
    }
    edda_actor_destroy(&worker->actor);
    free(worker);
}

static size_t count_open(const struct sim_node *node, const char **ret_what) {
    *ret_what = "steps";
    return edda_actor_running(((const struct worker *)node->state)->actor);
}

static edda_actor_t *actor_of(const struct sim_node *node) {
    return ((const struct worker *)node->state)->actor;
}

void sim_worker_outage(struct sim_node *node, bool away) {
    struct worker *worker = node->state;
    sim_node_enter(node);
    edda_actor_set_window(worker->actor, away ? 0 : worker->window);
    sim_node_leave(node);
    sim_node_wake(node);
}

#define ROLE(what)                                                                                 \
    const struct sim_role sim_role_##what = {.name = #what,                                        \
                                             .start = start_##what,                                \
                                             .stop = stop,                                         \
                                             .open = count_open,                                   \
                                             .actor = actor_of,                                    \
                                             .worker = true}
ROLE(chunker);
ROLE(embedder);
ROLE(reranker);
ROLE(llm);
