/* tests/flow/bench_hop.c: what one message costs over each transport: bench_hop [CALLS] [ROUNDS].
 *
 * A real client, broker and worker in one process; a call is four messages (REQ, WORK, DONE, RESP),
 * each with a body of the size told and each over one hop. Transports take turns within a round.
 * Printed are medians of the process's CPU time per message, ZeroMQ's own threads included, and
 * their ratio to plain tcp: on a shared machine only that is worth comparing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "actors/runtime/actor.h"
#include "actors/runtime/client.h"
#include "actors/runtime/log.h"
#include "proto/buffer.h"
#include "tests/harness/scenario.h"

#define AT_ONCE     32
#define MOST_ROUNDS 51
#define TIMER_MS    5
#define MESSAGES    4.0 /* of a call */
#define WARM_CALLS  200

static const char *const transports[] = {"inproc", "ipc", "tcp", "curve"};
static const uint32_t sizes[] = {200, 4096, 65536};

#define TRANSPORTS (sizeof transports / sizeof transports[0])
#define SIZES      (sizeof sizes / sizeof sizes[0])
#define PLAIN      2

static struct {
    edda_loop_t *loop;
    edda_client_t *client;
    struct edda_timer timer;
    struct edda_bytes body;
    size_t calls;
    size_t asked;
    size_t answered;
    size_t failed;
} bench;

static void echo(void *stage, edda_job_t *job) {
    (void)stage;
    struct edda_buffer buffer;
    edda_buffer_init(&buffer, EDDA_MAX_FRAME_BYTES);
    edda_buffer_append(&buffer, bench.body.data, bench.body.size);
    edda_job_finish_buffer(&job, EDDA_BODY_EMPTY, &buffer);
}

static void ask_more(void);

static void on_reply(void *context, const struct edda_reply *reply) {
    (void)context;
    bench.answered++;
    bench.failed += reply->error != 0;
    ask_more();
    if (bench.answered == bench.calls) {
        edda_loop_stop(bench.loop);
    }
}

static void ask_more(void) {
    const struct edda_step step = {
        .op = "own.echo", .type = EDDA_BODY_EMPTY, .arguments = bench.body};
    while (bench.asked < bench.calls && bench.asked - bench.answered < AT_ONCE) {
        const struct edda_request request = {
            .steps = &step,
            .step_count = 1,
            .project = EDDA_TEXT("bench"),
            .ttl_ms = 60000,
            .broker = -1,
            .on_reply = on_reply,
        };
        if (edda_client_call(bench.client, &request, NULL) != 0) {
            return; /* no credit now: the timer comes again */
        }
        bench.asked++;
    }
}

static void on_timer(void *context) {
    (void)context;
    if (edda_client_credit(bench.client, "own") > 0) {
        ask_more();
    }
    edda_loop_timer_set(bench.loop, &bench.timer, edda_loop_now(bench.loop) + TIMER_MS);
}

static double cpu_us(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double run_calls(size_t calls) {
    bench.calls = calls;
    bench.asked = bench.answered = 0;
    double before = cpu_us();
    edda_loop_timer_set(bench.loop, &bench.timer, edda_loop_now(bench.loop));
    (void)edda_loop_run(bench.loop);
    return (cpu_us() - before) / ((double)calls * MESSAGES);
}

/* CPU microseconds a message. */
static double measure(const char *transport, uint32_t size, size_t calls) {
    static const struct edda_operation operations[] = {{"own.echo", echo}};
    edda_scenario_t *scenario = scenario_start(transport);
    const char *urls[] = {scenario_url(scenario)};
    uint8_t *bytes = calloc(1, size);
    EDDA_ASSERT(bytes);
    bench.body = (struct edda_bytes){bytes, size};
    bench.loop = edda_loop_new("bench");
    bench.timer = (struct edda_timer){.fire = on_timer, .name = "bench"};
    bench.client = edda_client_new(&(struct edda_client_options){
        .loop = bench.loop,
        .zmq_context = scenario_context(scenario),
        .brokers = urls,
        .broker_count = 1,
        .curve = scenario_curve(scenario),
        .role = "cli",
        .name = "bench",
    });
    edda_actor_t *actor = edda_actor_new(&(struct edda_actor_options){
        .loop = bench.loop,
        .zmq_context = scenario_context(scenario),
        .brokers = urls,
        .broker_count = 1,
        .curve = scenario_curve(scenario),
        .service = "own",
        .name = "bench",
        .operations = operations,
        .operation_count = 1,
        .window = AT_ONCE,
    });
    EDDA_ASSERT(bench.client && actor);
    (void)run_calls(WARM_CALLS);
    double cost_us = run_calls(calls);
    edda_client_destroy(&bench.client);
    edda_actor_destroy(&actor);
    edda_loop_destroy(&bench.loop);
    free(bytes);
    scenario_stop(&scenario);
    return cost_us;
}

static int by_size(const void *a, const void *b) {
    double one = *(const double *)a;
    double other = *(const double *)b;
    return one < other ? -1 : one > other;
}

int main(int argc, char **argv) {
    size_t calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
    double costs[TRANSPORTS][MOST_ROUNDS];
    double medians[TRANSPORTS];
    if (calls == 0 || rounds == 0 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: bench_hop [CALLS] [ROUNDS up to %d]\n", MOST_ROUNDS);
        return 2;
    }
    edda_log_setup(EDDA_LOG_ERROR, false);
    printf("CPU us a message (and to plain tcp), medians of %zu rounds of %zu calls\n", rounds,
           calls);
    for (size_t s = 0; s < SIZES; s++) {
        for (size_t round = 0; round < rounds; round++) {
            for (size_t t = 0; t < TRANSPORTS; t++) {
                costs[t][round] = measure(transports[t], sizes[s], calls);
            }
        }
        printf("%6u bytes:", sizes[s]);
        for (size_t t = 0; t < TRANSPORTS; t++) {
            qsort(costs[t], rounds, sizeof costs[t][0], by_size);
            medians[t] = costs[t][rounds / 2];
        }
        for (size_t t = 0; t < TRANSPORTS; t++) {
            printf("  %s %.1f (%.2f)", transports[t], medians[t], medians[t] / medians[PLAIN]);
        }
        printf("\n");
        fflush(stdout);
    }
    if (bench.failed > 0) {
        fprintf(stderr, "%zu calls failed\n", bench.failed);
    }
    return bench.failed > 0;
}
