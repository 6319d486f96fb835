/* tests/fuzz/fuzz_filter.c: any filters against any memo.
 *
 * The input is a script of texts: a memo's attributes, then a filter. What is taken obeys the laws
 * of its meaning: eq is in with one value; neq and not_in pass what has the field and eq and in do
 * not; a filter that holds alone holds twice; two that do not both hold do not pass together. */
#include "actors/store/index/filter.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define TEXT_BYTES 48

struct filters {
    struct edda_text values[2];
    struct edda_store_filter items[2];
};

/* The next text, up to a zero byte. */
static struct edda_text take_text(struct fuzz_input *input) {
    struct edda_text text = {(const char *)input->at, 0};
    while (!fuzz_is_over(input) && text.size < TEXT_BYTES && *input->at != 0) {
        input->at++;
        text.size++;
    }
    input->at += !fuzz_is_over(input);
    return text;
}

/* 1: passes, 0: does not, -1: no such filter. */
static int pass(struct edda_store_filter *items, size_t count,
                const struct edda_attributes *packed) {
    edda_filter_t *filter = NULL;
    int error = edda_filter_new(&(struct edda_store_filters){items, count}, &filter);
    int passes = error ? -1 : edda_filter_pass(filter, packed);
    EDDA_ASSERT(!error || !filter);
    edda_filter_destroy(&filter);
    return passes;
}

static int pass_as(struct edda_store_filter filter, const char *name,
                   const struct edda_attributes *packed) {
    filter.operator_name = (struct edda_text){name, strlen(name)};
    return pass(&filter, 1, packed);
}

static void check_laws(struct filters *filters, const struct edda_attributes *packed) {
    struct edda_store_filter one = filters->items[0];
    int first = pass(&one, 1, packed);
    int second = pass(&filters->items[1], 1, packed);
    int both = pass(filters->items, 2, packed);
    EDDA_ASSERT(both == (first < 0 || second < 0 ? -1 : first && second));
    int equal = pass_as(one, "eq", packed);
    int among = pass_as(one, "in", packed);
    int other = pass_as(one, "neq", packed);
    int none = pass_as(one, "not_in", packed);
    EDDA_ASSERT(equal < 0 || among < 0 || equal == among);
    EDDA_ASSERT(equal < 0 || other < 0 || !(equal && other));
    EDDA_ASSERT(among < 0 || none < 0 || !(among && none));
    EDDA_ASSERT(equal != 1 || pass_as(one, "contains", packed) != 0);
    EDDA_ASSERT(equal != 1 || pass_as(one, "startswith", packed) != 0);
    EDDA_ASSERT(equal != 1 || pass_as(one, "endswith", packed) != 0);
}

static void take_filter(struct fuzz_input *input, struct filters *filters, size_t i) {
    filters->values[i] = take_text(input);
    filters->items[i].field = take_text(input);
    filters->items[i].operator_name = take_text(input);
    filters->items[i].filter_type = take_text(input);
    filters->items[i].values = (struct edda_texts){&filters->values[i], 1};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = fuzz_copy(data, size);
    struct fuzz_input input = {copy, copy + size};
    struct edda_text tags[2] = {take_text(&input), take_text(&input)};
    struct edda_memo_attributes attributes = {
        .title = take_text(&input),
        .source = take_text(&input),
        .metadata = take_text(&input),
        .scopes = take_text(&input),
        .tags = {tags, 2},
    };
    struct edda_attributes *packed = NULL;
    struct filters filters = {0};
    take_filter(&input, &filters, 0);
    take_filter(&input, &filters, 1);
    EDDA_ASSERT(edda_attributes_pack(&attributes, &packed) == 0);
    EDDA_ASSERT(pass(NULL, 0, packed) == 1);
    check_laws(&filters, packed);
    free(packed);
    __builtin_free(copy);
    return 0;
}
