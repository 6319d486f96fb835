/* tests/fuzz/fuzz_collection.c: a judged collection that somebody brings to `edda eval`.
 *
 * The input is docs.jsonl, a zero byte, queries.jsonl, a zero byte, qrels.tsv. One that is refused
 * is refused in words that fit; one that is taken names only documents that are there, and gives
 * every query something that is right. Keeping some of the queries keeps them in their order. */
#include "ops/eval/collection.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const names[] = {"docs.jsonl", "queries.jsonl", "qrels.tsv"};
static char folder[64];

static void remove_folder(void) {
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void make_folder(void) {
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/edda-fuzz-XXXXXX");
        EDDA_ASSERT(mkdtemp(folder));
        EDDA_ASSERT(atexit(remove_folder) == 0);
    }
}

/* The next file's bytes, up to a zero. */
static void write_next(struct fuzz_input *input, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t size = strnlen((const char *)input->at, (size_t)(input->end - input->at));
    (void)unlink(path); /* file systems write at once what takes the place of something */
    FILE *file = fopen(path, "wb");
    EDDA_ASSERT(file && fwrite(input->at, 1, size, file) == size && fclose(file) == 0);
    input->at += size;
    input->at += !fuzz_is_over(input);
}

static void check(struct edda_collection *collection) {
    for (size_t i = 0; i < collection->query_count; i++) {
        const struct edda_judged_query *query = &collection->queries[i];
        size_t right = 0;
        for (size_t g = 0; g < query->grade_count; g++) {
            EDDA_ASSERT(query->grades[g].document == EDDA_NO_DOCUMENT ||
                        query->grades[g].document < collection->document_count);
            right += query->grades[g].grade > 0;
        }
        EDDA_ASSERT(right > 0 && query->id[0] && query->text);
    }
    size_t before = collection->query_count;
    edda_collection_keep(collection, 2);
    EDDA_ASSERT(collection->query_count == (before < 2 ? before : 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char message[EDDA_COLLECTION_MESSAGE] = "";
    struct edda_collection collection = {0};
    struct fuzz_input input = {data, data + size};
    make_folder();
    for (size_t i = 0; i < 3; i++) {
        write_next(&input, names[i]);
    }
    if (edda_collection_read(folder, &collection, message) == 0) {
        check(&collection);
    } else {
        EDDA_ASSERT(message[0] && strnlen(message, sizeof message) < sizeof message);
    }
    edda_collection_done(&collection);
    return 0;
}
