/* tests/fuzz/fuzz_options.c: environments and command lines.
 *
 * The first byte says how many of the strings that follow, each up to a zero, are the
 * environment's. What is taken is within the table's limits and keeps every word; lists come apart
 * into the items that are between their commas; what is refused is one printable line, and no
 * secret is in it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/options.h"
#include "ops/urls.h"
#include "tests/fuzz/fuzz.h"

#define MAX_STRINGS 32
#define SECRET      "hush-hush"

static const char *const own[] = {"--dead", "--chat=", NULL};

/* The strings up to zeros; the last may lack its own. Returns how many. */
static size_t take_strings(char *data, size_t size, char *strings[MAX_STRINGS + 1]) {
    size_t count = 0;
    for (size_t at = 0; at < size && count < MAX_STRINGS; at += strlen(data + at) + 1) {
        strings[count++] = data + at;
    }
    strings[count] = NULL;
    return count;
}

/* A file's name could be that of anything on this machine. */
static bool names_file(const char *string) {
    const char *equals = strchr(string, '=');
    return equals && equals - string >= 5 && memcmp(equals - 5, "_FILE", 5) == 0;
}

static void check_message(const char *message) {
    EDDA_ASSERT(message[0] && !strstr(message, SECRET));
    EDDA_ASSERT(strlen(message) < sizeof(struct edda_options));
}

static void check_setting(const edda_config_t *config, enum edda_setting setting) {
    const struct edda_setting_info *info = edda_setting_info(setting);
    switch (info->kind) {
    case EDDA_SETTING_NUMBER: {
        int64_t number = edda_config_number(config, setting);
        EDDA_ASSERT(number >= info->minimum && number <= info->maximum);
        break;
    }
    case EDDA_SETTING_SWITCH:
        (void)edda_config_switch(config, setting);
        break;
    default: {
        const char *text = edda_config_text(config, setting);
        int64_t size = (int64_t)strlen(text);
        EDDA_ASSERT(size >= info->minimum && size <= info->maximum);
        EDDA_ASSERT(text[strcspn(text, "\r\n")] == '\0');
    }
    }
}

/* How many items a reader of commas and blanks sees, and the size of the longest. */
static size_t count_items(const char *list, size_t *ret_longest) {
    size_t count = 0;
    *ret_longest = 0;
    while (*list) {
        size_t size = strcspn(list, ",");
        const char *next = list + size + (list[size] == ',');
        for (; size > 0 && *list == ' '; size--) {
            list++;
        }
        while (size > 0 && list[size - 1] == ' ') {
            size--;
        }
        count += size > 0;
        *ret_longest = size > *ret_longest ? size : *ret_longest;
        list = next;
    }
    return count;
}

static void check_lists(const edda_config_t *config) {
    struct edda_urls urls;
    char message[256] = "";
    size_t longest;
    size_t count = count_items(edda_config_text(config, EDDA_CONFIG_LISTEN), &longest);
    edda_urls_init(&urls);
    int error = edda_urls_add_list(&urls, edda_config_text(config, EDDA_CONFIG_LISTEN));
    EDDA_ASSERT((error == 0) == (count <= EDDA_MAX_URLS && longest < EDDA_MAX_URL));
    EDDA_ASSERT(error == 0 ? urls.count == count : error == EDDA_E_LIMIT);
    const char *workers = edda_config_text(config, EDDA_CONFIG_WORKERS);
    unsigned wanted = 0;
    if (edda_workers_of(workers, "embedder", &wanted, message, sizeof message) == 0) {
        EDDA_ASSERT(wanted >= 1 && wanted <= 64);
        EDDA_ASSERT(wanted == 1 || count_items(workers, &longest) > 0);
    } else {
        check_message(message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *strings[MAX_STRINGS + 1];
    char *environment[MAX_STRINGS + 2] = {(char *)(uintptr_t) "OPENAI_API_KEY=" SECRET};
    struct edda_options options;
    struct fuzz_input input = {data, data + size};
    size_t of_environment = (size_t)fuzz_take(&input, 1) % 8;
    size_t rest = (size_t)(input.end - input.at);
    char *copy = malloc(rest + 1);
    EDDA_ASSERT(copy);
    memcpy(copy, input.at, rest);
    copy[rest] = '\0';
    if (memmem(copy, rest, SECRET, sizeof SECRET - 1)) {
        free(copy);
        return 0;
    }
    size_t count = take_strings(copy, rest, strings);
    of_environment = of_environment < count ? of_environment : count;
    for (size_t i = 0, to = 1; i < of_environment; i++) {
        environment[to] = names_file(strings[i]) ? NULL : strings[i];
        to += environment[to] != NULL;
    }
    const char *const *arguments = (const char *const *)strings + of_environment;
    count -= of_environment;
    if (edda_options_init(&options, own, environment, arguments, count) == 0) {
        EDDA_ASSERT(options.message[0] == '\0' && options.word_count <= count);
        for (size_t i = 0; i < EDDA_CONFIG_COUNT; i++) {
            check_setting(options.config, (enum edda_setting)i);
        }
        check_lists(options.config);
        EDDA_ASSERT(!edda_options_own_value(&options, "--chat=") ||
                    edda_options_own(&options, "--chat="));
    } else {
        check_message(options.message);
    }
    edda_options_done(&options);
    free(copy);
    return 0;
}
