/* tests/fuzz/replay.c: runs a fuzzer without libFuzzer: every corpus file, then seeded mutations.
 *
 * Usage: replay_fuzz_x [FOLDER or FILE]...
 * EDDA_FUZZ_RUNS sets the number of mutations, EDDA_FUZZ_SEED where they start; an input that fails
 * is the file fuzz-failed.bin in the working folder. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/proto/random.h"

#define MAX_SEEDS    1024
#define MOST_BYTES   65536
#define DEFAULT_RUNS 100000

struct seed {
    uint8_t *data; /* owned */
    size_t size;
};

static struct seed seeds[MAX_SEEDS];
static size_t seed_count;
static uint8_t current[MOST_BYTES]; /* what runs now, for the signal handler */
static volatile size_t current_size;

static void save_current(int signal_number) {
    FILE *file = fopen("fuzz-failed.bin", "wb");
    if (file) {
        fwrite(current, 1, current_size, file);
        fclose(file);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void add_seed_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || seed_count == MAX_SEEDS) {
        fprintf(stderr, "%s: cannot be read, or too many seeds\n", path);
        exit(1);
    }
    size_t size = fread(current, 1, sizeof(current), file);
    fclose(file);
    seeds[seed_count++] = (struct seed){fuzz_copy(current, size), size};
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of names, so that a seed number means the same everywhere. */
static void add_seeds(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        add_seed_file(path);
        return;
    }
    struct dirent **names;
    int count = scandir(path, &names, NULL, compare_names);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            char file[4096];
            snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
            add_seed_file(file);
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
}

/* One small change: set, flip, add, insert, drop, copy within, or splice another seed's end. */
static size_t mutate_once(struct random *random, uint8_t *data, size_t size) {
    static const uint8_t telling[] = {0x00, 0x7f, 0x80, 0xff, 0xc4, 0xc6, 0xd9, 0xdb, 0xdd, 0xdf};
    size_t at = random_below(random, size);
    size_t length = 1 + random_below(random, 8);
    const struct seed *other = &seeds[random_below(random, seed_count)];
    switch (size == 0 ? 3 : random_below(random, 7)) {
    case 0:
        data[at] = telling[random_below(random, sizeof(telling))];
        return size;
    case 1:
        data[at] ^= (uint8_t)(1u << random_below(random, 8));
        return size;
    case 2:
        data[at] = (uint8_t)(data[at] + random_below(random, 9) - 4);
        return size;
    case 3:
        length = length < MOST_BYTES - size ? length : MOST_BYTES - size;
        memmove(data + at + length, data + at, size - at);
        random_bytes(random, data + at, length);
        return size + length;
    case 4:
        length = length < size - at ? length : size - at;
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    case 5:
        length = length < size - at ? length : size - at;
        memmove(data + at, data + random_below(random, size - length + 1), length);
        return size;
    default: {
        size_t from = random_below(random, other->size);
        size_t rest = other->size - from;
        rest = rest < MOST_BYTES - at ? rest : MOST_BYTES - at;
        memcpy(data + at, other->data + from, rest);
        return at + rest;
    }
    }
}

static void run_current(void) {
    uint8_t *exact = fuzz_copy(current, current_size);
    LLVMFuzzerTestOneInput(exact, current_size);
    free(exact);
}

static uint64_t read_setting(const char *name, uint64_t otherwise) {
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        add_seeds(argv[i]);
    }
    if (seed_count == 0) {
        fprintf(stderr, "no corpus\n");
        return 1;
    }
    signal(SIGABRT, save_current);
    for (size_t i = 0; i < seed_count; i++) {
        current_size = seeds[i].size;
        memcpy(current, seeds[i].data, current_size);
        run_current();
    }
    struct random random = {read_setting("EDDA_FUZZ_SEED", 1)};
    uint64_t runs = read_setting("EDDA_FUZZ_RUNS", DEFAULT_RUNS);
    for (uint64_t run = 0; run < runs; run++) {
        const struct seed *seed = &seeds[random_below(&random, seed_count)];
        size_t size = seed->size;
        memcpy(current, seed->data, size);
        for (size_t changes = 1 + random_below(&random, 4); changes > 0; changes--) {
            size = mutate_once(&random, current, size);
        }
        current_size = size;
        run_current();
    }
    for (size_t i = 0; i < seed_count; i++) {
        free(seeds[i].data);
    }
    printf("%zu seeds and %llu mutations\n", seed_count, (unsigned long long)runs);
    return 0;
}
