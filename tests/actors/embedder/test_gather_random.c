/* tests/actors/embedder/test_gather_random.c: random jobs, answers, refusals and clocks, a seed at
 * a time; a plain model of who waits for what checks every step.
 *
 * EDDA_SEED=n replays one seed; EDDA_SEEDS and EDDA_EVENTS change how much is run. */
#include <stdio.h>
#include <stdlib.h>

#include "actors/embedder/gather.h"
#include "tests/proto/cmocka.h"
#include "tests/proto/random.h"

#define SEEDS       20
#define EVENTS      10000
#define JOBS        16
#define TEXTS       24  /* most of a job */
#define WORDS       300 /* different texts */
#define SLOTS       5
#define FAULTY      60  /* every so many-th text is refused by the provider */
#define FITS_BYTES  900 /* of a call: less than gather is told */
#define CALL_MS     20
#define PATIENCE_MS 1500 /* nothing waits longer while calls end in time */

static const struct edda_gather_limits limits = {.items = 12,
                                                 .tokens = 330,
                                                 .bytes = 1000,
                                                 .item_bytes = 400,
                                                 .waiting = 120,
                                                 .waiting_bytes = 100000};

enum fate { GONE, WAITS, ASKED };

struct job {
    struct edda_gather_want wants[TEXTS];
    uint16_t words[TEXTS];
    enum fate fates[TEXTS];
    bool made[TEXTS]; /* nobody wanted that text before */
    size_t count;
    size_t open;
    int64_t since_ms;
    size_t order; /* texts it made and that went from the line so far: index of the last, plus 1 */
    enum edda_gather_class class;
    bool query;
    bool faulty; /* has a text that is refused */
};

struct counts {
    uint64_t added, handed, taken_back, busy, failed, calls, refusals, digest;
};

struct world {
    struct random random;
    edda_gather_t *gather;
    struct job jobs[JOBS];
    bool flying[EDDA_GATHER_CLASSES][2][WORDS]; /* with the provider */
    bool held[EDDA_GATHER_CLASSES][2][WORDS];   /* or in what is left of a refused batch, which is
                                                   asked for piece by piece */
    struct edda_gather_batch *running[SLOTS];
    int64_t until_ms[SLOTS];
    uint32_t slots;
    int64_t now_ms;
    int64_t stuck_ms; /* nobody could be asked until then */
    unsigned passed;  /* urgent batches in a row that went while bulk could have */
    bool innocent_may_fail;
    bool refused;
    struct counts counts;
};

static char texts[WORDS][600];

static struct edda_text text_of(size_t word) {
    return (struct edda_text){texts[word], 1 + word * 37 % 500};
}

static bool is_faulty(size_t word) {
    return word % FAULTY == 7;
}

static bool *held(struct world *world, const struct job *job, size_t i) {
    return &world->held[job->class][job->query][job->words[i]];
}

/* ---- jobs ---- */

static void leave(struct job *job, size_t i, uint64_t *count) {
    assert_int_not_equal(job->fates[i], GONE); /* once, and no more */
    assert_true(job->open > 0);
    job->fates[i] = GONE;
    job->open--;
    ++*count;
}

static void take_back(struct world *world, struct job *job) {
    edda_gather_forget(world->gather, job->wants, job->count);
    for (size_t i = 0; i < job->count; i++) {
        if (job->fates[i] != GONE) {
            leave(job, i, &world->counts.taken_back);
        }
    }
}

static bool is_wanted(const struct world *world, const struct job *like, size_t word) {
    for (size_t j = 0; j < JOBS; j++) {
        const struct job *job = &world->jobs[j];
        for (size_t i = 0; i < job->count && job->open > 0; i++) {
            if (job->fates[i] != GONE && job->words[i] == word && job->class == like->class &&
                job->query == like->query) {
                return true;
            }
        }
    }
    return false;
}

static void fill_job(struct world *world, struct job *job) {
    *job = (struct job){.count = 1 + random_below(&world->random, TEXTS),
                        .since_ms = world->now_ms,
                        .class = random_below(&world->random, 2),
                        .query = random_below(&world->random, 3) == 0};
    for (size_t i = 0; i < job->count; i++) {
        size_t word = random_below(&world->random, WORDS);
        uint16_t key[2] = {(uint16_t)word, job->query};
        job->words[i] = (uint16_t)word;
        job->faulty = job->faulty || is_faulty(word);
        job->wants[i].text = text_of(word);
        job->wants[i].tokens = (uint32_t)(job->wants[i].text.size / 3);
        job->wants[i].owner = job;
        memcpy(job->wants[i].key.bytes, key, sizeof key);
    }
}

static void add_job(struct world *world) {
    struct job *job = &world->jobs[random_below(&world->random, JOBS)];
    if (job->open > 0) {
        return;
    }
    fill_job(world, job);
    size_t waiting = edda_gather_waiting(world->gather, job->class);
    int error = edda_gather_add(world->gather, job->class, job->query, job->wants, job->count,
                                world->now_ms);
    if (error) {
        assert_int_equal(error, EDDA_E_BUSY);
        assert_true(waiting + job->count > limits.waiting);
        world->counts.busy++;
        return;
    }
    assert_true(waiting + job->count <= limits.waiting);
    world->counts.added += job->count;
    for (size_t i = 0; i < job->count; i++) {
        bool on_its_way = *held(world, job, i);
        job->made[i] = !on_its_way && !is_wanted(world, job, job->words[i]);
        job->fates[i] = on_its_way ? ASKED : WAITS;
        job->open++;
    }
}

/* ---- batches ---- */

static size_t word_of(const struct edda_gather_batch *batch, size_t i) {
    uint16_t key[2];
    memcpy(key, edda_gather_key(batch, i)->bytes, sizeof key);
    assert_int_equal(key[1], batch->query); /* input types are not mixed */
    return key[0];
}

/* Everyone who wants the text has it on its way. */
static void mark_asked(struct world *world, const struct edda_gather_batch *batch, size_t word) {
    bool wanted = false;
    for (size_t j = 0; j < JOBS; j++) {
        struct job *job = &world->jobs[j];
        bool same = job->open > 0 && job->class == batch->class && job->query == batch->query;
        for (size_t i = 0; i < job->count && same; i++) {
            if (job->words[i] != word || job->fates[i] == GONE) {
                continue;
            }
            wanted = true;
            job->fates[i] = ASKED;
            if (job->made[i] && batch->since_ms > 0) {
                assert_true(job->order <= i); /* texts of a job go in their order */
                job->order = i + 1;
            }
        }
    }
    assert_true(wanted);
}

static void check_batch(struct world *world, const struct edda_gather_batch *batch) {
    size_t bytes = 0;
    size_t tokens = 0;
    assert_true(batch->texts.count > 0 && batch->texts.count <= limits.items);
    world->counts.calls++;
    for (size_t i = 0; i < batch->texts.count; i++) {
        size_t word = word_of(batch, i);
        struct edda_text text = text_of(word);
        bool *is_flying = &world->flying[batch->class][batch->query][word];
        assert_true(edda_text_equal(batch->texts.items[i], text));
        assert_false(*is_flying); /* never twice at once */
        *is_flying = true;
        world->held[batch->class][batch->query][word] = true;
        mark_asked(world, batch, word);
        bytes += text.size < limits.item_bytes ? text.size : limits.item_bytes;
        tokens += text.size / 3;
        world->counts.digest = world->counts.digest * 131 + word;
    }
    assert_true(batch->texts.count == 1 || (bytes <= limits.bytes && tokens <= limits.tokens));
}

static bool has_slot(const struct world *world, enum edda_gather_class class) {
    uint32_t all = 0;
    uint32_t bulk = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        all += world->running[i] != NULL;
        bulk += world->running[i] && world->running[i]->class == EDDA_GATHER_BULK;
    }
    bool kept = class == EDDA_GATHER_BULK && world->slots > 1 && bulk + 1 >= world->slots;
    return all < world->slots && !kept;
}

static int64_t oldest_ms(const struct world *world, enum edda_gather_class class) {
    int64_t oldest = INT64_MAX;
    for (size_t j = 0; j < JOBS; j++) {
        const struct job *job = &world->jobs[j];
        for (size_t i = 0; i < job->count && job->open > 0 && job->class == class; i++) {
            if (job->fates[i] == WAITS && job->since_ms < oldest) {
                oldest = job->since_ms;
            }
        }
    }
    return oldest;
}

static void check_waiting(const struct world *world) {
    for (enum edda_gather_class class = 0; class < EDDA_GATHER_CLASSES; class ++) {
        int64_t oldest = oldest_ms(world, class);
        if (has_slot(world, class)) {
            assert_true(oldest > world->now_ms - EDDA_GATHER_WAIT_MS);
        }
        assert_true(oldest > world->now_ms - PATIENCE_MS || oldest < world->stuck_ms);
    }
}

static void pump(struct world *world) {
    struct edda_gather_batch *batch;
    int error = 0;
    for (;;) {
        bool bulk_could = has_slot(world, EDDA_GATHER_BULK) &&
                          oldest_ms(world, EDDA_GATHER_BULK) <= world->now_ms - EDDA_GATHER_WAIT_MS;
        batch = edda_gather_take(world->gather, world->slots, world->now_ms, &error);
        assert_int_equal(error, 0);
        if (!batch) {
            break;
        }
        size_t slot = 0;
        while (slot < SLOTS && world->running[slot]) {
            slot++;
        }
        assert_true(has_slot(world, batch->class));
        world->running[slot] = batch;
        world->until_ms[slot] = world->now_ms + 1 + (int64_t)random_below(&world->random, CALL_MS);
        check_batch(world, batch);
        world->passed = batch->class == EDDA_GATHER_URGENT && bulk_could ? world->passed + 1 : 0;
        assert_true(world->passed <= EDDA_GATHER_TURNS);
    }
    check_waiting(world);
}

static void hand(void *context, struct edda_gather_want *want, size_t index) {
    struct world *world = context;
    struct job *job = want->owner;
    (void)index;
    *held(world, job, (size_t)(want - job->wants)) = false;
    leave(job, (size_t)(want - job->wants), &world->counts.handed);
    if (world->refused) { /* the job fails as a whole */
        assert_true(job->faulty || world->innocent_may_fail);
        world->counts.failed++;
        take_back(world, job);
    }
}

/* As many refusals as two texts at fault take. */
static unsigned refusals_allowed(size_t count) {
    unsigned halvings = 0;
    while (((size_t)1 << halvings) < count) {
        halvings++;
    }
    return 2 * halvings + 2;
}

static void end_call(struct world *world, size_t slot) {
    struct edda_gather_batch *batch = world->running[slot];
    size_t bytes = 0;
    bool fault = false;
    world->running[slot] = NULL;
    for (size_t i = 0; i < batch->texts.count; i++) {
        size_t word = word_of(batch, i);
        bytes += batch->texts.count > 1 ? text_of(word).size : 0;
        fault = fault || is_faulty(word);
        world->flying[batch->class][batch->query][word] = false;
    }
    bool too_large = bytes > FITS_BYTES;
    world->refused = too_large || fault;
    world->innocent_may_fail = batch->refusals >= refusals_allowed(batch->count);
    world->counts.refusals += world->refused;
    if (too_large) {
        edda_gather_refuse(world->gather, &batch, EDDA_GATHER_TOO_LARGE, hand, world);
    } else if (fault) {
        edda_gather_refuse(world->gather, &batch, EDDA_GATHER_AT_FAULT, hand, world);
    } else {
        for (size_t i = 0; i < batch->texts.count; i++) {
            world->held[batch->class][batch->query][word_of(batch, i)] = false;
        }
        edda_gather_end(world->gather, &batch, hand, world);
    }
    world->refused = false;
}

static void end_due(struct world *world) {
    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (world->running[slot] && world->until_ms[slot] <= world->now_ms) {
            end_call(world, slot);
        }
    }
}

static void change_slots(struct world *world) {
    world->slots = (uint32_t)random_below(&world->random, SLOTS + 1);
    if (world->slots == 0) {
        if (random_below(&world->random, 2)) { /* the provider is away: nobody waits for it */
            edda_gather_drop(world->gather, random_below(&world->random, 2), hand, world);
        }
    }
}

static void step(struct world *world) {
    size_t kind = random_below(&world->random, 100);
    if (world->slots == 0) {
        world->stuck_ms = world->now_ms + 1;
    }
    if (kind < 40) {
        add_job(world);
    } else if (kind < 43) {
        take_back(world, &world->jobs[random_below(&world->random, JOBS)]);
    } else if (kind < 46 || world->slots == 0) {
        change_slots(world);
    } else {
        world->now_ms += (int64_t)random_below(&world->random, 4);
    }
    end_due(world);
    pump(world);
}

static void settle(struct world *world) {
    world->slots = SLOTS;
    for (int i = 0; i < 10000 && !edda_gather_idle(world->gather); i++) {
        world->now_ms++;
        end_due(world);
        pump(world);
    }
    assert_true(edda_gather_idle(world->gather));
    for (size_t j = 0; j < JOBS; j++) {
        assert_int_equal(world->jobs[j].open, 0); /* every text has come out */
    }
    assert_true(world->counts.added == world->counts.handed + world->counts.taken_back);
}

static struct counts run_seed(uint64_t seed, uint64_t events) {
    struct world *world = calloc(1, sizeof *world);
    fprintf(stderr, "seed %llu\r", (unsigned long long)seed);
    world->random.state = seed;
    world->gather = edda_gather_new(&limits);
    world->slots = 2;
    world->now_ms = 1;
    for (uint64_t i = 0; i < events; i++) {
        step(world);
    }
    settle(world);
    struct counts counts = world->counts;
    edda_gather_destroy(&world->gather);
    free(world);
    return counts;
}

static uint64_t setting(const char *name, uint64_t fallback) {
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : fallback;
}

static void random_events_keep_every_promise(void **state) {
    (void)state;
    uint64_t first = setting("EDDA_SEED", 0);
    uint64_t seeds = first ? 1 : setting("EDDA_SEEDS", SEEDS);
    struct counts sum = {0};
    for (uint64_t i = 0; i < seeds; i++) {
        struct counts counts = run_seed(first ? first : i + 1, setting("EDDA_EVENTS", EVENTS));
        sum.added += counts.added;
        sum.handed += counts.handed;
        sum.busy += counts.busy;
        sum.failed += counts.failed;
        sum.calls += counts.calls;
        sum.refusals += counts.refusals;
    }
    print_message(
        "texts %llu, handed %llu; jobs busy %llu, failed %llu; calls %llu, refused %llu\n",
        (unsigned long long)sum.added, (unsigned long long)sum.handed, (unsigned long long)sum.busy,
        (unsigned long long)sum.failed, (unsigned long long)sum.calls,
        (unsigned long long)sum.refusals);
    /* The world must be rough, and still most must come through. */
    assert_true(sum.busy > 0 && sum.failed > 0 && sum.refusals > sum.calls / 20);
    assert_true(sum.handed > sum.added / 2);
}

static void the_same_seed_is_the_same_run(void **state) {
    (void)state;
    struct counts first = run_seed(4711, 3000);
    struct counts second = run_seed(4711, 3000);
    assert_memory_equal(&first, &second, sizeof first);
}

int main(void) {
    for (size_t i = 0; i < WORDS; i++) {
        memset(texts[i], (int)('a' + i % 26), sizeof texts[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_events_keep_every_promise),
        cmocka_unit_test(the_same_seed_is_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
